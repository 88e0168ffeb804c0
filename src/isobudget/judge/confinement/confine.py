"""Puts all layers of confinement around a zygote, and says which of them this machine grants.

The order is: namespaces and a private root (where the kernel grants them), dropped privileges, Landlock, limits, and
the system call filter. A layer that the machine does not offer is not among the reported layers. `require` refuses to
run untrusted code if a necessary layer is missing.

Not covered here: faults of the kernel, and what one process can learn of others through shared hardware.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import resource
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from isobudget.errors import JudgeError
from isobudget.judge.confinement import landlock, namespaces, seccomp
from isobudget.judge.confinement.reach import reach, roots, standard_library

MEMORY_WATCH = "resident memory watch"
#: all possible layers, in the order in which they are reported
LAYERS = (
    "separate process",
    "mount namespace",
    "uts namespace",
    "ipc namespace",
    "pid namespace",
    "network namespace",
    "private root file system",
    "ordinary user",
    "no capabilities",
    "Landlock files",
    "Landlock network",
    "Landlock signals",
    "resource limits",
    "system call filter",
    MEMORY_WATCH,
)
#: without these no sample is judged
NEEDED = ("separate process", "ordinary user", "no capabilities", "resource limits", "system call filter")
SCRATCH = "/scratch"
#: options of an interpreter that takes nothing from the user's folders: as `-I`, but the hash seed can be fixed
ISOLATED = ("-s", "-S", "-P", "-W", "ignore")
#: The interpreter's environment. LD_BIND_NOW resolves symbols once, at the start, and not in every sample's process.
CLEAN_ENVIRONMENT = {"PATH": os.defpath, "PYTHONHASHSEED": "0", "LD_BIND_NOW": "1"}
DESCRIPTORS = 64
#: largest file that a sample may write, printed output included; where more output is expected, up to the second size
FILE_KB, MOST_FILE_KB = 8192, 1 << 20
#: threads that one sample may have
THREADS = 64
#: threads allowed besides, where the worker's user runs other processes too: for what that user may start later
SHARED_THREADS = 1024
#: since this version of the kernel, a user's threads are counted separately in every user namespace
COUNTED_APART = (5, 14)


#: limits and their values, soft and hard
ResourceLimits = tuple[tuple[int, tuple[int, int]], ...]


class Setting(NamedTuple):
    """How to confine one worker.

    Attributes:
        base: an empty folder that belongs to the worker.
        packages: folders of installed packages that samples may import from.
        number: the worker's number. If the judge runs as root, it determines which unused user the worker becomes.
        without: layers to leave out, by name, to test the remaining ones.
        memory_mb: resident memory that a sample may take, in MiB.
    """

    base: str
    packages: tuple[str, ...]
    number: int
    without: tuple[str, ...]
    memory_mb: int


class Confined(NamedTuple):
    """A process inside its layers of confinement.

    Attributes:
        layers: the names of all active layers.
        scratch: the folder that the process may write in.
        threads: the most threads that a sample's user may run, as a value of `RLIMIT_NPROC`.
    """

    layers: list[str]
    scratch: str
    threads: int


def enter_namespaces(setting: Setting) -> list[str]:
    """Enter the namespaces that the kernel grants, and return the names of these namespaces.

    The caller must fork to be in the pid namespace.
    """
    return [] if "namespaces" in setting.without else namespaces.enter()


def confine(
    setting: Setting,
    granted: Collection[str],
    on_streams: Callable[[list[int]], None],
    calls: Callable[[], bytes] = seccomp.zygote_program,
) -> Confined:
    """Add the remaining layers around this process.

    Args:
        setting: how to confine the process.
        granted: the namespaces already entered.
        on_streams: called with the descriptors of the samples' input, output and errors while descriptors can still be
            sent to another process.
        calls: makes the system call filter.
    """
    threads = most_threads(granted)
    layers = ["separate process", *(f"{name} namespace" for name in granted)]
    scratch = setting.base
    within = None
    if "mount" in granted and namespaces.make_root(setting.base, roots(setting.packages), SCRATCH):
        layers.append("private root file system")
        scratch = SCRATCH
    on_streams(namespaces.open_streams(scratch == SCRATCH))
    if "landlock" not in setting.without:
        within = reach(setting.packages, scratch, namespaces.STREAMS if scratch == SCRATCH else ())
    os.chdir(scratch)
    if os.geteuid() == 0:
        # The scratch folder on disk, where it is one, is for the user that this process is about to become.
        os.chmod(scratch, 0o777)
    if os.geteuid() != 0 or (_readable_by_others() and namespaces.become_nobody(setting.number)):
        layers.append("ordinary user")
    if namespaces.drop_capabilities():
        layers.append("no capabilities")
    namespaces.die_with_parent()
    if within is not None:
        layers += [f"Landlock {what}" for what in landlock.restrict(within)]
    if limit_worker():
        layers.append("resource limits")
    if "seccomp" not in setting.without and seccomp.available() and seccomp.Installer(calls()).install():
        layers.append("system call filter")
    return Confined([layer for layer in LAYERS if layer in layers], scratch, threads)


def most_threads(granted: Collection[str]) -> int:
    """How many threads the user of a sample may have. Call this while `/proc` is still visible.

    The kernel counts all threads of a user together. If the sample's user also runs other processes, the threads of
    these processes are added to the limit, so that the sample can still start threads of its own.
    """
    if os.geteuid() == 0 or ("user" in granted and _kernel() >= COUNTED_APART):
        return THREADS
    return _tasks_of(os.geteuid()) + THREADS + SHARED_THREADS


def _kernel() -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])


def _tasks_of(user: int) -> int:
    """Number of visible threads in all processes of a user."""
    count = 0
    for name in filter(str.isdecimal, os.listdir("/proc")):
        # Processes end while they are counted.
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{name}").st_uid == user:
                count += len(os.listdir(f"/proc/{name}/task"))
    return count


def limit_tester(memory_mb: int) -> bool:
    """Limit this process, a tester of foreign tests: the size of its files (as for a sample) and its address space.

    Returns False if a limit was refused.
    """
    return set_limits({resource.RLIMIT_AS: memory_mb << 20, resource.RLIMIT_FSIZE: FILE_KB << 10})


def _readable_by_others() -> bool:
    """Whether an unused user could still read the standard library, so that a sample's imports work."""
    path = standard_library()
    while path != "/":
        if not os.stat(path).st_mode & 0o001:
            return False
        path = os.path.dirname(path)
    return True


def limit_worker() -> bool:
    """Set the limits that the zygote and all samples share. Returns False if a limit was refused."""
    return set_limits(
        {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: MOST_FILE_KB << 10, resource.RLIMIT_NOFILE: DESCRIPTORS}
    )


@functools.lru_cache(maxsize=8)
def sample_limits(cpu_seconds: float, memory_mb: int, file_kb: int, threads: int) -> ResourceLimits:
    """Limits of one sample, in the form of `setrlimit`.

    The CPU limit is a whole number of seconds, one to two above `cpu_seconds`: it is a backstop to the exact clock that
    the zygote reads.
    """
    wanted = {
        resource.RLIMIT_CPU: int(cpu_seconds) + 2,
        resource.RLIMIT_AS: memory_mb << 20,
        resource.RLIMIT_FSIZE: file_kb << 10,
        resource.RLIMIT_NPROC: threads,
    }
    return tuple((limit, (most, most)) for limit, value in wanted.items() for most in [_at_most(limit, value)])


def _at_most(limit: int, value: int) -> int:
    _, hard = resource.getrlimit(limit)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def set_limits(wanted: Mapping[int, int]) -> bool:
    """Set the soft and hard limits of this process, never above the current hard limits.

    Returns False if a limit was refused.
    """
    stands = True
    for limit, value in wanted.items():
        most = _at_most(limit, value)
        try:
            resource.setrlimit(limit, (most, most))
        except (OSError, ValueError):
            stands = False
    return stands


def missing(layers: Collection[str]) -> list[str]:
    """The missing layers among those that untrusted code needs: `NEEDED`, and Landlock or namespaces.

    Without the filter a sample could fork, and its children would still run beside the next samples. An ordinary user
    is required even inside namespaces: a sample never runs as root.
    """
    lacking = [layer for layer in NEEDED if layer not in layers]
    apart = {"pid namespace", "network namespace", "private root file system"} <= set(layers)
    if "Landlock files" not in layers and not apart:
        lacking.append("Landlock or namespaces")
    return lacking


def require(layers: Collection[str]) -> None:
    """Refuse to run untrusted code if a necessary layer is missing.

    Raises:
        JudgeError: necessary layers are missing. The message names these layers.
    """
    lacking = missing(layers)
    if lacking:
        raise JudgeError(
            f"samples cannot be confined on this machine: no {', no '.join(lacking)}. Judge on Linux 5.13 or later, "
            "or pass --unsafe (Judge(unsafe=True)) in a disposable container or virtual machine"
        )


def bootstrap(module: str, *arguments: Any, entry: str = "main") -> str:
    """Source code that imports one module of `isobudget.judge` and calls its entry function.

    The packages `isobudget` and `isobudget.judge` are made without running their `__init__` files, which a worker does
    not need.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    call = ", ".join(repr(argument) for argument in arguments)
    return (
        "import sys, types\n"
        f"for name, path in (('isobudget', {os.path.dirname(package)!r}), ('isobudget.judge', {package!r})):\n"
        "    made = sys.modules[name] = types.ModuleType(name)\n"
        "    made.__path__ = [path]\n"
        f"from isobudget.judge.{module} import {entry}\n"
        f"{entry}({call})\n"
    )


def remove_contents(folder: str) -> bool:
    """Empty a scratch folder after a sample. Returns False if something could not be removed.

    Nested folders are first moved up, so that no nesting is too deep to remove.
    """
    moved = 0
    with contextlib.suppress(OSError):
        # Not the owner: then the sample could not change it either.
        os.chmod(folder, 0o700)
    try:
        while entries := list(os.scandir(folder)):
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                    continue
                os.chmod(entry.path, 0o700)
                for inner in list(os.scandir(entry.path)):
                    if inner.is_dir(follow_symlinks=False):
                        moved += 1
                        os.rename(inner.path, os.path.join(folder, f".moved-{moved}"))
                    else:
                        os.unlink(inner.path)
                os.rmdir(entry.path)
    except OSError:
        return False
    return True
