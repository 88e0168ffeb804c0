"""The interface by which long work reports progress.

The command line shows it; library users see nothing by default.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of long work."""

    def start(self, task: str, total: int, done: int = 0, *, unit: str = "") -> None:
        """Start a task of `total` steps, of which `done` are already finished. With `unit` "B" the steps are bytes."""

    def advance(self, task: str, steps: int) -> None:
        """Note that this many more steps are finished."""

    def spend(self, task: str, unit: str, amount: float) -> None:
        """Note that a running task has spent this amount more of a unit: `tokens`, `usd`."""

    def note(self, text: str) -> None:
        """Show a message that the user should see now."""


class Silent:
    """Ignores all progress."""

    def start(self, task: str, total: int, done: int = 0, *, unit: str = "") -> None:
        """Do nothing."""

    def advance(self, task: str, steps: int) -> None:
        """Do nothing."""

    def spend(self, task: str, unit: str, amount: float) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


SILENT = Silent()
