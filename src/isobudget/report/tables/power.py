"""The power of a comparison of two models, in words: the difference, its interval, and what would settle it."""

from __future__ import annotations

import math

from isobudget.curves import Comparison
from isobudget.curves.difference import Difference
from isobudget.grid import counted, with_unit
from isobudget.statistics.power import POWER, Power

#: above this many problems, or this many times the samples, a number is not useful advice
_MOST_PROBLEMS, _MOST_TIMES = 1_000_000, 1000
#: a difference up to this counts as none
_LEVEL = 1e-12


def power_line(comparison: Comparison) -> str:
    """For two models, their difference at the price of a sample of the more expensive one, and the power to detect it.

    Empty for any other number of models.
    """
    differences = comparison.differences()
    if not differences:
        return ""
    price = comparison.curves[-1].price.cost(1)
    difference = next((one for one in differences if one.budget >= price * (1 - 1e-9)), differences[-1])
    level, unit = f"{comparison.bootstrap.level:.0%}", comparison.unit
    problems = len(comparison.curves[0].task_ids)
    other = f"{'more' if difference.difference > 0 else 'less'} than {difference.other}"
    solves = (
        f"{_points(abs(difference.difference))} {other}"
        if abs(difference.difference) > _LEVEL
        else f"as much as {difference.other}"
    )
    seen = (
        f"At {with_unit(difference.budget, unit)} {difference.model} solves {solves} ({level} interval "
        f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}, this pair and budget "
        f"alone: {'clear' if difference.clear else 'not clear'})."
    )
    if difference.power.error == 0:
        return seen
    interval = difference.low, difference.high
    able = detectable_text(difference.power, problems, interval)
    known = difference.power.detectable < 1 and _spread_is_known(difference.power, interval)
    needed = _needed(difference, problems) if known and not difference.clear else ""
    return f"{seen} {able[0].upper()}{able[1:]}{needed}."


def detectable_text(power: Power, problems: int, interval: tuple[float, float]) -> str:
    """A clause that states the smallest true difference that this many problems can detect, or why it is not known.

    If few problems tell two models apart, the spread of the differences says too little: the interval of their
    difference would be wider than the difference that the spread says can be detected.
    """
    if power.detectable >= 1:
        return f"{counted(problems, 'problem')} cannot tell any difference from chance in {POWER:.0%} of cases"
    if not _spread_is_known(power, interval):
        few = f"too few of the {counted(problems, 'problem')}"
        return f"{few} tell the two apart to say which difference would be detected"
    finding = f"a true difference of {_points(power.detectable)} is detected with {counted(problems, 'problem')}"
    return f"{finding} and these samples in {POWER:.0%} of cases"


def _spread_is_known(power: Power, interval: tuple[float, float]) -> bool:
    """Whether the spread of the differences agrees with their interval, which accounts for few problems."""
    low, high = interval
    unclear_though_detectable = low <= 0 <= high and abs(power.difference) >= power.detectable
    return not unclear_though_detectable and high - low <= 2 * power.detectable


def _needed(difference: Difference, problems: int) -> str:
    """What would be needed to detect a difference as large as the observed one."""
    if abs(difference.difference) < 5e-4 or difference.power.problems <= problems:
        return ""
    many = _rough(difference.power.problems)
    wanted = f"about {counted(int(many), 'problem')}" if many <= _MOST_PROBLEMS else "over a million problems"
    would_take = f"; detecting {_points(abs(difference.difference))} would take {wanted}"
    times = difference.power.samples
    if math.isnan(times):
        return f"{would_take}; what more samples would do is not known at k above half of the recorded ones"
    if times > _MOST_TIMES:
        return f"{would_take}; more samples of these {problems:,} would not suffice"
    return f"{would_take}, or {_rough(times):g} times the samples of these {problems:,}" if times > 1 else would_take


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _rough(number: float) -> float:
    """The number rounded up to two digits."""
    if not math.isfinite(number) or number <= 0:
        return math.inf
    step = 10.0 ** (math.floor(math.log10(number)) - 1)
    return round(math.ceil(number / step - 1e-9) * step, 9)
