"""How a tester gets a zygote: forked when the worker starts, or launched as a new process.

The first zygote is forked before the worker knows any test. A tester that knows tests does not fork any more, because
the child would contain them. A zygote that replaces another is therefore launched as a new interpreter.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import sys
from _socket import socketpair
from typing import NamedTuple

from isobudget.judge.confinement import confine
from isobudget.judge.messages import WorkerSettings
from isobudget.judge.untrusted import zygote

#: numbers by which the folders of this process's zygotes are named
NUMBERS = itertools.count(1)


class Process:
    """A child of this process, known by its pid."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        """Kill the process."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end and return its status; raises `TimeoutError` after `timeout` seconds."""
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
    """A zygote that is starting: its process, the descriptor of its control socket, and its folder."""

    process: Process
    control: int
    base: str


def fork(settings: WorkerSettings) -> Started:
    """Fork the first zygote. Only call this while no tests are in memory."""
    setting = setting_of(settings)
    ours, theirs = socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        os.close(settings.life)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1):
            os.dup2(null, descriptor)
        os.close(null)
        zygote.main(setting, theirs.detach())
    theirs.close()
    return Started(Process(pid), ours.detach(), setting.base)


def launch(settings: WorkerSettings, use: str = "") -> Started:
    """Start a zygote as a new interpreter. `use` has the same meaning as in `zygote.begin`."""
    setting = setting_of(settings)
    ours, theirs = socketpair()
    code = confine.bootstrap("untrusted.zygote", tuple(setting), theirs.fileno(), use, entry="begin")
    os.set_inheritable(theirs.fileno(), True)
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, *confine.ISOLATED, "-c", code],
        dict(confine.CLEAN_ENVIRONMENT),
        file_actions=[(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)],
    )
    theirs.close()
    return Started(Process(pid), ours.detach(), setting.base)


def setting_of(settings: WorkerSettings) -> confine.Setting:
    """Make a folder for a zygote or a tester, and return how to confine it."""
    base = os.path.join(settings.base, str(next(NUMBERS)))
    os.mkdir(base, 0o700)
    return confine.Setting(base, settings.packages, settings.number, settings.without, settings.limits.memory_mb)
