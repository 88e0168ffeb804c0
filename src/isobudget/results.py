"""What a call of `isobudget.api` gives back when it finds several things: a tuple with its JSON form and its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

from isobudget.errors import InputError
from isobudget.grid import Grid

T = TypeVar("T")
Rows = list[dict[str, Any]]


class Results(tuple[T, ...]):
    """A tuple of what was found; printed, it is what the command prints, or its gist."""

    #: what was left out of the sources, and how their models were named
    notes: tuple[str, ...]
    _plain: Callable[[], Any]
    _rows: Callable[[], Rows]
    _text: Callable[[], str]
    _grids: Callable[[], list[Grid]]

    @classmethod
    def of(
        cls,
        items: Iterable[T],
        *,
        plain: Callable[[], Any],
        rows: Callable[[], Rows],
        text: Callable[[], str],
        grids: Callable[[], list[Grid]] = list,
        notes: Iterable[str] = (),
    ) -> Self:
        """The items, and how they are written: what `--json` prints, flat rows, text, tables for a terminal."""
        made = cls(items)
        made.notes = tuple(notes)
        made._plain, made._rows, made._text, made._grids = plain, rows, text, grids
        return made

    def to_dict(self) -> Any:
        """What the command prints with ``--json``."""
        return self._plain()

    def to_records(self) -> Rows:
        """Flat rows with equal keys: what the command prints with ``--csv``, where it has that."""
        return self._rows()

    def grids(self) -> list[Grid]:
        """The tables that the command prints."""
        return self._grids()

    def to_pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`. Raises `InputError` without pandas."""
        return data_frame("pandas", self.to_records())

    def to_polars(self) -> Any:
        """The rows as a `polars.DataFrame`. Raises `InputError` without polars."""
        return data_frame("polars", self.to_records())

    def __repr__(self) -> str:
        return self._text()


def data_frame(library: str, rows: Rows) -> Any:
    """Rows as a data frame of pandas or polars; an `InputError` where that is not installed."""
    import importlib

    try:
        frame = importlib.import_module(library).DataFrame
    except ImportError as error:
        raise InputError(f"{library} is not installed; install it with: pip install {library}") from error
    return frame(rows) if library == "pandas" else frame(rows, infer_schema_length=None)
