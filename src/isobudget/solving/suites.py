"""Two suites from one run: the first tests of a problem are visible and choose samples; all tests measure success.

A run records how many tests a sample passed before the first test that it did not pass. If that number is at least the
number of the problem's visible tests, the sample has passed the visible suite (`Problem.visible_tests`: EvalPlus' base
tests, LiveCodeBench's public ones, asserts that the prompt shows). An imported run may have both suites as two
benchmarks, such as humaneval and humaneval+ (`further_suites`). Not covered: tests that cannot be counted, such as
pytest files and `check` functions. Problems with such tests have one suite.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isobudget.analysis.load_samples import LoadedRun, ModelSamples
from isobudget.importers.gather import suite_of
from isobudget.records.facts import IMPORTED
from isobudget.records.run import Run

#: for each problem, the verdict of each sample in order; None if only counts are known
Verdicts = tuple[tuple[bool, ...] | None, ...]


def further_suites(run: Run, names: Sequence[str]) -> dict[str, str]:
    """Benchmark of an imported run -> the first benchmark with a further suite's verdicts on the same samples."""
    if not all(facts.get("backend") == IMPORTED for facts in run.facts["models"].values()):
        return {}
    pairs = [(suite_of(name, names), name) for name in names]
    return {base: name for base, name in reversed(pairs) if base is not None}


def hidden_verdicts(samples: ModelSamples, run: LoadedRun, benchmark: str) -> Verdicts | None:
    """The verdicts of a further suite on the samples of a model; None unless every sample has one."""
    other = next((one for one in run.models.get(benchmark, ()) if one.model == samples.model), None)
    if other is None or not set(samples.task_ids) <= set(other.task_ids):
        return None
    chosen = other.only(samples.task_ids)
    if not np.array_equal(chosen.n, samples.n):
        return None
    return tuple(tuple(problem.passed.tolist()) for problem in chosen.problems)


def visible_verdicts(samples: ModelSamples, visible: Sequence[int]) -> Verdicts:
    """Whether each sample passed the visible tests of its problem.

    Args:
        samples: samples of one model.
        visible: for each of its problems, how many of the first tests are visible.
    """
    return tuple(
        tuple((problem.passed | (np.nan_to_num(problem.tests_passed) >= first)).tolist())
        for problem, first in zip(samples.problems, visible, strict=True)
    )
