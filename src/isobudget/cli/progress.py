"""Shows progress on stderr: steps done, rate, time left, and time, tokens and money spent.

Progress is shown as bars on a terminal, and elsewhere as a line every few seconds. Bytes are shown in MB, everything
else in steps.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from isobudget.grid import short, with_unit

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_SECONDS_BETWEEN_LINES = 15.0
#: the rate is averaged over this many seconds, since work slows down and speeds up
_WINDOW_SECONDS = 30.0


class Pace:
    """The progress, rate and spending of a task. The caller passes in the time; no clock is read."""

    def __init__(self, total: int, done: int, unit: str, now: float) -> None:
        self.total, self.done, self.unit = total, done, unit
        self.first, self.began = done, now
        self.spent: dict[str, float] = {}
        self._seen = deque([(now, done)])

    def advance(self, steps: int, now: float) -> None:
        """Note this many further steps at time `now`."""
        self.done += steps
        self._seen.append((now, self.done))
        # a task that begins with a long wait (processes start, weights load) does not go on at that rate
        (begun, _), (first, _) = self._seen[0], self._seen[1]
        if begun == self.began and len(self._seen) > 2 and now - first >= first - begun:
            self._seen.popleft()
        while len(self._seen) > 2 and now - self._seen[1][0] > _WINDOW_SECONDS:
            self._seen.popleft()

    def rate(self, now: float) -> float:
        """Recent steps per second; 0 if there are none."""
        since, before = self._seen[0]
        return (self.done - before) / (now - since) if now > since else 0.0

    def seconds_left(self, now: float) -> float | None:
        """Estimated seconds until the task is done; None if they are not known."""
        rate = self.rate(now)
        return (self.total - self.done) / rate if rate > 0 and self.total > self.done else None

    def counted(self) -> str:
        """The finished steps and the total, as text: `12 of 400`, `1.3 MB of 98 MB`."""
        return f"{steps(self.done, self.unit)} of {steps(self.total, self.unit)}"

    def summary(self, now: float) -> str:
        """Rate, time left and spending, as text: `3.2/s, 2 min left, spent 12.3 k tokens`."""
        rate, left = self.rate(now), self.seconds_left(now)
        parts = [
            rate_text(rate, self.unit),
            f"{duration(left)} left" if left is not None else "",
            self.spending(),
        ]
        return ", ".join(filter(None, parts))

    def spending(self) -> str:
        """The spending, as text: `spent 12.3 k tokens, $0.42`; empty if nothing is known."""
        known = [
            f"{short(value)} {unit}" if unit == "tokens" else with_unit(value, unit)
            for unit, value in self.spent.items()
            if value
        ]
        return f"spent {', '.join(known)}" if known else ""


class TerminalProgress:
    """Progress bars on a terminal; elsewhere a line every few seconds."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars: Progress | None = None
        self._ids: dict[str, TaskID] = {}
        self._paces: dict[str, Pace] = {}
        self._shown: dict[str, float] = {}

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

    def start(self, task: str, total: int, done: int = 0, *, unit: str = "") -> None:
        """Start a task."""
        now = time.monotonic()
        pace = self._paces[task] = Pace(total, done, unit, now)
        self._shown[task] = now
        if self._bars is not None:
            self._ids[task] = self._bars.add_task(task, total=total, completed=done, pace=pace)
        elif not self._quiet:
            there = f", {steps(done, unit)} of them already done" if done else ""
            left = f"{steps(total, unit)} to do{there}" if total > done else "nothing left to do"
            print(f"{task}: {left}", file=sys.stderr)

    def advance(self, task: str, steps: int) -> None:
        """Note this many further finished steps."""
        pace, now = self._paces[task], time.monotonic()
        pace.advance(steps, now)
        if self._bars is not None:
            self._bars.advance(self._ids[task], steps)
        elif not self._quiet and steps:
            self._line(task, pace, now)

    def spend(self, task: str, unit: str, amount: float) -> None:
        """Note the spending of a task."""
        spent = self._paces[task].spent
        spent[unit] = spent.get(unit, 0.0) + amount

    def note(self, text: str) -> None:
        """Show a message that the user should see now."""
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)
        elif not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def _line(self, task: str, pace: Pace, now: float) -> None:
        if now - self._shown[task] < _SECONDS_BETWEEN_LINES and pace.done != pace.total:
            return
        self._shown[task] = now
        if pace.done == pace.total:
            spent = f", {pace.spending()}" if pace.spending() else ""
            end = f"done in {duration(now - pace.began)}{spent}"
        else:
            end = pace.summary(now)
        print(f"{task}: {pace.counted()}, {end}", file=sys.stderr, flush=True)


def steps(count: int, unit: str) -> str:
    """A number of steps as text, or of bytes if the unit is `B`."""
    return size(count) if unit == "B" else f"{count:,}"


def rate_text(rate: float, unit: str) -> str:
    """The rate per second, or per minute if it is below one in two seconds; empty for 0."""
    if rate <= 0:
        return ""
    if unit == "B":
        return f"{size(int(rate))}/s"
    return f"{rate:.3g}/s" if rate >= 0.5 else f"{60 * rate:.2g}/min"


def duration(seconds: float | None) -> str:
    """A duration for display: 3.4 h; ? if it is not known."""
    if seconds is None:
        return "?"
    for scale, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= scale:
            return f"{seconds / scale:.1f} {name}"
    return f"{seconds:.0f} s"


def size(bytes_: int | None) -> str:
    """A number of bytes for display."""
    return "?" if bytes_ is None else short(bytes_, "B")


def _make_bars() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
    from rich.table import Column
    from rich.text import Text

    class PaceColumn(ProgressColumn):
        """A column that shows a text about the pace of a task."""

        def __init__(self, text: Any) -> None:
            super().__init__(Column(no_wrap=True, overflow="ellipsis"))
            self._text = text

        def render(self, task: Task) -> Text:
            return Text(self._text(task.fields["pace"]))

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        PaceColumn(lambda pace: pace.counted()),
        TimeElapsedColumn(),
        PaceColumn(lambda pace: pace.summary(time.monotonic())),
        console=Console(stderr=True),
    )
