"""MBPP: splits, examples and tests; the published file, subsets of it, and whether its references pass in the judge."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from isobudget.errors import InputError
from isobudget.judge import Judge, Limits
from isobudget.problems import load_benchmark
from isobudget.problems.mbpp import PUBLISHED, entry_point, read_mbpp
from isobudget.problems.problem import AssertList, Form
from isobudget.problems.sources import DATA_VARIABLE


def row(number: int, **changes: object) -> dict[str, object]:
    usual: dict[str, object] = {
        "text": f"Write a function to add {number}.",
        "code": f"def add(x):\r\n\treturn x + {number}\r\n",
        "task_id": number,
        "test_setup_code": "",
        "test_list": [f"assert add(0) == {number}", f"assert add(1) == {number + 1}"],
        "challenge_test_list": ["assert False"],
    }
    return {key: value for key, value in (usual | changes).items() if value is not ...}


def write(folder: Path, *rows: object, name: str = "mbpp.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


def test_the_published_file(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = load_benchmark(f"mbpp={shared_data / 'mbpp'}")
    assert [problem.task_id for problem in benchmark.problems] == [f"mbpp/{i}" for i in range(11, 511)]
    assert [problem.task_id for problem in benchmark.examples] == ["mbpp/2", "mbpp/3", "mbpp/4"]
    assert benchmark.source == f"published: MBPP, mbpp.jsonl, sha256 {next(iter(PUBLISHED.checksums))}"
    assert (benchmark.max_tokens, benchmark.temperature, benchmark.top_p) == (256, 0.8, 0.95)
    assert (benchmark.prompt_format, benchmark.stop) == ("mbpp-3-shot", ("[DONE]",))
    monkeypatch.setenv(DATA_VARIABLE, str(shared_data))
    assert load_benchmark("mbpp") == benchmark


@pytest.mark.filterwarnings("ignore:invalid escape")
def test_all_974_problems_are_read_as_they_are(shared_data: Path) -> None:
    path = shared_data / "mbpp" / "mbpp.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    problems = read_mbpp(path)
    assert [problem.task_id for problem in problems] == [f"mbpp/{one['task_id']}" for one in rows]
    for problem, one in zip(problems, rows, strict=True):
        assert (problem.prompt, problem.reference) == (one["text"], one["code"])
        assert problem.tests == AssertList(tuple(one["test_list"]), one["test_setup_code"])
        assert problem.shown_tests == tuple(one["test_list"])
        assert problem.form is Form.TEXT
        defined = {node.name for node in ast.walk(ast.parse(one["code"])) if isinstance(node, ast.FunctionDef)}
        assert problem.entry_point in defined
        assert all(f"{problem.entry_point}(" in test.replace(" (", "(") for test in one["test_list"])
    assert sum("\r\n" in (problem.reference or "") for problem in problems) == 972


def test_references_pass_in_the_judge(shared_data: Path) -> None:
    problems = read_mbpp(shared_data / "mbpp" / "mbpp.jsonl")
    # Every 49th problem, and the two with setup code.
    sample = [problem for place, problem in enumerate(problems) if place % 49 == 0 or place in (366, 926)]
    assert len(sample) >= 20
    with Judge(workers=2, limits=Limits(cpu_seconds=10)) as judge:
        right = list(judge.run((problem, problem.program(problem.reference or "")) for problem in sample))
        wrong = list(judge.run((problem, f"def {problem.entry_point}(*_): return 'no'") for problem in sample))
    failed = [(one.task_id, verdict) for one, verdict in zip(sample, right, strict=True) if not verdict.passed]
    assert failed == []
    assert [one.task_id for one, verdict in zip(sample, wrong, strict=True) if verdict.passed] == []


def test_a_subset_says_that_it_is_one(tmp_path: Path) -> None:
    path = write(tmp_path, *(row(number) for number in (2, 3, 4, 10, 11, 12, 511)))
    benchmark = load_benchmark(f"mbpp={path}")
    assert benchmark.name == "mbpp"
    assert [problem.task_id for problem in benchmark.problems] == ["mbpp/11", "mbpp/12"]
    assert len(benchmark.examples) == 3
    assert benchmark.source.startswith("not the published set: mbpp.jsonl, 2 problems, sha256 ")
    without = load_benchmark(f"mbpp={write(tmp_path, row(2), row(11))}")
    assert (without.prompt_format, without.examples) == ("mbpp-0-shot", ())
    assert without.source.endswith("; prompts without examples: task_id 2, 3 and 4 are not all there")


def test_a_changed_file_in_the_data_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, row(11))
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match=r"mbpp\.jsonl: is not the published MBPP: checksum .* expected ccf64cea"):
        load_benchmark("mbpp")
    assert load_benchmark(f"mbpp={path}").problems


def test_the_hubs_parquet_gives_the_same_problems(tmp_path: Path) -> None:
    rows = [row(number, test_setup_code="import math" * (number % 2)) for number in (2, 3, 4, 11, 12)]
    lines = read_mbpp(write(tmp_path, *rows))
    columns = {key: [one[key] for one in rows] for key in rows[0]}
    columns["task_id"] = pyarrow.array(columns["task_id"], pyarrow.int32())
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "test.parquet")
    assert read_mbpp(tmp_path / "test.parquet") == lines
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"bad\.parquet: cannot be read as Parquet"):
        read_mbpp(tmp_path / "bad.parquet")


def test_the_entry_point_is_the_outermost_call_that_all_asserts_make() -> None:
    code = "class Pair:\n    pass\ndef helper(x): return x\ndef longest(x): return helper(x)\n"
    asserts = (
        "assert len(longest([Pair()])) == 1",
        "assert set(longest(helper([1]))) == {1}",
        "assert not longest([])",
    )
    assert entry_point(code, asserts, "here") == "longest"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task_id": "11"}, "field task_id: must be a whole number"),
        ({"task_id": True}, "field task_id: must be a whole number"),
        ({"task_id": ...}, "field task_id: must be a whole number"),
        ({"text": ...}, "field text: is missing; the line has 'code', 'task_id'"),
        ({"code": None}, "field code: must be a string, not null"),
        ({"code": "def add(x:"}, "field code: is not valid Python"),
        ({"code": "def sub(x): return x"}, "field test_list: the asserts do not call a function that"),
        ({"test_list": []}, "field test_list: must be a list of at least one assert"),
        ({"test_list": ["assert add(0)", 3]}, r"field test_list\[1\]: must be a string, not a number"),
        ({"test_list": ["add(0)"]}, r"field test_list\[0\]: contains no assert statement"),
        ({"test_list": ["assert add(0", "x"]}, r"field test_list\[0\]: is not valid Python"),
        ({"test_setup_code": 3}, "field test_setup_code: must be a string"),
        ({"task_id": 10}, "line 2, field task_id: 'mbpp/10' is already used in line 1"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    path = write(tmp_path, row(10), row(11, **changes))
    with pytest.raises(InputError, match=message) as caught:
        load_benchmark(f"mbpp={path}")
    assert str(caught.value).startswith(f"{path}, line 2")


def test_a_file_without_test_problems(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no problem of the test split, task_id 11 to 510"):
        load_benchmark(f"mbpp={write(tmp_path, row(5))}")
