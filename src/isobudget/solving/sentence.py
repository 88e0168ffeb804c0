"""A plan in one sentence: what to run, its gain, and the number of problems on which it was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

from isobudget.grid import counted, percent, with_unit
from isobudget.policies.choose import SLACK, PlanRow
from isobudget.policies.learn import Policy
from isobudget.policies.schedule import Schedule

#: number of steps that are shown from the beginning and from the end of a long schedule
_FIRST_STEPS, _LAST_STEPS = 5, 1


def plan_sentence(recommended: Sequence[PlanRow], unit: str) -> str:
    """The policy with the largest certain gain, as a sentence: its draws, success, gain, and mean spending.

    The certain gain is the lower end of the gain's interval.
    """
    if not recommended:
        return "No budget here pays for one sample."
    row = max(recommended, key=_sure_gain)
    known = f"measured on {counted(row.problems, 'problem')}, each with schedules learned without it"
    tested = "the visible tests of" if row.suite == "visible" else ""
    what = f"it passes {tested} {row.success:.1%} of the problems".replace("  ", " ")
    if not math.isnan(row.low):
        what += f" ({row.low:.1%} to {row.high:.1%})"
    most = ", where the certain gain is largest," if len({one.budget for one in recommended}) > 1 else ""
    run = f"For a budget of {with_unit(row.budget, unit)} a problem{most} run {_in_words(row)}: {what}"
    spent = f"it spends {with_unit(row.expected_cost, unit)} on average"
    hidden = [] if row.hidden_success is None else [f"and the hidden tests of {row.hidden_success:.1%}"]
    return "; ".join([", ".join([run, *_gain_in_words(row), *hidden]), spent, *ahead_in_words(row), known]) + "."


def _sure_gain(row: PlanRow) -> tuple[bool, float]:
    """A key by which the largest certain gain comes last; rows that draw the same as fixed k come first."""
    return not _same(row), -math.inf if math.isnan(row.gain_low) else row.gain_low


def _same(row: PlanRow) -> bool:
    return row.gain == row.gain_low == row.gain_high == 0


def ahead_in_words(row: PlanRow) -> list[str]:
    """The policy that passes far more than a recommended row, if any, as at most one phrase.

    Such as `cascade reaches 70.9%, not clearly better on 14 problems`.
    """
    best = row.ahead
    if best is None:
        return []
    sentence = f"{best.policy.replace('_', ' ')} reaches {percent(best.success)}%"
    if best.expected_cost > best.budget * (1 + SLACK):
        return [f"{sentence}, for more than the budget"]
    clear = row.policy == Policy.FIXED_K and best.gain_low > 0
    return [sentence if clear else f"{sentence}, not clearly better on {counted(row.problems, 'problem')}"]


def ahead_notes(recommended: Sequence[PlanRow]) -> tuple[str, ...]:
    """A sentence for each budget at which another policy than the recommended one passes far more."""
    return tuple(f"At {with_unit(row.budget, row.unit)} {said}." for row in recommended for said in ahead_in_words(row))


def _gain_in_words(row: PlanRow) -> list[str]:
    """The gain of a row over the best single model with fixed k; empty for fixed k itself."""
    if math.isnan(row.gain):
        return ["where no single model could be run with fixed k"]
    if row.policy == Policy.FIXED_K:
        return []
    if _same(row):
        return ["the same as the best single model with fixed k at that budget"]
    if row.gain_low > 0:
        points = f"{100 * row.gain:.1f} points ({100 * row.gain_low:.1f} to {100 * row.gain_high:.1f})"
        return [f"{points} more than the best single model with fixed k at that budget"]
    points = f"{100 * row.gain:+.1f} points"
    return [f"{points} against the best single model with fixed k at that budget, which is not clear"]


def _in_words(row: PlanRow) -> str:
    if row.schedule is None:
        parts = [f"{label}: {shown_steps(schedule)}" for label, schedule in (row.by_label or {}).items()]
        kind = row.policy.replace("_", " ")
        return f"{kind} ({'; '.join(parts)}), until a sample passes"
    until = "" if row.schedule.stop == "never" else ", until a sample passes"
    return f"{shown_steps(row.schedule)}{until}"


def shown_steps(schedule: Schedule, short: dict[str, str] | None = None) -> str:
    """The steps of a schedule, without the middle of a long one; `short` maps arms to shorter names."""
    steps = _steps(schedule, short)
    if len(steps) > _FIRST_STEPS + _LAST_STEPS + 1:
        left_out = len(steps) - _FIRST_STEPS - _LAST_STEPS
        steps[_FIRST_STEPS:-_LAST_STEPS] = [f"... {left_out} more steps ..."]
    return ", ".join(steps)


def every_step(schedule: Schedule, short: dict[str, str] | None = None) -> str:
    """All steps of a schedule; `short` maps arms to shorter names."""
    return ", ".join(_steps(schedule, short))


def _steps(schedule: Schedule, short: dict[str, str] | None) -> list[str]:
    steps = [f"{(short or {}).get(arm, arm)} x {count:,}" for arm, count in schedule.merged().steps]
    if schedule.last_share < 1:
        steps[-1] += f" (for {schedule.last_share:.0%} of the problems)"
    return steps
