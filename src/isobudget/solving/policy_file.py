"""policy.toml: a plan's schedule for one budget, complete and readable, so that it can be run elsewhere.

format = 1
policy = "greedy"            # how it was made
unit = "flops"
budget = 2.0e13              # on average over problems
stop = "first pass"
last_share = 0.97            # the last step is made for 97 % of the problems
[[arms]]                     # what to draw from, and what a sample was taken to cost
[[draws]]                    # in which order
[expected]                   # success and spending on problems that it was not learned on, with intervals
[learned]                    # from what
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tomli_w

from isobudget.costs.cost import SampleCost, Unit, parse_unit
from isobudget.errors import InputError, IsobudgetError
from isobudget.files.toml import read_toml
from isobudget.files.whole import write_whole
from isobudget.grid import json_value
from isobudget.policies.choose import PlanRow
from isobudget.policies.schedule import Schedule, Stop
from isobudget.solving.plan import Plan

FORMAT = 1
_EXPECTED = (
    "success",
    "low",
    "high",
    "gain",
    "gain_low",
    "gain_high",
    "expected_cost",
    "median_cost",
    "p95_cost",
    "hidden_success",
    "false_pass",
)


@dataclass(frozen=True, slots=True, eq=False)
class PolicyFile:
    """A policy that was written down.

    Attributes:
        policy: how it was made, such as `greedy`.
        schedule: what to run.
        unit, budget: what it spends on average per problem.
        prices: what a sample of each arm was taken to cost.
        expected: success and spending with intervals, as in `PlanRow`; what is not known is not there.
        learned: sources, benchmark, number of problems, date.
    """

    policy: str
    schedule: Schedule
    unit: Unit
    budget: float
    prices: Mapping[str, SampleCost]
    expected: Mapping[str, float]
    learned: Mapping[str, Any]


def write_policy(path: str | Path, plan: Plan, row: PlanRow | None = None) -> None:
    """Write a row of a plan as policy.toml; by default the recommended one, where the plan has one budget.

    Raises:
        InputError: the plan has several budgets, or the budget pays for no sample.
        StorageError: the file cannot be written.
    """
    if row is None:
        if len({one.budget for one in plan.rows}) != 1:
            raise InputError("a policy is written for one budget: state one with --budget, or a --target")
        row = plan.recommended[0] if plan.recommended else plan.rows[0]
    if row.by_label:
        raise InputError(
            "a policy by label is one schedule a label, and policy.toml holds one; name another with --policy, or plan "
            "the problems of each label by themselves"
        )
    if row.schedule is None:
        raise InputError("the budget does not pay for one sample; there is no policy to write")
    path = Path(path)
    if path.is_dir() or (path.exists() and not _is_policy(path)):
        raise InputError(f"{path} is there and is no policy; name another file")
    write_whole(path, tomli_w.dumps(_tables(plan, row, row.schedule)).encode())


def _is_policy(path: Path) -> bool:
    try:
        read_policy(path)
    except IsobudgetError:
        return False
    return True


def _tables(plan: Plan, row: PlanRow, schedule: Schedule) -> dict[str, Any]:
    expected = {name: json_value(getattr(row, name)) for name in _EXPECTED}
    arms = [
        {"name": name, "per_sample": price.per_sample, "per_problem": price.per_problem, "source": price.source}
        for name, price in plan.prices.items()
        if name in schedule.arms
    ]
    return {
        "format": FORMAT,
        "policy": row.policy,
        "unit": str(plan.unit),
        "budget": row.budget,
        "stop": str(schedule.stop),
        "batched": schedule.batched,
        "last_share": schedule.last_share,
        "arms": arms,
        "draws": [{"arm": arm, "count": count} for arm, count in schedule.steps],
        "expected": {name: value for name, value in expected.items() if value is not None} | {"level": plan.level},
        "learned": {
            "benchmark": plan.benchmark,
            "problems": row.problems,
            "suite": row.suite,
            "sources": list(plan.sources),
            "date": datetime.now(UTC).date(),
        },
    }


def read_policy(path: str | Path) -> PolicyFile:
    """Read a policy.toml.

    Raises:
        InputError: it cannot be read, is no TOML, or a field is missing or wrong; the message names it.
    """
    tables = read_toml(Path(path))
    if tables.get("format") != FORMAT:
        raise InputError(f"{path}: format = {tables.get('format')!r} is not known here; this version reads {FORMAT}")
    try:
        return _policy(tables)
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]} is missing; write the policy anew with isobudget plan") from None
    except (TypeError, ValueError, AttributeError, InputError) as error:
        raise InputError(f"{path}: {error}") from None


def _policy(tables: Mapping[str, Any]) -> PolicyFile:
    unit = parse_unit(tables["unit"])
    steps = tuple((draw["arm"], draw["count"]) for draw in tables["draws"])
    schedule = Schedule(steps, Stop(tables["stop"]), bool(tables.get("batched", False)), tables.get("last_share", 1.0))
    prices = {
        arm["name"]: SampleCost(unit, arm["per_sample"], arm.get("per_problem", 0.0), arm.get("source", "not stated"))
        for arm in tables["arms"]
    }
    missing = [arm for arm in schedule.arms if arm not in prices]
    if missing:
        raise InputError(f"[[draws]] has the arm {missing[0]!r}, which is not in [[arms]]")
    if not 0 < tables["budget"] < float("inf"):
        raise InputError(f"budget must be an amount above 0, not {tables['budget']!r}")
    return PolicyFile(
        policy=tables["policy"],
        schedule=schedule,
        unit=unit,
        budget=float(tables["budget"]),
        prices=MappingProxyType(prices),
        expected=MappingProxyType(dict(tables.get("expected", {}))),
        learned=MappingProxyType(dict(tables.get("learned", {}))),
    )
