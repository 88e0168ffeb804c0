"""How many samples are paid for when at most k may be generated: k itself, or fewer if sampling stops at a pass.

The paper charges k samples as k times one sample (section 2.2), whatever their results: `FIXED`. With tests one can
stop at the first sample that passes, `FIRST_PASS`: success is the same, and the spending becomes an expectation,

    E[N_k] = sum_{j<k} r_j        r_j: chance that j of the n samples all fail, r_0 = 1

(`pass_at_k.expected_draws`). Of the E[N_k] samples that are generated, 1 - r_k pass and the others fail, so that
passing and failing samples are each charged at their own price (`pass_at_k.expected_cost`).

Budgets are then expected spending, on average over problems: a single problem may cost more or less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.errors import InputError

FloatArray = NDArray[np.float64]

#: k samples are always generated and charged, as in the paper
FIXED = "fixed"
#: sampling stops at the first sample that passes
FIRST_PASS = "first-pass"

_SOLVED = 1.0 - 1e-12


def parse_stop(name: str) -> str:
    """The stopping rule of that name; an `InputError` lists the rules."""
    if name not in (FIXED, FIRST_PASS):
        raise InputError(f"unknown stopping rule {name!r}; it is {FIXED} or {FIRST_PASS}")
    return name


@dataclass(frozen=True, slots=True, eq=False)
class Charged:
    """The charge for at most k = 1, 2, ... samples of a problem, in samples of the model's mean price.

    Attributes:
        stop: `fixed` or `first-pass`.
        samples: shape (k_max + 1,), not falling, starting at 1. The last entry is for one sample more than recorded;
            infinite if every problem is solved before, so that no further sample would be generated.
        by_problem: the charge of each problem, shape (problems, k_max); None if all problems are charged alike.
    """

    stop: str
    samples: FloatArray
    by_problem: FloatArray | None = None

    @classmethod
    def fixed(cls, k_max: int) -> Self:
        """Charge k samples as k samples."""
        return cls(FIXED, np.arange(1.0, k_max + 2))

    @classmethod
    def first_pass(cls, success: FloatArray, if_passed: ArrayLike = 1.0, if_failed: ArrayLike = 1.0) -> Self:
        """Charge the samples that are generated until the first pass.

        Args:
            success: each problem's pass@k for k = 1, 2, ..., shape (problems, k_max).
            if_passed: mean price of a passing sample of each problem, divided by the model's mean price; shape
                (problems,) or one number. Ignored where no sample passed.
            if_failed: the same for a failing sample. Ignored where every sample passed.
        """
        generated = 1.0 + np.cumsum(1.0 - success, axis=1)
        generated = np.concatenate([np.ones((len(success), 1)), generated], axis=1)
        passing = np.concatenate([success, success[:, -1:]], axis=1)
        passed, failed = (np.reshape(np.asarray(x, dtype=np.float64), (-1, 1)) for x in (if_passed, if_failed))
        failing = generated - passing
        spent = np.where(passing > 0, passing * passed, 0.0) + np.where(failing > 0, failing * failed, 0.0)
        samples = np.maximum.accumulate(spent.mean(axis=0))
        if success[:, -1].mean() >= _SOLVED:
            samples[-1] = np.inf
        return cls(FIRST_PASS, samples, spent[:, :-1])

    @classmethod
    def by_amounts(
        cls, success: FloatArray, passed: Sequence[ArrayLike], amounts: Sequence[FloatArray], mean: float
    ) -> Self:
        """Like `first_pass`, from the verdict and the price of each sample; `mean` is the model's price."""
        means = [
            [float(own[was == kind].mean()) if np.any(was == kind) else 0.0 for own, was in pairs]
            for pairs in ([(own, np.asarray(was, dtype=bool)) for own, was in zip(amounts, passed, strict=True)],)
            for kind in (True, False)
        ]
        return cls.first_pass(success, *(np.divide(one, mean) for one in means))

    def replicates(self, spent: FloatArray | None) -> FloatArray:
        """The charge in each bootstrap replicate, in samples of the replicate's own mean price.

        Args:
            spent: the means of `by_problem` in each replicate, shape (replicates, k_max); None if `by_problem` is None.

        Returns:
            Shape (replicates, k_max), or (1, k_max) where all problems are charged alike.
        """
        if spent is None:
            return self.samples[np.newaxis, :-1]
        rising = np.maximum.accumulate(spent, axis=1)
        return np.asarray(rising / rising[:, :1])
