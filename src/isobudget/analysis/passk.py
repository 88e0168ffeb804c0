"""pass@k of every benchmark and model in a COUNTS file, with intervals: what `isobudget passk` prints.

The estimator is in `isobudget.statistics.pass_at_k`. The intervals are over problems, and are computed by
`isobudget.statistics.intervals`. For costs and comparisons between models see `isobudget.curves`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isobudget.errors import InputError
from isobudget.grid import json_value
from isobudget.importers.counts import ModelCounts
from isobudget.importers.fields import MOST_SAMPLES, shown
from isobudget.results import Shown
from isobudget.statistics.blockwise_weights import MANY
from isobudget.statistics.intervals import Weights, bootstrap_curve, check_level, weights_of
from isobudget.statistics.many_problems import bootstrap_distinct
from isobudget.statistics.pass_at_k import pass_at_k, trusted_k, why_undefined

Floats = NDArray[np.float64]

#: most digits of a k
_DIGITS = len(str(MOST_SAMPLES))


@dataclass(frozen=True, slots=True)
class PassAtK(Shown):
    """pass@k of one model on one benchmark.

    Attributes:
        benchmark, model, condition: as in `ModelCounts`.
        problems: number of problems.
        n_min, n_max: fewest and most samples of a problem.
        k: the requested values, in order.
        success: mean over problems for each k, in [0, 1]; NaN where `undefined` has a reason.
        low, high: percentile interval over problems, in [0, 1]; NaN also where there is only one problem.
        undefined: for each k without a value, the reason.
        trusted_k: for a larger k, the value is unbiased but depends on few samples.
        level, replicates, seed: of the interval.
    """

    benchmark: str
    model: str
    condition: str
    problems: int
    n_min: int
    n_max: int
    k: tuple[int, ...]
    success: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    undefined: dict[int, str]
    trusted_k: int
    level: float
    replicates: int
    seed: int

    def to_dict(self) -> dict[str, object]:
        """The result for JSON: success in [0, 1], None where undefined; a field `condition` only if there is one."""
        rows = {"pass_at_k": self.success, "low": self.low, "high": self.high}
        plain: dict[str, object] = json_value(
            {
                "benchmark": self.benchmark,
                "model": self.model,
                **({"condition": self.condition} if self.condition else {}),
                "problems": self.problems,
                "n_min": self.n_min,
                "n_max": self.n_max,
                **{name: dict(zip(map(str, self.k), row, strict=True)) for name, row in rows.items()},
                "undefined": {str(k): reason for k, reason in self.undefined.items()},
                "trusted_k": self.trusted_k,
            }
        )
        return plain


def parse_k(k: str | int | Sequence[int]) -> list[int]:
    """The values of k without duplicates, from numbers or text such as ``1,5,10``.

    Raises:
        InputError: a value is not a whole number from 1 to `MOST_SAMPLES`.
    """
    parts = k.split(",") if isinstance(k, str) else [str(one) for one in ([k] if isinstance(k, int) else k)]
    sizes = []
    for part in parts:
        text = part.strip().lstrip("0")
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) <= MOST_SAMPLES):
            raise InputError(
                f"--k takes whole numbers of 1 or more, and at most {MOST_SAMPLES:,}, separated by commas, such as "
                f"1,5,10; got {shown(part)}"
            )
        sizes.append(int(text))
    return list(dict.fromkeys(sizes))


def passk_records(results: Iterable[PassAtK]) -> list[dict[str, object]]:
    """Flat rows, one for each model and k; success in [0, 1], None where undefined."""
    return [
        json_value(
            {name: getattr(one, name) for name in ("benchmark", "model", "condition", "problems", "n_min", "n_max")}
            | {"k": k, "pass_at_k": one.success[at], "low": one.low[at], "high": one.high[at]}
        )
        for one in results
        for at, k in enumerate(one.k)
    ]


def _of_many(
    group: ModelCounts, k: Sequence[int], level: float, replicates: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Mean, low and high, each of shape (K,), from the distinct counts and the number of problems with each."""
    pairs, problems = np.unique(np.stack([group.n, group.c]), axis=1, return_counts=True)
    values = pass_at_k(pairs[0, :, None], pairs[1, :, None], list(k))
    low, high = bootstrap_distinct(values, problems, replicates, seed, level)
    return np.asarray(problems @ values / problems.sum()), low, high


def passk(
    groups: Iterable[ModelCounts], k: Sequence[int], level: float = 0.95, replicates: int = 10_000, seed: int = 0
) -> list[PassAtK]:
    """pass@k at each k for each group of `isobudget.importers.counts.group_counts`, in order.

    Raises:
        InputError: a k is below 1, the level is not between 0 and 1, or the replicates are too few for the level.
    """
    check_level(level)
    weights = lru_cache(maxsize=1)(lambda problems: weights_of(problems, replicates, seed))
    return [_one(group, k, level, replicates, seed, weights) for group in groups]


def _one(
    group: ModelCounts, k: Sequence[int], level: float, replicates: int, seed: int, weights: Callable[[int], Weights]
) -> PassAtK:
    if len(group.n) > MANY:
        success, low, high = _of_many(group, k, level, replicates, seed)
    else:
        values = pass_at_k(group.n[:, None], group.c[:, None], list(k))
        success = values.mean(axis=0)
        low, high = bootstrap_curve(values, weights(len(values)), level)
    reasons = {size: why_undefined(group.n, size) for size in k}
    return PassAtK(
        benchmark=group.benchmark,
        model=group.model,
        condition=group.condition,
        problems=len(group.n),
        n_min=int(group.n.min()),
        n_max=int(group.n.max()),
        k=tuple(k),
        success=tuple(success.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        undefined={size: reason for size, reason in reasons.items() if reason},
        trusted_k=trusted_k(group.n),
        level=level,
        replicates=replicates,
        seed=seed,
    )
