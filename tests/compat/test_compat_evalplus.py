"""EvalPlus' `evaluate` on a file in its format: statuses of both suites, the file, what is refused."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isobudget.compat.evalplus import evaluate
from isobudget.errors import InputError
from isobudget.importers.read import read_results

DATA = [
    {
        "task_id": f"HumanEval/{number}", "prompt": f"def f{number}(xs):\n", "entry_point": f"f{number}",
        "canonical_solution": "    return sum(xs) / len(xs) if xs else 0.0\n", "contract": "", "atol": 0,
        "base_input": [[[1, 2]], [[3.5]]], "plus_input": [[[]], [[7] * 3], [[-1, 1]]],
    }
    for number in range(2)
]  # fmt: skip
BODIES = {
    "right": "    return sum(xs) / len(xs) if xs else 0.0\n",
    "base only": "    return sum(xs) / len(xs)\n",
    "wrong": "    return sum(xs)\n",
    "plus only": "    return 0.0 if xs in ([1, 2], [3.5]) else sum(xs) / len(xs) if xs else 0\n",
    "loops": "    while True: pass\n",
}


@pytest.fixture
def data(tmp_path: Path) -> str:
    path = tmp_path / "HumanEvalPlus.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in DATA))
    return str(path)


def test_both_suites(tmp_path: Path, data: str) -> None:
    samples = tmp_path / "samples.jsonl"
    lines = [{"task_id": "HumanEval/0", "completion": body} for body in BODIES.values()]
    lines.append({"task_id": "HumanEval/1", "solution": DATA[1]["prompt"] + BODIES["right"]})  # type: ignore[operator]
    samples.write_text("".join(json.dumps(one) + "\n" for one in lines))
    result = evaluate("humaneval", str(samples), data_file=data, timeout=0.5)
    rows = result["eval"]["HumanEval/0"]
    assert [(row["base_status"], row["plus_status"]) for row in rows] == [
        ("pass", "pass"), ("pass", "fail"), ("fail", "fail"), ("fail", "pass"), ("timeout", "timeout"),
    ]  # fmt: skip
    assert rows[1]["plus_fail_tests"] == ["[[]]"]
    assert rows[2]["base_fail_tests"] == ["[[1, 2]]"]
    assert result["pass_at_k"] == {"base": {"pass@1": (2 / 5 + 1) / 2}, "plus": {"pass@1": (1 / 5 + 1) / 2}}
    written = tmp_path / "samples_eval_results.json"
    assert json.loads(written.read_text()) == result
    read = {(row.benchmark, row.task_id): (row.n, row.c) for row in read_results(written).all_rows()}
    assert read == {
        ("base", "HumanEval/0"): (5, 2), ("base", "HumanEval/1"): (1, 1),
        ("plus", "HumanEval/0"): (5, 1), ("plus", "HumanEval/1"): (1, 1),
    }  # fmt: skip
    samples.unlink()
    assert evaluate("humaneval", str(samples)) == result


def test_the_original_says_the_same(
    tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    original = import_original(monkeypatch, data)
    samples = tmp_path / "samples.jsonl"
    bodies = [body for name, body in BODIES.items() if name != "loops"]
    lines = [{"task_id": one["task_id"], "completion": body} for body in bodies for one in DATA]
    samples.write_text("".join(json.dumps(one) + "\n" for one in lines))
    ours = evaluate("humaneval", str(samples), data_file=data)
    (tmp_path / "samples_eval_results.json").unlink()
    original(dataset="humaneval", samples=str(samples), parallel=2)
    theirs = json.loads((tmp_path / "samples_eval_results.json").read_text())
    printed = capfd.readouterr().out
    assert [line[-5:] for line in printed.splitlines() if "pass@1" in line] == [
        f"{ours['pass_at_k'][suite]['pass@1']:.3f}" for suite in ("base", "plus")
    ]
    keys = ("task_id", "solution", "base_status", "plus_status")
    shown = [
        {task: [[row[key] for key in keys] for row in rows] for task, rows in one["eval"].items()}
        for one in (theirs, ours)
    ]
    assert shown[0] == shown[1]
    assert list(theirs["eval"]["HumanEval/0"][0]) == list(ours["eval"]["HumanEval/0"][0])


def import_original(monkeypatch: pytest.MonkeyPatch, data: str) -> Any:
    """EvalPlus' own `evaluate`, with the data of this test; the part of it that calls models is left out."""
    pytest.importorskip("evalplus", reason="the package evalplus is not installed here")
    monkeypatch.setenv("HUMANEVAL_OVERRIDE_PATH", data)
    monkeypatch.setitem(sys.modules, "evalplus.codegen", SimpleNamespace(run_codegen=None))
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=None))
    return importlib.import_module("evalplus.evaluate").evaluate


def test_a_folder_of_programs(tmp_path: Path, data: str) -> None:
    for number, body in enumerate(("right", "wrong")):
        folder = tmp_path / "samples" / f"HumanEval_{number}"
        folder.mkdir(parents=True)
        (folder / "0.py").write_text(f"def f{number}(xs):\n{BODIES[body]}")
    result = evaluate("humaneval", str(tmp_path / "samples"), base_only=True, data_file=data)
    assert result["pass_at_k"] == {"base": {"pass@1": 0.5}}
    assert [rows[0]["plus_status"] for rows in result["eval"].values()] == [None, None]
    assert (tmp_path / "samples" / "eval_results.json").is_file()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"task_id": "HumanEval/7", "solution": ""}', "line 1: no problem"),
        ('{"task_id": "HumanEval/0"}', "needs a field 'completion' or 'solution'"),
        ('{"task_id": "HumanEval/0", "solution": "x"}', "no sample of 1 problem, such as HumanEval/1"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, data: str, line: str, why: str) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text(line + "\n")
    with pytest.raises(InputError, match=why):
        evaluate("humaneval", str(samples), data_file=data)
    with pytest.raises(InputError, match="dataset must be 'humaneval' or 'mbpp'"):
        evaluate("apps", str(samples))  # type: ignore[arg-type]


def test_a_result_file_is_taken_for_its_own_samples_only(tmp_path: Path, data: str) -> None:
    samples = tmp_path / "samples.jsonl"
    right = [{"task_id": f"HumanEval/{n}", "solution": f"def f{n}(xs):\n{BODIES['right']}"} for n in range(2)]

    def write(rows: list[dict[str, str]]) -> None:
        samples.write_text("".join(json.dumps(row) + "\n" for row in rows))

    write(right)
    evaluate("humaneval", str(samples), True, data_file=data)
    with pytest.raises(InputError, match="no results of the plus tests; pass i_just_wanna_run=True to judge"):
        evaluate("humaneval", str(samples), data_file=data)
    made = evaluate("humaneval", str(samples), i_just_wanna_run=True, data_file=data)
    assert evaluate("humaneval", str(samples)) == made
    for other in ([right[0], right[1] | {"solution": "x"}], right * 2, right[:1]):
        write(other)
        with pytest.raises(InputError, match=r"of (the samples|other samples than those) in .*samples\.jsonl"):
            evaluate("humaneval", str(samples))
    for torn in ("{", "[]", '{"eval": 3}', '{"eval": {"HumanEval/0": [3]}}'):
        (tmp_path / "samples_eval_results.json").write_text(torn)
        with pytest.raises(InputError, match="pass i_just_wanna_run=True to judge the samples again"):
            evaluate("humaneval", str(samples))


def test_a_completion_is_recorded_behind_its_prompt(tmp_path: Path, data: str) -> None:
    samples = tmp_path / "samples.jsonl"

    def write(first: dict[str, str]) -> None:
        rows = [first, {"task_id": "HumanEval/1", "completion": BODIES["right"]}]
        samples.write_text("".join(json.dumps({"task_id": "HumanEval/0"} | row) + "\n" for row in rows))

    write({"completion": BODIES["right"]})
    made = evaluate("humaneval", samples, data_file=data)
    assert evaluate("humaneval", samples) == made  # the prompts are not known
    for other in ({"completion": ""}, {"completion": BODIES["right"][4:]}, {"solution": BODIES["right"]}):
        write(other)
        with pytest.raises(InputError, match="other samples"):
            evaluate("humaneval", samples, data_file=data)


def test_the_scores_of_a_result_file_follow_from_its_rows(tmp_path: Path, data: str) -> None:
    samples, result = tmp_path / "samples.jsonl", tmp_path / "samples_eval_results.json"
    lines = [{"task_id": one["task_id"], "completion": BODIES["right"]} for one in DATA]
    samples.write_text("".join(json.dumps(one) + "\n" for one in lines))
    made = evaluate("humaneval", samples, data_file=data)
    for scores in ({}, {"pass_at_k": "damaged"}):
        result.write_text(json.dumps({name: made[name] for name in ("date", "hash", "eval")} | scores))
        assert evaluate("humaneval", samples, data_file=data) == made
    del made["eval"]["HumanEval/1"][0]["base_status"]
    result.write_text(json.dumps(made))
    with pytest.raises(InputError, match="no results of the samples in"):
        evaluate("humaneval", samples, data_file=data)
