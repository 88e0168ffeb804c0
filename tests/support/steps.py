"""A progress that remembers what it was told."""

from __future__ import annotations

from collections import Counter


class Steps:
    """What long work told of its progress."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int, int, str]] = []
        self.done: Counter[str] = Counter()
        self.steps: list[int] = []
        self.notes: list[str] = []
        self.spent: dict[tuple[str, str], float] = {}

    def start(self, task: str, total: int, done: int = 0, *, unit: str = "") -> None:
        """A task begins."""
        self.started.append((task, total, done, unit))
        self.done[task] = done

    def advance(self, task: str, steps: int) -> None:
        """So many further steps."""
        self.done[task] += steps
        self.steps.append(steps)

    def spend(self, task: str, unit: str, amount: float) -> None:
        """So much more was spent."""
        self.spent[task, unit] = self.spent.get((task, unit), 0.0) + amount

    def note(self, text: str) -> None:
        """A note."""
        self.notes.append(text)
