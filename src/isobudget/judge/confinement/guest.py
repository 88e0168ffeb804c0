"""A confined process of another interpreter, on a read-only copy of a folder: a guest.

The copy is in memory, bounded in size, at the folder's own path, so that configuration and editable installs find it.
The copy is read-only except for the files that the setting names. These files are mounted one by one: they can be
written, but not removed or renamed. The interpreter and its packages are visible read-only at their own paths, even
below a home folder that is otherwise hidden. In all else a guest is confined as a sample is: no network, no `/proc`, an
ordinary user, no capabilities, Landlock, limits. The host sends the system call filter, and the guest's own code
installs it. The filter cannot be installed earlier, because it forbids the `exec` by which this process becomes the
other interpreter.

A guest refuses to start where namespaces are not granted, because then there is no private root to hold the copy.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import stat
import struct
from _socket import socket
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from isobudget.judge.confinement import confine, landlock, memory, namespaces
from isobudget.judge.confinement.reach import DEVICES, FILES, WRITABLE, library_folders

#: folder of the guest's code and of the files that can be written
OVERLAY = "/overlay"
OVERLAY_OPTIONS = b"size=16m,nr_inodes=256,mode=755"
SCRATCH_OPTIONS = b"size=64m,nr_inodes=8192,mode=777"
PROGRAM = "guest.py"
#: a frame is the length of its JSON text in bytes, and that text
LENGTH = struct.Struct("!I")
DESCRIPTORS = 256
FILE_MB = 64
#: layers without which no guest is started
NEEDED = ("private root file system", "pid namespace", "network namespace", "ordinary user", "no capabilities")


def main(base: str, descriptor: int) -> NoReturn:
    """Run as a guest.

    The setting arrives as one frame over the control socket. A failure to start is reported over the same socket.
    """
    control = socket(fileno=descriptor)
    setting = receive(control)
    try:
        granted = namespaces.enter()
        memory.watched_fork(control, base, int(setting["memory_mb"]))
        namespaces.die_with_parent()
        _become(setting, base, granted, control)
    except BaseException as error:
        send(control, {"fault": f"{type(error).__name__}: {error}"})
    os._exit(1)


def send(control: socket, value: Any) -> None:
    """Send one frame to the other side."""
    data = json.dumps(value).encode()
    control.sendall(LENGTH.pack(len(data)) + data)


def receive(control: socket) -> Any:
    """Receive one frame from the other side.

    Raises:
        EOFError: the other side has closed the socket.
    """
    (length,) = LENGTH.unpack(_exactly(control, LENGTH.size))
    return json.loads(_exactly(control, length))


def _exactly(control: socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = control.recv(min(size - len(data), 1 << 20))
        if not more:
            raise EOFError("the host is gone")
        data += more
    return bytes(data)


def _become(setting: Mapping[str, Any], base: str, granted: list[str], control: socket) -> NoReturn:
    layers, threads = [f"{name} namespace" for name in granted], confine.most_threads(granted)
    view = os.path.normpath(setting["view"])
    shown = [*setting["shown"], *library_folders(), *FILES, *DEVICES]

    def prepare(root: str) -> None:
        os.mkdir(root + OVERLAY)
        os.makedirs(root + view, exist_ok=True)
        options = f"size={setting['view_mb']}m,mode=755".encode()
        if not namespaces.mount_memory(root + view, options, executable=True):
            raise OSError("the copy of the project cannot be mounted")
        copy(view, root + view, setting["files"], setting["writable"])

    paths = _outermost(path for path in shown if os.path.exists(path))
    if "mount" in granted and namespaces.make_root(base, paths, confine.SCRATCH, SCRATCH_OPTIONS, prepare):
        layers.append("private root file system")
        _overlay(view, setting["writable"], setting["program"])
    os.chdir(view)
    if os.geteuid() != 0 or namespaces.become_nobody(int(setting["number"])):
        layers.append("ordinary user")
    if namespaces.drop_capabilities():
        layers.append("no capabilities")
    if lacking := [layer for layer in NEEDED if layer not in layers]:
        raise PermissionError(f"no {', no '.join(lacking)}")
    namespaces.die_with_parent()
    writable = [os.path.join(view, name) for name in setting["writable"]]
    within = landlock.Reachable((), (), (confine.SCRATCH, *writable, *WRITABLE), ("/",))
    layers += [f"Landlock {what}" for what in landlock.restrict(within)]
    if not confine.set_limits(
        {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: FILE_MB << 20,
            resource.RLIMIT_NOFILE: DESCRIPTORS,
            resource.RLIMIT_NPROC: threads,
        }
    ):
        raise PermissionError("no resource limits")
    _execute(setting, control, layers)


def _outermost(paths: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for path in sorted(set(map(os.path.normpath, paths))):
        if not any(path.startswith(other + os.sep) for other in kept):
            kept.append(path)
    return kept


def copy(source: str, target: str, files: Iterable[str], writable: Iterable[str]) -> None:
    """Copy files by their relative paths, readable for all. Writable files are not copied but created empty."""
    places = set(writable)
    for name in files:
        path, place = os.path.join(source, name), os.path.join(target, name)
        os.makedirs(os.path.dirname(place), mode=0o755, exist_ok=True)
        if name in places:
            continue
        if os.path.islink(path):
            # As it is: what it points to is either in the copy or not to be seen.
            os.symlink(os.readlink(path), place)
            continue
        shutil.copyfile(path, place)
        os.chmod(place, 0o555 if os.stat(path).st_mode & stat.S_IXUSR else 0o444)
    for name in places:
        place = os.path.join(target, name)
        os.makedirs(os.path.dirname(place), mode=0o755, exist_ok=True)
        with open(place, "w"):
            pass


def _overlay(view: str, writable: Iterable[str], program: str) -> None:
    if not namespaces.mount_memory(OVERLAY, OVERLAY_OPTIONS):
        raise OSError("the folder for the writable files cannot be mounted")
    with open(f"{OVERLAY}/{PROGRAM}", "w") as file:
        file.write(program)
    os.chmod(f"{OVERLAY}/{PROGRAM}", 0o444)
    for number, name in enumerate(writable):
        place = f"{OVERLAY}/{number}"
        with open(place, "w"):
            pass
        os.chmod(place, 0o666)
        if not namespaces.bind(place, os.path.join(view, name)):
            raise OSError(f"{name} cannot be replaced by a writable copy")


def _execute(setting: Mapping[str, Any], control: socket, layers: list[str]) -> NoReturn:
    """Replace this process by the other interpreter.

    Only the control socket and the standard streams stay open. The standard streams lead to `/dev/null`.
    """
    descriptor = control.fileno()
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.set_inheritable(descriptor, True)
    if descriptor > 3:
        os.closerange(3, descriptor)
    os.closerange(descriptor + 1, 1 << 16)
    environment = {
        "PATH": f"{os.path.dirname(setting['interpreter'])}:{os.defpath}",
        "HOME": confine.SCRATCH,
        "TMPDIR": confine.SCRATCH,
        "LANG": "C.UTF-8",
        "USER": "sample",
        "LOGNAME": "sample",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    interpreter = setting["interpreter"]
    arguments = [interpreter, "-s", "-B", f"{OVERLAY}/{PROGRAM}", str(descriptor), json.dumps(layers)]
    os.execve(interpreter, arguments, environment)
