"""What a plan states agrees with its own table: equal schedules gain nothing, a sample's price pays for one sample."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isobudget import api
from isobudget.errors import InputError
from isobudget.gateway.models import make_offer
from isobudget.gateway.settings import ServeSettings
from isobudget.policies import Arm
from isobudget.policies.arms import arm_grid, recorded_table
from isobudget.policies.evaluate import mean_walk, met, walk
from isobudget.policies.make import optimal_paths
from isobudget.report.tables.plan import plan_grids
from isobudget.solving.policy_file import read_policy, split_label

COSTS = "[models.small]\nseconds = 1\n[models.large]\nseconds = 4\n"


def written(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def counts(path: Path, models: Sequence[str] = ("small", "large"), problems: int = 24, **more: Any) -> Path:
    return written(
        path,
        [
            {"model": model, "task_id": f"t{at}", "n": 6, "c": (at * (3 + place)) % (6 + place)} | more
            for place, model in enumerate(models)
            for at in range(problems)
        ],
    )


@pytest.fixture
def costs(tmp_path: Path) -> Path:
    (tmp_path / "costs.toml").write_text(COSTS)
    return tmp_path / "costs.toml"


def test_the_same_draws_gain_exactly_nothing(tmp_path: Path, costs: Path) -> None:
    made = api.plan(counts(tmp_path / "c.jsonl", problems=9), costs=costs, unit="seconds", budget="1x", replicates=200)
    assert {row.policy: (row.gain, row.gain_low, row.gain_high) for row in made.rows} == dict.fromkeys(
        ("fixed_k", "first_pass", "cascade", "greedy"), (0.0, 0.0, 0.0)
    )
    assert "%), the same as the best single model with fixed k at that budget; it spends 1 s" in made.sentence


def test_other_draws_that_pass_as_much_here_may_differ_elsewhere(tmp_path: Path, costs: Path) -> None:
    rows = [{"model": "small", "task_id": at, "n": 4, "c": 4} for at in range(9)]
    made = api.plan(written(tmp_path / "c.jsonl", rows), costs=costs, unit="seconds", budget="2x", replicates=200)
    fixed, first = (row for row in made.rows if row.policy in ("fixed_k", "first_pass"))
    assert fixed.draws != first.draws
    assert (first.gain, first.gain_low < 0 < first.gain_high) == (0.0, True)


def test_the_sentence_prefers_a_gain_to_none(tmp_path: Path, costs: Path) -> None:
    made = api.plan(counts(tmp_path / "c.jsonl", problems=9), costs=costs, unit="seconds", replicates=200)
    assert made.rows[0].budget == 1.0
    assert made.sentence.startswith("For a budget of ")
    assert not made.sentence.startswith("For a budget of 1 s ")


def test_the_price_of_one_sample_pays_for_one_where_samples_cost_their_own_amounts(tmp_path: Path) -> None:
    rows = [
        {"model": "m", "task_id": at, "passed": [at % 2, 0, 1, 0], "completion_tokens": [10 + 31 * at] * 4}
        for at in range(14)
    ]
    made = api.plan(written(tmp_path / "c.jsonl", rows), "tokens", budget="1x", replicates=200)
    assert {row.policy: row.draws for row in made.rows} == dict.fromkeys(
        ("fixed_k", "first_pass", "cascade", "greedy"), (("m", 1),)
    )
    assert len({row.success for row in made.rows}) == 1
    assert not any("-, the budget" in note for note in made.notes)


def test_that_price_pays_for_one_where_another_arm_looks_cheaper_by_shrunk_rates(tmp_path: Path) -> None:
    tokens = {
        "a": [[205, 96, 1, 205, 91], [1, 1, 140, 1, 1]],
        "b": [
            [6, 1, 1, 216, 1, 205, 1, 24, 1, 1, 1, 255, 1, 258, 1, 71, 289, 1, 1, 32],
            [1, 1, 1, 275, 1, 1, 252, 1, 120, 1, 1, 23, 31, 77, 243, 117, 1, 223, 177, 1],
        ],
    }
    verdicts = {
        "a": [[0, 0, 0, 0, 0], [0, 0, 1, 1, 1]],
        "b": [
            [1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0],
            [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        ],
    }
    rows = [
        {"model": model, "task_id": at, "passed": verdicts[model][at], "completion_tokens": tokens[model][at]}
        for model in tokens
        for at in (0, 1)
    ]
    policies = ("first_pass", "doubling", "cascade", "greedy", "optimal")
    made = api.plan(written(tmp_path / "c.jsonl", rows), "tokens", budget="1x", policy=policies, replicates=200)
    cheapest = min(made.prices, key=lambda name: made.prices[name].cost(1))
    assert [row.draws for row in made.rows] == [((cheapest, 1),)] * len(policies)


@pytest.mark.parametrize("seed", range(8))
def test_a_mixed_optimal_order_spends_the_budget_and_is_never_behind_the_whole_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arms = [Arm.of(name, 4, rng.integers(0, 5, 12), price) for name, price in (("a", 1.0), ("b", 2.3), ("c", 4.1))]
    tables = [recorded_table(arm, arm_grid(arm)) for arm in arms]
    for budget in (1.3, 2.2, 3.7, 5.5):
        reached = []
        for mixed in (False, True):
            cost, success = mean_walk(walk(tables, optimal_paths(tables, [budget], mixed=mixed)[0]))
            last, share = met(cost, budget)
            after = min(last + 1, len(cost) - 1)
            assert cost[last] + share * (cost[after] - cost[last]) <= budget * (1 + 1e-9)
            reached.append(success[last] + share * (success[after] - success[last]))
        assert reached[1] >= reached[0] - 1e-12


def test_problems_that_some_arm_lacks_are_counted_once_all_together(tmp_path: Path, costs: Path) -> None:
    rows = [
        {"model": model, "task_id": at, "n": 4, "c": at % 4}
        for model, start in (("small", 0), ("large", 10))
        for at in range(start, start + 30)
    ]
    made = api.plan(written(tmp_path / "c.jsonl", rows), costs=costs, unit="seconds", budget="4x", replicates=200)
    assert "Planned on the 20 problems that all arms have, of 40." in made.notes


def test_hidden_tests_stand_apart_from_the_gain_and_in_the_policy(tmp_path: Path, costs: Path) -> None:
    rows = [{"model": "small", "task_id": at, "passed": [at % 3 == 0, 1, 0, at % 2]} for at in range(24)]
    visible = written(tmp_path / "v.jsonl", rows)
    hidden = written(tmp_path / "h.jsonl", [row | {"passed": [0, *row["passed"][1:]]} for row in rows])  # type: ignore[misc]
    file = tmp_path / "p.toml"
    made = api.plan(
        visible, costs=costs, hidden=hidden, budget="2x", false_pass_cost=1, replicates=200, write=file, unit="seconds"
    )
    at = made.sentence.index
    assert at("the visible tests of") < at("points") < at("and the hidden tests of")
    assert read_policy(file).learned["hidden"] == [str(hidden)]
    assert any(
        "If a false pass costs 1 right answer, sampling helps up to this many" in note
        for grid in plan_grids(made)
        for note in grid.notes
    )


def test_a_label_may_have_a_hash_and_so_may_a_file(tmp_path: Path) -> None:
    plain, odd = tmp_path / "policy.toml", tmp_path / "v#2.toml"
    assert split_label(f"{plain}#hard#1") == (str(plain), "hard#1")
    for file in (plain, odd):
        file.write_text("")
        assert split_label(str(file)) == (str(file), "")
        assert split_label(f"{file}#hard#1") == (str(file), "hard#1")


def test_a_label_of_a_policy_without_labels_is_refused(tmp_path: Path, costs: Path) -> None:
    file, counted = tmp_path / "p.toml", counts(tmp_path / "c.jsonl")
    api.plan(counted, costs=costs, unit="seconds", budget="4x", replicates=200, write=file)
    (tmp_path / "m.py").write_text("def f(x):\n    ...\n")
    (tmp_path / "test_m.py").write_text("from m import f\n\n\ndef test_f():\n    assert f(1) == 1\n")
    with pytest.raises(InputError, match=r"p\.toml has no schedules by label: name the policy without #easy"):
        api.solve(f"{tmp_path}/m.py::f", tests=f"{tmp_path}/test_m.py", policy=f"{file}#easy")


def test_the_gateway_says_that_requests_have_no_labels(tmp_path: Path, costs: Path) -> None:
    rows = [{"model": "small", "task_id": at, "n": 4, "c": at % 5, "difficulty": "ab"[at % 2]} for at in range(30)]
    file = tmp_path / "p.toml"
    counted = written(tmp_path / "c.jsonl", rows)
    api.plan(counted, costs=costs, unit="seconds", budget="2x", policy="by_label", replicates=200, write=file)
    for named in (file, f"{file}#a"):
        with pytest.raises(InputError, match="the policy depends on labels of problems, which requests do not have"):
            make_offer(ServeSettings(policies=(str(named),)))


def test_the_most_that_a_target_may_be_is_never_above_what_is_reached(tmp_path: Path) -> None:
    """A most of 66.67 percent is no 66.7."""
    source = tmp_path / "c.jsonl"
    lines = [{"model": "m", "task_id": f"t{at}", "n": 8, "c": 4 * (at < 2)} for at in range(3)]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = r"no policy reaches 66.67% with the recorded samples; the best reaches 66.66%"
    with pytest.raises(InputError, match=said):
        api.plan(source, unit="tokens", completion_tokens=10, target=0.6667)
