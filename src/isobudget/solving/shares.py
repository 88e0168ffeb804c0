"""Reads from run folders how many tests failing samples pass, on which the policy `by_share` depends.

The judge counts the tests that a sample passed before the first test that it did not pass. `solve` counts all tests
that a sample passed. Either count is divided by the number of the problem's tests. Not covered: files of results, which
do not have these counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isobudget.analysis.judged import benchmarks_of
from isobudget.analysis.load_samples import ModelSamples, load_samples
from isobudget.importers.read import split_sources
from isobudget.policies.arms import Arm, Ints
from isobudget.policies.shares import CASES, Shares, case_of
from isobudget.records.run import Run, load_run
from isobudget.solving.recorded_arms import Recorded


def recorded_shares(sources: Sequence[str | Path], recorded: Recorded) -> Shares:
    """The number of failing samples of each arm by problem and case, from the runs that count passed tests.

    Args:
        sources: sources of the plan.
        recorded: the results that were read from them.
    """
    runs, _ = split_sources(sources)
    arms = {arm.name: arm for arm in recorded.arms}
    failing: dict[str, Ints] = {}
    for run in map(load_run, runs):
        if recorded.benchmark not in benchmarks_of(run):
            continue
        totals = _totals(run, recorded.benchmark)
        for samples in load_samples(run, [recorded.benchmark]).samples(recorded.benchmark):
            if samples.model in arms and set(recorded.task_ids) <= set(samples.task_ids):
                counts = _counts(samples.only(recorded.task_ids), totals)
                if counts is not None and _fits(counts, arms[samples.model]):
                    failing[samples.model] = counts
    return Shares(failing)


def _totals(run: Run, benchmark: str) -> dict[str, int]:
    """The number of tests of each problem, as far as its verdicts show it."""
    totals: dict[str, int] = {}
    for row in run.verdicts():
        if row.benchmark == benchmark:
            totals[row.task_id] = max(totals.get(row.task_id, 0), row.tests_total or 0, row.tests_passed or 0)
    return totals


def _counts(samples: ModelSamples, totals: dict[str, int]) -> Ints | None:
    """The number of failing samples by problem and case; None if no verdict has a count of passed tests."""
    counts = np.zeros((len(samples.task_ids), len(CASES)), dtype=np.int64)
    known = False
    for at, (task, problem) in enumerate(zip(samples.task_ids, samples.problems, strict=True)):
        for passed, tests in zip(problem.passed.tolist(), problem.tests_passed.tolist(), strict=True):
            known |= tests == tests
            if not passed:
                counts[at, case_of(min(tests / max(totals.get(task, 0), 1), 1.0))] += 1
    return counts if known else None


def _fits(counts: Ints, arm: Arm) -> bool:
    return bool(np.array_equal(counts.sum(axis=1), arm.n - arm.c))
