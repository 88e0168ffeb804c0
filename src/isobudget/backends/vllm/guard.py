"""Ends an engine's processes if the process that started them is killed (kill -9, out of memory).

Without a guard, the engine's processes would hold the device's memory forever. They and their children have a mark in
their environment. A small guard process reads a pipe that only the starting process can write to. If the pipe closes
without a farewell message, the guard ends every process that has the mark: first by SIGTERM, then by SIGKILL. The guard
reads /proc, so it works on Linux only. On other systems nothing is guarded.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_MARK = "ISOBUDGET_GUARD"
#: processes that give themselves a title would write it over their environment, and with it over the mark
_KEEP = "SPT_NOENV"
_SECONDS_TO_END = 5.0


class Guard:
    """Guards processes started within `marking`, until it is released."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(16)
        self._watcher: subprocess.Popen[bytes] | None = None

    @contextlib.contextmanager
    def marking(self) -> Iterator[None]:
        """Processes started in this context are guarded from their start."""
        if sys.platform == "linux":
            # in a session of its own: a signal to this process's group does not end the watcher
            self._watcher = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, self._mark],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        before = {name: os.environ.get(name) for name in (_MARK, _KEEP)}
        os.environ |= {_MARK: self._mark, _KEEP: "1"}
        try:
            yield
        except BaseException:
            self.release()
            raise
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    def release(self) -> None:
        """Stop guarding, because the processes have ended."""
        watcher, self._watcher = self._watcher, None
        if watcher is None:
            return
        with contextlib.suppress(OSError):  # it may have been killed
            watcher.communicate(b"farewell")
        watcher.wait()


def _watch(mark: str) -> None:
    """The main loop of the guard process."""
    if sys.stdin.buffer.read():
        return
    entry = f"{_MARK}={mark}".encode()
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _marked(entry):
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        until = time.monotonic() + _SECONDS_TO_END
        while time.monotonic() < until and any(_marked(entry)):
            time.sleep(0.1)


def _marked(entry: bytes) -> Iterator[int]:
    """The processes that were started with this entry in their environment."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # another user's, or gone
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


if __name__ == "__main__":
    _watch(sys.argv[1])
