"""The tester's handle on its zygote: it starts samples, ends them, and reports how they ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from typing import NamedTuple

from isobudget.judge.confinement.confine import FILE_KB, MEMORY_WATCH, remove_contents
from isobudget.judge.confinement.memory import HEADROOM_MB
from isobudget.judge.messages import WorkerSettings
from isobudget.judge.signals import signal_name
from isobudget.judge.trusted import zygotes
from isobudget.judge.untrusted import zygote
from isobudget.judge.verdict import Limits, Outcome, Verdict

#: how long a zygote may take to end by itself once its socket is closed
STOP_SECONDS = 2.0
#: wall time that a second of CPU time may take on a busy machine
WALL_FACTOR = 10.0
#: how far the peak that the kernel reports may lie below the true one: each core updates its counter only now and then
PEAK_SLACK_KB = 2 << 10


class ZygoteGoneError(Exception):
    """The zygote does not answer: a fault of the judge, not of the sample."""


class Scratch:
    """A file in memory that serves one sample after another as input or output."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def fill(self, data: bytes) -> None:
        """Replace the contents. The next reader begins at the start."""
        os.ftruncate(self.descriptor, 0)
        place = 0
        while place < len(data):
            place += os.pwrite(self.descriptor, memoryview(data)[place:], place)
        os.lseek(self.descriptor, 0, os.SEEK_SET)

    def size(self) -> int:
        """Number of bytes written."""
        return os.fstat(self.descriptor).st_size

    def take(self, most: int = -1) -> bytes:
        """Read at most `most` bytes, then empty the file."""
        size = self.size()
        data = os.pread(self.descriptor, size if most < 0 else min(size, most), 0)
        if size:
            os.ftruncate(self.descriptor, 0)
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        return data


class ProcessEnd(NamedTuple):
    """How a sample's process ended, as the zygote saw it, and how much memory the process was allowed."""

    status: int
    seconds: float
    peak_kb: int
    stopped: int
    most_kb: int

    @classmethod
    def of(cls, status: int, seconds: float, peak_kb: int, stopped: int, memory_mb: int) -> ProcessEnd:
        """The end of a process that was allowed `memory_mb`."""
        return cls(status, seconds, peak_kb, stopped, memory_mb << 10)

    @property
    def crowded(self) -> bool:
        """Whether the process held more memory than allowed."""
        return self.peak_kb > self.most_kb

    @property
    def nearly_crowded(self) -> bool:
        """Whether the kernel's peak is so near the limit that the process may have exceeded it."""
        return self.peak_kb > self.most_kb - PEAK_SLACK_KB

    def onto(self, verdict: Verdict) -> Verdict:
        """A copy of the verdict with the process's CPU time and peak memory.

        If the process was ended at its memory limit, the peak is at least that limit.
        """
        at_limit = verdict.outcome is Outcome.OUT_OF_MEMORY and self.nearly_crowded
        peak_kb = max(self.peak_kb, self.most_kb) if at_limit else self.peak_kb
        return verdict._replace(seconds=self.seconds, peak_memory_mb=peak_kb / 1024)


class Host:
    """The tester's handle on its zygote process."""

    def __init__(self, settings: WorkerSettings, started: zygotes.Started) -> None:
        self.process, control, self.base = started
        self.control = socket.socket(fileno=control)
        self.limits = settings.limits
        self.one_process = settings.one_process
        #: called whenever a process is started or gets more time, to show that work continues
        self.beat: Callable[[], None] | None = None
        self.streams: list[int] = []
        with contextlib.suppress(OSError):
            _, self.streams, _, _ = socket.recv_fds(self.control, len(zygote.PLACES), 3)
        hello = self.control.makefile("r").readline() if len(self.streams) == 3 else ""
        if not hello:
            self.close()
            raise ZygoteGoneError("the zygote did not start")
        self.layers: list[str] = json.loads(hello)
        self.headroom_mb = HEADROOM_MB if MEMORY_WATCH in self.layers else 0
        self.input, self.output, self.errors = map(Scratch, self.streams)

    def fork(self, mode: bytes, limits: Limits | None = None) -> int:
        """Start a sample, and return the tester's end of the wire to this sample.

        `limits` are the limits of this sample. By default the limits of the host apply.

        Raises:
            ZygoteGoneError: the zygote does not answer.
        """
        limits = limits or self.limits
        if self.beat is not None:
            self.beat()
        ours, theirs = socket.socketpair()
        address_mb = limits.memory_mb + self.headroom_mb
        request = zygote.REQUEST.pack(
            zygote.FORK, mode, limits.cpu_seconds, limits.wall_seconds, address_mb, max(FILE_KB, limits.output_kb + 64)
        )
        try:
            socket.send_fds(self.control, [request], [theirs.fileno()])
        except OSError as error:
            raise ZygoteGoneError(str(error)) from error
        finally:
            theirs.close()
        return ours.detach()

    def extend(self, cpu_seconds: float) -> None:
        """Allow the running sample more CPU time, and wall time in proportion."""
        if self.beat is not None:
            self.beat()
        more = zygote.REQUEST.pack(zygote.EXTEND, b" ", cpu_seconds, WALL_FACTOR * cpu_seconds, 0, 0)
        try:
            self.control.sendall(more)
        except OSError as error:
            raise ZygoteGoneError(str(error)) from error

    def end(self, op: bytes = zygote.KILL) -> ProcessEnd:
        """Kill the sample or wait for its end, depending on `op`, and report how it ended."""
        try:
            self.control.sendall(zygote.REQUEST.pack(op, b" ", 0.0, 0.0, 0, 0))
            data = self.control.recv(zygote.REPORT.size, socket.MSG_WAITALL)
        except OSError as error:
            raise ZygoteGoneError(str(error)) from error
        if len(data) < zygote.REPORT.size:
            raise ZygoteGoneError("the zygote ended")
        status, seconds, peak_kb, stopped = zygote.REPORT.unpack(data)
        return ProcessEnd.of(status, seconds, peak_kb, stopped, self.limits.memory_mb)

    def with_output_limit(self, verdict: Verdict) -> Verdict:
        """The verdict, or `OUTPUT_LIMIT` if the sample printed too much. The output is emptied for the next sample."""
        allowed = self.limits.output_kb << 10
        if len(self.output.take(allowed + 1)) <= allowed:
            return verdict
        detail = f"more than {self.limits.output_kb} KiB printed"
        return verdict._replace(outcome=Outcome.OUTPUT_LIMIT, detail=detail)

    def close(self) -> None:
        """End the zygote and all that it started."""
        self.control.close()
        for descriptor in self.streams:
            os.close(descriptor)
        try:
            self.process.wait(STOP_SECONDS)
        except TimeoutError:
            self.process.kill()
            self.process.wait()
        remove_contents(self.base)
        with contextlib.suppress(OSError):
            os.rmdir(self.base)


def ended(report: ProcessEnd) -> Verdict:
    """The verdict for a sample whose process ended before its tests did."""
    code = os.waitstatus_to_exitcode(report.status)
    if report.crowded:
        return Verdict(Outcome.OUT_OF_MEMORY, detail="the limit on resident memory was reached")
    if report.stopped == zygote.OUT_OF_TIME or code == -signal.SIGXCPU:
        return Verdict(Outcome.TIMEOUT)
    if code == -signal.SIGSYS:
        return Verdict(Outcome.FORBIDDEN, detail="ended by a blocked system call")
    if code == -signal.SIGKILL and report.nearly_crowded:
        # Who looked from outside saw more than the kernel's own peak says, and was faster than our request.
        return Verdict(Outcome.OUT_OF_MEMORY, detail="the limit on resident memory was reached")
    if code == -signal.SIGKILL and report.stopped == zygote.ON_REQUEST:
        return Verdict(Outcome.ERROR, detail="the program cut its connection to the tests")
    if code == -signal.SIGKILL:
        return Verdict(Outcome.OUT_OF_MEMORY, detail="killed by the system")
    if code < 0:
        return Verdict(Outcome.CRASHED, detail=f"killed by {signal_name(-code)}")
    return Verdict(Outcome.ERROR, detail="the program ended before its tests did")
