"""Extrapolations of pass@k beyond the recorded samples: shown beside a curve, but never part of it.

They are made only on request. No recommendation uses them: not the best model, not a flip, not a crossing.
See `isobudget.statistics.extrapolation` for the two statistical models, the beta-binomial and the power law.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.curves.curve import TESTS, Bootstrap, Curve
from isobudget.curves.stopping import FIXED
from isobudget.errors import InputError
from isobudget.grid import counted, picked

if TYPE_CHECKING:
    from isobudget.statistics.extrapolation import Extrapolation, Guess


@dataclass(frozen=True, slots=True, eq=False)
class Beyond:
    """Two extrapolations of one model's pass@k beyond its samples.

    Attributes:
        label: label of the curve.
        recorded: k_max of the curve, after which the extrapolation begins.
        k: doublings of `recorded` below the requested k, then the requested k itself; shape (K,). Empty if so many
            samples were recorded.
        cost: what k samples of one problem cost, shape (K,).
        guesses: success by both statistical models at these k; None if there is nothing to guess, or no fit.
        reason: why `guesses` is None, else empty.
    """

    label: str
    recorded: int
    k: NDArray[np.int64]
    cost: NDArray[np.float64]
    guesses: Extrapolation | None
    reason: str = ""

    def by_model(self) -> tuple[Guess, ...]:
        """The guesses of both statistical models; empty if there is no fit."""
        return () if self.guesses is None else (self.guesses.beta_binomial, self.guesses.power_law)


def look_beyond(curve: Curve, n: ArrayLike, c: ArrayLike, last: int, bootstrap: Bootstrap | None = None) -> Beyond:
    """Guess a curve's pass@k beyond its samples, up to k = `last`.

    Args:
        curve: a pass@k curve whose k samples are all charged.
        n, c: counts of the curve's problems, in the same order; shape (problems,).
        last: the largest k.
        bootstrap: level and seed of the bands, which have 200 replicates.

    Raises:
        InputError: the curve is not by tests, or sampling stops at the first pass: no cost is known beyond the samples.
    """
    from isobudget.statistics.extrapolation import extrapolate

    if curve.selection != TESTS:
        raise InputError(f"extrapolation guesses pass@k, but samples of {curve.label} are chosen by {curve.selection}")
    if curve.stop != FIXED:
        raise InputError("extrapolation needs all k samples to be charged; leave out the stop at the first pass")
    bootstrap = bootstrap or Bootstrap()
    k = _doublings(curve.k_max, last)
    cost = np.array([curve.price.cost(int(size)) for size in k])
    if not len(k):
        recorded = f"{counted(curve.k_max, 'sample')} {'is' if curve.k_max == 1 else 'are'} recorded"
        return Beyond(curve.label, curve.k_max, k, cost, None, recorded)
    try:
        guesses = extrapolate(n, c, k, level=bootstrap.level, seed=bootstrap.seed)
    except InputError as error:
        return Beyond(curve.label, curve.k_max, k, cost, None, str(error))
    return Beyond(curve.label, curve.k_max, k, cost, guesses)


def look_all_beyond(
    curves: Sequence[Curve],
    counts: Iterable[tuple[ArrayLike, ArrayLike]],
    last: int | None,
    bootstrap: Bootstrap | None = None,
) -> list[Beyond]:
    """`look_beyond` of each curve with its n and c; empty if `last` is None.

    Raises:
        InputError: as `look_beyond`, or every model has samples up to `last`.
    """
    if last is None:
        return []
    beyond = [look_beyond(curve, n, c, last, bootstrap) for curve, (n, c) in zip(curves, counts, strict=True)]
    if beyond and not any(len(one.k) for one in beyond):
        raise InputError(
            f"every model has {last:,} samples or more of each problem; there is nothing to extrapolate, see the curves"
        )
    return beyond


def beyond_json(beyond: Sequence[Beyond]) -> dict[str, Any]:
    """The guesses as plain values for JSON, with their label and warning."""
    from isobudget.statistics.extrapolation import LABEL, WARNING

    return {"label": LABEL, "warning": WARNING, "models": {one.label: _plain(one) for one in beyond}}


def beyond_records(beyond: Sequence[Beyond]) -> Iterator[dict[str, Any]]:
    """The guesses as flat records: label, kind, k, cost, success, low, high."""
    for curve in beyond:
        for guess in curve.by_model():
            for at, k in enumerate(curve.k.tolist()):
                ends = {name: float(getattr(guess, name)[at]) for name in ("success", "low", "high")}
                yield {
                    "label": curve.label,
                    "kind": f"guess: {guess.model}",
                    "k": k,
                    "cost": float(curve.cost[at]),
                } | ends


def _plain(curve: Beyond) -> dict[str, Any]:
    names = (guess.model.replace("-", "_").replace(" ", "_") for guess in curve.by_model())
    bands = (picked(guess, "success", "low", "high") for guess in curve.by_model())
    return picked(curve, "recorded", "k", "cost", "reason") | dict(zip(names, bands, strict=True))


def _doublings(recorded: int, last: int) -> NDArray[np.int64]:
    """2, 4, 8, ... times `recorded` below `last`, and `last`."""
    if last <= recorded:
        return np.empty(0, dtype=np.int64)
    times = math.ceil(math.log2(last / recorded) - 1e-12)
    return np.array([*(recorded * 2**power for power in range(1, times)), last], dtype=np.int64)
