"""The layers that keep a sample inside its process, for Linux through ctypes and with plain POSIX limits elsewhere.

Each function puts up one layer and returns whether it stands; what a machine does not offer is reported by
`confinement` and never assumed. Used by the child process only: calling these in the judge's own process would
confine the judge.

Not covered here: faults of the kernel, and what one process can learn of others through shared hardware.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
NAMESPACES = {
    "mount": CLONE_NEWNS,
    "uts": CLONE_NEWUTS,
    "ipc": CLONE_NEWIPC,
    "pid": CLONE_NEWPID,
    "network": CLONE_NEWNET,
}

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REC, MS_PRIVATE = 0x4000, 0x40000
MOUNT_ATTR_RDONLY = 1
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
SYS_MOUNT_SETATTR = 442

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
CAPABILITY_VERSION_3 = 0x20080522

#: mount options of a sample's scratch folder
SCRATCH_OPTIONS = b"size=16m,nr_inodes=1024,mode=700"


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def enter_namespaces() -> list[str]:
    """Move into private namespaces, as many as the kernel grants; returns their names.

    The pid namespace holds the children forked afterwards, not the caller. An own user namespace is what lets an
    ordinary user have the others; root takes one as well, so that it keeps no rights over the machine.
    """
    if not sys.platform.startswith("linux"):
        return []
    libc = _libc()
    uid, gid = os.geteuid(), os.getegid()
    granted = []
    if libc.unshare(CLONE_NEWUSER) == 0:
        _map_user(uid, gid)
        granted.append("user")
    wanted = 0
    for flag in NAMESPACES.values():
        wanted |= flag
    if libc.unshare(wanted) == 0:
        return granted + list(NAMESPACES)
    return granted + [name for name, flag in NAMESPACES.items() if libc.unshare(flag) == 0]


def _map_user(uid: int, gid: int) -> None:
    # Without a mapping the process is the overflow user inside, which confines it all the same.
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")


def close_file_systems(scratch: str) -> bool:
    """Make every mount read-only and put a small temporary file system on `scratch`; needs an own mount namespace."""
    libc = _libc()
    if libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        return False
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY, 0, 0, 0)
    if libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, attributes, ctypes.sizeof(attributes)) != 0:
        return False
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    if libc.mount(b"tmpfs", os.fsencode(scratch), b"tmpfs", flags, SCRATCH_OPTIONS) != 0:
        return False
    libc.mount(b"tmpfs", b"/proc", b"tmpfs", flags | MS_RDONLY, b"size=4k")
    return True


def drop_privileges() -> bool:
    """Give up all capabilities for good: none now, none by exec."""
    if not sys.platform.startswith("linux"):
        return False
    libc = _libc()
    kept = libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    return bool(libc.capset(header, nothing) == 0 and kept == 0)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies."""
    if sys.platform.startswith("linux"):
        _libc().prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)


def limit_resources(cpu_seconds: float, memory_mb: int, file_kb: int, processes: int) -> None:
    """Set the POSIX limits of this process. CPU seconds are whole here, a backstop to the exact clock of the keeper."""
    cpu = int(cpu_seconds) + 2
    wanted = {
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_AS: memory_mb << 20,
        resource.RLIMIT_FSIZE: file_kb << 10,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: processes,
    }
    for limit, value in wanted.items():
        _, hard = resource.getrlimit(limit)
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (most, most))


def cpu_clock(pid: int) -> int:
    """The clock id that reads the CPU seconds of another process, as `clock_getcpuclockid` makes it (Linux)."""
    return (~pid << 3) | 2


def probe() -> dict[str, bool]:
    """Put up every layer around this process, which is lost to other work, and say which stand."""
    namespaces = enter_namespaces()
    pid = os.fork()
    if pid == 0:
        os._exit(_probe_inside(namespaces))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return {
        "separate process": True,
        "resource limits": True,
        **{f"{name} namespace": name in namespaces for name in ("user", *NAMESPACES)},
        "read-only file systems": bool(code & 1),
        "no capabilities": bool(code & 2),
    }


def _probe_inside(namespaces: list[str]) -> int:
    closed = "mount" in namespaces and close_file_systems("/tmp")
    return int(closed) + 2 * int(drop_privileges())


def confinement() -> dict[str, bool]:
    """Which layers of confinement this machine grants to this user, by name, tried in a process of their own."""
    if os.name != "posix":
        return {"separate process": False}
    command = [sys.executable, "-I", "-S", "-c", bootstrap("confine", "print(json.dumps(probe()))")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        return {"separate process": True, "resource limits": True}
    layers: dict[str, bool] = json.loads(done.stdout)
    return layers


def bootstrap(module: str, call: str) -> str:
    """Source that loads one module of this folder by path and makes one call, without importing the whole package.

    The package's own `__init__` files import far more than a confined process needs.
    """
    package = Path(__file__).resolve().parent
    return (
        "import sys, types\n"
        f"for name, path in (('isobudget', {str(package.parent)!r}), ('isobudget.judge', {str(package)!r})):\n"
        "    made = sys.modules[name] = types.ModuleType(name)\n"
        "    made.__path__ = [path]\n"
        f"from isobudget.judge.{module} import *\n"
        f"from isobudget.judge import {module}\n"
        f"json = __import__('json')\n"
        f"{call}\n"
    )
