"""What a comparison of two models could tell, in words: the difference, its interval, and what would settle it."""

from __future__ import annotations

import math

from isobudget.curves import Comparison
from isobudget.curves.difference import Difference
from isobudget.grid import counted, with_unit
from isobudget.statistics.power import POWER, Power

#: more than this many problems, or times as many samples, is no advice
_MOST_PROBLEMS, _MOST_TIMES = 1_000_000, 1000
#: a smaller difference is none
_LEVEL = 1e-12


def power_line(comparison: Comparison) -> str:
    """Two models at the price of a sample of the more expensive: difference and power; empty unless there are two."""
    found = comparison.differences()
    if not found:
        return ""
    price = comparison.curves[-1].price.cost(1)
    one = next((one for one in found if one.budget >= price * (1 - 1e-9)), found[-1])
    level, unit = f"{comparison.bootstrap.level:.0%}", comparison.unit
    problems = len(comparison.curves[0].task_ids)
    other = f"{'more' if one.difference > 0 else 'less'} than {one.other}"
    solves = f"{_points(abs(one.difference))} {other}" if abs(one.difference) > _LEVEL else f"as much as {one.other}"
    seen = (
        f"At {with_unit(one.budget, unit)} {one.model} solves {solves} ({level} interval {100 * one.low:+.1f} to "
        f"{100 * one.high:+.1f}, this pair and budget alone: {'clear' if one.clear else 'not clear'})."
    )
    if one.power.error == 0:
        return seen
    interval = one.low, one.high
    able = found_text(one.power, problems, interval)
    known = one.power.detectable < 1 and _spread_is_known(one.power, interval)
    needed = _needed(one, problems) if known and not one.clear else ""
    return f"{seen} {able[0].upper()}{able[1:]}{needed}."


def found_text(power: Power, problems: int, interval: tuple[float, float]) -> str:
    """The smallest true difference that so many problems find, as the begin of a sentence, if that can be said.

    Where few problems tell two models apart, their spread says too little: the interval of the difference is wider than
    what would be found.
    """
    if power.detectable >= 1:
        return f"{counted(problems, 'problem')} cannot tell any difference from chance in {POWER:.0%} of cases"
    if not _spread_is_known(power, interval):
        return (
            f"too few of the {counted(problems, 'problem')} tell the two apart to say which difference would be found"
        )
    told = f"a true difference of {_points(power.detectable)} is found with {counted(problems, 'problem')}"
    return f"{told} and these samples in {POWER:.0%} of cases"


def _spread_is_known(power: Power, interval: tuple[float, float]) -> bool:
    """Whether the spread of the differences says as much as their interval, which knows how few problems there are."""
    low, high = interval
    unclear_though_found = low <= 0 <= high and abs(power.difference) >= power.detectable
    return not unclear_though_found and high - low <= 2 * power.detectable


def _needed(one: Difference, problems: int) -> str:
    """What would find a difference as large as the one that was seen."""
    if abs(one.difference) < 5e-4 or one.power.problems <= problems:
        return ""
    many = _rough(one.power.problems)
    wanted = f"about {counted(int(many), 'problem')}" if many <= _MOST_PROBLEMS else "over a million problems"
    told = f"; one of {_points(abs(one.difference))} would take {wanted}"
    times = one.power.samples
    if math.isnan(times):
        return f"{told}; what more samples would do cannot be told at k above half of them"
    if times > _MOST_TIMES:
        return f"{told}, and no number of samples of these {problems:,}"
    return f"{told}, or {_rough(times):g} times the samples of these {problems:,}" if times > 1 else told


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _rough(number: float) -> float:
    """In two digits, rounded up."""
    if not math.isfinite(number) or number <= 0:
        return math.inf
    step = 10.0 ** (math.floor(math.log10(number)) - 1)
    return round(math.ceil(number / step - 1e-9) * step, 9)
