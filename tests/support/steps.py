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

    def start(self, task: str, total: int, done: int = 0, *, unit: str = "") -> None:
        """A task begins."""
        self.started.append((task, total, done, unit))
        self.done[task] = done

    def advance(self, task: str, steps: int) -> None:
        """So many further steps."""
        self.done[task] += steps
        self.steps.append(steps)

    def note(self, text: str) -> None:
        """A note."""
        self.notes.append(text)
