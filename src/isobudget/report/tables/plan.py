"""A plan as tables: success, gain and spending of each policy at each budget, and the draws to run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from isobudget.grid import Grid, amount, counted, headed, interval, percent, si_prefix, usd, with_unit
from isobudget.policies.choose import PlanRow
from isobudget.policies.schedule import Schedule
from isobudget.report.tables.labels import shared_part, short_labels, sources_note
from isobudget.solving.plan import Plan
from isobudget.solving.sentence import ahead_notes, every_step, shown_steps

#: name of each policy in tables
NAMES = {
    "fixed_k": "fixed k",
    "first_pass": "first pass",
    "doubling": "doubling",
    "cascade": "cascade",
    "greedy": "greedy",
    "optimal": "optimal",
    "by_label": "by label",
    "by_share": "by share",
}
_RECOMMENDED = "→ "
#: mark of a first-pass row that solves less than fixed k, by more than rounding
_OTHER_MODEL, _SAME = ", other model", 1e-9
_SIMPLEST = "the simplest policy within noise of the best, unless another does as well for less"
_REACHING = f"among the policies that reach the target, if any do, {_SIMPLEST}"
_READING = (
    "Success in percent, on problems that the policy was not learned on. gain: points over the best single model with "
    "fixed k at the same budget (the paper's rule), with its paired interval. Budget and spending: per problem, on "
    "average; p95: what 95% of the problems spend at most."
)
_NO_P95 = "Columns that do not fit here, such as p95, are shown on a wider terminal, in --csv and in --json."
_TWO_SUITES = (
    "Success in percent of all problems. The visible tests choose samples and stop sampling. False passes pass the "
    "visible tests, but fail the hidden tests."
)
_REPAIRS = (
    "Both ways stop at the first pass and spend the same on average. The gain is paired over problems. A repair sees "
    "the first failing test, which a new draw does not. -: the budget does not pay for the first draw, or exceeds what "
    "was recorded."
)


def plan_grids(plan: Plan) -> list[Grid]:
    """Success, gain and spending of each policy at each budget, then the recommended schedule step by step."""
    short = short_labels(list(plan.prices))
    suites = [_suites_grid(plan)] if any(row.hidden_success is not None for row in plan.rows) else []
    repairs = [_repairs_grid(plan)] if plan.repairs else []
    return [_success_grid(plan), *suites, *repairs, _schedules_grid(plan, short)]


def _success_grid(plan: Plan) -> Grid:
    _, unit = plan_scale(plan)
    level = f"{plan.level:.0%}"
    columns = ("Budget", "policy", "solves", level, "gain", level, "spends", "p95")
    title = headed(plan.benchmark, f"{counted(plan.problems, 'problem')}, in {unit} a problem")
    rows = [(*first, *_cells(row, plan)) for row, first in _first_cells(plan)]
    notes = (_recommends(plan), *ahead_notes(plan.recommended), _READING, *plan.notes)
    words = (0, 1) if any(row[1].endswith(_OTHER_MODEL) for row in rows) else (0,)
    grid = Grid(title, columns, tuple(rows), notes=notes, words=words)
    without_p95 = _without(grid, 7, _NO_P95)
    return replace(grid, narrow=replace(without_p95, narrow=_without(without_p95, 5, _NO_P95)))


def _without(grid: Grid, column: int, note: str) -> Grid:
    """The table without one of its columns, and with a note that says so."""
    columns, *rows = ((*row[:column], *row[column + 1 :]) for row in (grid.columns, *grid.rows))
    notes = tuple(one for one in grid.notes if one != note)
    return replace(grid, columns=columns, rows=tuple(rows), notes=(*notes, note))


def _recommends(plan: Plan) -> str:
    return f"{_RECOMMENDED} recommended: {_SIMPLEST if plan.target is None else _REACHING}"


def _suites_grid(plan: Plan) -> Grid:
    """Success by the visible tests and by the hidden tests, and the share of false passes."""
    rows = [
        (*first, percent(row.success), percent(row.hidden_success), percent(row.false_pass))
        for row, first in _first_cells(plan)
        if row.hidden_success is not None and row.false_pass is not None
    ]
    title = headed(plan.benchmark, "visible and hidden tests")
    columns = ("Budget", "policy", "visible", "hidden too", "false passes")
    return Grid(title, columns, tuple(rows), notes=(_recommends(plan), _TWO_SUITES, _hurting(plan)))


def _repairs_grid(plan: Plan) -> Grid:
    """Repair compared with sampling from scratch at equal budget."""
    _, unit = plan_scale(plan)
    rows = []
    for row in plan.repairs:
        gain = "" if math.isnan(row.gain) else f"{100 * row.gain:+.1f}"
        cells = (percent(row.anew), percent(row.repaired), gain, _range(row.gain_low, row.gain_high) if gain else "")
        rows.append((row.arm, _amount(row.budget, plan), str(row.problems), *cells))
    columns = ("Arm", "budget", "problems", "anew", "repaired", "gain", f"{plan.level:.0%}")
    title = headed(plan.benchmark, f"repairing beside sampling from scratch, in {unit} a problem")
    return Grid(title, columns, tuple(rows), notes=(_REPAIRS,))


def _first_cells(plan: Plan) -> Iterator[tuple[PlanRow, tuple[str, str]]]:
    """Each row with its budget, if different from the row above, and its policy, marked if recommended."""
    chosen = {(row.budget, row.policy) for row in plan.recommended}
    fixed = {row.budget: row.success for row in plan.rows if row.policy == "fixed_k"}
    before = math.nan
    for row in plan.rows:
        budget = "" if row.budget == before else _amount(row.budget, plan)
        mark = _RECOMMENDED if (row.budget, row.policy) in chosen else ""
        # the same model, stopped early, has room for at least as many samples: what is below it is of another one
        other = row.policy == "first_pass" and row.success < fixed.get(row.budget, math.nan) - _SAME
        yield row, (budget, mark + NAMES[row.policy] + _OTHER_MODEL * other)
        before = row.budget


def plan_scale(plan: Plan) -> tuple[float, str]:
    """A power of ten by which to divide amounts, and the unit of the results."""
    if plan.unit != "flops":
        return 1.0, str(plan.unit)
    scale, prefix = si_prefix(min(row.budget for row in plan.rows))
    return scale, f"{prefix}flops"


def _amount(value: float, plan: Plan) -> str:
    return usd(value) if plan.unit == "usd" else amount(value / plan_scale(plan)[0])


def _cells(row: PlanRow, plan: Plan) -> tuple[str, ...]:
    if row.schedule is None and not row.by_label:
        return ("-", "", "", "", "", "")
    spent = (_amount(row.expected_cost, plan), _amount(row.p95_cost, plan))
    return (percent(row.success), _range(row.low, row.high), *gain_cells(row), *spent)


def gain_cells(row: PlanRow) -> tuple[str, str]:
    """Gain in points over the best single model with fixed k, and the gain's interval; empty for fixed k itself."""
    if math.isnan(row.gain) or row.policy == "fixed_k":
        return "", ""
    return f"{100 * row.gain:+.1f}", _range(row.gain_low, row.gain_high)


def _range(low: float, high: float) -> str:
    """An interval in percent or points; "to" between its ends if one of them has a sign."""
    return interval(low, high, "-" if low >= 0 else " to ")


def _hurting(plan: Plan) -> str:
    """For each arm, in words, the k above which more samples make the result worse."""
    parts = [f"{name}: all recorded ones" if k is None else f"{name}: {k:,}" for name, k in plan.hurting_k.items()]
    cost = f"{plan.false_pass_cost:g} right answer{'' if plan.false_pass_cost == 1 else 's'}"
    return f"If a false pass costs {cost}, sampling helps up to this many samples: {'; '.join(parts)}."


def _schedules(row: PlanRow) -> Iterator[tuple[bool, str, Schedule]]:
    """The schedules of a row, one per label: whether it is the row's first line, its name, and the schedule."""
    if row.schedule is not None:
        yield True, NAMES[row.policy], row.schedule
    for place, (label, schedule) in enumerate((row.by_label or {}).items()):
        yield place == 0, label, schedule


def _until(plan: Plan) -> str:
    """When the recommended schedules stop, as the end of a caption."""
    stops = {schedule.stop != "never" for row in plan.recommended for _, _, schedule in _schedules(row)}
    if stops == {True, False}:
        return ", until a sample passes (by fixed k: all of them)"
    return ", until a sample passes" if True in stops else ""


def _schedules_grid(plan: Plan, short: dict[str, str]) -> Grid:
    rows = [
        (with_unit(row.budget, plan.unit) if first else "", name, shown_steps(schedule, short))
        for row in plan.recommended
        for first, name, schedule in _schedules(row)
    ]
    priced = []
    for name, price in plan.prices.items():
        shown = short[name] if short[name] == name else f"{short[name]} = {name}"
        cost = f"{with_unit(price.cost(1), plan.unit)}{shared_part(price, plan.unit)}"
        priced.append((f"{shown} {cost}", price.source))
    title = headed(plan.benchmark, f"what to run, in this order{_until(plan)}")
    notes = (*_in_full(plan, short), f"One sample. {sources_note(priced)}")
    return Grid(title, ("Budget", "policy", "draws"), tuple(rows), notes=notes, words=(1, 2))


def _in_full(plan: Plan, short: dict[str, str]) -> Iterator[str]:
    """All draws of each recommended schedule whose middle is left out in the table."""
    for row in plan.recommended:
        for _, name, schedule in _schedules(row):
            whole = every_step(schedule, short)
            if whole != shown_steps(schedule, short):
                yield f"{with_unit(row.budget, plan.unit)}, {name}, in full: {whole}."
