"""The interface of an importer, which recognizes one format by its content and reads it as a stream of records.

A new format needs a class with these four members in a file of this package, and a line in `registry.py`.
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
    """What an importer left out of a source, by reason, and notes for the user.

    Attributes:
        left: reason, such as ``duplicates`` -> number of samples.
        notes: one sentence each.
    """

    left: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def leave(self, reason: str, number: int = 1) -> None:
        """Count samples that are left out."""
        self.left[reason] += number

    def note(self, sentence: str) -> None:
        """Add a note, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)


class Importer(Protocol):
    """Importer of one format.

    Attributes:
        name: name of the format for `--from`.
        help: the tool and its files, in one line.
        suite: name of the test suite to which `Sample.passed` belongs, if the format has several suites; else empty.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def help(self) -> str: ...  # noqa: D102

    @property
    def suite(self) -> str: ...  # noqa: D102

    def recognises(self, source: Source) -> bool:
        """Whether the source has this format, according to its first record or content.

        Raises only errors of `source`.
        """
        ...

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The records of the source, in order. An `InputError` names file and line, row or entry."""
        ...
