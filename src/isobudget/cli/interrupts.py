"""How a long command ends that is stopped: by Ctrl-C, or by SIGTERM, as `kill` and job schedulers send it.

Either raises `KeyboardInterrupt` in the main thread, so that whatever saves what came back does so for both. Commands
that have nothing to save, and servers, which have their own way to end, are not in here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

#: exit status of a command that was stopped: 128 and the signal's number
_STATUS = {number: 128 + number for number in (signal.SIGINT, signal.SIGTERM)}
#: the signals that came
_came: list[int] = []


@contextlib.contextmanager
def interruptible(resume: str = "", message: str = "") -> Iterator[None]:
    """Ctrl-C or SIGTERM ends the command with one message; by then everything that came back is recorded.

    `resume` is the option with which the command goes on, where it does not do so by itself. `message` is that of a
    command that does not go on; what the interrupt itself carries comes first.
    """
    try:
        with _terminated_as_interrupted():
            yield
    except KeyboardInterrupt as error:
        how = f" with {resume}" if resume else ""
        what = "Ended by SIGTERM" if _came else "Interrupted"
        own = message or f"Finished work is saved; run the same command{how} to resume."
        print(f"\n{what}. {str(error) or own}", file=sys.stderr, flush=True)
        # the engine's threads may be in the middle of a long answer that nobody waits for any more
        os._exit(exit_status(_STATUS[signal.SIGINT]))


def exit_status(otherwise: int) -> int:
    """With what a command ends: `otherwise`, unless SIGTERM has ended its work."""
    return _STATUS[signal.SIGTERM] if _came else otherwise


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM raises `KeyboardInterrupt` meanwhile, unless it is ignored or somebody else takes it."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    _came.append(number)
    raise KeyboardInterrupt
