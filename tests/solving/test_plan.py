"""`api.plan` and policy.toml: from files to a plan and back, and what is said where nothing can be planned."""

from __future__ import annotations

import importlib.util
import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isobudget import api
from isobudget.costs.cost import Unit
from isobudget.errors import InputError
from isobudget.policies import Draw, Halt, Schedule, Stepper, Stop
from isobudget.solving.plan import Plan, parse_target
from isobudget.solving.policy_file import read_policy, write_policy
from support.synthetic_run import PAIR, synthetic_run


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def prices(tmp_path: Path, **flops: float) -> str:
    path = tmp_path / "costs.toml"
    path.write_text("".join(f'[models."{name}"]\nflops = {amount}\n' for name, amount in flops.items()))
    return str(path)


def counts(tmp_path: Path, name: str = "counts.jsonl", problems: int = 40, n: int = 20) -> Path:
    rng = np.random.default_rng(2)
    rows = []
    for model, shift in (("small", -1.0), ("large", 1.0)):
        for at in range(problems):
            rate = 1 / (1 + math.exp(-shift - 2 * math.sin(at + (model == "large"))))
            rows.append({"model": model, "task_id": f"t{at}", "n": n, "c": int(rng.binomial(n, rate))})
    return lines(tmp_path / name, *rows)


def planned(tmp_path: Path, **options: Any) -> Plan:
    costs = prices(tmp_path, small=1.0, large=8.0)
    return api.plan(counts(tmp_path), costs=costs, replicates=200, **options)


def test_one_row_for_every_budget_and_policy(tmp_path: Path) -> None:
    made = planned(tmp_path, budget=["2x", "1x:large", "20"])
    assert [row.budget for row in made.rows] == [2.0] * 4 + [8.0] * 4 + [20.0] * 4
    assert [row.policy for row in made.rows[:4]] == ["fixed_k", "first_pass", "cascade", "greedy"]
    assert [row.budget for row in made.recommended] == [2.0, 8.0, 20.0]
    assert made.problems == 40
    assert made.prices["large"].per_sample == 8.0


def test_budgets_by_default_go_from_one_sample_to_where_the_samples_end(tmp_path: Path) -> None:
    budgets = sorted({row.budget for row in planned(tmp_path).rows})
    assert budgets[0] == 1.0
    assert all(later == 2 * earlier for earlier, later in pairwise(budgets))
    assert 16 <= budgets[-1] <= 64


def test_json_has_the_fields_that_others_read(tmp_path: Path) -> None:
    plain = json.loads(json.dumps(planned(tmp_path, budget=["4x"]).to_dict()))
    named = [
        *("budget", "unit", "policy", "problems", "success", "low", "high", "gain", "gain_low", "gain_high"),
        *("expected_cost", "p95_cost", "draws", "suite", "hidden_success", "false_pass", "last_share", "by_label"),
    ]
    assert [list(row) for row in plain["rows"]] == [named] * 4
    assert list(plain["recommended"][0]) == named
    row = plain["rows"][0]
    assert row["draws"] == [["small", 4]]
    assert row["unit"] == "flops"
    assert row["hidden_success"] is None
    assert row["false_pass"] is None


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_rows_as_a_data_frame(tmp_path: Path, library: str) -> None:
    made = planned(tmp_path, budget=["4x"])
    to_frame = getattr(made, f"to_{library}")
    if importlib.util.find_spec(library) is None:
        with pytest.raises(InputError, match=f"pip install {library}"):
            to_frame()
    else:
        frame = to_frame()
        assert list(frame.columns) == list(made.to_records()[0])
        assert list(frame["policy"]) == [row.policy for row in made.rows]


def test_a_target_is_reached_at_the_smallest_budget(tmp_path: Path) -> None:
    made = planned(tmp_path, target=0.8)
    (budget,) = {row.budget for row in made.rows}
    best = max(row.success for row in made.rows)
    assert best >= 0.8
    assert max(row.success for row in planned(tmp_path, budget=[budget * 0.9]).rows) < 0.8
    with pytest.raises(InputError, match=r"no policy reaches 99\.9%"):
        planned(tmp_path, target=0.999, arms=["small"])


def test_a_file_that_is_no_policy_is_not_proposed_to_be_written_over(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.touch()
    said = r"pyproject\.toml: is not a policy: `format` is missing\. Write a policy with: .* --write policy\.toml$"
    with pytest.raises(InputError, match=said):
        read_policy(path)


def test_targets_as_text() -> None:
    assert parse_target("90%") == parse_target(" 0.9 ") == pytest.approx(0.9)
    with pytest.raises(InputError, match=r"write 90% or 0\.9"):
        parse_target("most")


def test_arms_and_policies_can_be_chosen(tmp_path: Path) -> None:
    made = planned(tmp_path, budget=["10"], arms=["large"], policy=["first-pass", "doubling", "optimal"])
    assert [row.policy for row in made.rows] == ["first_pass", "doubling", "optimal"]
    assert {arm for row in made.rows for arm, _ in row.draws} == {"large"}
    assert made.rows[0].gain > 0
    assert any("a policy can choose when to stop, but not another model" in note for note in made.notes)


def test_an_arm_that_is_named_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the arm 'large' is named twice"):
        planned(tmp_path, arms=["large", "small", "large"])


def test_several_sources_become_arms_of_one_plan(tmp_path: Path) -> None:
    one = counts(tmp_path, "cool.jsonl")
    other = lines(
        tmp_path / "hot.jsonl", *({"model": "small", "task_id": f"t{at}", "n": 5, "c": 2} for at in range(30))
    )
    made = api.plan([one, other], costs=prices(tmp_path, small=1.0, large=8.0), budget=["4x"], replicates=200)
    assert list(made.prices) == ["small (cool)", "large", "small (hot)"]
    assert made.problems == 30
    assert any("30 problems that all arms have, of 40" in note for note in made.notes)


def test_a_prompt_is_paid_once_or_by_every_sample(tmp_path: Path) -> None:
    costs = tmp_path / "prompts.toml"
    costs.write_text(
        '[defaults]\nprompt_tokens = 400\ncompletion_tokens = 100\n[models."codellama-7b"]\n[models."codellama-34b"]\n'
    )
    rows = [
        {"model": model, "task_id": f"t{at}", "n": 8, "c": at % 9}
        for model in ("codellama-7b", "codellama-34b")
        for at in range(12)
    ]
    source = lines(tmp_path / "two.jsonl", *rows)
    once, each = (
        api.plan(source, costs=costs, budget="4x", replicates=200, share_prompt=shared).prices["codellama-7b"]
        for shared in (True, False)
    )
    assert (once.cost(1), each.per_problem) == (pytest.approx(each.cost(1)), 0.0)
    assert once.cost(4) == pytest.approx(each.cost(4) - 3 * once.per_problem)
    assert once.per_problem > once.per_sample


def test_a_run_is_priced_sample_by_sample(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR)
    made = api.plan(run.path, Unit.SECONDS, budget=["4x"], replicates=200)
    assert set(made.prices) == {model.name for model in PAIR}
    small = made.recorded.arms[0]
    assert len(np.unique(small.if_failed)) > 1
    by_policy = {row.policy: row for row in made.rows}
    assert by_policy["first_pass"].expected_cost == pytest.approx(made.rows[0].budget, rel=0.01)
    assert by_policy["first_pass"].gain > 0
    flops = api.plan(run.path, budget=["4x"], replicates=200).recorded.arms[0]
    assert flops.shared > 0


def test_counts_with_tokens_price_each_sample_by_its_own(tmp_path: Path) -> None:
    rows = [
        {"model": "m", "task_id": f"t{at}", "passed": [1, 0, 0, 1], "completion_tokens": [10, 30, 50, 20]}
        for at in range(5)
    ]
    made = api.plan(lines(tmp_path / "c.jsonl", *rows), Unit.TOKENS, budget=["2x"], replicates=200)
    (arm,) = made.recorded.arms
    assert arm.if_passed == pytest.approx([15.0] * 5)
    assert arm.if_failed == pytest.approx([40.0] * 5)


def labelled(tmp_path: Path, **changes: Any) -> Path:
    """Problems that the small model solves, and problems that it does not, told apart by a label."""
    rows = []
    for at in range(40):
        label = "easy" if at % 2 else "hard"
        for model, c in (("small", 14 + at % 5 if at % 2 else 0), ("large", 16 if at % 2 else 6 + at % 7)):
            rows.append({"model": model, "task_id": f"t{at}", "n": 20, "c": c, "difficulty": label} | changes)
    return lines(tmp_path / "labelled.jsonl", *rows)


def test_a_plan_by_label(tmp_path: Path) -> None:
    options: dict[str, Any] = {"costs": prices(tmp_path, small=1.0, large=8.0), "budget": [8.0], "replicates": 200}
    made = api.plan(labelled(tmp_path), policy=["greedy", "by_label"], **options)
    plain, told = made.rows
    assert told.success > plain.success
    assert [row.policy for row in made.recommended] == ["by_label"]
    row = made.to_dict()["recommended"][0]
    assert (row["draws"], row["last_share"]) == ([], 1.0)
    assert row["by_label"]["easy"]["draws"][0][0] == "small"
    assert {arm for arm, _ in row["by_label"]["hard"]["draws"]} == {"large"}
    assert json.loads(made.to_records()[1]["by_label"]) == row["by_label"]
    assert "run by label (" in made.sentence
    by_pattern = api.plan(str(tmp_path / "label*.jsonl"), policy=["by_label"], **options)
    assert by_pattern.rows[0].by_label == told.by_label
    write_policy(tmp_path / "policy.toml", made)
    policy = read_policy(tmp_path / "policy.toml")
    assert policy.by_label == told.by_label
    assert policy.of("easy") == told.by_label["easy"]
    assert set(policy.prices) == {"small", "large"}
    with pytest.raises(InputError, match=r"one order of draws for each label \(.*\), and no label is stated"):
        policy.schedule  # noqa: B018
    with pytest.raises(InputError, match="draws nothing for the label 'odd'; it draws for: "):
        policy.of("odd")


def test_labels_that_do_not_help(tmp_path: Path) -> None:
    options: dict[str, Any] = {"costs": prices(tmp_path, small=1.0, large=8.0), "policy": "by_label"}
    with pytest.raises(InputError, match="needs a label with 10 problems or more, and problems with other labels"):
        api.plan(counts(tmp_path), **options)
    rows = [json.loads(line) for line in labelled(tmp_path).read_text().splitlines()]
    rows[1]["difficulty"] = "easy"
    with pytest.raises(InputError, match="line 2: 't0' is labelled 'easy' here and 'hard' elsewhere"):
        api.plan(lines(tmp_path / "wrong.jsonl", *rows), **options)


def two_suites(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(4)
    visible, hidden = [], []
    for at in range(30):
        right, wrong = rng.random(20) < 0.1 + 0.02 * at, rng.random(20) < 0.2
        visible.append({"model": "m", "task_id": f"t{at}", "passed": [int(yes) for yes in right | wrong]})
        hidden.append({"model": "m", "task_id": f"t{at}", "passed": [int(yes) for yes in right]})
    return lines(tmp_path / "visible.jsonl", *visible), lines(tmp_path / "hidden.jsonl", *hidden)


def test_two_suites_show_false_passes_and_what_hurts(tmp_path: Path) -> None:
    visible, hidden = two_suites(tmp_path)
    costs = prices(tmp_path, m=1.0)
    options: dict[str, Any] = {"costs": costs, "budget": ["1x", "8x"], "replicates": 200}
    made = api.plan(visible, hidden=[hidden], false_pass_cost=3.0, **options)
    for row in made.rows:
        assert row.suite == "visible"
        assert row.hidden_success is not None
        assert row.false_pass == pytest.approx(row.success - row.hidden_success)
        assert row.false_pass > 0.05
    assert made.hurting_k["m"] is not None
    assert api.plan(visible, hidden=[hidden], **options).hurting_k == {"m": None}
    # every hidden pass is a visible one, so one sample's false passes are those counted by hand
    seen, true = (
        np.array([json.loads(line)["passed"] for line in path.read_text().splitlines()]) for path in (visible, hidden)
    )
    assert made.rows[0].false_pass == pytest.approx(np.mean(seen & ~true.astype(bool)))


def test_evalplus_results_have_two_suites(tmp_path: Path) -> None:
    def sample(base: str, plus: str | None) -> dict[str, Any]:
        return {"task_id": "?", "solution": "", "base_status": base, "plus_status": plus}

    kinds = [sample("pass", "pass"), sample("pass", "fail"), sample("timeout", "fail"), sample("fail", "pass")]
    tasks = {f"HumanEval/{at}": kinds[at % 2 :] + kinds[: at % 2] for at in range(6)}
    path = tmp_path / "m_eval_results.json"
    path.write_text(json.dumps({"date": "", "hash": "", "eval": tasks, "pass_at_k": {}}))
    made = api.plan(path, costs=prices(tmp_path, m=1.0), budget=["1x"], replicates=200)
    row = made.rows[0]
    assert (row.success, row.hidden_success, row.suite) == (0.5, 0.25, "visible")
    tasks["HumanEval/0"][0]["plus_status"] = None
    path.write_text(json.dumps({"eval": tasks}))
    assert api.plan(path, costs=prices(tmp_path, m=1.0), budget=["1x"], replicates=200).rows[0].hidden_success is None
    tasks["HumanEval/0"][0]["base_status"] = "good"
    path.write_text(json.dumps({"eval": tasks}))
    with pytest.raises(InputError, match="HumanEval/0, sample 0: `base_status` must be one of pass, fail, timeout"):
        api.plan(path, costs=prices(tmp_path, m=1.0))


def test_hidden_verdicts_must_match(tmp_path: Path) -> None:
    visible, hidden = two_suites(tmp_path)
    costs = prices(tmp_path, m=1.0)
    short = lines(tmp_path / "short.jsonl", {"model": "m", "task_id": "t0", "passed": [1]})
    with pytest.raises(InputError, match="20 verdicts by visible tests and 1 by hidden ones"):
        api.plan(visible, costs=costs, hidden=[short])
    long = lines(tmp_path / "long.jsonl", {"model": "m", "task_id": "t0", "passed": [1] * 20})
    with pytest.raises(InputError, match="no hidden verdicts of m for 't1'"):
        api.plan(visible, costs=costs, hidden=[long])
    other = lines(tmp_path / "other.jsonl", {"model": "x", "task_id": "t0", "passed": [1]})
    with pytest.raises(InputError, match="no hidden verdicts for m"):
        api.plan(visible, costs=costs, hidden=[other])
    with pytest.raises(InputError, match="must be 0 or more, in right answers that it outweighs"):
        api.plan(visible, costs=costs, hidden=[hidden], false_pass_cost=-1)


# what cannot be planned, and what can ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "t0", 4, 1)], "'t0' is the only problem: .* one problem is not enough"),
        ([("a", "t0", 4, 1), ("a", "t1", 4, 1), ("b", "t1", 4, 1)], "'t1' is the only problem that all arms have"),
        ([("a", "t0", 4, 0), ("a", "t1", 4, 0)], "none of the 8 samples of a passed"),
        ([("a", "t0", 4, 1), ("b", "t1", 4, 1)], "a, b have no problem in common"),
    ],
)
def test_where_nothing_can_be_planned(tmp_path: Path, rows: list[tuple[str, str, int, int]], message: str) -> None:
    file = lines(tmp_path / "c.jsonl", *({"model": m, "task_id": t, "n": n, "c": c} for m, t, n, c in rows))
    with pytest.raises(InputError, match=message):
        api.plan(file, costs=prices(tmp_path, a=1.0, b=2.0), replicates=200)


def test_more_models_than_orders_can_be_tried_of_are_refused(tmp_path: Path) -> None:
    names = [f"m{at}" for at in range(41)]
    rows = ({"model": name, "task_id": task, "n": 4, "c": 1} for name in names for task in ("t0", "t1"))
    with pytest.raises(
        InputError,
        match=r"41 models are too many for a plan, which can use at most 40: choose some with isobudget plan",
    ):
        api.plan(
            lines(tmp_path / "c.jsonl", *rows), costs=prices(tmp_path, **dict.fromkeys(names, 1.0)), replicates=200
        )


def test_what_is_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no budget pays for a sample: the cheapest, of small, costs 1 flops"):
        planned(tmp_path, budget=["0.5x"])
    with pytest.raises(InputError, match="only hidden tests can detect a false pass, and there are none"):
        planned(tmp_path, false_pass_cost=1.0)
    with pytest.raises(InputError, match="no arm matches 'medium'; arms: small, large"):
        planned(tmp_path, arms=["medium"])
    with pytest.raises(InputError, match="unknown policy 'bandit'"):
        planned(tmp_path, policy=["bandit"])
    with pytest.raises(InputError, match="no benchmark 'x'"):
        planned(tmp_path, benchmark="x")
    with pytest.raises(InputError, match="the target must be a success"):
        planned(tmp_path, target=1.5)
    with pytest.raises(InputError, match="at least one source"):
        api.plan([])
    two = [{"benchmark": b, "model": "small", "task_id": "t", "n": 2, "c": 1} for b in ("one", "two")]
    with pytest.raises(InputError, match=r"2 benchmarks \(one, two\); choose one"):
        api.plan(lines(tmp_path / "two.jsonl", *two))


def test_a_budget_below_one_sample_among_others_is_shown_and_explained(tmp_path: Path) -> None:
    made = planned(tmp_path, budget=["0.5x", "2x"])
    assert [row.draws for row in made.rows[:4]] == [()] * 4
    assert all(math.isnan(row.success) for row in made.rows[:4])
    assert [row.budget for row in made.recommended] == [2.0]
    assert any("One sample of small, the cheapest, costs 1 flops." in note for note in made.notes)


def test_one_sample_each_ragged_and_all_passing_are_planned_with_a_note(tmp_path: Path) -> None:
    costs = prices(tmp_path, a=1.0, b=3.0)

    def notes(*rows: tuple[str, str, int, int]) -> str:
        file = lines(tmp_path / "c.jsonl", *({"model": m, "task_id": t, "n": n, "c": c} for m, t, n, c in rows))
        made = api.plan(file, costs=costs, replicates=200)
        assert made.recommended
        return " ".join(made.notes)

    tasks = ("t0", "t1", "t2")
    assert "a: one sample of each problem" in notes(*((m, t, 1, int(t != "t2")) for m in "ab" for t in tasks))
    assert "a: at most 2 draws, as t0 has no more samples (others up to 6)" in notes(
        *(("a", t, 2 if t == "t0" else 6, 1) for t in tasks), *(("b", t, 3, 2) for t in tasks)
    )
    assert "one sample of a solves everything" in notes(*((m, t, 3, 3) for m in "ab" for t in tasks))
    assert "Learned from 3 problems only" in notes(*((m, t, 3, 3) for m in "ab" for t in tasks))


def test_a_million_samples_a_problem_are_planned(tmp_path: Path) -> None:
    rows = [
        {"model": model, "task_id": f"t{at}", "n": 10**6, "c": 10 ** (at % 6) + shift}
        for model, shift in (("small", 0), ("large", 20_000))
        for at in range(12)
    ]
    made = api.plan(
        lines(tmp_path / "c.jsonl", *rows),
        costs=prices(tmp_path, small=1.0, large=8.0),
        budget=["4x", "100000x"],
        replicates=200,
    )
    assert [row.policy for row in made.recommended]
    assert max(row.success for row in made.rows) == pytest.approx(1.0, abs=1e-6)


# policy.toml ----------------------------------------------------------------------------------------------------------


def test_a_policy_is_written_and_read_back(tmp_path: Path) -> None:
    made = planned(tmp_path, budget=["6"], policy=["greedy"])
    path = tmp_path / "policy.toml"
    write_policy(path, made)
    policy = read_policy(path)
    (row,) = made.recommended
    assert policy.schedule == row.schedule
    assert (policy.policy, policy.unit, policy.budget) == ("greedy", Unit.FLOPS, 6.0)
    assert policy.prices == {name: made.prices[name] for name in policy.schedule.arms}
    assert policy.expected["success"] == row.success
    assert policy.expected["p95_cost"] == row.p95_cost
    assert policy.learned["problems"] == 40
    assert policy.learned["sources"] == [str(tmp_path / "counts.jsonl")]
    stepper = Stepper(policy.schedule.chosen(0.0), prices={name: one.per_sample for name, one in policy.prices.items()})
    assert stepper.next() == Draw("small", 1)
    stepper.record([True], 1.0)
    assert stepper.next() is Halt.PASSED


def test_a_policy_is_for_one_budget(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one budget: state one"):
        write_policy(tmp_path / "policy.toml", planned(tmp_path, budget=["2x", "4x"]))


WRITTEN = """format = 1
policy = "cascade"
unit = "seconds"
budget = 6.0
stop = "first pass"
[[arms]]
name = "a"
per_sample = 1.0
[[draws]]
arm = "a"
count = 3
"""


def test_a_policy_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(WRITTEN)
    policy = read_policy(path)
    assert policy.schedule == Schedule((("a", 3),), Stop.FIRST_PASS)
    assert policy.prices["a"].unit is Unit.SECONDS


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 9", "format = 9 is not supported"),
        ("budget = 6.0", "", "`budget` is missing"),
        ("budget = 6.0", "budget = -1", "amount above 0"),
        ("budget = 6.0", 'budget = "6"', "policy.toml"),
        ('arm = "a"', 'arm = "b"', "'b', which is not in"),
        ("count = 3", "count = 0", "count of a step"),
        ('stop = "first pass"', 'stop = "now"', "'now' is not a valid Stop"),
        ('unit = "seconds"', 'unit = "hours"', "unknown unit 'hours'"),
        ("per_sample = 1.0", "per_sample = 0", "positive amount"),
        ("[[draws]]", "[draws]", "draws: must be a list of tables"),
        ('stop = "first pass"', 'stop = "first pass"\nbatched = "no"', "batched: must be true or false, not 'no'"),
        (
            'stop = "first pass"',
            'stop = "first pass"\nlast_shar = 1',
            r"`last_shar` is not a known field. Did you mean 'last_share'",
        ),
        ('stop = "first pass"', 'stop = "first pass"\nlast_share = true', "last_share: must be a number"),
        ("per_sample = 1.0", "per_sampel = 1.0", r"\[\[arms\]\] number 1: `per_sampel` is not a known.*'per_sample'"),
        ("per_sample = 1.0", "", "number 1: `per_sample` is missing"),
        ("per_sample = 1.0", "per_sample = nan", "per_sample: must be a number"),
        ('name = "a"', "", "number 1: `name` is missing"),
        ("count = 3", 'count = 3\n[[arms]]\nname = "a"\nper_sample = 2', "two arms with the same name"),
        ("count = 3", "count = 3\n[expected]\nsucces = 0.5", r"\[expected\]: `succes` is not a known field.*'success'"),
        ("count = 3", 'count = 3\n[learned]\nproblems = "many"', r"\[learned\]: problems: must be a whole number"),
        ("[[arms]]", "[[", "not valid TOML"),
        (
            "count = 3",
            'count = 3\n[[labels]]\nlabel = "easy"\ndraws = []',
            "has both `draws` and `labels`; remove one of them",
        ),
        ("[[draws]]", "[[drawn]]", "`drawn` is not a known field"),
        ('[[draws]]\narm = "a"\ncount = 3', "", "`draws` is missing"),
        (
            '[[draws]]\narm = "a"\ncount = 3',
            '[[labels]]\nlabel = "easy"',
            r"\[\[labels\]\] number 1: `draws` is missing",
        ),
        (
            '[[draws]]\narm = "a"\ncount = 3',
            '[[labels]]\nlabel = "easy"\ndraws = [{arm = "a"}]',
            r"\[\[labels\]\] number 1, \[\[draws\]\] number 1: `count` is missing",
        ),
        (
            '[[draws]]\narm = "a"\ncount = 3',
            '[[labels]]\nlabel = "easy"\ndraws = [{arm = "b", count = 1}]',
            "has the arm 'b', which is not in",
        ),
        (
            '[[draws]]\narm = "a"\ncount = 3',
            '[[labels]]\nlabel = ""\ndraws = [{arm = "a", count = 1}]',
            "or one without a name",
        ),
    ],
)
def test_a_policy_that_is_wrong_says_where(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(WRITTEN.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_policy(path)
    with pytest.raises(InputError, match=r"none\.toml"):
        read_policy(tmp_path / "none.toml")
