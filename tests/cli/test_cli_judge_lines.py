"""`isobudget judge`: what it keeps of a line, which it refuses, damaged files, and runs that lack something."""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from isobudget import api
from isobudget.errors import InputError, JudgeError, MissingExtraError, RunError
from isobudget.importers.counts import read_counts
from isobudget.judge import Judge
from isobudget.judge.file import judge_file
from isobudget.judge.lines import Digests, SampleLine, damage
from isobudget.judge.verdict import RULES
from isobudget.pipeline.judging import judge_run_samples
from isobudget.problems import load_benchmark
from isobudget.problems.problem import CheckFunction, Problem
from isobudget.records.run import load_run
from support.notes import Notes
from support.synthetic_run import PAIR, synthetic_run

CHECK = CheckFunction("def check(candidate):\n    assert candidate(2) == 4\n")
PROBLEMS = {"a": Problem("a", "own", "def square(x):\n", "square", CHECK)}
RIGHT, WRONG = "    return x * x\n", "    return 7\n"


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_field_of_a_line_is_kept_and_models_stay_apart(tmp_path: Path) -> None:
    lines = [
        {"task_id": "a", "completion": completion, "model": model, "temperature": 0.8, "tags": [1, {"x": None}]}
        for model in ("small", "large", "own")
        for completion in (RIGHT, RIGHT if model == "large" else WRONG)
    ]
    samples, output = write(tmp_path / "samples.jsonl", *lines), tmp_path / "verdicts.jsonl"
    with Judge(workers=1) as judge:
        tally = judge_file(samples, PROBLEMS, output, judge)
    found = read(output)
    assert [{name: row[name] for name in lines[0]} for row in found] == lines
    assert [(row["model"], row["index"], row["passed"]) for row in found] == [
        ("small", 0, True), ("small", 1, False), ("large", 0, True), ("large", 1, True), ("own", 0, True),
        ("own", 1, False),
    ]  # fmt: skip
    assert {name: dict(passes) for name, (_, passes) in tally.by_model.items()} == {
        "small": {"a": 1}, "large": {"a": 2}, "own": {"a": 1},
    }  # fmt: skip
    assert {(row.model, row.n, row.c) for row in read_counts(output)} == {
        ("small", 2, 1), ("large", 2, 2), ("own", 2, 1),
    }  # fmt: skip


def test_pass_at_k_of_several_models_is_shown_for_each(tmp_path: Path) -> None:
    own = write(tmp_path / "own.jsonl", {
        "task_id": "a", "prompt": "def square(x):\n", "entry_point": "square", "test": CHECK.source,
    })  # fmt: skip
    lines = [{"task_id": "a", "completion": RIGHT if model == "good" else WRONG, "model": model} for model in
             ("good", "bad")]  # fmt: skip
    samples = write(tmp_path / "samples.jsonl", *lines)
    summary = api.judge(samples, str(own), tmp_path / "verdicts.jsonl", workers=1)
    assert (summary.pass_at_k, summary.by_model) == ({}, {"good": {1: 1.0}, "bad": {1: 0.0}})
    assert (summary.n_min, summary.n_max) == (1, 1)
    assert summary.to_dict()["by_model"] == {"good": {"1": 1.0}, "bad": {"1": 0.0}}
    write(samples, *lines[:1])
    alone = api.judge(samples, str(own), tmp_path / "one.jsonl", workers=1)
    assert (alone.pass_at_k, alone.by_model) == ({1: 1.0}, {})
    assert "by_model" not in alone.to_dict()


def test_a_resumed_file_has_the_models_that_it_had(tmp_path: Path) -> None:
    first = {"task_id": "a", "completion": RIGHT, "model": "small"}
    samples, output = write(tmp_path / "samples.jsonl", first, first | {"model": "large"}), tmp_path / "v.jsonl"
    with Judge(workers=1) as judge:
        judge_file(samples, PROBLEMS, output, judge)
        (tmp_path / "v.jsonl.partial").write_text(output.read_text().splitlines(keepends=True)[0])
        output.unlink()
        write(samples, first | {"model": "other"}, first | {"model": "large"})
        message = r"line 1: verdict of a, sample 0, small, but the sample at this place in .* is a, sample 0, other;"
        with pytest.raises(RunError, match=message):
            judge_file(samples, PROBLEMS, output, judge, resume=True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"task_id": "a", "completion": "x", "completion": "y"}', "line 2: .*'completion' occurs twice"),
        ('{"task_id": "a", "completion": "x", "task_id": "a"}', "line 2: .*'task_id' occurs twice"),
        ('{"task_id": "a", "completion": "x", "meta": {"k": 1, "k": 2}}', "line 2: .*'k' occurs twice"),
        ({"task_id": "a", "completion": "x", "solution": "y"}, "line 2: has both 'completion' and 'solution'"),
    ],
)
def test_lines_that_say_two_things_are_refused(tmp_path: Path, line: Any, message: str) -> None:
    samples = write(tmp_path / "samples.jsonl", {"task_id": "a", "completion": RIGHT}, line)
    with pytest.raises(InputError, match=message):
        judge_file(samples, PROBLEMS, tmp_path / "verdicts.jsonl", Judge(unsafe=True))
    assert not (tmp_path / "verdicts.jsonl.partial").exists()


GOOD = {"task_id": "a", "index": 0, "passed": True, "verdict": "passed", "detail": "", "trust": "split"}
DAMAGED = {
    "no json": "{",
    "no object": "[1]",
    "a number": "7",
    "no utf-8": b"\xff\n",
    "nested": "[" * 100_000,
    **{f"{name} is {value!r}": GOOD | {name: value} for name, value in [
        ("passed", "maybe"), ("passed", None), ("passed", 1), ("passed", False), ("index", "0"), ("index", True),
        ("index", 0.0), ("task_id", ["a"]), ("task_id", 1), ("verdict", "great"), ("verdict", None), ("trust", "none"),
        ("trust", {}), ("detail", None), ("detail", ["x"]),
    ]},
    **{f"lacks {name}": {key: value for key, value in GOOD.items() if key != name} for name in GOOD},
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_line_of_verdicts_is_named(tmp_path: Path, kind: str) -> None:
    samples, output = write(tmp_path / "samples.jsonl", {"task_id": "a", "completion": RIGHT}), tmp_path / "v.jsonl"
    line, partial = DAMAGED[kind], tmp_path / "v.jsonl.partial"
    text = line if isinstance(line, bytes | str) else json.dumps(line)
    partial.write_bytes(text if isinstance(text, bytes) else text.encode() + b"\n")
    before = partial.read_bytes()
    with pytest.raises(RunError, match=r"v\.jsonl\.partial, line 1: is damaged \(.*remove the file"):
        judge_file(samples, PROBLEMS, output, Judge(unsafe=True), resume=True)
    assert (partial.read_bytes(), output.exists()) == (before, False)


def test_a_whole_line_is_not_damaged() -> None:
    assert damage(GOOD) == ""
    assert damage(GOOD | {"passed": False, "verdict": "failed", "model": "x"}) == ""


def test_a_damaged_gzipped_output_is_named(tmp_path: Path) -> None:
    samples, output = write(tmp_path / "samples.jsonl", {"task_id": "a", "completion": RIGHT}), tmp_path / "v.jsonl.gz"
    digest = Digests(PROBLEMS, Judge(workers=1)).of(SampleLine("a", 0, "def square(x):\n" + RIGHT))
    whole = gzip.compress((json.dumps(GOOD | {"sha256": digest}) + "\n").encode())
    for torn in (whole[:-9], whole[:12], b"no gzip"):
        output.write_bytes(torn)
        with pytest.raises(RunError, match=r"v\.jsonl\.gz is damaged|exists already"):
            judge_file(samples, PROBLEMS, output, Judge(workers=1), resume=True)
        assert output.read_bytes() == torn


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return synthetic_run(tmp_path / "run", PAIR, seed=1).path


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("samples", "holds no samples to judge"),
        ("problems", "has samples for .*, but lacks the problem"),
        ("samples/part-000001.parquet", "holds no samples to judge"),
    ],
)
def test_a_run_that_lacks_what_it_had_is_not_all_judged(run: Path, lost: str, message: str) -> None:
    shutil.rmtree(run / lost) if (run / lost).is_dir() else (run / lost).unlink()
    with pytest.raises(RunError, match=message):
        api.judge(run)


def test_damaged_parts_are_named(run: Path) -> None:
    for table in ("samples", "problems"):
        part = next((run / table).glob("*.parquet"))
        before = part.read_bytes()
        part.write_bytes(before[: len(before) // 2])
        with pytest.raises(RunError, match=r"not a whole part of this run"):
            api.judge(run)
        part.write_bytes(before)


def test_verdicts_without_their_samples_are_an_error(run: Path, tmp_path: Path) -> None:
    other = synthetic_run(tmp_path / "other", PAIR[:1], seed=1).path
    shutil.rmtree(run / "samples")
    shutil.copytree(other / "samples", run / "samples")
    with pytest.raises(RunError, match=r"lacks [0-9]+ samples for which it has verdicts"):
        api.judge(run)


@pytest.mark.parametrize("stated", [None, RULES - 1, RULES + 1])
def test_verdicts_by_other_rules_are_shown_and_never_mixed(run: Path, stated: int | None) -> None:
    made = load_run(run)
    assert made.facts.pop("judge_rules") == RULES
    made.facts |= {} if stated is None else {"judge_rules": stated}
    made.save_facts()
    notes = Notes()
    assert api.judge(run, progress=notes).outcomes == {}
    (note,) = notes.said
    assert f"this isobudget judges by version {RULES}" in note
    assert note.endswith(api.report(run).notes[-1])
    assert "this isobudget judges by version" in (run / "report" / "index.html").read_text()
    next((run / "verdicts").glob("*.parquet")).unlink()
    with made.writing(), made.verdict_writer() as writer:
        writer.add(list(synthetic_run(run.parent / "again", PAIR, seed=1).verdicts())[:3])
    with pytest.raises(RunError, match="Verdicts by different rules are not mixed"):
        judge_run_samples(run, workers=1, check=None)
    assert len(load_run(run).verdict_keys()) == 3


def test_too_many_workers_are_refused() -> None:
    for number in (0, -1, 100_000):
        with pytest.raises(JudgeError, match=f"at most .*, not {number}"):
            Judge(workers=number)


def test_pytest_problems_need_pytest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytest", None)  # so that the import system says it is not there
    source = "from solution import f\n\ndef test_f():\n    assert f(1) == 2\n"
    line = {"task_id": "a", "form": "text", "prompt": "Do it.", "pytest": source}
    with pytest.raises(MissingExtraError, match=r"line 1, field pytest: .*pip install 'isobudget\[pytest\]'"):
        load_benchmark(str(write(tmp_path / "own.jsonl", line)))
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "addone.py").write_text("def f(x):\n    ...\n")
    (tmp_path / "tasks" / "test_addone.py").write_text(source.replace("solution", "addone"))
    with pytest.raises(MissingExtraError, match=r"test_addone\.py: .*isobudget\[pytest\]"):
        load_benchmark(str(tmp_path / "tasks"))
