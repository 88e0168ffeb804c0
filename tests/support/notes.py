"""A progress display that keeps the notes."""

from __future__ import annotations

from isobudget.progress import Silent


class Notes(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)
