"""Runs samples on inputs in the judge, and records what they return; no right answer is known.

Programs that differ only in layout and comments are run once. Recorded outputs are valid only for their inputs and
limits.
A call that takes too long ends at the limit, which is shorter than for tests, because here a timeout is a result, too.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from isobudget.costs.cost import Unit
from isobudget.judge.verdict import Limits, Outcome
from isobudget.pipeline.executor import Executor, Local
from isobudget.pipeline.judging import with_verdicts
from isobudget.problems.problem import ObservedCalls, Problem
from isobudget.progress import Progress
from isobudget.rankers.base import Amount, Pool, RankerCost
from isobudget.rankers.ranker import Observed
from isobudget.records.ranking_rows import KeptRows, ObservationRow
from isobudget.records.rows import SampleKey
from isobudget.syntax import parsed

#: the limits of one call; tests of benchmarks seldom need a tenth of them
LIMITS = Limits(cpu_seconds=0.5, wall_seconds=10.0)
#: source of the cost, which is known in seconds alone: no model does this work
SOURCE = "running the samples on {inputs} inputs, CPU seconds"


def observe(
    pool: Pool,
    arguments: Mapping[str, Sequence[str]],
    folder: Path | None,
    progress: Progress,
    *,
    workers: int | None = None,
    unsafe: bool = False,
    limits: Limits = LIMITS,
    executor: Executor | None = None,
) -> Observed:
    """Run every sample on its problem's inputs, unless its outputs are recorded.

    `arguments` are by task_id, each the source of a list literal; problems without arguments are not run. `folder` is
    the table of observations; None: they are not recorded. The `executor` makes the judge, with `workers`, `limits` and
    `unsafe`.

    Raises:
        JudgeError: samples cannot be confined here.
    """
    digests = _digests(arguments, limits)
    kept = kept_observations(pool, arguments, folder, limits)
    work = list(_work(pool, arguments, kept.rows))
    task = f"running samples of {pool.model}"
    total = int(sum(n for n, one in zip(pool.sizes, pool.task_ids, strict=True) if arguments[one]))
    progress.start(task, total, total - sum(len(keys) for keys, _, _ in work))
    if work:
        with kept.writing(), (executor or Local()).judge(workers, limits, unsafe=unsafe) as judge:
            for keys, verdict in with_verdicts(judge, work):
                if verdict.outcome is not Outcome.INVALID:
                    seen = verdict.outcome.value, list(verdict.observed), float(np.nan_to_num(verdict.seconds))
                    kept.add([ObservationRow(*key, digests[key[2]], *seen) for key in keys])
                progress.advance(task, len(keys))
    return observed(pool, arguments, kept.rows)


def kept_observations(
    pool: Pool, arguments: Mapping[str, Sequence[str]], folder: Path | None, limits: Limits = LIMITS
) -> KeptRows[SampleKey, ObservationRow]:
    """The recorded observations of a pool's samples on these inputs; `folder` is their table."""
    digests = _digests(arguments, limits)
    mine = {"benchmark": pool.benchmark, "model": pool.model}
    return KeptRows(
        folder, ObservationRow, lambda row: row.key, mine, lambda row: digests.get(row.task_id) == row.inputs
    )


def _work(
    pool: Pool, arguments: Mapping[str, Sequence[str]], have: Mapping[SampleKey, object]
) -> Iterator[tuple[list[SampleKey], Problem, str]]:
    """Each program to run, with its problem and the keys of the samples that have it."""
    for candidates in pool.problems:
        inputs = tuple(arguments[candidates.problem.task_id])
        if not inputs:
            continue
        problem = replace(candidates.problem, tests=ObservedCalls(inputs))
        programs: dict[str, tuple[str, list[SampleKey]]] = {}
        for sample in candidates.samples:
            if (key := pool.key(candidates, sample.index)) not in have:
                programs.setdefault(form(sample.program), (sample.program, []))[1].append(key)
        for program, keys in programs.values():
            yield keys, problem, program


def form(program: str) -> str:
    """A form that is equal for programs that differ only in layout and comments; the program if it does not parse."""
    tree = parsed(program)
    return program if tree is None else ast.dump(tree)


def _digests(arguments: Mapping[str, Sequence[str]], limits: Limits) -> dict[str, str]:
    return {task_id: _digest(inputs, limits) for task_id, inputs in arguments.items()}


def _digest(inputs: Sequence[str], limits: Limits) -> str:
    text = json.dumps([list(inputs), limits._asdict()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def observed(pool: Pool, arguments: Mapping[str, Sequence[str]], rows: Mapping[SampleKey, ObservationRow]) -> Observed:
    """What the pool's samples returned, from the rows; samples without a row are counted as unknown."""
    texts: dict[str, list[Sequence[str]]] = {}
    seconds, unknown = [], 0
    for candidates in pool.problems:
        task_id = candidates.problem.task_id
        observed_rows = [rows.get(pool.key(candidates, sample.index)) for sample in candidates.samples]
        texts[task_id] = [
            () if row is None or row.outcome == Outcome.SYNTAX_ERROR else row.observed for row in observed_rows
        ]
        seconds.append(np.mean([0.0 if row is None else row.cpu_seconds for row in observed_rows]))
        unknown += sum(row is None for row in observed_rows) if arguments[task_id] else 0
    counts = [len(inputs) for inputs in arguments.values()]
    source = SOURCE.format(inputs=f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else str(max(counts)))
    return Observed(texts, RankerCost({Unit.SECONDS: Amount(0.0, float(np.mean(seconds)))}, source), unknown)
