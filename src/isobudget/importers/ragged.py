"""Problems with fewer samples than others of the same model are named: what k can be asked for hangs on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from isobudget.grid import counted
from isobudget.importers.source import Source

#: models of one source that are named one by one
_MOST = 3


class Counted(NamedTuple):
    """How many samples a problem has from a model, and in which line or entry of its file it is first named."""

    benchmark: str
    model: str
    task_id: str
    n: int
    line: int


def ragged_notes(source: Source, problems: Iterable[Counted]) -> list[str]:
    """A note for each model of a source whose problems have different numbers of samples."""
    groups: dict[tuple[str, str], list[Counted]] = {}
    for one in problems:
        groups.setdefault((one.benchmark, one.model), []).append(one)
    several = len({model for _, model in groups}) > 1
    notes = dict.fromkeys(note for own in groups.values() for note in _note(source, own, several))
    more = [f"{source.path}: numbers of samples differ in {len(notes) - _MOST} more models"] * (len(notes) > _MOST)
    return [*list(notes)[:_MOST], *more]


def _note(source: Source, problems: list[Counted], several: bool) -> Iterable[str]:
    fewest, most = min(problems, key=lambda one: one.n), max(one.n for one in problems)
    short = sum(one.n < most for one in problems)
    if short:
        where = source.where(fewest.line) if fewest.line else str(source.path)
        model = f" of {fewest.model}" if several else ""
        yield (
            f"{where}: {fewest.task_id} has {counted(fewest.n, 'sample')}{model}, others up to {most:,}"
            + f" ({short:,} of {len(problems):,} problems have fewer)" * (short > 1)
        )
