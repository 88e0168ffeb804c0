"""Two suites from one run: the first tests of a problem are visible and choose, all of them together tell the truth.

A run records how many tests a sample passed before the first that it did not pass. A sample has passed the visible ones
if these are at least as many as the problem says are visible (`Problem.visible_tests`: EvalPlus' base tests,
LiveCodeBench's public ones, asserts that the prompt shows). Not covered: tests that cannot be counted, such as pytest
files and `check` functions; their problems have one suite.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isobudget.analysis.load_samples import ModelSamples

#: of each problem, the verdict of each sample in order; None where only counts are known
Verdicts = tuple[tuple[bool, ...] | None, ...]


def visible_verdicts(samples: ModelSamples, visible: Sequence[int]) -> Verdicts:
    """Whether each sample passed the visible tests of its problem.

    Args:
        samples: of one model.
        visible: of each of its problems, how many of its first tests are visible.
    """
    return tuple(
        tuple((problem.passed | (np.nan_to_num(problem.tests_passed) >= first)).tolist())
        for problem, first in zip(samples.problems, visible, strict=True)
    )
