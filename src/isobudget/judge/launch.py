"""How a zygote comes about: forked from a worker's beginning, before it knows any test, or launched anew.

`main` is where a worker begins. What tester and zygote have in common is imported and run warm once; then the process
forks. The child becomes the zygote, with the judge's pipes closed, and confines itself; the parent becomes the tester.
Once a tester knows tests it forks no more zygotes, since they would bring the tests along: a zygote that replaces
another is launched as an interpreter of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import sys
from _socket import socketpair
from typing import Any, NamedTuple, NoReturn

from isobudget.judge.confinement import confine
from isobudget.judge.untrusted import zygote

#: a number for every zygote of this process, which its folder is named by
NUMBERS = itertools.count(1)


class Process:
    """A child of this process, by its number."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its status; raises `TimeoutError` when that takes too long."""
        handle = os.pidfd_open(self.pid)
        try:
            poller = select.poll()
            poller.register(handle, select.POLLIN)
            if not poller.poll(None if timeout is None else 1000 * timeout):
                raise TimeoutError("the zygote does not end")
        finally:
            os.close(handle)
        return os.waitpid(self.pid, 0)[1]


class Started(NamedTuple):
    """A zygote that is coming up: its process, the descriptor of its control socket, and its folder."""

    process: Process
    control: int
    base: str


def main(settings: dict[str, Any]) -> NoReturn:
    """Begin a worker: fork its zygote, and be its tester."""
    with contextlib.suppress(OSError):
        # Tests and sample take turns: on one core they do so fastest.
        os.sched_setaffinity(0, {settings["core"]})
    # For all that comes of this process: Ctrl-C is for the judge.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    zygote.warm()
    started = fork_zygote(settings)
    from isobudget.judge.trusted import tester

    tester.main(settings, started)


def fork_zygote(settings: dict[str, Any]) -> Started:
    """Fork the first zygote. Only for a process that has no tests in its memory."""
    base, setting = _folder(settings)
    ours, theirs = socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1):
            os.dup2(null, descriptor)
        os.close(null)
        zygote.main(setting, theirs.detach())
    theirs.close()
    return Started(Process(pid), ours.detach(), base)


def launch_zygote(settings: dict[str, Any]) -> Started:
    """Start a zygote as an interpreter of its own."""
    base, setting = _folder(settings)
    ours, theirs = socketpair()
    code = confine.bootstrap("launch", tuple(setting), theirs.fileno(), entry="become_zygote")
    os.set_inheritable(theirs.fileno(), True)
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, *confine.ISOLATED, "-c", code],
        dict(confine.CLEAN_ENVIRONMENT),
        file_actions=[(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)],
    )
    theirs.close()
    return Started(Process(pid), ours.detach(), base)


def become_zygote(setting: tuple[Any, ...], descriptor: int) -> NoReturn:
    """Be a zygote from the start."""
    zygote.warm()
    zygote.main(confine.Setting(*setting), descriptor)


def _folder(settings: dict[str, Any]) -> tuple[str, confine.Setting]:
    """Make a zygote's folder; how it is to be confined."""
    base = os.path.join(settings["base"], str(next(NUMBERS)))
    os.mkdir(base, 0o700)
    packages, memory_mb = tuple(settings["packages"]), settings["limits"]["memory_mb"]
    return base, confine.Setting(base, packages, settings["number"], settings["without"], memory_mb)
