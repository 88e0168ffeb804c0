"""The host's half of a guest: starts a guest (`judge.confinement.guest`), sends requests to it, and ends it.

A guest has one process at a time. The process ends when its control socket is closed or when it is killed. Nothing of a
guest remains: this module removes the guest's folder, and when the first process of the guest's pid namespace ends, the
kernel ends all others.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isobudget.errors import JudgeError
from isobudget.judge.confinement import guest_filter
from isobudget.judge.confinement.confine import CLEAN_ENVIRONMENT, ISOLATED, bootstrap
from isobudget.judge.confinement.guest import LENGTH
from isobudget.judge.scratch import ScratchFolder

#: how long a guest may take to copy its view and to start
START_SECONDS = 60.0
#: the least number of a guest; numbers of the judge's workers, and so their users, are smaller
_FIRST_NUMBER = 1_000_000
_NUMBERS = itertools.count(1)


class GuestGoneError(Exception):
    """The guest ended, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class GuestSetting:
    """Settings of a guest.

    Attributes:
        view: real path of the folder to copy. It is also the guest's working directory.
        files: relative paths of the files to copy.
        writable: relative paths of the files that the guest may write. They begin empty.
        shown: folders that are visible read-only at their own paths, such as the interpreter's.
        interpreter: path of the interpreter that runs the program.
        program: Python source that the guest runs. The program's arguments are the control socket's descriptor number
            and the layers of confinement as JSON.
        first: the first message that the program receives.
        view_mb: maximum size of the copy, in MiB.
        memory_mb: maximum resident memory of a process that the program forks, in MiB.
        allow_subprocess: whether the processes that the program forks may start other programs.
    """

    view: str
    files: Sequence[str]
    writable: Sequence[str]
    shown: Sequence[str]
    interpreter: str
    program: str
    first: dict[str, Any]
    view_mb: int
    memory_mb: int
    allow_subprocess: bool = False


def _ended(process: subprocess.Popen[bytes], scratch: ScratchFolder) -> None:
    process.wait()
    scratch.remove()


class Guest:
    """A running guest. Use it as a context manager."""

    def __init__(self, setting: GuestSetting) -> None:
        self.setting = setting
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._scratch = ScratchFolder()
        self._ending: list[threading.Thread] = []
        #: the program's first message, which says that it is ready; key `ready` has the layers of confinement
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> Guest:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, deadline: float = math.inf) -> None:
        """Start the guest and wait until it is ready, at most until a deadline on the monotonic clock.

        Raises:
            GuestGoneError: the guest was not ready in time.
            JudgeError: the guest cannot be confined or does not start; the message says why.
        """
        if time.monotonic() >= deadline:
            raise GuestGoneError("no time was left to start the tests' process")
        self.kill()
        self._leave()
        self._scratch.make()
        ours, theirs = socket.socketpair()
        code = bootstrap("confinement.guest", self._scratch.path, theirs.fileno())
        try:
            self._process = subprocess.Popen(
                [sys.executable, *ISOLATED, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=dict(CLEAN_ENVIRONMENT),
                cwd="/",
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )
        finally:
            theirs.close()
        self._control = ours
        try:
            self._send(self._plain())
            self._send(self._first())
            reply = self._receive(min(deadline, time.monotonic() + START_SECONDS))
        except GuestGoneError:
            if time.monotonic() >= deadline:
                self.kill()
                raise
            reply = {"fault": "the tests' process ended, or took too long, before it was ready"}
        if "fault" in reply:
            self.stop()
            raise JudgeError(f"the tests cannot be confined: {reply['fault']}")
        self.ready = reply

    def _plain(self) -> dict[str, Any]:
        setting = self.setting
        names = ("view", "interpreter", "program", "view_mb", "memory_mb")
        lists = {name: list(getattr(setting, name)) for name in ("files", "writable", "shown")}
        number = _FIRST_NUMBER + (os.getpid() * 64 + next(_NUMBERS)) % _FIRST_NUMBER
        return {name: getattr(setting, name) for name in names} | lists | {"number": number}

    def _first(self) -> dict[str, Any]:
        filters = {"server_filter": guest_filter.server_program, "candidate_filter": guest_filter.candidate_program}
        allowed = self.setting.allow_subprocess
        return self.setting.first | {name: made(allowed).hex() for name, made in filters.items()}

    def ask(self, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Args:
            request: in the form that the guest's program expects.
            deadline: time on the monotonic clock. The guest is ended if it has not answered by this time.

        Raises:
            GuestGoneError: the guest ended, or did not answer in time, or reported a fault. In each case the guest has
                been ended, and can be started again.
        """
        try:
            self._send(request)
            answer = self._receive(deadline)
        except GuestGoneError:
            self.kill()
            raise
        if "fault" in answer:
            self.kill()
            raise GuestGoneError(str(answer["fault"]))
        return answer

    @property
    def running(self) -> bool:
        """Whether the guest has been started and has not been ended by this side."""
        return self._control is not None

    def kill(self) -> None:
        """End the guest and all that it started, without waiting: on a busy machine the end may take seconds."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            # The outer process watches over the first of the pid namespace, which dies with it.
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def stop(self) -> None:
        """End the guest, wait until it has ended, and remove its folder."""
        self.kill()
        self._leave()
        for thread in self._ending:
            thread.join()
        self._ending.clear()

    def _leave(self) -> None:
        """Let a thread wait for the killed guest and remove its folder, so that the next guest can start at once."""
        if self._process is not None:
            thread = threading.Thread(target=_ended, args=(self._process, self._scratch), name="guest")
            self._process, self._scratch = None, ScratchFolder()
            self._ending.append(thread)
            thread.start()

    def _send(self, value: dict[str, Any]) -> None:
        if self._control is None:
            raise GuestGoneError("the tests' process is not running")
        data = json.dumps(value).encode()
        try:
            self._control.sendall(LENGTH.pack(len(data)) + data)
        except OSError as error:
            raise GuestGoneError("the tests' process ended") from error

    def _receive(self, deadline: float) -> dict[str, Any]:
        (length,) = LENGTH.unpack(self._exactly(LENGTH.size, deadline))
        answer: dict[str, Any] = json.loads(self._exactly(length, deadline))
        return answer

    def _exactly(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        poller = select.poll()
        if self._control is None:
            raise GuestGoneError("the tests' process is not running")
        poller.register(self._control, select.POLLIN)
        while len(data) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not poller.poll(1000 * left + 1):
                raise GuestGoneError("the tests' process did not answer in time")
            try:
                more = self._control.recv(min(size - len(data), 1 << 20))
            except OSError as error:
                raise GuestGoneError("the tests' process ended") from error
            if not more:
                raise GuestGoneError("the tests' process ended")
            data += more
        return bytes(data)
