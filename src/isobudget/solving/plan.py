"""Makes a plan from recorded results: the best way to spend a budget. The call behind `isobudget plan`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isobudget.analysis.prices import PAPER
from isobudget.costs.budget import shown_note
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile, read_costs
from isobudget.curves import Bootstrap
from isobudget.errors import InputError
from isobudget.files.hints import unknown
from isobudget.grid import headed, json_value
from isobudget.policies.choose import PlanRow, most_useful_k, plan_rows, recommend
from isobudget.policies.labels import Labels
from isobudget.policies.learn import Learned, Policy, best_fixed, learn
from isobudget.policies.recommended import recommended_rows
from isobudget.policies.repair import RepairRow, compare_repairs
from isobudget.policies.shares import learn_by_share
from isobudget.results import Shown
from isobudget.solving.amounts import DEFAULT_POLICIES, default_amounts, planned_amounts, stated_amounts
from isobudget.solving.labels import labels_of
from isobudget.solving.notes import plan_notes
from isobudget.solving.recorded_arms import Recorded, read_arms, require_few
from isobudget.solving.sentence import plan_sentence
from isobudget.solving.shares import recorded_shares

#: fields of a row in JSON, in order
ROW_FIELDS = (
    "budget",
    "unit",
    "policy",
    "problems",
    "success",
    "low",
    "high",
    "gain",
    "gain_low",
    "gain_high",
    "expected_cost",
    "p95_cost",
    "draws",
    "suite",
    "hidden_success",
    "false_pass",
    "last_share",
    "by_label",
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Plan(Shown):
    """Policies at budgets, measured on problems that they were not learned on.

    Attributes:
        benchmark: name of the benchmark; empty if not stated.
        unit: unit of budgets and costs, which are per problem.
        sources: where the results were read.
        recorded: the arms, their prices, and notes.
        rows: one row for each policy at each budget.
        recommended: the simplest policy within noise of the best, one per budget; budgets that pay for no sample are
            left out.
        target: the requested success; None if none was requested.
        false_pass_cost: the cost of a false pass, as a number of right answers.
        hurting_k: for each arm, the k beyond which more samples hurt, or None if all recorded samples help; empty
            without a hidden suite.
        level: confidence level of the intervals.
        notes: what a reader should know.
        repairs: repairing compared with sampling from scratch at equal budget; empty if the sources have no repairs.
        hidden: the sources of the hidden tests' verdicts; empty if these verdicts are in `sources`, or if there are
            none.
    """

    benchmark: str
    unit: Unit
    sources: tuple[str, ...]
    recorded: Recorded
    rows: tuple[PlanRow, ...]
    recommended: tuple[PlanRow, ...]
    target: float | None
    false_pass_cost: float
    hurting_k: Mapping[str, int | None]
    level: float
    notes: tuple[str, ...]
    repairs: tuple[RepairRow, ...] = ()
    hidden: tuple[str, ...] = ()

    @property
    def prices(self) -> Mapping[str, SampleCost]:
        """The price of a sample of each arm, with its source."""
        return self.recorded.prices

    @property
    def problems(self) -> int:
        """How many problems the plan was learned on."""
        return len(self.recorded.task_ids)

    @property
    def sentence(self) -> str:
        """The policy with the largest certain gain, in one sentence, see `plan_sentence`."""
        return plan_sentence(self.recommended, str(self.unit))

    def to_records(self) -> list[dict[str, Any]]:
        """The rows as flat records, with `draws` and `by_label` as JSON texts."""
        records = [row_record(row) for row in self.rows]
        return [
            record | {name: value if value is None else json.dumps(value) for name, value in _nested(record)}
            for record in records
        ]

    def __repr__(self) -> str:
        return headed(self.benchmark, self.sentence)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values for JSON: NaN is None, success is in [0, 1]."""
        plain: dict[str, Any] = json_value(
            {
                "benchmark": self.benchmark,
                "unit": str(self.unit),
                "rows": [row_record(row) for row in self.rows],
                "recommended": [row_record(row) for row in self.recommended],
                "costs": {name: cost_record(price) for name, price in self.prices.items()},
                "false_pass_cost": self.false_pass_cost,
                "hurting_k": dict(self.hurting_k),
                "repairs": [asdict(row) for row in self.repairs],
                "notes": list(self.notes),
                "sentence": self.sentence,
            }
        )
        return plain


def _nested(record: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, record[name]) for name in ("draws", "by_label")]


def cost_record(price: SampleCost) -> dict[str, Any]:
    """The price of a sample of an arm, as a record."""
    return {"per_sample": price.per_sample, "per_problem": price.per_problem, "source": price.source}


def row_record(row: PlanRow) -> dict[str, Any]:
    """A row as a record, with `draws` as a list of [arm, count], and `by_label` as the draws of each label."""
    plain = {name: getattr(row, name) for name in ROW_FIELDS}
    by_label = None
    if row.by_label is not None:
        by_label = {
            label: {"draws": [list(draw) for draw in schedule.steps], "last_share": schedule.last_share}
            for label, schedule in row.by_label.items()
        }
    return plain | {"draws": [list(draw) for draw in row.draws], "by_label": by_label}


def parse_target(text: str) -> float:
    """Read a target success, written as ``90%`` or ``0.9``.

    Raises:
        InputError: the text is neither.
    """
    number = text.strip().removesuffix("%")
    try:
        return float(number) / (100 if number != text.strip() else 1)
    except ValueError:
        raise InputError(f"{text!r} is not a target; write 90% or 0.9") from None


def plan(
    sources: str | Path | Sequence[str | Path],
    unit: Unit | None = None,
    *,
    budgets: Sequence[str | float] = (),
    target: float | None = None,
    costs: CostsFile | str | None = None,
    arms: Sequence[str] | None = None,
    policies: Sequence[str] | None = None,
    benchmark: str | None = None,
    hidden: Sequence[str | Path] = (),
    from_: str | None = None,
    share_prompt: bool | None = None,
    false_pass_cost: float = 0.0,
    bootstrap: Bootstrap | None = None,
) -> Plan:
    """The best way to spend a budget, learned from recorded results.

    Arguments are those of `isobudget.api.plan`, with these differences: `budgets` is its `budget`, each a text or a
    number; `policies` is its `policy`; `target` is in (0, 1); `costs` is a costs file or ``paper``; `bootstrap` says
    how intervals are computed.

    Raises:
        InputError: a source, a budget, a price or an option is wrong, or nothing can be planned: fewer than two
            problems, no sample that passed, no budget that pays for one sample, or a target that is not reached.
        RunError: a folder is not a run, or nothing in it is judged.
    """
    listed = [sources] if isinstance(sources, str | Path) else list(sources)
    chosen = _policies(policies)
    _check_numbers(target, false_pass_cost)
    table = read_costs(costs) if isinstance(costs, str) and costs != PAPER else costs
    recorded = read_arms(
        listed,
        unit,
        table,
        budgets=budgets,
        benchmark=benchmark,
        names=arms,
        hidden=hidden,
        share_prompt=share_prompt,
        from_=from_,
    )
    unit = next(iter(recorded.prices.values())).unit
    _check_recorded(recorded, false_pass_cost)
    bootstrap = bootstrap or Bootstrap()
    amounts = planned_amounts(budgets, target, unit, recorded, chosen, bootstrap.seed)
    labels = _labels(listed, recorded) if Policy.BY_LABEL in chosen else None
    plain = [policy for policy in chosen if policy is not Policy.BY_SHARE]
    learned = learn(recorded.arms, amounts, plain, seed=bootstrap.seed, labels=labels)
    if Policy.BY_SHARE in chosen:
        shares = recorded_shares(listed, recorded)
        learned[Policy.BY_SHARE] = learn_by_share(recorded.arms, amounts, shares, seed=bootstrap.seed)
    two_suites = all(arm.hidden is not None for arm in recorded.arms)
    suite = "visible" if two_suites else "tests"
    worth = {"false_pass_cost": false_pass_cost, "target": target or 0.0}
    rows, best = _rows(learned, recorded, amounts, bootstrap, str(unit), suite, labels, worth)
    return Plan(
        benchmark=recorded.benchmark,
        unit=unit,
        sources=tuple(map(str, listed)),
        recorded=recorded,
        rows=rows,
        recommended=best,
        target=target,
        false_pass_cost=false_pass_cost,
        hurting_k={arm.name: most_useful_k(arm, false_pass_cost) for arm in recorded.arms} if two_suites else {},
        level=bootstrap.level,
        notes=(
            *recorded.notes,
            *shown_note(stated_amounts(budgets, unit, recorded), amounts, unit),
            *plan_notes(recorded, learned, str(unit)),
        ),
        repairs=_repairs(recorded, amounts if budgets or target else (), unit, bootstrap),
        hidden=tuple(map(str, hidden)),
    )


def _rows(
    learned: Mapping[Policy, Sequence[Learned]],
    recorded: Recorded,
    amounts: Sequence[float],
    bootstrap: Bootstrap,
    unit: str,
    suite: str,
    labels: Labels | None,
    worth: Mapping[str, float],
) -> tuple[tuple[PlanRow, ...], tuple[PlanRow, ...]]:
    """Every policy at every budget, and the recommended policy at each budget.

    `worth` has the options of `choose.recommend` that say what a policy is worth.
    """
    base = learned.get(Policy.FIXED_K) or [best_fixed(recorded.arms, amount) for amount in amounts]
    weights, level = bootstrap.weights(len(recorded.task_ids)), bootstrap.level
    how = {"unit": unit, "suite": suite}
    rows = plan_rows(learned, base, recorded.arms, weights, level=level, labels=labels, **how)
    picked = recommend(learned, weights, level=level, **worth)
    return tuple(row for own in rows for row in own), recommended_rows(rows, picked)


def _repairs(recorded: Recorded, amounts: Sequence[float], unit: Unit, bootstrap: Bootstrap) -> tuple[RepairRow, ...]:
    """Each arm with repairs compared with sampling from scratch, at these amounts.

    If there are no amounts, they are compared at doublings of the cost of a sample.
    """
    rows: list[RepairRow] = []
    for anew, repaired in recorded.repairs:
        if len(anew.c) > 1:
            at, weights = amounts or default_amounts([anew, repaired]), bootstrap.weights(len(anew.c))
            rows += compare_repairs(anew, repaired, at, weights, level=bootstrap.level, unit=str(unit))
    return tuple(rows)


def _policies(names: Sequence[str] | None) -> tuple[Policy, ...]:
    if not names:
        return DEFAULT_POLICIES
    known = {str(policy): policy for policy in Policy}
    for name in names:
        if name.replace("-", "_") not in known:
            raise InputError(unknown("policy", name, Policy, "policies"))
    return tuple(policy for policy in Policy if policy in {name.replace("-", "_") for name in names})


def _labels(sources: Sequence[str | Path], recorded: Recorded) -> Labels:
    named = labels_of(sources, recorded.benchmark)
    return Labels.of_problems([named.get(task, "") for task in recorded.task_ids])


def _check_numbers(target: float | None, false_pass_cost: float) -> None:
    if target is not None and not 0 < target < 1:
        raise InputError(f"the target must be a success above 0 and below 1, such as 0.9 or 90%, not {target!r}")
    if not 0 <= false_pass_cost < float("inf"):
        raise InputError(
            f"the cost of a false pass must be 0 or more, in right answers that it outweighs, not {false_pass_cost!r}"
        )


def _check_recorded(recorded: Recorded, false_pass_cost: float) -> None:
    arms = recorded.arms
    require_few(arms)
    if false_pass_cost and not all(arm.hidden is not None for arm in arms):
        raise InputError(
            "only hidden tests can detect a false pass, and there are none: give their verdicts with --hidden, or "
            "leave out --false-pass-cost"
        )
    if len(recorded.task_ids) == 1:
        few = f"{recorded.task_ids[0]!r} is the only problem" + (" that all arms have" if len(arms) > 1 else "")
        raise InputError(f"{few}: a plan is learned on some problems and measured on others; one problem is not enough")
    if not any(arm.c.any() for arm in arms):
        samples = sum(int(arm.n.sum()) for arm in arms)
        raise InputError(
            f"none of the {samples:,} samples of {', '.join(arm.name for arm in arms)} passed: every policy solves "
            "nothing, and there is nothing to plan"
        )
