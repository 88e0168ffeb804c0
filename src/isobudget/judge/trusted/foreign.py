"""A worker for foreign tests: its tester is confined as a sample is, before it knows any test.

Tests, references and checkers from strangers run in the tester. The tester of such a worker is a process of its own
inside namespaces, a private root, Landlock, limits and the system call filter. Foreign code can therefore reach no
file, no network, and no process except the samples of the same worker. The worker's first process stays outside and
never sees a test. It starts zygotes at the tester's request, because a confined process cannot start them.

The judge checks only the form of a tester's answers. Only the owner of the tests has reason to believe the content of
these answers.

Not covered: CPU time that a tester uses beyond the limits of a job. The owner of the judge must end such a worker.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import sys
from typing import NoReturn

from isobudget.judge.confinement import confine, namespaces, seccomp
from isobudget.judge.confinement.memory import HEADROOM_MB
from isobudget.judge.messages import WorkerSettings
from isobudget.judge.trusted import tester, zygotes
from isobudget.judge.trusted.kinds import KINDS
from isobudget.judge.trusted.zygotes import Started

#: byte that a tester sends -> use of the zygote that it asks for
USES = {b"n": "", b"s": "source", b"p": "pytest"}
#: most zygotes that are started for one tester; after them the worker ends
MOST_ZYGOTES = 32
#: added to a worker's number for its tester, so that the tester's user is not that of its zygotes
NUMBERS_OF_TESTERS = 500_000
#: least memory of a tester, to which `HEADROOM_MB` is added: pytest and numerical libraries need so much address space
LEAST_MB = 1024
#: modules that tests use and that cannot be imported once the root is private
BEFORE = (
    "isobudget.judge.trusted.shared",
    "isobudget.judge.packing",
    "isobudget.judge.unpacking",
    "tempfile",
    "shutil",
)


def main(settings: WorkerSettings, started: Started) -> NoReturn:
    """Run as the worker's first process: fork the tester, then start zygotes for the tester until the tester ends."""
    setting = zygotes.setting_of(settings._replace(number=NUMBERS_OF_TESTERS + settings.number))
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        os.close(settings.life)
        _confined(settings, setting, started, theirs)
    theirs.close()
    os.close(started.control)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    namespaces.hide_memory()
    tester.end_with(settings.life)
    with contextlib.suppress(OSError):
        _start_zygotes(settings, ours)
    # Zygotes and tester die with this process.
    os._exit(0)


def _start_zygotes(settings: WorkerSettings, ours: socket.socket) -> None:
    for _ in range(MOST_ZYGOTES):
        use = USES.get(ours.recv(1))
        if use is None:
            return
        _reap()
        made = zygotes.launch(settings, use)
        socket.send_fds(ours, [b"."], [made.control])
        os.close(made.control)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


class _Elsewhere(zygotes.Process):
    """A zygote that is the child of another process: it ends when its socket is closed, and its parent waits for it."""

    def __init__(self) -> None:
        super().__init__(0)

    def kill(self) -> None:
        """Do nothing: the zygote ends when its socket is closed."""

    def wait(self, timeout: float | None = None) -> int:  # noqa: ARG002
        """Do nothing: the zygote's parent waits for it."""
        return 0


def _confined(settings: WorkerSettings, setting: confine.Setting, started: Started, theirs: socket.socket) -> NoReturn:
    """Run as the tester: import what tests need, add all layers of confinement, and serve jobs."""
    namespaces.die_with_parent()
    granted = confine.enter_namespaces(setting)
    inner = os.fork()
    if inner:
        os.closerange(0, 256)
        os.waitpid(inner, 0)
        os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in (*BEFORE, *(f"isobudget.judge.trusted.kinds.{file}" for file, _ in KINDS.values())):
        importlib.import_module(name)
    streams = tester.take_streams()
    sys.path += settings.packages
    layers, scratch, _ = confine.confine(setting, granted, _close_all, seccomp.tester_program)
    namespaces.hide_memory()
    layers = _more(layers, settings)
    os.environ.update(HOME=scratch, TMPDIR=scratch)

    def launch(_settings: WorkerSettings, use: str) -> Started:
        theirs.sendall(next(byte for byte, known in USES.items() if known == use))
        control = socket.recv_fds(theirs, 1, 1)[1][0]
        return Started(_Elsewhere(), control, "")

    made = tester.Tester(settings, streams.answers, Started(_Elsewhere(), started.control, ""), launch)
    also = [confine.MEMORY_WATCH] * (confine.MEMORY_WATCH in made.layers)
    tester.serve(made, streams.jobs, [layer for layer in layers if layer in made.layers] + also)


def _more(layers: list[str], settings: WorkerSettings) -> list[str]:
    """Limit this process's memory, forbid the system calls that only a zygote needs, and return the active layers."""
    memory_mb = max(LEAST_MB, settings.limits.memory_mb) + HEADROOM_MB
    if not confine.limit_tester(memory_mb):
        layers = [layer for layer in layers if layer != "resource limits"]
    if "system call filter" in layers:
        program = seccomp.sample_program("private root file system" in layers, receives=True)
        if not seccomp.Installer(program).install():
            layers = [layer for layer in layers if layer != "system call filter"]
    return layers


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
