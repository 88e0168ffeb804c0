"""policy.toml: a plan's schedule for one budget, complete and readable, so that it can be run elsewhere.

format = 1
policy = "greedy"            # the kind of policy
unit = "flops"
budget = 2.0e13              # mean per problem
stop = "first pass"
last_share = 0.97            # the last step is made for 97 % of the problems
[[arms]]                     # models to draw from, and the price of a sample of each
[[draws]]                    # the order of draws
[[labels]]                   # instead of draws: for each `label` its own `draws` and `last_share`. For the policy
                             # `by_share`, the label `first` has the draws that come first. The labels `none`, `some`
                             # and `most` say how many tests the best of these draws passes
[expected]                   # success and spending on problems that it was not learned on, with intervals
[learned]                    # the data from which it was learned
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tomli_w

from isobudget.costs.cost import SampleCost, Unit, parse_unit
from isobudget.errors import InputError, IsobudgetError
from isobudget.files.hints import did_you_mean
from isobudget.files.toml import read_toml
from isobudget.files.values import AMOUNT, ANYTHING, COUNT, FLAG, TEXT, Check, is_number, mistakes_of
from isobudget.files.whole import write_whole
from isobudget.grid import json_value
from isobudget.policies.choose import PlanRow
from isobudget.policies.labels import OTHERS
from isobudget.policies.learn import Policy
from isobudget.policies.schedule import ForSome, Schedule, Stop
from isobudget.policies.shares import CASES, FIRST
from isobudget.solving.plan import Plan, cost_record

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
_NUMBER: Check = (is_number, "a number")
_LIST: Check = (
    lambda value: isinstance(value, list) and all(isinstance(one, dict) for one in value),
    "a list of tables, such as [[draws]]",
)
_TABLE: Check = (lambda value: isinstance(value, dict), "a table")
_TOP: dict[str, Check] = {
    **{"format": ANYTHING, "policy": TEXT, "unit": TEXT},
    "budget": (lambda value: is_number(value) and value > 0, "an amount above 0"),  # type: ignore[operator]
    **{"stop": TEXT, "batched": FLAG, "last_share": _NUMBER},
    **{"arms": _LIST, "draws": _LIST, "labels": _LIST, "expected": _TABLE, "learned": _TABLE},
}
_NEEDED = ("policy", "unit", "budget", "stop", "arms")
#: list of tables -> the known fields of each table, and the required ones
_LISTS: dict[str, tuple[dict[str, Check], tuple[str, ...]]] = {
    "arms": ({"name": TEXT, "per_sample": _NUMBER, "per_problem": AMOUNT, "source": TEXT}, ("name", "per_sample")),
    "draws": ({"arm": TEXT, "count": ANYTHING}, ("arm", "count")),
    "labels": ({"label": TEXT, "last_share": _NUMBER, "draws": _LIST}, ("label", "draws")),
}
_TABLES: dict[str, dict[str, Check]] = {
    "expected": dict.fromkeys((*_EXPECTED, "level"), _NUMBER),
    "learned": {
        "benchmark": TEXT,
        "problems": COUNT,
        "suite": TEXT,
        "sources": ANYTHING,
        "hidden": ANYTHING,
        "date": ANYTHING,
    },
}


@dataclass(frozen=True, slots=True, eq=False)
class PolicyFile:
    """A policy as a policy.toml states it.

    Attributes:
        policy: the kind of policy, such as `greedy`.
        by_label: the schedule for problems of each label; under the empty label, the schedule for every problem. For
            the policy ``by_share``, the labels are ``first`` and the cases (`policies.shares.CASES`).
        unit, budget: the mean spending per problem for which the policy was learned.
        prices: the price of a sample of each arm with which the policy was learned.
        expected: success and spending with intervals, as in `PlanRow`; unknown values are left out.
        learned: sources, benchmark, number of problems, date.
    """

    policy: str
    by_label: Mapping[str, Schedule]
    unit: Unit
    budget: float
    prices: Mapping[str, SampleCost]
    expected: Mapping[str, float]
    learned: Mapping[str, Any]

    @property
    def by_case(self) -> Mapping[str, Schedule]:
        """For the policy `by_share`, the schedule to run first and the schedule of each case; else empty."""
        return self.by_label if self.policy == Policy.BY_SHARE else {}

    @property
    def labelled(self) -> bool:
        """Whether the policy has one schedule per label of the problems."""
        return "" not in self.by_label and not self.by_case

    @property
    def schedule(self) -> Schedule:
        """The schedule for every problem. Raises `InputError` if it depends on a label or on passed tests."""
        return self.of("")

    def of(self, label: str) -> Schedule:
        """The schedule for a problem of a label. A label that was not learned has the schedule of the label `others`.

        Raises:
            InputError: the schedule depends on a label and none is stated, nothing is drawn for this label, or the
                schedule depends on passed tests.
        """
        if "" in self.by_label:
            return self.by_label[""]
        if self.by_case:
            raise InputError("the policy depends on how many tests the best sample passes; only solve can run it")
        known = ", ".join(self.by_label)
        if not label:
            raise InputError(
                f"the policy has one order of draws for each label ({known}), and no label is stated: name a label "
                f"after the file, such as policy.toml#{next(iter(self.by_label))}"
            )
        schedule = self.by_label.get(label) or self.by_label.get(OTHERS)
        if schedule is None:
            raise InputError(f"the policy draws nothing for the label {label!r}; it draws for: {known}")
        return schedule


def write_policy(path: str | Path, plan: Plan, row: PlanRow | None = None) -> None:
    """Write a row of a plan as policy.toml; by default the recommended row, if the plan has one budget.

    Raises:
        InputError: the plan has several budgets, the budget pays for no sample, or the path is that of a folder or of a
            file that is not a policy.
        StorageError: the file cannot be written.
    """
    if row is None:
        if len({one.budget for one in plan.rows}) != 1:
            raise InputError("a policy is written for one budget: state one with --budget, or a --target")
        row = plan.recommended[0] if plan.recommended else plan.rows[0]
    by_label = {"": row.schedule} if row.schedule is not None else row.by_label
    if not by_label:
        raise InputError("the budget does not pay for one sample; there is no policy to write")
    path = Path(path)
    if path.is_dir() or (path.exists() and not _is_policy(path)):
        raise InputError(f"{path} exists and is not a policy; name another file")
    write_whole(path, tomli_w.dumps(_tables(plan, row, by_label)).encode())


def _is_policy(path: Path) -> bool:
    try:
        read_policy(path)
    except IsobudgetError:
        return False
    return True


def _tables(plan: Plan, row: PlanRow, by_label: Mapping[str, Schedule]) -> dict[str, Any]:
    arms_used = {arm for schedule in by_label.values() for arm in schedule.arms}
    first = next(iter(by_label.values()))
    expected = {name: json_value(getattr(row, name)) for name in _EXPECTED}
    arms = [{"name": name, **cost_record(price)} for name, price in plan.prices.items() if name in arms_used]
    return {
        "format": FORMAT,
        "policy": row.policy,
        "unit": str(plan.unit),
        "budget": row.budget,
        "stop": str(first.stop),
        "batched": first.batched,
        "arms": arms,
        **_schedule_tables(by_label),
        "expected": {name: value for name, value in expected.items() if value is not None} | {"level": plan.level},
        "learned": {
            **({"benchmark": plan.benchmark} if plan.benchmark else {}),
            "problems": row.problems,
            "suite": row.suite,
            "sources": list(plan.sources),
            **({"hidden": list(plan.hidden)} if plan.hidden else {}),
            "date": datetime.now(UTC).date(),
        },
    }


def _schedule_tables(by_label: Mapping[str, Schedule]) -> dict[str, Any]:
    """The draws of one schedule, or those of each label."""
    tables = [
        {
            "last_share": schedule.last_share,
            "draws": [{"arm": arm, "count": count} for arm, count in schedule.steps],
        }
        for schedule in by_label.values()
    ]
    if "" in by_label:
        return tables[0]
    return {"labels": [{"label": label, **table} for label, table in zip(by_label, tables, strict=True)]}


def read_policy(path: str | Path) -> PolicyFile:
    """Read a policy.toml.

    Raises:
        InputError: the file cannot be read, is not TOML, or has a missing or wrong field, which the message names.
    """
    tables = read_toml(Path(path))
    if "format" not in tables:
        raise InputError(
            f"{path}: is not a policy: `format` is missing. Write a policy with: isobudget plan ... --write policy.toml"
        )
    if tables["format"] != FORMAT:
        raise InputError(
            f"{path}: format = {tables['format']!r} is not supported; this isobudget reads format = {FORMAT}"
        )
    _check(tables, _TOP, f"{path}: ", _NEEDED)
    if "draws" not in tables and "labels" not in tables:
        raise InputError(f"{path}: `draws` is missing; write the policy again with isobudget plan")
    if "draws" in tables and "labels" in tables:
        raise InputError(
            f"{path}: has both `draws` and `labels`; remove one of them, since each label has `draws` of its own"
        )
    _check_lists(tables, f"{path}, ")
    for name, known in _TABLES.items():
        _check(tables.get(name, {}), known, f"{path}, [{name}]: ")
    try:
        return _policy(tables)
    except (ValueError, InputError) as error:
        raise InputError(f"{path}: {error}") from None


def split_label(policy: str) -> tuple[str, str]:
    """Split a policy as users name it, ``policy.toml`` or ``policy.toml#easy``, into the file and the label.

    Both the file's name and the label may contain #. The file is the shortest part before a # that exists as a file.
    """
    cuts = [place for place, letter in enumerate(policy) if letter == "#"]
    if not cuts or Path(policy).exists():
        return policy, ""
    cut = next((one for one in cuts if Path(policy[:one]).exists()), cuts[0])
    return policy[:cut], policy[cut + 1 :]


def _check_lists(tables: Mapping[str, Any], where: str) -> None:
    for name, (known, needed) in _LISTS.items():
        for place, table in enumerate(tables.get(name, ()), start=1):
            here = f"{where}[[{name}]] number {place}"
            _check(table, known, f"{here}: ", needed)
            if name == "labels":
                _check_lists({"draws": table["draws"]}, f"{here}, ")


def _check(table: Mapping[str, Any], known: Mapping[str, Check], where: str, needed: Iterable[str] = ()) -> None:
    """Raise `InputError` for a key that is not known, is missing, or has a value that does not fit."""
    for key in table:
        if key not in known:
            raise InputError(
                f"{where}`{key}` is not a known field.{did_you_mean(key, known)} Known: {', '.join(known)}"
            )
    missing = [key for key in needed if key not in table]
    if missing:
        raise InputError(f"{where}`{missing[0]}` is missing; write the policy again with isobudget plan")
    if mistakes := mistakes_of(table, known, where):
        raise InputError(mistakes[0])


def _policy(tables: Mapping[str, Any]) -> PolicyFile:
    unit = parse_unit(tables["unit"])
    stop, batched = Stop(tables["stop"]), tables.get("batched", False)
    listed = tables.get("labels", [{"label": "", **tables}])
    by_label = {
        one["label"]: (ForSome if one["label"] and len(one["draws"]) == 1 else Schedule)(
            tuple((draw["arm"], draw["count"]) for draw in one["draws"]), stop, batched, one.get("last_share", 1.0)
        )
        for one in listed
    }
    if len(by_label) < len(listed) or ("labels" in tables and "" in by_label):
        raise InputError("[[labels]] has two labels with the same name, or one without a name")
    if tables["policy"] == Policy.BY_SHARE and (FIRST not in by_label or set(by_label) - {FIRST, *CASES}):
        others = f"{', '.join(map(repr, CASES[:-1]))} and {CASES[-1]!r}"
        raise InputError(
            f"[[labels]] of the policy by_share must have the label {FIRST!r}; the only other labels that it may have "
            f"are {others}"
        )
    prices = {
        arm["name"]: SampleCost(unit, arm["per_sample"], arm.get("per_problem", 0.0), arm.get("source", "not stated"))
        for arm in tables["arms"]
    }
    missing = [arm for schedule in by_label.values() for arm in schedule.arms if arm not in prices]
    if missing:
        raise InputError(f"[[draws]] has the arm {missing[0]!r}, which is not in [[arms]]")
    if len(prices) < len(tables["arms"]):
        raise InputError("[[arms]] has two arms with the same name")
    return PolicyFile(
        policy=tables["policy"],
        by_label=MappingProxyType(by_label),
        unit=unit,
        budget=float(tables["budget"]),
        prices=MappingProxyType(prices),
        expected=MappingProxyType(dict(tables.get("expected", {}))),
        learned=MappingProxyType(dict(tables.get("learned", {}))),
    )
