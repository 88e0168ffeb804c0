"""Private namespaces, a private root file system, and giving up privileges (Linux, through ctypes).

A function that adds a layer around the calling process returns whether the layer is active. Root creates the namespaces
directly and then becomes an unused ordinary user. An ordinary user creates them inside a new user namespace.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable, Iterable

NAMESPACES = {
    "mount": 0x00020000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "pid": 0x20000000,
    "network": 0x40000000,
}
CLONE_NEWUSER = 0x10000000

MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID = 1, 2
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
SYS_MOUNT_SETATTR = 442
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
CAPABILITY_VERSION_3 = 0x20080522

#: user ids from here on belong to nobody; as root, each worker takes its own, so that its processes count separately
FIRST_UNUSED_USER = 1_879_048_192
NOBODY = 65534
#: files of the standard streams, by descriptor number; their folder has no room for other files
STREAMS = ("/streams/in", "/streams/out", "/streams/err")
STREAM_LINKS = ("/dev/stdin", "/dev/stdout", "/dev/stderr")
STREAM_OPTIONS = b"size=1g,nr_inodes=4,mode=755"
SCRATCH_OPTIONS = b"size=8m,nr_inodes=512,mode=777"

LINUX = sys.platform.startswith("linux")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def enter() -> list[str]:
    """Move into as many private namespaces as the kernel grants, and return the names of these namespaces.

    The pid namespace contains children forked afterwards, not the caller itself.
    """
    if not LINUX:
        return []
    libc = _libc()
    wanted = sum(NAMESPACES.values())
    if os.geteuid() == 0 and libc.unshare(wanted) == 0:
        return list(NAMESPACES)
    uid, gid = os.geteuid(), os.getegid()
    granted = []
    if libc.unshare(CLONE_NEWUSER) == 0:
        _map_user(uid, gid)
        granted.append("user")
    if libc.unshare(wanted) == 0:
        return granted + list(NAMESPACES)
    return granted + [name for name, flag in NAMESPACES.items() if libc.unshare(flag) == 0]


def _map_user(uid: int, gid: int) -> None:
    # Without a mapping the process is the overflow user inside, which confines it all the same.
    with contextlib.suppress(OSError):
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def make_root(
    base: str,
    paths: Iterable[str],
    scratch: str,
    scratch_options: bytes = SCRATCH_OPTIONS,
    prepare: Callable[[str], None] | None = None,
) -> bool:
    """Make `base` the root, with read-only views of the paths and a small private scratch folder.

    The process must be in a mount namespace of its own. Returns False if a step fails.

    Args:
        base: an empty folder.
        paths: files and folders to show, at the same paths.
        scratch: path of the scratch folder, which is writable, in memory, and not executable.
        scratch_options: size and mode of the scratch folder, as mount options.
        prepare: called with `base` before the paths are shown, while all files of the machine can still be read. It may
            put more files below `base`. These files become read-only.
    """
    libc = _libc()
    pivot_root = SYS_PIVOT_ROOT.get(os.uname().machine)
    if pivot_root is None or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        return False
    if libc.mount(b"tmpfs", os.fsencode(base), b"tmpfs", MS_NOSUID | MS_NODEV, b"size=1m,mode=755") != 0:
        return False
    if prepare is not None:
        prepare(base)
    for path in paths:
        _show(libc, base, path)
    os.makedirs(base + scratch)
    streams = os.path.dirname(STREAMS[0])
    os.mkdir(base + streams)
    for link, target in zip(STREAM_LINKS, STREAMS, strict=True):
        os.symlink(target, base + link)
    os.mkdir(base + "/.old")
    if libc.syscall(pivot_root, os.fsencode(base), os.fsencode(base + "/.old")) != 0:
        return False
    os.chdir("/")
    if libc.umount2(b"/.old", MNT_DETACH) != 0:
        return False
    os.rmdir("/.old")
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, 0)
    if libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, attributes, ctypes.sizeof(attributes)) != 0:
        return False
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    wanted = ((streams, STREAM_OPTIONS), (scratch, scratch_options))
    return all(libc.mount(b"tmpfs", os.fsencode(path), b"tmpfs", flags, how) == 0 for path, how in wanted)


def mount_memory(path: str, options: bytes, *, executable: bool = False) -> bool:
    """Mount a file system in memory on a folder; False if that fails.

    Set `executable` if libraries in the folder must be loadable.
    """
    flags = MS_NOSUID | MS_NODEV | (0 if executable else MS_NOEXEC)
    return bool(_libc().mount(b"tmpfs", os.fsencode(path), b"tmpfs", flags, options) == 0)


def bind(path: str, place: str) -> bool:
    """Show the file or folder `path` at `place`, which exists and is of the same kind; False if that fails."""
    return bool(_libc().mount(os.fsencode(path), os.fsencode(place), None, MS_BIND, None) == 0)


def open_streams(private_root: bool) -> list[int]:
    """Files in memory for the input and output of samples: named if there is a private root, anonymous otherwise."""
    if not private_root:
        return [os.memfd_create(os.path.basename(name)) for name in STREAMS]
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    # What is printed is added to what has been written under the file's name.
    opened = [os.open(name, flags | (os.O_APPEND if number else 0)) for number, name in enumerate(STREAMS)]
    for descriptor in opened:
        os.fchmod(descriptor, 0o666)
    return opened


def _show(libc: ctypes.CDLL, base: str, path: str) -> None:
    """Bind one path below `base`, and recreate the symbolic links on the way to it."""
    place = ""
    parts = path.strip("/").split("/")
    for index, part in enumerate(parts):
        place += "/" + part
        if os.path.islink(place):
            target = os.readlink(place)
            if not os.path.lexists(base + place):
                os.symlink(target, base + place)
            _show(libc, base, os.path.normpath(os.path.join(os.path.dirname(place), target, *parts[index + 1 :])))
            return
        if index < len(parts) - 1:
            os.makedirs(base + place, exist_ok=True)
    if os.path.isdir(path):
        os.makedirs(base + path, exist_ok=True)
    elif not os.path.exists(base + path):
        _write(base + path, "")
    libc.mount(os.fsencode(path), os.fsencode(base + path), None, MS_BIND | MS_REC, None)


def become_nobody(number: int) -> bool:
    """Become an ordinary user that owns no files, for good (root only); False if that fails."""
    for uid in (FIRST_UNUSED_USER + number, NOBODY):
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        except OSError:
            continue
        return True
    return False


def drop_capabilities() -> bool:
    """Give up all capabilities for good, now and across exec; False if that fails."""
    if not LINUX:
        return False
    libc = _libc()
    kept = libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    return bool(libc.capset(header, nothing) == 0 and kept == 0)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies."""
    if LINUX:
        _libc().prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)


def hide_memory() -> None:
    """Keep other processes of the same user from reading this process's memory."""
    if LINUX:
        _libc().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def cpu_clock(pid: int) -> int:
    """The clock id that reads another process's CPU time, computed as `clock_getcpuclockid` does (Linux)."""
    return (~pid << 3) | 2
