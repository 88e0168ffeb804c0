"""Counts samples by problem, for all commands that need no texts.

Unjudged samples are left out and counted in the tally. Verdicts of further suites become separate rows, under the name
of the benchmark with that suite.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from isobudget.importers.base import ImportTally
from isobudget.importers.evalplus import PLUS
from isobudget.importers.records import CountRow, Record, Sample

T = TypeVar("T")

#: reasons for which samples are left out
UNGRADED, ERRORS, GREEDY = "not judged", "errors", "greedy outputs"


@dataclass(frozen=True, slots=True)
class Gathered:
    """The rows of a source.

    Attributes:
        rows: rows by the first test suite, in the order of the source.
        others: rows by further suites, by name.
        samples: number of counted samples.
    """

    rows: list[CountRow]
    others: dict[str, list[CountRow]]
    samples: int


@dataclass(slots=True)
class _Problem:
    """The judged samples of one problem: line number of the first, verdicts, token counts."""

    line: int
    passed: list[bool] = field(default_factory=list)
    tokens: list[int | None] = field(default_factory=list)
    seconds: list[float | None] = field(default_factory=list)
    usd: list[float | None] = field(default_factory=list)
    prompt_tokens: int | None = None

    def row(self, benchmark: str, model: str, condition: str, task_id: str) -> CountRow:
        """The problem as a row of counts. Token counts, seconds and dollars are only kept if every sample has them."""
        passed = tuple(self.passed)
        row = CountRow(
            benchmark, model, condition, task_id, len(passed), sum(passed), passed, _all(self.tokens), self.line
        )
        seconds, usd = _all(self.seconds), _all(self.usd)
        if self.prompt_tokens is None and seconds is None and usd is None:
            return row
        return replace(row, prompt_tokens=self.prompt_tokens, seconds=seconds, usd=usd)


def _all(values: list[T | None]) -> tuple[T, ...] | None:
    """The values, if every sample has one."""
    known = tuple(one for one in values if one is not None)
    return known if len(known) == len(values) else None


_Groups = dict[tuple[str, str, str, str], _Problem]


def gather(records: Iterable[Record], tally: ImportTally) -> Gathered:
    """Count records; records that are counts already stay unchanged."""
    rows: list[CountRow] = []
    groups: _Groups = {}
    suites: dict[str, _Groups] = {}
    samples = 0
    for record in records:
        if isinstance(record, CountRow):
            rows.append(record)
            samples += record.n
            continue
        if record.greedy:
            tally.leave(GREEDY)
            continue
        key = record.benchmark, record.model, record.condition, record.task_id
        for suite, passed in record.others:
            if passed is not None:
                _add(suites.setdefault(suite, {}), key, record, passed)
        if record.passed is None:
            tally.leave(ERRORS if record.outcome in ("error", "invalid") else UNGRADED)
            continue
        samples += 1
        _add(groups, key, record, record.passed)
    counted = [problem.row(*key) for key, problem in groups.items()]
    others = {suite: [problem.row(*key) for key, problem in own.items()] for suite, own in suites.items()}
    return Gathered([*rows, *counted], others, samples)


def _add(groups: _Groups, key: tuple[str, str, str, str], sample: Sample, passed: bool) -> None:
    problem = groups.get(key)
    if problem is None:
        problem = groups[key] = _Problem(sample.line, prompt_tokens=sample.prompt_tokens)
    problem.passed.append(passed)
    problem.tokens.append(sample.completion_tokens)
    problem.seconds.append(sample.seconds)
    problem.usd.append(sample.usd)


def suite_of(name: str, names: Collection[str]) -> str | None:
    """The benchmark among `names` of which `name` is a further suite (see `suite_benchmark`); None if there is none."""
    base = name.removesuffix("+") if name.endswith("+") else name.partition(" [")[0]
    return base if base != name and base in names else None


def suite_benchmark(benchmark: str, suite: str) -> str:
    """The benchmark's name with a further suite: ``humaneval+``, ``humaneval [scorer]``; `suite` without a name."""
    if not benchmark:
        return suite
    return f"{benchmark}+" if suite == PLUS else f"{benchmark} [{suite}]"
