"""What an importer is: it knows one format by its content, and reads it as one stream of records.

A new format is a class with these four things in a file of this room, and a line in `registry.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from isobudget.importers.records import Record
from isobudget.importers.source import Source


@dataclass(slots=True)
class ImportTally:
    """What an importer left out of a source, by reason, and what a reader has to know.

    Attributes:
        left: reason -> how many samples, such as ``duplicates``.
        notes: a sentence each.
    """

    left: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def leave(self, reason: str, number: int = 1) -> None:
        """Count what is left out."""
        self.left[reason] += number

    def note(self, sentence: str) -> None:
        """Say something once."""
        if sentence not in self.notes:
            self.notes.append(sentence)


class Importer(Protocol):
    """One format.

    Attributes:
        name: what `--from` calls it.
        help: the tool and the files, in a line.
        suite: what the suite of tests is called that its verdicts are by, where there are others; else empty.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def help(self) -> str: ...  # noqa: D102

    @property
    def suite(self) -> str: ...  # noqa: D102

    def recognises(self, source: Source) -> bool:
        """Whether the source is of this format, by its first record or its content; it raises nothing of its own."""
        ...

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The records of the source in its order. An `InputError` names file and line, row or entry."""
        ...
