"""Visible and hidden tests of one run: what the judge counts decides which samples passed the visible ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from isobudget import api
from isobudget.errors import InputError
from isobudget.judge import Judge
from isobudget.problems import load_benchmark
from isobudget.problems.problem import Problem
from isobudget.records.rows import SampleRow, VerdictRow, verdict_row
from isobudget.records.run import Run

PROMPT = 'def double(x):\n    """Twice x."""\n'
#: right, wrong on the hidden input, wrong on the second visible input, wrong at once, no Python
BODIES = (
    "    return 2 * x\n",
    "    return 2 * x if x < 9 else 0\n",
    "    return 2 * x if x < 2 else 0\n",
    "    return 7\n",
    "    return (\n",
)
VISIBLE, HIDDEN = [True, True, False, False, False], [True, False, False, False, False]


def own(tmp_path: Path, **fields: Any) -> tuple[Problem, ...]:
    """Three problems with these tests."""
    path = tmp_path / "mine.jsonl"
    record = {"prompt": PROMPT, "entry_point": "double"} | fields
    path.write_text("".join(json.dumps(record | {"task_id": f"t{at}"}) + "\n" for at in range(3)))
    return load_benchmark(path).problems


def judged_run(path: Path, problems: tuple[Problem, ...]) -> Run:
    """A run with every body as a sample of every problem, judged."""
    run = Run.create(path, "two suites")
    run.state("benchmarks", "mine", {"temperature": 0.8, "problems": len(problems), "seed": 0})
    run.add_problems(problems)
    run.state("models", "m", {"title": "m", "file": "m.gguf", "prompt_newline": "keep"})
    run.save_facts()
    keys = [("mine", "m", one.task_id, False, at) for one in problems for at in range(len(BODIES))]
    samples = [SampleRow(*key, BODIES[key[4]], "stop", 10, 5 + key[4], -1.0, -0.2, 1.0, None, 0) for key in keys]
    with Judge(workers=1) as judge:
        answers = list(judge.run((one, one.program(body)) for one in problems for body in BODIES))
    verdicts: list[VerdictRow] = [verdict_row(key, answer) for key, answer in zip(keys, answers, strict=True)]
    with run.writing(), run.sample_writer() as writer:
        writer.add(samples)
    with run.writing(), run.verdict_writer() as writer:
        writer.add(verdicts)
    return run


ASSERTS = ["assert double(1) == 2", "assert double(3) == 6", "assert double(10) == 20"]
KINDS: dict[str, dict[str, Any]] = {
    "shown asserts": {"test_list": ASSERTS, "shown_tests": ASSERTS[:2]},
    "calls": {"arguments": [[1], [3], [10]], "results": [2, 6, 20], "visible_tests": 2},
    "reference": {"call_inputs": [[1], [3], [10]], "reference": PROMPT + BODIES[0], "visible_tests": 2},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_tests_choose_and_all_of_them_tell_the_truth(tmp_path: Path, kind: str) -> None:
    problems = own(tmp_path, **KINDS[kind])
    assert [one.visible_tests for one in problems] == [2] * 3
    run = judged_run(tmp_path / "run", problems)
    made = api.plan(run.path, "tokens", budget=["1x", "3x"], replicates=200)
    (arm,) = made.recorded.arms
    assert (arm.n.tolist(), arm.c.tolist()) == ([5] * 3, [sum(VISIBLE)] * 3)
    assert arm.hidden is not None
    assert arm.hidden.tolist() == [sum(HIDDEN) / sum(VISIBLE)] * 3
    row = made.rows[0]
    assert row.suite == "visible"
    assert (row.success, row.hidden_success, row.false_pass) == pytest.approx((0.4, 0.2, 0.2))
    assert made.hurting_k == {"m": None}
    assert api.plan(run.path, "tokens", false_pass_cost=1.5, replicates=200).hurting_k == {"m": 0}


def test_whole_programs_have_two_suites_too(tmp_path: Path) -> None:
    (problem,) = own(tmp_path, form="text", prompt="Double.", inputs=["1", "10"], outputs=["2", "20"], visible_tests=1)[
        :1
    ]
    with Judge(workers=1) as judge:
        (verdict,) = judge.run([(problem, "x = int(input())\nprint(2 * x if x < 9 else 0)\n")])
    assert (verdict.passed, verdict.tests_passed, problem.visible_tests) == (False, 1, 1)


def test_a_run_without_two_suites_has_one(tmp_path: Path) -> None:
    run = judged_run(tmp_path / "run", own(tmp_path, test_list=ASSERTS))
    made = api.plan(run.path, "tokens", budget=["1x"], replicates=200)
    assert (made.rows[0].suite, made.rows[0].hidden_success, made.hurting_k) == ("tests", None, {})
    assert made.rows[0].success == pytest.approx(0.2)


def test_problems_that_do_not_tell_suites_apart_are_left_out_with_a_note(tmp_path: Path) -> None:
    first, second, third = own(tmp_path, **KINDS["calls"])
    plain = Problem(third.task_id, third.benchmark, PROMPT, "double", third.tests)
    run = judged_run(tmp_path / "run", (first, second, plain))
    made = api.plan(run.path, "tokens", budget=["1x"], replicates=200)
    assert made.problems == 2
    assert any("m: 1 problem left out: no visible tests are stated for them" in note for note in made.notes)
    hidden = tmp_path / "hidden.jsonl"
    rows = [{"model": "m", "task_id": one.task_id, "passed": [1, 0, 0, 0, 0]} for one in (first, second, third)]
    hidden.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stated = api.plan(run.path, "tokens", hidden=hidden, budget=["1x"], replicates=200)
    assert (stated.problems, stated.rows[0].hidden_success) == (3, pytest.approx(0.2))


def test_what_cannot_be_visible_is_refused(tmp_path: Path) -> None:
    for wrong in (0, 3, "2", True, 1.0):
        with pytest.raises(InputError, match="field visible_tests: must say how many of the first tests"):
            own(tmp_path, **KINDS["calls"] | {"visible_tests": wrong})
    with pytest.raises(InputError, match="cannot be counted before they run; leave the field out"):
        own(tmp_path, test="def check(f):\n    assert f(1) == 2\n", visible_tests=1)
    for shown in (ASSERTS, ASSERTS[1:], [*ASSERTS[:1], "assert double(5) == 10"]):
        assert own(tmp_path, test_list=ASSERTS, shown_tests=shown)[0].visible_tests is None
    assert own(tmp_path, test_list=ASSERTS, difficulty="easy")[0].difficulty == "easy"


def test_an_imported_run_has_the_suites_of_its_files(tmp_path: Path) -> None:
    status = {True: "pass", False: "fail"}
    judged = {
        f"HumanEval/{task}": [
            {"base_status": status[(task + at) % 3 > 0], "plus_status": status[(task + at) % 2 > 0], "solution": "x"}
            for at in range(6)
        ]
        for task in range(6)
    }
    path = tmp_path / "m_eval_results.json"
    path.write_text(json.dumps({"eval": judged}))
    costs = tmp_path / "costs.toml"
    costs.write_text("[defaults]\nseconds = 1.5\n")
    run = api.import_results(path, tmp_path / "run").path
    how = {"costs": costs, "budget": "2x", "replicates": 200}
    of_file, of_run = (api.plan(source, "seconds", **how).to_dict() for source in (path, run))
    assert of_run | {"benchmark": "", "notes": []} == of_file | {"notes": []}
    assert of_run["rows"][0]["suite"] == "visible"
    assert of_run["rows"][0]["hidden_success"] < of_run["rows"][0]["success"]
    alone = api.plan(run, "seconds", benchmark="humaneval+", **how)
    assert (alone.benchmark, alone.rows[0].suite) == ("humaneval+", "tests")
