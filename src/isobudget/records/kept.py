"""What is recorded already, what is missing, and a writer for the rest: the rows of one kind in a table that grows.

Samples and verdicts of a run are too many for it; `SampleKeys` does the same for them with a bit each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from isobudget.records.parts import PartWriter, read_rows

Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)


class KeptRows(Generic[Key, Row]):
    """Rows by key: those of the table in `folder` that are wanted, and those that are added.

    Without a folder nothing is kept beyond memory.

    Raises:
        RunError: a part is damaged.
    """

    def __init__(
        self, folder: Path | None, row_type: type[Row], key: Callable[[Row], Key], wanted: Callable[[Row], bool]
    ) -> None:
        self._folder, self._row_type, self._key = folder, row_type, key
        self._writer: PartWriter | None = None
        recorded: Iterable[Row] = read_rows(folder, row_type) if folder is not None else ()
        self.rows: dict[Key, Row] = {key(row): row for row in recorded if wanted(row)}

    def missing(self, keys: Iterable[Key]) -> list[Key]:
        """Which of the keys have no row."""
        return [key for key in keys if key not in self.rows]

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """While it is entered, rows that are added are written too, within seconds; what is left, even after an error.

        Raises:
            StorageError: a part could not be written.
        """
        if self._folder is None:
            yield
            return
        with PartWriter(self._folder, self._row_type) as self._writer:
            yield
        self._writer = None

    def add(self, rows: list[Row]) -> None:
        """Take rows."""
        self.rows.update((self._key(row), row) for row in rows)
        if self._writer is not None:
            self._writer.add(rows)
