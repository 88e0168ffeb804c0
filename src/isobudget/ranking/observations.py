"""What samples return for inputs without a right answer, found out by the judge.

Equal programs (but for layout and comments) are run once. What is recorded holds for these inputs and limits only.
Programs whose running cannot end in time end at the limit of each call: it is shorter than for tests, since a timeout
is an answer here.
"""

from __future__ import annotations

import ast
import hashlib
import json
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from isobudget.costs.cost import Unit
from isobudget.judge import Judge
from isobudget.judge.trusted.canonical import canonical
from isobudget.judge.verdict import Limits, Outcome, Verdict
from isobudget.pipeline.progress import Progress
from isobudget.problems.problem import ObservedCalls, Problem
from isobudget.rankers.base import Amount, Pool, Spending
from isobudget.rankers.examples import NOT_GIVEN
from isobudget.records.parts import PartWriter, read_rows
from isobudget.records.ranking_rows import ObservationRow
from isobudget.records.rows import SampleKey

#: of one call; tests of benchmarks seldom need a tenth of it
LIMITS = Limits(cpu_seconds=0.5, wall_seconds=10.0)
#: CPU time is not counted in these: work that no model does
SOURCE = "running the samples on {inputs} inputs, CPU seconds"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the samples of a pool returned.

    Attributes:
        texts: by task_id, for each sample one text per input; empty for one that never compiled.
        spending: CPU seconds.
        unknown: samples that the judge could not observe through a fault of its own.
    """

    texts: Mapping[str, Sequence[Sequence[str]]]
    spending: Spending
    unknown: int


def observe(
    pool: Pool,
    arguments: Mapping[str, Sequence[str]],
    folder: Path | None,
    progress: Progress,
    *,
    workers: int | None = None,
    unsafe: bool = False,
    limits: Limits = LIMITS,
) -> Observed:
    """Run every sample on its problem's inputs; what is recorded already is not run again.

    Args:
        pool: the samples.
        arguments: by task_id, each the source of a list literal. Problems without any are not run.
        folder: the table of observations; None keeps none.
        progress: told how far it is.
        workers, unsafe, limits: of the judge.

    Raises:
        JudgeError: samples cannot be confined here.
    """
    digests = {task_id: _digest(inputs, limits) for task_id, inputs in arguments.items()}
    rows = _recorded(pool, digests, folder)
    work = list(_work(pool, arguments, rows))
    task = f"running samples of {pool.model}"
    total = int(sum(n for n, one in zip(pool.sizes, pool.task_ids, strict=True) if arguments[one]))
    progress.start(task, total, total - sum(len(one.indices) for one in work))
    if work:
        with Judge(workers=workers, limits=limits, unsafe=unsafe) as judge:
            for made in _run(judge, pool, work, digests):
                rows.update({_row_key(row): row for row in made.rows})
                made.write(folder)
                progress.advance(task, made.samples)
    return _observed(pool, arguments, rows)


@dataclass(frozen=True, slots=True)
class _Work:
    """One program and the samples that it stands for."""

    problem: Problem
    program: str
    indices: tuple[int, ...]


@dataclass(slots=True)
class _Made:
    """Rows since the last part, and how many samples they stand for."""

    rows: list[ObservationRow]
    samples: int

    def write(self, folder: Path | None) -> None:
        if folder is not None and self.rows:
            with PartWriter(folder, ObservationRow) as writer:
                writer.add(self.rows)


#: samples whose observations are written as one part
_PART = 2_000


def _run(judge: Judge, pool: Pool, work: Sequence[_Work], digests: Mapping[str, str]) -> Iterator[_Made]:
    waiting: deque[_Work] = deque()
    made = _Made([], 0)

    def pairs() -> Iterator[tuple[Problem, str]]:
        for one in work:
            waiting.append(one)
            yield one.problem, one.program

    try:
        for verdict in judge.run(pairs()):
            one = waiting.popleft()
            made.samples += len(one.indices)
            if verdict.outcome is not Outcome.INVALID:
                made.rows += [_row(pool, one, index, verdict, digests) for index in one.indices]
            if made.samples >= _PART:
                yield made
                made = _Made([], 0)
    finally:
        # also after Ctrl-C: what came back is kept
        yield made


def _row(pool: Pool, one: _Work, index: int, verdict: Verdict, digests: Mapping[str, str]) -> ObservationRow:
    task_id = one.problem.task_id
    key = (pool.benchmark, pool.model, task_id, False, index)
    return ObservationRow(
        *key, digests[task_id], verdict.outcome.value, list(verdict.observed), float(np.nan_to_num(verdict.seconds))
    )


def _work(pool: Pool, arguments: Mapping[str, Sequence[str]], have: Mapping[SampleKey, object]) -> Iterator[_Work]:
    for one in pool.problems:
        task_id = one.problem.task_id
        if not arguments[task_id]:
            continue
        problem = replace(one.problem, tests=ObservedCalls(tuple(arguments[task_id])))
        programs: dict[str, tuple[str, list[int]]] = {}
        for sample in one.samples:
            if (pool.benchmark, pool.model, task_id, False, sample.index) not in have:
                programs.setdefault(form(sample.program), (sample.program, []))[1].append(sample.index)
        for program, indices in programs.values():
            yield _Work(problem, program, tuple(indices))


def form(program: str) -> str:
    """Equal for programs that differ in layout and comments alone; a program that does not parse is its own form."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.dump(ast.parse(program))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return program


def compiles(program: str) -> bool:
    """Whether a program is Python at all; nothing of it is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(program, "sample", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True


def _digest(inputs: Sequence[str], limits: Limits) -> str:
    text = json.dumps([list(inputs), limits._asdict()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _recorded(pool: Pool, digests: Mapping[str, str], folder: Path | None) -> dict[SampleKey, ObservationRow]:
    if folder is None:
        return {}
    rows = (
        row for row in read_rows(folder, ObservationRow) if (row.benchmark, row.model) == (pool.benchmark, pool.model)
    )
    return {_row_key(row): row for row in rows if digests.get(row.task_id) == row.inputs}


def _row_key(row: ObservationRow) -> SampleKey:
    return (row.benchmark, row.model, row.task_id, row.greedy, row.index)


def _observed(pool: Pool, arguments: Mapping[str, Sequence[str]], rows: Mapping[SampleKey, ObservationRow]) -> Observed:
    texts: dict[str, list[Sequence[str]]] = {}
    seconds, unknown = [], 0
    for one in pool.problems:
        task_id = one.problem.task_id
        keys = [(pool.benchmark, pool.model, task_id, False, sample.index) for sample in one.samples]
        found = [rows.get(key) for key in keys]
        texts[task_id] = [_texts(row) for row in found]
        seconds.append(np.mean([0.0 if row is None else row.cpu_seconds for row in found]))
        unknown += sum(row is None for row in found) if arguments[task_id] else 0
    counts = [len(inputs) for inputs in arguments.values()]
    source = SOURCE.format(inputs=f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else str(max(counts)))
    return Observed(texts, Spending({Unit.SECONDS: Amount(0.0, float(np.mean(seconds)))}, source), unknown)


def _texts(row: ObservationRow | None) -> Sequence[str]:
    return () if row is None or row.outcome == Outcome.SYNTAX_ERROR else row.observed


def stated_text(value: object) -> str | None:
    """A value that a prompt or a test states, as the judge would write it; None where none is stated."""
    if value is NOT_GIVEN:
        return None
    return canonical(value)
