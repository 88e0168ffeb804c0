"""How long work reports its progress, and to whom. The command line shows it; a library user gets silence."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What long work reports its progress to."""

    def start(self, task: str, total: int, done: int = 0, *, unit: str = "") -> None:
        """A task begins: `total` steps, `done` of which were there before. With `unit` "B" the steps are bytes."""

    def advance(self, task: str, steps: int) -> None:
        """This many further steps are done."""

    def spend(self, task: str, unit: str, amount: float) -> None:
        """So much more was spent on a task that began: `tokens`, `usd`."""

    def note(self, text: str) -> None:
        """Something that the user should know now."""


class Silent:
    """Shows nothing."""

    def start(self, task: str, total: int, done: int = 0, *, unit: str = "") -> None:
        """Nothing."""

    def advance(self, task: str, steps: int) -> None:
        """Nothing."""

    def spend(self, task: str, unit: str, amount: float) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


SILENT = Silent()
