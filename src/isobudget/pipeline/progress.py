"""What a stage tells of its progress, and to whom. The command line shows it; a library user gets silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Told how far a stage is."""

    def start(self, task: str, total: int, done: int = 0) -> None:
        """A task begins: `total` steps, `done` of which were there before."""

    def advance(self, task: str, steps: int) -> None:
        """So many further steps are done."""

    def note(self, text: str) -> None:
        """Something that the user should know now."""


class Silent:
    """Shows nothing."""

    def start(self, task: str, total: int, done: int = 0) -> None:
        """Nothing."""

    def advance(self, task: str, steps: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


SILENT = Silent()


def fetch_progress(model: str, progress: Progress) -> Callable[[str, int, int], None]:
    """Turn what `fetch_weights` tells into steps of a task; nothing is shown for weights that are here already."""
    task = f"fetching {model}"
    seen: list[int] = []

    def show(_what: str, done: int, total: int) -> None:
        if not seen:
            progress.start(task, total)
        progress.advance(task, done - (seen[-1] if seen else 0))
        seen.append(done)

    return show
