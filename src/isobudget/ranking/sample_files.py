"""Finds what can be ranked in files: samples with texts, which are imported into a run, or only ordered verdicts."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from isobudget.errors import InputError
from isobudget.importers.base import ImportTally
from isobudget.importers.names import with_condition
from isobudget.importers.read import find_sources, read_results, sources_shown
from isobudget.importers.records import CountRow, Sample
from isobudget.problems.problem import CheckFunction, Problem
from isobudget.progress import SILENT, Progress
from isobudget.rankers.base import Candidate, Candidates, Pool
from isobudget.ranking.run_samples import RankingInput


class Contents(NamedTuple):
    """Whether files have the text of any sample, and the verdict of any sample."""

    texts: bool = False
    verdicts: bool = False


def contents_of(sources: Any, from_: str | None = None) -> Contents:
    """What the files contain; they are read only as far as necessary. Raises the errors of `find_sources`."""
    seen = Contents()
    for source in find_sources(sources, from_)[0]:
        for record in source.records(ImportTally()):
            text = isinstance(record, Sample) and record.text is not None
            verdict = not isinstance(record, Sample) or record.passed is not None
            seen = Contents(seen.texts or text, seen.verdicts or verdict)
            if all(seen):
                return seen
    return seen


def counts_inputs(sources: Any, from_: str | None = None, progress: Progress = SILENT) -> list[RankingInput]:
    """The samples of files with `passed` lists or graded samples, without texts, in the order of the file.

    Raises:
        InputError: the file is wrong, or a line has no `passed` list.
    """
    groups: dict[tuple[str, str], list[CountRow]] = defaultdict(list)
    imported = read_results(sources, from_)
    for note in imported.messages():
        progress.note(note)
    for row in imported.rows:
        if row.passed is None:
            raise InputError(
                f"{sources_shown(sources)}, line {row.line}: only counts; an order to rank by needs a `passed` list"
            )
        groups[row.benchmark, with_condition(row.model, row.condition)].append(row)
    return [
        RankingInput(Pool(benchmark, model, tuple(_listed(row) for row in rows)))
        for (benchmark, model), rows in groups.items()
    ]


def _listed(row: CountRow) -> Candidates:
    problem = Problem(row.task_id, row.benchmark, "", "", CheckFunction(""))
    rows = zip(row.passed or (), row.completion_tokens or (0,) * row.n, strict=True)
    samples = (Candidate(at, "", "", passed, completion_tokens=tokens) for at, (passed, tokens) in enumerate(rows))
    return Candidates(problem, "", "", tuple(samples))
