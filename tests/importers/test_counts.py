"""COUNTS files: what is read, how it is grouped, and what bad lines are told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from isobudget.curves import common_tasks
from isobudget.errors import InputError
from isobudget.importers.counts import CountRow, group_counts, read_counts
from isobudget.importers.names import model_of_file
from isobudget.statistics.pass_at_k import pass_curve


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def row(**fields: object) -> dict[str, object]:
    return {"model": "7b", "task_id": "t1", "n": 10, "c": 3, **fields}


def test_counts_and_lists(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        row(),
        {"model": "7b", "task_id": "t2", "passed": [1, 0, True], "completion_tokens": [5, 6, 7], "benchmark": "b"},
    )
    first, second = read_counts(path)
    assert first == CountRow("", "7b", "", "t1", 10, 3, None, None, 1)
    assert second == CountRow("b", "7b", "", "t2", 3, 2, (True, False, True), (5, 6, 7), 2)


def test_gzip_is_told_by_its_bytes_and_blank_lines_and_bom_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "named_as_plain.jsonl"
    text = "\ufeff" + json.dumps(row()) + "\r\n\n   \n" + json.dumps(row(task_id=2)) + "\n"
    path.write_bytes(gzip.compress(text.encode()))
    rows = read_counts(path)
    assert [(r.task_id, r.line) for r in rows] == [("t1", 1), ("2", 4)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{not json", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"model": "7b", "task_id": "t", "n": ' + "9" * 5000 + ', "c": 1}', "not JSON"),
        ("[1, 2]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ({"task_id": "t", "n": 1, "c": 1}, "`model` is missing"),
        ({"model": "m", "n": 1, "c": 1}, "`task_id` is missing"),
        ({"model": "m", "task_id": "t", "c": 1}, "`n` is missing"),
        ({"model": "m", "task_id": "t", "n": 1}, "`c` is missing"),
        (row(c=11), "more than the 10 samples"),
        (row(c=-1), "`c` must be a whole number"),
        (row(n=-1), "`n` must be a whole number"),
        (row(n=0, c=0), "at least 1"),
        (row(n=10.0), "`n` must be a whole number"),
        (row(n="10"), "`n` must be a whole number"),
        (row(n=True, c=1), "`n` must be a whole number"),
        (row(n=2**40), "`n` must be a whole number"),
        ('{"model": "m", "task_id": "t", "n": NaN, "c": 1}', "`n` must be a whole number"),
        (row(model=["7b"]), "`model` must be a string"),
        (row(model=""), "`model` must be a string"),
        (row(task_id=False), "`task_id` must be a string"),
        ('{"model": "\\ud800", "task_id": "t", "n": 1, "c": 1}', "cannot be printed"),
        ('{"model": "\\u001b[31m", "task_id": "t", "n": 1, "c": 1}', "cannot be printed"),
        ({"model": "m", "task_id": "t", "passed": []}, "`passed` must be a list"),
        ({"model": "m", "task_id": "t", "passed": True}, "one line per sample"),
        ({"model": "m", "task_id": "t", "passed": [1, 2]}, "one of them is 2"),
        ({"model": "m", "task_id": "t", "passed": [0.5]}, "one of them is 0.5"),
        ({"model": "m", "task_id": "t", "passed": [1, None]}, "one of them is None"),
        (row(passed=[1, 0]), "`n` is 10 but `passed` has 2"),
        ({"model": "m", "task_id": "t", "c": 2, "passed": [1, 0]}, "`c` is 2 but `passed` has 1"),
        (row(completion_tokens=[1, 2]), "one number for each of 10 samples, got 2"),
        (row(n=1, c=1, completion_tokens=[-5]), "`completion_tokens` must be a whole number"),
        (row(n=1, c=1, completion_tokens=7), "`completion_tokens` must be a list"),
    ],
)
def test_a_bad_line_is_reported_with_file_and_line(tmp_path: Path, line: object, said: str) -> None:
    path = write(tmp_path / "bad.jsonl", row(task_id="good"), line)
    with pytest.raises(InputError) as error:
        read_counts(path)
    assert str(error.value).startswith(f"{path}, line 2: ")
    assert said in str(error.value)
    assert len(str(error.value)) < 400 + len(str(path))


def test_a_problem_counted_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "twice.jsonl", row(), row(model="13b"), row(condition="hot"), row(benchmark="b"), row(c=4))
    with pytest.raises(InputError, match=r"line 5: task 't1' of model '7b' was already counted in line 1"):
        read_counts(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_counts(tmp_path / "absent.jsonl")
    with pytest.raises(InputError, match="cannot be read"):
        read_counts(tmp_path)
    with pytest.raises(InputError, match="no rows"):
        read_counts(write(tmp_path / "empty.jsonl", "", "  "))
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(json.dumps(row()).encode())[:-12])
    with pytest.raises(InputError, match="gzip data is damaged or cut off"):
        read_counts(cut)
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(json.dumps(row()).encode() + b"\n\xff\xfe\n")
    with pytest.raises(InputError, match="line 2: is not UTF-8"):
        read_counts(binary)


def test_groups_share_the_order_of_their_benchmark(tmp_path: Path) -> None:
    path = write(
        tmp_path / "g.jsonl",
        row(benchmark="b", task_id="z", c=1, completion_tokens=list(range(10))),
        row(benchmark="other", task_id="a"),
        row(benchmark="b", task_id="a", c=2),
        row(benchmark="b", model="13b", task_id="a", c=3),
        row(benchmark="b", model="13b", task_id="z", n=20, c=4),
        row(benchmark="b", model="13b", task_id="q", n=20, c=4, condition="long"),
    )
    groups = group_counts(read_counts(path))
    assert list(groups) == [("b", "7b", ""), ("b", "13b", ""), ("b", "13b", "long"), ("other", "7b", "")]
    small, large = groups["b", "7b", ""], groups["b", "13b", ""]
    assert small.task_ids == large.task_ids == ("z", "a")
    assert small.c.tolist() == [1, 2]
    assert (large.n.tolist(), large.c.tolist()) == ([20, 10], [4, 3])
    assert small.completion_tokens == (tuple(range(10)), None)
    assert small.passed == (None, None)
    assert (large.name, groups["b", "13b", "long"].name) == ("13b", "13b [long]")


def test_select_and_common_tasks(tmp_path: Path) -> None:
    lines = [row(task_id=t, c=i) for i, t in enumerate("abc")] + [row(model="13b", task_id=t) for t in "cad"]
    small, large = group_counts(read_counts(write(tmp_path / "s.jsonl", *lines))).values()
    shared = common_tasks([small.task_ids, large.task_ids])
    assert shared == ("a", "c")
    assert small.select(shared).c.tolist() == [0, 2]
    assert large.select(shared).task_ids == shared
    with pytest.raises(InputError, match="13b has no counts for 'b'"):
        large.select(["b"])


def test_public_files(shared_data: Path) -> None:
    groups = group_counts(read_counts(shared_data / "p3" / "counts_n1000.jsonl.gz"))
    assert [(g.condition, len(g.task_ids)) for g in groups.values()] == [("short", 397), ("med", 397), ("long", 397)]
    lists = group_counts(read_counts(shared_data / "cruxeval" / "codellama_T0.8.jsonl.gz"))
    assert {key[0] for key in lists} == {"cruxeval-i", "cruxeval-o"}
    assert all(len(g.task_ids) == 800 and None not in g.passed for g in lists.values())


def test_one_line_per_sample(tmp_path: Path) -> None:
    path = write(
        tmp_path / "my-7b.jsonl_results.jsonl",
        {"task_id": "t1", "completion": "x", "result": "passed", "passed": True, "completion_tokens": 5},
        {"task_id": "t2", "completion": "x", "result": "failed", "passed": False},
        {"task_id": "t1", "completion": "y", "result": "failed", "passed": 0, "completion_tokens": 9},
        {"task_id": "t1", "passed": False, "verdict": "invalid"},
        {"task_id": "t1", "model": "13b", "benchmark": "b", "passed": 1},
    )
    assert read_counts(path) == [
        CountRow("", "my-7b", "", "t1", 2, 1, (True, False), (5, 9), 1),
        CountRow("", "my-7b", "", "t2", 1, 0, (False,), None, 2),
        CountRow("b", "13b", "", "t1", 1, 1, (True,), None, 5),
    ]


@pytest.mark.parametrize(
    ("file", "model"),
    [
        ("zephyr.jsonl_results.jsonl", "zephyr"),
        ("mistral-7b_results.jsonl.gz", "mistral-7b"),
        ("verdicts.jsonl", "verdicts"),
        ("_results", "_results"),
        (".jsonl", ".jsonl"),
    ],
)
def test_the_model_of_a_file_of_samples(file: str, model: str) -> None:
    assert model_of_file(Path(file)) == model


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"task_id": "t", "passed": 2}, "`passed` must be true or false"),
        ({"task_id": "t", "passed": "yes"}, "`passed` must be true or false"),
        ({"passed": True}, "`task_id` is missing"),
        ({"task_id": ["t"], "passed": True}, "`task_id` must be a string"),
        ({"task_id": "t", "passed": True, "model": ["m"]}, "`model` must be a string"),
        ({"task_id": "t", "passed": True, "completion_tokens": [3]}, "`completion_tokens` must be a whole number"),
        ({"task_id": "t", "passed": [1, 0]}, "one line per sample"),
        (row(), "one line per sample"),
    ],
)
def test_a_bad_sample_is_reported_with_file_and_line(tmp_path: Path, line: object, said: str) -> None:
    path = write(tmp_path / "bad.jsonl", {"task_id": "good", "passed": True}, line)
    with pytest.raises(InputError) as error:
        read_counts(path)
    assert str(error.value).startswith(f"{path}, line 2: ")
    assert said in str(error.value)


def test_public_graded_samples(shared_data: Path) -> None:
    published = {"mistral": (32.50, 40.39, 43.29), "zephyr": (32.38, 45.45, 50.00)}
    for model, percents in published.items():
        path = shared_data / "human_eval_results" / f"{model}.jsonl_results.jsonl"
        (group,) = group_counts(read_counts(path)).values()
        assert (group.model, len(group.task_ids), set(group.n.tolist())) == (model, 164, {10})
        ours = 100 * pass_curve(group.n, group.c)[[0, 4, 9]]
        assert ours == pytest.approx(percents, abs=0.0051)


@pytest.mark.parametrize(
    "line", ['{"model":"a","task_id":"x","n":5,"c":1,"c":4}', '{"model":"a","task_id":"x","n":5,"c"\t:1,"c":4}']
)
def test_a_key_that_stands_twice_is_an_error(tmp_path: Path, line: str) -> None:
    path = tmp_path / "counts.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match=r"line 1: .*the key 'c' occurs twice"):
        read_counts(path)


def test_the_seconds_of_judging_are_no_cost_of_a_sample(tmp_path: Path) -> None:
    sample = {"task_id": "a", "model": "m", "solution": "x = 1\n", "passed": True, "seconds": 2.5}
    assert read_counts(write(tmp_path / "own.jsonl", sample))[0].seconds == (2.5,)
    judged = sample | {"verdict": "passed", "peak_memory_mb": 9.8, "trust": "split"}
    assert read_counts(write(tmp_path / "judged.jsonl", judged))[0].seconds is None
