"""What one sample costs: an amount of one unit, with the source of the figure.

    cost(k) = per_problem + k * per_sample

`per_problem` is the cost that the k samples of a problem share (a prompt that is computed once); it is 0 if nothing is
shared. The paper charges k samples k times one sample (section 2.2), which is the case `per_problem = 0`.

This does not cover stopping early: see `curves.stopping` for what at most k samples then cost, and `policies`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.errors import InputError
from isobudget.files.hints import unknown

#: A budget that is meant to be exactly k samples may miss k * per_sample by rounding; that must not lose a sample.
_ROUNDING = 1e-9
#: prices outside this range are mistakes, and their ratios might overflow
LEAST_PRICE, MOST_PRICE = 1e-30, 1e30


#: how the tokens of a prompt are counted, for the tables
SHARED, EACH_PAYS, AS_BILLED = "shared, charged once a problem", "paid by every sample", "as the server billed it"
UNCOUNTED, ONE_PASS = "completions only, prompts not counted", "part of one pass a sample, the paper's way"
BY_RATE = "not charged separately; included only if the stated tokens per second include their time"
AS_RECORDED = "as far as the samples' source counted them"
_AS_STATED = "as in the stated price"


class Unit(StrEnum):
    """Units of costs. Seconds are wall time; device seconds are wall time x the GPUs that a model holds."""

    FLOPS = "flops"
    SECONDS = "seconds"
    DEVICE_SECONDS = "device_seconds"
    TOKENS = "tokens"
    USD = "usd"
    JOULES = "joules"


def parse_unit(name: str) -> Unit:
    """The unit of that name; an `InputError` lists the known ones."""
    try:
        return Unit(name.strip().lower())
    except ValueError:
        raise InputError(unknown("unit", name, Unit)) from None


@dataclass(frozen=True, slots=True)
class SampleCost:
    """The cost of k samples of one problem, on average over a benchmark's problems.

    Attributes:
        unit: what the amounts are counted in.
        per_sample: amount that every sample costs, from `LEAST_PRICE` to `MOST_PRICE`.
        per_problem: amount that all samples of a problem share, from 0 to `MOST_PRICE`.
        source: where the figure comes from; every table and figure shows it.
        per_token: the part of `per_sample` that depends on a sample's length, as an amount per completion token; 0 if
            every sample costs the same.
        prompt: how the prompt is counted, in words such as `SHARED`; empty where the price is stated as it is.
    """

    unit: Unit
    per_sample: float
    per_problem: float = 0.0
    source: str = "not stated"
    per_token: float = 0.0
    prompt: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.per_sample < math.inf:
            wrong = f"a sample must cost a positive amount of {self.unit}, not {self.per_sample!r}"
            raise InputError(f"{wrong} ({self.source})")
        if not LEAST_PRICE <= self.per_sample <= MOST_PRICE or MOST_PRICE < self.per_problem < math.inf:
            wrong = f"prices must lie between {LEAST_PRICE:g} and {MOST_PRICE:g} {self.unit}"
            dear = self.per_problem if self.per_problem > MOST_PRICE else self.per_sample
            raise InputError(f"{wrong}, and this one is {dear:g} ({self.source})")
        if not 0 <= self.per_problem < math.inf:
            wrong = f"the shared cost of a problem's samples must be 0 or more {self.unit}, not {self.per_problem!r}"
            raise InputError(f"{wrong} ({self.source})")

    @property
    def prompt_said(self) -> str:
        """How the prompt is counted, in words."""
        return self.prompt or (SHARED if self.per_problem else _AS_STATED)

    def unshared(self) -> SampleCost:
        """The cost if each sample pays what the samples of a problem share."""
        if not self.per_problem:
            return self
        whole, source = self.per_sample + self.per_problem, f"{self.source}, prompt paid by every sample"
        return replace(self, per_sample=whole, per_problem=0.0, source=source, prompt=EACH_PAYS)

    def cost(self, k: float) -> float:
        """What k samples of one problem cost, in `unit`. Zero samples cost nothing."""
        return self.per_problem + k * self.per_sample if k > 0 else 0.0

    def costs(self, most: int) -> NDArray[np.float64]:
        """What 1, 2, ... `most` samples of one problem cost, shape (most,)."""
        return np.asarray(self.per_problem + np.arange(1, most + 1) * self.per_sample, dtype=np.float64)

    def samples(self, budget: float) -> float:
        """How many samples of one problem a budget buys, including a fraction; 0 if it buys none."""
        if not (math.isfinite(budget) and budget >= 0):
            raise InputError(f"a budget must be 0 or more {self.unit}, not {budget!r}")
        return max(0.0, (budget * (1 + _ROUNDING) - self.per_problem) / self.per_sample)

    def affordable(self, budget: float) -> int:
        """The most samples of one problem that a budget pays for; 0 means that it cannot afford one.

        The paper's k = max{k' : cost(k') <= budget} (section 2.2). A negative or infinite budget is an `InputError`.
        """
        return math.floor(self.samples(budget))

    def times(self, factor: float, unit: Unit, source: str) -> SampleCost:
        """This cost converted to `unit`, in which one unit of this cost is `factor`."""
        return replace(
            self,
            unit=unit,
            per_sample=self.per_sample * factor,
            per_problem=self.per_problem * factor,
            source=source,
            per_token=self.per_token * factor,
        )

    def plus(self, per_sample: float, source: str, *, per_problem: float = 0.0) -> SampleCost:
        """This cost plus an extra charge, such as judging or scoring; `source` describes the charge.

        The paper counts tests and ranking as free (section 2.2); nothing is added unless it is asked for.
        """
        return replace(
            self,
            per_sample=self.per_sample + per_sample,
            per_problem=self.per_problem + per_problem,
            source=f"{self.source}; with {source}",
        )

    def of_lengths(self, completions: Sequence[ArrayLike]) -> list[NDArray[np.float64]] | None:
        """The cost of each sample by its own length, without the shared part; None if all cost the same.

        `completions` are the tokens of each problem's samples, at least one per problem. They must be the samples from
        which the price was computed, so that the mean over problems of their means is `per_sample`.
        """
        if not self.per_token:
            return None
        tokens = [np.asarray(one, dtype=np.float64) for one in completions]
        mean = float(np.mean([one.mean() for one in tokens]))
        return [self.per_sample + self.per_token * (one - mean) for one in tokens]
