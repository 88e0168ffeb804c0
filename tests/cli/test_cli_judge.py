"""`isobudget judge` on files of samples: verdicts, resuming, and what it says of bad input."""

from __future__ import annotations

import fcntl
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from isobudget import api
from isobudget.errors import InputError, RunError, StorageError
from isobudget.judge import Judge, Limits
from isobudget.judge.file import judge_file
from isobudget.judge.lines import Digests, SampleLine
from isobudget.judge.references import require_references
from isobudget.problems.problem import CheckFunction, Problem
from support.steps import Steps

CHECK = "def check(candidate):\n    assert candidate(2) == 4\n"
PROBLEMS = {
    name: Problem(name, "own", "def square(x):\n", "square", CheckFunction(CHECK)) for name in ("Own/0", "Own/1")
}
LINES = [
    {"task_id": "Own/0", "completion": "    return x * x\n"},
    {"task_id": "Own/1", "solution": "def square(y): return 5"},
    {"task_id": "Own/0", "completion": "    return 3\n"},
]

RIGHT = "def square(x):\n    return x * x\n"
LINE = {"task_id": "Own/0", "passed": True, "verdict": "passed", "detail": "", "trust": "split"}


def write(path: Path, lines: list[Any]) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_one_verdict_per_sample_in_order(tmp_path: Path, ending: str) -> None:
    samples, output = write(tmp_path / f"samples.{ending}", LINES), tmp_path / f"verdicts.{ending}"
    seen = Steps()
    with Judge(workers=2) as judge:
        tally = judge_file(samples, PROBLEMS, output, judge, progress=seen)
    rows = [(row["task_id"], row["index"], row["passed"], row["verdict"]) for row in read(output)]
    assert rows == [("Own/0", 0, True, "passed"), ("Own/1", 0, False, "failed"), ("Own/0", 1, False, "failed")]
    assert all(row["seconds"] > 0 for row in read(output))
    assert (tally.samples["Own/0"], tally.passes["Own/0"]) == (2, 1)
    assert (seen.started, seen.steps) == ([("judging", 3, 0, "")], [1, 1, 1])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([samples.name, output.name])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{not json", "line 2: is not JSON"),
        ([1, 2], "line 2: must be a JSON object"),
        ({"completion": "x"}, "line 2: the field 'task_id' is missing"),
        ({"task_id": "Own/7", "completion": "x"}, "line 2: unknown task_id 'Own/7'"),
        ({"task_id": "Own/0"}, "line 2: needs the field 'completion'"),
        ({"task_id": "Own/0", "completion": 3}, "line 2: the field 'completion' must be a string"),
    ],
)
def test_bad_line_is_named_before_anything_is_judged(tmp_path: Path, line: Any, message: str) -> None:
    samples = write(tmp_path / "samples.jsonl", [LINES[0], line])
    with pytest.raises(InputError, match=message):
        judge_file(samples, PROBLEMS, tmp_path / "verdicts.jsonl", Judge(unsafe=True))
    assert [path.name for path in tmp_path.iterdir()] == ["samples.jsonl"]


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    output, judge = tmp_path / "verdicts.jsonl", Judge(unsafe=True)
    with pytest.raises(InputError, match="holds no samples"):
        judge_file(write(tmp_path / "empty.jsonl", []), PROBLEMS, output, judge)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        judge_file(tmp_path / "absent.jsonl", PROBLEMS, output, judge)
    (tmp_path / "torn.jsonl.gz").write_bytes(gzip.compress(b"x" * 1000)[:20])
    with pytest.raises(InputError, match=r"torn\.jsonl\.gz, after line 0: the gzip data is damaged or cut off"):
        judge_file(tmp_path / "torn.jsonl.gz", PROBLEMS, output, judge)


def test_killed_run_continues_where_it_stopped(tmp_path: Path) -> None:
    samples, output = write(tmp_path / "samples.jsonl", LINES), tmp_path / "verdicts.jsonl"
    first = LINE | {
        "index": 0,
        "seconds": 99.0,
        "sha256": Digests(PROBLEMS, Judge(workers=1)).of(SampleLine("Own/0", 0, RIGHT)),
    }
    partial = tmp_path / "verdicts.jsonl.partial"
    partial.write_text(json.dumps(first) + '\n{"task_id": "Own/1", "ind')
    with Judge(workers=1) as judge:
        with pytest.raises(RunError, match="--resume"):
            judge_file(samples, PROBLEMS, output, judge)
        tally = judge_file(samples, PROBLEMS, output, judge, resume=True)
    rows = read(output)
    assert rows[0] == first
    assert [(row["task_id"], row["index"]) for row in rows] == [("Own/0", 0), ("Own/1", 0), ("Own/0", 1)]
    assert sum(tally.outcomes.values()) == 3
    assert not partial.exists()


def test_the_samples_are_never_written_over(tmp_path: Path) -> None:
    samples = write(tmp_path / "samples.jsonl", LINES)
    before = samples.read_bytes()
    with Judge(workers=1) as judge:
        for output, what in ((samples, "the file of samples"), (tmp_path, "a folder")):
            with pytest.raises(InputError, match=what):
                judge_file(samples, PROBLEMS, output, judge, again=True)
    assert samples.read_bytes() == before


def test_verdicts_under_other_limits_or_of_more_samples_are_not_continued(tmp_path: Path) -> None:
    samples, output = write(tmp_path / "samples.jsonl", LINES), tmp_path / "verdicts.jsonl"
    with Judge(workers=1) as judge:
        judge_file(samples, PROBLEMS, output, judge)
        write(samples, LINES[:1])
        with pytest.raises(RunError, match="more verdicts than"):
            judge_file(samples, PROBLEMS, output, judge, resume=True)
    write(samples, LINES)
    with Judge(workers=1, limits=Limits(cpu_seconds=0.5)) as judge, pytest.raises(RunError, match="limits"):
        judge_file(samples, PROBLEMS, output, judge, resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_verdicts_that_another_command_is_writing_are_left_alone(tmp_path: Path, resume: bool) -> None:
    samples, partial = write(tmp_path / "samples.jsonl", LINES), tmp_path / "verdicts.jsonl.partial"
    with partial.open("a") as theirs, Judge(workers=1) as judge:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="is being written by another isobudget command"):
            judge_file(samples, PROBLEMS, tmp_path / "verdicts.jsonl", judge, resume=resume)
        assert partial.read_bytes() == b""
    with Judge(workers=1) as judge:
        judge_file(samples, PROBLEMS, tmp_path / "verdicts.jsonl", judge, resume=True)
    assert not partial.exists()


def test_verdicts_of_other_samples_are_not_continued(tmp_path: Path) -> None:
    samples, output = write(tmp_path / "samples.jsonl", LINES), tmp_path / "verdicts.jsonl"
    other = LINE | {"task_id": "Own/1", "index": 0}
    (tmp_path / "verdicts.jsonl.partial").write_text(json.dumps(other) + "\n")
    with Judge(workers=1) as judge, pytest.raises(RunError, match="verdict of Own/1"):
        judge_file(samples, PROBLEMS, output, judge, resume=True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (json.dumps(LINE | {"index": 0, "sha256": "0" * 64}), "line 1: Own/0 has changed since it was judged"),
        (json.dumps(LINE | {"index": 0}), "line 1: Own/0 has changed since it was judged"),
        ("[1, 2]", "line 1: is damaged"),
        ('{"task_id": "Own/0"}', "line 1: is damaged"),
    ],
)
def test_what_has_changed_or_is_damaged_is_not_continued(tmp_path: Path, line: str, message: str) -> None:
    samples = write(tmp_path / "samples.jsonl", LINES)
    (tmp_path / "verdicts.jsonl.partial").write_text(line + "\n")
    with Judge(workers=1) as judge, pytest.raises(RunError, match=message):
        judge_file(samples, PROBLEMS, tmp_path / "verdicts.jsonl", judge, resume=True)


def test_a_finished_output_is_kept_unless_asked(tmp_path: Path) -> None:
    samples, output = write(tmp_path / "samples.jsonl", LINES), tmp_path / "verdicts.jsonl"
    with Judge(workers=1) as judge:
        judge_file(samples, PROBLEMS, output, judge)
        before = output.read_bytes()
        with pytest.raises(RunError, match="exists already"):
            judge_file(samples, PROBLEMS, output, judge)
        # Nothing is judged again: the judge is not even entered.
        tally = judge_file(samples, PROBLEMS, output, Judge(unsafe=True), resume=True)
        assert (sum(tally.outcomes.values()), output.read_bytes()) == (3, before)
        judge_file(samples, PROBLEMS, output, judge, again=True)
    assert len(read(output)) == 3


def test_a_reference_that_fails_stops_before_samples_are_judged() -> None:
    wrong = Problem("Own/2", "own", "def square(x):\n", "square", CheckFunction(CHECK), "    return 7\n")
    right = Problem("Own/3", "own", "def square(x):\n", "square", CheckFunction(CHECK), "    return x * x\n")
    with Judge(workers=1) as judge:
        require_references([right, *PROBLEMS.values()], judge)
        with pytest.raises(InputError, match=r"a reference solution fails its tests: Own/2: failed.*--no-check"):
            require_references([right, wrong], judge)


def test_again_replaces_verdicts_only(tmp_path: Path) -> None:
    samples, script = write(tmp_path / "samples.jsonl", LINES[:1]), tmp_path / "tools.py"
    script.write_text("print('mine')\n")
    with Judge(workers=1) as judge, pytest.raises(RunError, match="holds no verdicts, so --again does not replace it"):
        judge_file(samples, PROBLEMS, script, judge, again=True)
    assert script.read_text() == "print('mine')\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["samples.jsonl", "tools.py"]


def test_what_cannot_or_need_not_be_judged_is_known_before_a_judge_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, output = write(tmp_path / "samples.jsonl", LINES), tmp_path / "verdicts.jsonl"
    fields = {"prompt": "def square(x):\n", "entry_point": "square", "test": CHECK}
    problems = write(tmp_path / "own.jsonl", [{"task_id": name, **fields} for name in PROBLEMS])
    api.judge(samples, str(problems), output)
    monkeypatch.setattr(Judge, "__enter__", lambda _: pytest.fail("a judge began"))
    assert api.judge(samples, str(problems), output, resume=True).outcomes == {"failed": 2, "passed": 1}
    with pytest.raises(RunError, match="exists already"):
        api.judge(samples, str(problems), output)
    with pytest.raises(InputError, match="line 2: is not JSON"):
        api.judge(write(tmp_path / "bad.jsonl", [LINES[0], "{not"]), str(problems), tmp_path / "other.jsonl")
    with pytest.raises(StorageError, match="No such file or directory"):
        api.judge(samples, str(problems), tmp_path / "nowhere" / "verdicts.jsonl")
    (tmp_path / "begun.jsonl.partial").write_text("")
    with pytest.raises(RunError, match="continue it with --resume"):
        api.judge(samples, str(problems), tmp_path / "begun.jsonl")
    names = ["bad.jsonl", "begun.jsonl.partial", "own.jsonl", "samples.jsonl", "verdicts.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_what_another_command_wrote_while_the_judge_began_is_not_replaced(tmp_path: Path) -> None:
    samples, output = write(tmp_path / "samples.jsonl", LINES), tmp_path / "verdicts.jsonl"
    with Judge(workers=1) as judge, pytest.raises(RunError, match="exists already"):
        judge_file(samples, PROBLEMS, output, judge, begin=lambda: output.write_text("another's\n"))
    assert [output.read_text(), sorted(path.name for path in tmp_path.iterdir())] == [
        "another's\n", ["samples.jsonl", "verdicts.jsonl"],
    ]  # fmt: skip
