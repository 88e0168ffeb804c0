"""The tester's handle on its zygote: starting a sample, ending it, and how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from isobudget.judge.confinement.confine import MEMORY_WATCH, remove_contents
from isobudget.judge.confinement.memory import HEADROOM_MB
from isobudget.judge.launch import Started, launch_zygote
from isobudget.judge.untrusted import zygote

#: how long a zygote may take to end by itself once its socket is closed
STOP_SECONDS = 2.0


class ZygoteGoneError(Exception):
    """The zygote does not answer: a fault of the judge, not of the sample."""


class Scratch:
    """A file in memory that one sample after another is given as its input or output."""

    def __init__(self, name: str) -> None:
        self.descriptor = os.memfd_create(name)

    def fill(self, data: bytes) -> None:
        """Replace the contents, to be read from the start."""
        os.ftruncate(self.descriptor, 0)
        place = 0
        while place < len(data):
            place += os.pwrite(self.descriptor, memoryview(data)[place:], place)
        os.lseek(self.descriptor, 0, os.SEEK_SET)

    def size(self) -> int:
        """Bytes that have been written."""
        return os.fstat(self.descriptor).st_size

    def take(self, most: int = -1) -> bytes:
        """The contents, or as much as is wanted of them; the file is empty afterwards."""
        size = self.size()
        data = os.pread(self.descriptor, size if most < 0 else min(size, most), 0)
        if size:
            os.ftruncate(self.descriptor, 0)
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        return data


class Report(NamedTuple):
    """How a sample's process ended, as the zygote saw it, and whether it has held more memory than it may."""

    status: int
    seconds: float
    peak_kb: int
    stopped: int
    crowded: bool


class Host:
    """The tester's handle on its zygote process."""

    def __init__(self, settings: dict[str, Any], started: Started | None = None) -> None:
        self.process, control, self.base = started or launch_zygote(settings)
        self.control = socket.socket(fileno=control)
        self.memory_mb: int = settings["limits"]["memory_mb"]
        #: called whenever a process is started, to say that work goes on
        self.beat: Callable[[], None] | None = None
        hello = self.control.makefile("r").readline()
        if not hello:
            self.close()
            raise ZygoteGoneError("the zygote did not start")
        self.layers: list[str] = json.loads(hello)
        self.headroom_mb = HEADROOM_MB if MEMORY_WATCH in self.layers else 0
        self.output, self.input, self.errors = Scratch("output"), Scratch("input"), Scratch("errors")
        places = [place.descriptor for place in (self.output, self.input, self.errors)]
        try:
            socket.send_fds(self.control, [zygote.PLACES], places)
        except OSError as error:
            raise ZygoteGoneError(str(error)) from error

    def fork(self, mode: bytes, limits: dict[str, Any], *, alone: bool = True) -> int:
        """Start a sample; returns the tester's end of its wire.

        What shares its process gets no headroom: it must not pass with what it would not be granted alone.
        """
        if self.beat is not None:
            self.beat()
        ours, theirs = socket.socketpair()
        address_mb = self.memory_mb + self.headroom_mb * alone
        times = limits["cpu_seconds"], limits["wall_seconds"]
        request = zygote.REQUEST.pack(zygote.FORK, mode, *times, address_mb)
        try:
            socket.send_fds(self.control, [request], [theirs.fileno()])
        except OSError as error:
            raise ZygoteGoneError(str(error)) from error
        finally:
            theirs.close()
        return ours.detach()

    def end(self, op: bytes = zygote.KILL) -> Report:
        """Kill the sample if it still runs, or wait for its end, and report on it."""
        try:
            self.control.sendall(zygote.REQUEST.pack(op, b" ", 0.0, 0.0, 0))
            data = self.control.recv(zygote.REPORT.size, socket.MSG_WAITALL)
        except OSError as error:
            raise ZygoteGoneError(str(error)) from error
        if len(data) < zygote.REPORT.size:
            raise ZygoteGoneError("the zygote ended")
        status, seconds, peak_kb, stopped = zygote.REPORT.unpack(data)
        return Report(status, seconds, peak_kb, stopped, peak_kb > self.memory_mb << 10)

    def close(self) -> None:
        """End the zygote with all that it started."""
        self.control.close()
        try:
            self.process.wait(STOP_SECONDS)
        except TimeoutError:
            self.process.kill()
            self.process.wait()
        remove_contents(self.base)
        with contextlib.suppress(OSError):
            os.rmdir(self.base)


def ended(report: Report) -> dict[str, Any]:
    """The outcome for a sample whose process ended before its tests did."""
    code = os.waitstatus_to_exitcode(report.status)
    if report.crowded:
        return {"outcome": "out_of_memory", "detail": "the limit on resident memory was reached"}
    if report.stopped == zygote.OUT_OF_TIME or code == -signal.SIGXCPU:
        return {"outcome": "timeout", "detail": ""}
    if code == -signal.SIGSYS:
        return {"outcome": "forbidden", "detail": "ended by a blocked system call"}
    if code == -signal.SIGKILL and report.stopped == zygote.ON_REQUEST:
        return {"outcome": "error", "detail": "the program cut its connection to the tests"}
    if code == -signal.SIGKILL:
        return {"outcome": "out_of_memory", "detail": "killed by the system"}
    if code < 0:
        return {"outcome": "crashed", "detail": f"killed by {signal.Signals(-code).name}"}
    return {"outcome": "error", "detail": "the program ended before its tests did"}
