"""How a long command ends when it is stopped by Ctrl-C, or by SIGTERM as sent by `kill` and job schedulers.

Both raise `KeyboardInterrupt` in the main thread, so that finished work is saved in the same way. Commands with nothing
to save, and servers, which end in their own way, do not use this.
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
    """In this context, Ctrl-C or SIGTERM ends the command with one message; finished work has been recorded by then.

    `resume` is the option with which the command resumes; empty if the same command resumes. `message` is printed for a
    command that cannot be resumed. If the `KeyboardInterrupt` has a text, that text is printed instead.
    """
    try:
        with _terminated_as_interrupted():
            yield
    except KeyboardInterrupt as error:
        how = f" with {resume}" if resume else ""
        what = "Ended by SIGTERM" if _came else "Interrupted"
        own = message or f"Finished work is saved; run the same command{how} to resume."
        print(f"\n{what}. {str(error) or own}", file=sys.stderr, flush=True)
        # the engine's threads may be in the middle of a long answer that is no longer needed
        os._exit(exit_status(_STATUS[signal.SIGINT]))


def exit_status(otherwise: int) -> int:
    """The exit code of a command: `otherwise`, unless SIGTERM ended its work."""
    return _STATUS[signal.SIGTERM] if _came else otherwise


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """In this context SIGTERM raises `KeyboardInterrupt`, unless it is ignored or already handled."""
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
