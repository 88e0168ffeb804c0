"""Commands in a network namespace with nothing but the loopback device: what Ray is started in.

Ray looks for this machine's address by a socket to a public resolver, and its workers listen on that address. As root
the namespace leaves the judge's layers as they are; else it is made in a user namespace.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

#: runs the interpreter on arguments in such a namespace
Command = Callable[..., "subprocess.CompletedProcess[str]"]
#: a whole command on a busy machine, Ray's start included
SECONDS = 600
_SOURCE = Path(__file__).resolve().parents[2] / "src"
#: raises the loopback device by SIOCSIFFLAGS (0x8914): IFF_UP | IFF_RUNNING
_RAISE = (
    "import fcntl, os, socket, struct, sys; "
    "fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, struct.pack('16sH14x', b'lo', 0x41)); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


def alone_on_loopback(*command: str) -> list[str]:
    """The command, to be run with the loopback device alone."""
    kind = ["-n"] if os.geteuid() == 0 else ["-rn"]
    return ["unshare", *kind, sys.executable, "-c", _RAISE, *command]


def loopback_python(*arguments: str) -> list[str]:
    """This interpreter on these arguments, likewise."""
    return alone_on_loopback(sys.executable, *arguments)


def environment() -> dict[str, str]:
    """This environment, in which the interpreter and Ray's workers find isobudget and the tests' support."""
    paths = [str(_SOURCE), str(_SOURCE.parent / "tests")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "RAY_USAGE_STATS_ENABLED": "0"}


def network_of(process: int | str = "self") -> str:
    """The network namespace of a process; empty for one that has ended."""
    try:
        return str(Path(f"/proc/{process}/ns/net").readlink())
    except OSError:
        return ""


def processes_in(network: str) -> list[int]:
    """The processes in a network namespace that still run."""
    names = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [int(name) for name in names if network_of(name) == network]


def why_no_ray() -> str:
    """Why a test cannot start Ray here; empty if it can."""
    import importlib.util

    if importlib.util.find_spec("ray") is None:
        return "Ray is not installed (make test-ray)"
    if shutil.which("unshare") is None:
        return "unshare is not installed, and Ray is started in a network namespace of its own only"
    tried = subprocess.run(loopback_python("-c", ""), capture_output=True, text=True, env=environment())
    return "" if tried.returncode == 0 else f"no network namespace: {tried.stderr.strip().splitlines()[-1:]}"


if __name__ == "__main__":  # python loopback.py SCRIPT ...: this interpreter on the script
    os.environ.update(environment())
    os.execvp("unshare", loopback_python(*sys.argv[1:]))
