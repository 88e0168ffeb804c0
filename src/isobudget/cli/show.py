"""What commands show on a terminal: progress with time left, notes, JSON.

Progress and notes go to stderr, results to stdout, so that ``--json`` can be piped.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_SECONDS_BETWEEN_LINES = 15.0


class TerminalProgress:
    """Progress bars with time left on a terminal; elsewhere a line every few seconds."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars: Progress | None = None
        self._ids: dict[str, TaskID] = {}
        self._lines: dict[str, _Line] = {}

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            self._bars = _make_bars()
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def start(self, task: str, total: int, done: int = 0) -> None:
        """A task begins."""
        if self._bars is not None:
            self._ids[task] = self._bars.add_task(task, total=total, completed=done)
        elif not self._quiet:
            self._lines[task] = _Line(task, total, done)

    def advance(self, task: str, steps: int) -> None:
        """So many further steps are done."""
        if self._bars is not None:
            self._bars.advance(self._ids[task], steps)
        elif not self._quiet:
            self._lines[task].advance(steps)

    def note(self, text: str) -> None:
        """Something that the user should know now."""
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)
        elif not self._quiet:
            print(text, file=sys.stderr, flush=True)


class _Line:
    """Progress of one task as lines of text."""

    def __init__(self, task: str, total: int, done: int) -> None:
        self.task, self.total, self.done = task, total, done
        self.first, self.began, self.shown = done, time.monotonic(), time.monotonic()
        there = f", {done} of them done before" if done else ""
        print(f"{task}: {total} to do{there}" if total > done else f"{task}: nothing left to do", file=sys.stderr)

    def advance(self, steps: int) -> None:
        self.done += steps
        now = time.monotonic()
        if steps and (now - self.shown >= _SECONDS_BETWEEN_LINES or self.done == self.total):
            self.shown = now
            left = (now - self.began) / (self.done - self.first) * (self.total - self.done)
            text = f"{self.task}: {self.done} of {self.total}"
            end = f"done in {now - self.began:.0f} s" if self.done == self.total else f"about {left:.0f} s left"
            print(f"{text}, {end}", file=sys.stderr, flush=True)


def _make_bars() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C ends the command with one message; by then everything that came back is recorded."""
    try:
        yield
    except KeyboardInterrupt:
        print("\nstopped. What was done is recorded; the same command goes on from there.", file=sys.stderr, flush=True)
        # the engine's threads may be in the middle of a long answer that nobody waits for any more
        os._exit(130)


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout."""
    print(json.dumps(value, indent=2, allow_nan=False))
