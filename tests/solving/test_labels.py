"""Where labels of problems come from, and what is not a label."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from isobudget.errors import InputError
from isobudget.problems.problem import CheckFunction, Problem
from isobudget.records.run import Run
from isobudget.solving.labels import labels_of


def lines(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_run_has_the_difficulty_of_its_problems(tmp_path: Path) -> None:
    plain = Problem("t0", "mine", "def f():\n", "f", CheckFunction("def check(f): pass\n"))
    run = Run.create(tmp_path / "run", "labels")
    run.state("benchmarks", "mine", {"problems": 3})
    run.add_problems([plain, replace(plain, task_id="t1", difficulty="hard"), replace(plain, benchmark="other")])
    run.save_facts()
    assert labels_of([run.path], "mine") == {"t1": "hard"}


def test_lines_state_difficulty_or_stratum(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "c.jsonl",
        {"task_id": 0, "difficulty": 3},
        {"task_id": "t1", "stratum": "long", "benchmark": "b"},
        {"task_id": "t2", "stratum": "long", "benchmark": "another"},
        {"task_id": "t3", "difficulty": None},
        {"stratum": "no problem"},
    )
    assert labels_of([path], "b") == {"0": "3", "t1": "long"}
    assert labels_of([path, path], "b") == labels_of([path], "b")
    assert labels_of([lines(tmp_path / "other.json", {"eval": {}})], "b") == {}


def test_what_is_no_label(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 1: field `difficulty` must be a string or a number"):
        labels_of([lines(tmp_path / "a.jsonl", {"task_id": "t", "difficulty": ["easy"]})], "")
    two = lines(tmp_path / "b.jsonl", {"task_id": "t", "stratum": "a"}, {"task_id": "t", "stratum": "b"})
    with pytest.raises(InputError, match="line 2: 't' is labelled 'b' here and 'a' elsewhere"):
        labels_of([two], "")
