"""Reports problems with fewer samples than others of the same model, because they limit the possible k."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from isobudget.grid import counted
from isobudget.importers.names import with_condition
from isobudget.importers.records import CountRow, GroupKey
from isobudget.importers.source import Source

#: maximum number of models of one source that are named individually
_MOST = 3


class Counted(NamedTuple):
    """How many samples a model has for a problem, and the line or entry of the file where the problem first occurs."""

    benchmark: str
    model: str
    condition: str
    task_id: str
    n: int
    line: int


def ragged_notes(source: Source, problems: Sequence[Counted | CountRow]) -> list[str]:
    """One note for each model of a source whose problems have different numbers of samples."""
    if len({one.n for one in problems}) < 2:
        return []
    groups: dict[GroupKey, list[Counted | CountRow]] = {}
    for one in problems:
        groups.setdefault((one.benchmark, one.model, one.condition), []).append(one)
    several = len({key[1:] for key in groups}) > 1
    notes = list(dict.fromkeys(note for own in groups.values() for note in _note(source, own, several)))
    more = [f"{source.path}: numbers of samples differ in {len(notes) - _MOST} more models"] * (len(notes) > _MOST)
    return [*notes[:_MOST], *more]


def _note(source: Source, problems: list[Counted | CountRow], several: bool) -> Iterable[str]:
    fewest, most = min(problems, key=lambda one: one.n), max(one.n for one in problems)
    short = sum(one.n < most for one in problems)
    if short:
        where = source.where(fewest.line) if fewest.line else str(source.path)
        model = f" of {with_condition(fewest.model, fewest.condition)}" if several else ""
        yield (
            f"{where}: {fewest.task_id} has {counted(fewest.n, 'sample')}{model}, others up to {most:,}"
            + f" ({short:,} of {len(problems):,} problems have fewer)" * (short > 1)
        )
