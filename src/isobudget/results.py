"""The result type of calls in `isobudget.api` that return several results: a tuple with a JSON form and rows.

Every result can be displayed in a notebook: its table, its figure, its rows. The package `report` makes these. This
module imports `report` by name on demand, because it may not depend on packages above its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from isobudget.errors import InputError
from isobudget.grid import Grid
from isobudget.lazy import lazy_names

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")
Rows = list[dict[str, Any]]

_VIEWS = ("html_of", "picture_of", "pictures_of", "records_of")
_views = lazy_names("isobudget.report", dict.fromkeys(_VIEWS, "notebook"))


class Shown:
    """A displayable result: its table in a notebook, `figure()`, `to_pandas()`."""

    __slots__ = ()

    def figure(self) -> Any:
        """The figure that the command makes with ``--figure``: a `Picture`, to display or to `save`.

        Raises:
            InputError: the result has no figure, or several; see `Results.figures`.
            MissingExtraError: Matplotlib is not installed.
        """
        return _views("picture_of")(self)

    def to_records(self) -> Rows:
        """The result as flat rows, all with the same keys."""
        rows: Rows = _views("records_of")(self)
        return rows

    def to_pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`. Raises `InputError` without pandas."""
        return data_frame("pandas", self.to_records())

    def to_polars(self) -> Any:
        """The rows as a `polars.DataFrame`. Raises `InputError` without polars."""
        return data_frame("polars", self.to_records())

    def _repr_html_(self) -> str:
        html: str = _views("html_of")(self)
        return html


class Results(tuple[T, ...], Shown):
    """A tuple of results. Its text (`repr`) is what the command prints, or a summary of that."""

    #: what was left out of the sources, and how their models were named
    notes: tuple[str, ...]
    #: the figure files that were written
    saved: tuple[Path, ...]
    _plain: Callable[[], Any]
    _rows: Callable[[], Rows]
    _text: Callable[[], str]
    _grids: Callable[[], list[Grid]]
    _plots: Callable[[], Mapping[str, Any]]

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
        plots: Callable[[], Mapping[str, Any]] = dict,
        saved: Iterable[Path] = (),
    ) -> Self:
        """Create from items and their forms: the output of `--json`, flat rows, text, tables, figures by name."""
        made = cls(items)
        made.notes, made.saved = tuple(notes), tuple(saved)
        made._plain, made._rows, made._text, made._grids = plain, rows, text, grids
        made._plots = plots
        return made

    def to_dict(self) -> Any:
        """What the command prints with ``--json``."""
        return self._plain()

    def to_records(self) -> Rows:
        """The results as flat rows, all with the same keys: what the command prints with ``--csv``, if it can."""
        return self._rows()

    def grids(self) -> list[Grid]:
        """The tables that the command prints."""
        return self._grids()

    def plots(self) -> Mapping[str, Any]:
        """The data that the figures show, by name of the figure."""
        return self._plots()

    def figures(self) -> dict[str, Any]:
        """The figures by name: one per benchmark, or, for `rank`, one per benchmark and model."""
        pictures: dict[str, Any] = _views("pictures_of")(self)
        return pictures

    def __repr__(self) -> str:
        return self._text()


def data_frame(library: str, rows: Rows) -> Any:
    """The rows as a data frame of `library`, pandas or polars. Raises `InputError` if it is not installed."""
    import importlib

    try:
        frame = importlib.import_module(library).DataFrame
    except ImportError as error:
        raise InputError(f"{library} is not installed; install it with: pip install {library}") from error
    return frame(rows) if library == "pandas" else frame(rows, infer_schema_length=None)
