"""The run folder: what it keeps, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isobudget.errors import RunError
from isobudget.pipeline.prompts import row_prompt
from isobudget.problems.problem import AssertList, CheckFunction, Problem
from isobudget.records.part_writer import PartWriter
from isobudget.records.rows import ProblemRow, PromptRow, row_of
from isobudget.records.run import Run, load_run

PROBLEMS = [
    Problem("p/0", "own", "def f(x):\n", "f", CheckFunction("def check(candidate):\n    assert candidate(1)\n"), None),
    Problem(
        "p/1", "own", "def g(x):\n", "g", AssertList(("assert g(1)", "assert g('ü')"), "import math"), "    return x\n"
    ),
]
SAMPLING = {"temperature": 0.8, "top_p": 0.95, "max_tokens": 64, "stop": ["\ndef"], "seed": 0, "problems": 2}


def test_problems_come_back_equal_and_in_order(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "mine")
    run.add_problems(PROBLEMS)
    run.add_problems(PROBLEMS)
    assert list(load_run(tmp_path / "run").problems().values()) == PROBLEMS


def test_a_changed_problem_is_refused(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "mine")
    run.add_problems(PROBLEMS)
    changed = Problem("p/0", "own", "def f(y):\n", "f", PROBLEMS[0].tests, None)
    with pytest.raises(RunError, match="p/0 of own has changed"):
        run.add_problems([changed])


def test_facts_survive_and_may_be_added_to(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "mine")
    run.state("benchmarks", "own", SAMPLING)
    run.save_facts()
    again = Run.create(tmp_path / "run", "mine")
    again.state("benchmarks", "own", SAMPLING | {"problems": 3})
    again.state("benchmarks", "other", SAMPLING)
    again.save_facts()
    facts = load_run(tmp_path / "run").facts
    assert facts["benchmarks"]["own"] == SAMPLING | {"problems": 3}
    assert list(facts["benchmarks"]) == ["own", "other"]


@pytest.mark.parametrize("changed", [{"temperature": 0.2}, {"stop": []}, {"seed": 1}, {"new": 1}])
def test_other_sampling_is_refused_by_name(tmp_path: Path, changed: dict[str, Any]) -> None:
    run = Run.create(tmp_path / "run", "mine")
    run.state("benchmarks", "own", SAMPLING)
    with pytest.raises(RunError, match=rf"benchmarks\.own\.{next(iter(changed))}"):
        run.state("benchmarks", "own", SAMPLING | changed)


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        load_run(tmp_path)
    with pytest.raises(RunError, match="not a run folder"):
        load_run(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match=r"file: not a run folder, but a file"):
        load_run(tmp_path / "file")
    (tmp_path / "file").unlink()
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "love.txt").write_text("dear")
    with pytest.raises(RunError, match=r"holds other files \(love\.txt\)"):
        Run.create(tmp_path / "letters", "mine")
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["love.txt"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models = 3", "models: must be a table, not 3"),
        ("[benchmarks]\nb = 1", r"benchmarks\.b: must be a table, not 1"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run.toml").write_text(f"format = 1\n{text}\n")
    with pytest.raises(RunError, match=message):
        Run.open(tmp_path)


@pytest.mark.parametrize("text", ["", "format = 4", "format = 'x'", "format = ["])
def test_facts_that_cannot_be_used_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(RunError, match=r"run\.toml"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"tests": "not JSON"},
        {"tests": "[]"},
        {"tests": "{}"},
        {"tests": "[" * 100_000},
        {"tests": '{"kind": "asserts", "more": 1}'},
        {"tests": "null"},
        {"form": "sonnet"},
    ],
)
def test_a_problem_that_isobudget_did_not_write_is_named(tmp_path: Path, change: dict[str, str]) -> None:
    run = Run.create(tmp_path / "run", "mine")
    with run.writing(), PartWriter(run.path / "problems", ProblemRow) as writer:
        writer.add([replace(row_of(PROBLEMS[0]), **change)])
    for read in (run.problems, lambda: run.add_problems(PROBLEMS)):
        with pytest.raises(RunError, match=r"the problem 'p/0' of 'own' in this run is not as it was written: \S"):
            read()


@pytest.mark.parametrize("prompt", ["not JSON", "[1]", '[{"role": "user"}]', "5"])
def test_a_conversation_that_isobudget_did_not_write_is_named(prompt: str) -> None:
    row = PromptRow("own", "p/0", "chat", "keep", True, prompt, "")
    with pytest.raises(RunError, match=r"the prompt of 'p/0' of 'own' in this run is not as it was written: \S"):
        row_prompt(row)
