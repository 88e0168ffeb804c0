"""LiveCodeBench: release files, packed tests, and pickles that are not loaded."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from pathlib import Path

import pytest

from isobudget.errors import InputError
from isobudget.judge import Judge
from isobudget.problems import livecodebench as module
from isobudget.problems import load_benchmark
from isobudget.problems.livecodebench import unpack
from isobudget.problems.problem import Benchmark, CallTests, Form, ProgramTests


def cases(*pairs: tuple[str, str], kind: str = "stdin") -> list[dict[str, str]]:
    return [{"input": one, "output": other, "testtype": kind} for one, other in pairs]


def packed(value: object, protocol: int = 4) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value, protocol))).decode()


def row(**changes: object) -> dict[str, object]:
    return {
        "question_title": "Sum",
        "question_content": "Print the sum of two numbers.",
        "platform": "atcoder",
        "question_id": "abc1_a",
        "contest_id": "abc1",
        "contest_date": "2025-01-04T00:00:00",
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps(cases(("1 2\n", "3\n"))),
        "private_test_cases": packed(json.dumps(cases(("5 7\n", "12\n"), ("é\n", "")))),
        "metadata": "{}",
    } | changes


FUNCTION = row(
    platform="leetcode",
    question_id="2727",
    starter_code="class Solution:\n    def add(self, xs: List[int], n: int) -> int:\n        ",
    public_test_cases=json.dumps(cases(("[1, 2]\n3", "6"), kind="functional")),
    private_test_cases=packed(json.dumps(cases(("[]\n-4", "-4"), kind="functional"))),
    metadata=json.dumps({"func_name": "add"}),
)


def load(folder: Path, *rows: object, name: str = "test6.jsonl") -> Benchmark:
    path = folder / name
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return load_benchmark(f"livecodebench={path}")


def test_both_kinds_of_problems(tmp_path: Path) -> None:
    benchmark = load(tmp_path, row(), FUNCTION)
    program, function = benchmark.problems
    assert (benchmark.max_tokens, benchmark.temperature, benchmark.top_p) == (2000, 0.2, 0.95)
    assert (benchmark.prompt_format, benchmark.stop) == ("livecodebench", ("###",))
    assert benchmark.source.startswith("not the published set: test6.jsonl, 2 problems, sha256 ")
    assert (program.task_id, program.entry_point, program.form) == ("atcoder/abc1_a", "", Form.TEXT)
    assert program.tests == ProgramTests(inputs=("1 2\n", "5 7\n", "é\n"), outputs=("3\n", "12\n", ""))
    assert (function.task_id, function.entry_point) == ("leetcode/2727", "add")
    assert function.tests == CallTests(arguments=("[[1, 2], 3]", "[[], -4]"), results=("6", "-4"))
    assert function.starter == FUNCTION["starter_code"]
    assert (program.visible_tests, function.visible_tests) == (1, 1)
    assert load(tmp_path, row(difficulty="hard")).problems[0].difficulty == "hard"
    with Judge(workers=1) as judge:
        programs = [
            "class Solution:\n    def add(self, xs: List[int], n): return sum(xs) + n",
            "def add(xs, n): return 6",
        ]
        assert [verdict.passed for verdict in judge.run((function, one) for one in programs)] == [True, False]


def test_a_folder_gives_every_release_file_in_order(tmp_path: Path) -> None:
    load(tmp_path, row(question_id="b"), name="test2.jsonl")
    load(tmp_path, row(question_id="a"), name="test.jsonl")
    (tmp_path / "notes.jsonl").write_text("{")
    benchmark = load_benchmark(f"livecodebench={tmp_path}")
    assert [problem.task_id for problem in benchmark.problems] == ["atcoder/a", "atcoder/b"]
    assert benchmark.source.startswith("2 problems; not the published set: test.jsonl")
    load(tmp_path, row(question_id="c"), name="test3.jsonl")
    (tmp_path / "test3.jsonl").write_text(json.dumps(row(question_id="a")) + "\n")
    with pytest.raises(InputError, match=r"test3\.jsonl, line 1, field task_id: 'atcoder/a' is already used in .*test"):
        load_benchmark(f"livecodebench={tmp_path}")


@pytest.mark.parametrize("protocol", range(6))
def test_texts_are_unpacked_from_every_protocol(protocol: int) -> None:
    for text in ("", "x", "é\n" * 300, "x" * 70_000):
        assert unpack(packed(text, protocol), "here") == text


def test_plain_json_needs_no_unpacking(tmp_path: Path) -> None:
    plain = row(private_test_cases=json.dumps(cases(("5 7\n", "12\n"))))
    assert load(tmp_path, plain).problems[0].tests == ProgramTests(("1 2\n", "5 7\n"), ("3\n", "12\n"))


class Attack:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_that_run_code_are_not_loaded(tmp_path: Path, protocol: int) -> None:
    trap = tmp_path / "ran"
    with pytest.raises(InputError, match=r"field private_test_cases: the packed tests are not a plain string \(pickle"):
        load(tmp_path, row(private_test_cases=packed(Attack(trap), protocol)))
    assert not trap.exists()
    pickle.loads(pickle.dumps(Attack(trap), protocol))
    assert trap.exists()


def packed_bytes(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no base64!", "is neither a JSON list nor packed text"),
        ("abcd", "is neither a JSON list nor packed text"),
        ("", "the packed text is cut off"),
        (base64.b64encode(zlib.compress(pickle.dumps("x" * 99))[:-8]).decode(), "the packed text is cut off"),
        (packed(["x"]), "the packed tests are not a plain string"),
        (packed(b"x"), "the packed tests are not a plain string"),
        (packed(3), "the packed tests are not a plain string"),
        (packed_bytes(b""), "the packed text is damaged"),
        (packed_bytes(b"\x80\x04."), "the packed tests hold 0 strings, not one"),
        (packed_bytes(b"\x80\x04\x8c\x01a\x8c\x01b."), "the packed tests hold 2 strings, not one"),
        (packed_bytes(b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fx."), "the packed text is damaged"),
        (packed_bytes(b"\x80\x04\x8c\x02\xff\xfe."), "the packed text is damaged"),
        (packed_bytes(b"\x80\x04\x8c\x01a"), "the packed text is damaged"),
    ],
)
def test_damaged_packages(value: str, message: str) -> None:
    with pytest.raises(InputError, match=f"here: {message}"):
        unpack(value, "here")


def test_a_bomb_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNPACKED_BYTES", 2**20)
    with pytest.raises(InputError, match="here: unpacks to more than 1 MiB"):
        unpack(packed("x" * 10 * 2**20), "here")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question_content": None}, "field question_content: must be a string"),
        ({"platform": None}, "field platform: must be a string"),
        ({"public_test_cases": "{}"}, "field public_test_cases: must be a JSON list of tests"),
        (
            {"public_test_cases": "[3]"},
            r"field public_test_cases\[0\]: must be an object with the fields 'input', 'output' and 'testtype'",
        ),
        ({"public_test_cases": '[{"input": "1"}]'}, r"public_test_cases\[0\], field output: is missing"),
        ({"public_test_cases": "["}, "field public_test_cases: is not JSON"),
        ({"private_test_cases": packed("[")}, "field private_test_cases: is not JSON"),
        ({"metadata": "["}, "field metadata: is not JSON"),
        ({"metadata": '{"func_name": 5}'}, r"field metadata\.func_name: must be a string, not "),
        ({"metadata": '{"func_name": "a b"}'}, r"metadata\.func_name: 'a b' is not a Python name"),
        (
            {"metadata": '{"func_name": "add"}'},
            r"tests must be of type functional to match metadata\.func_name, but are stdin",
        ),
        ({"public_test_cases": "[]", "private_test_cases": "[]"}, "tests must be of type stdin.* but are none"),
        ({"public_test_cases": json.dumps(cases(("1", "1"), kind="functional"))}, "but are functional and stdin"),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path, row(question_id="before"), row(**changes))
    assert "test6.jsonl, line 2" in str(caught.value)


def test_arguments_that_are_no_json_are_named(tmp_path: Path) -> None:
    wrong = FUNCTION | {"public_test_cases": json.dumps(cases(("[1, 2]\nthree", "6"), kind="functional"))}
    with pytest.raises(InputError, match="line 1, test 1, input: is not JSON"):
        load(tmp_path, wrong)
    wrong = FUNCTION | {"public_test_cases": json.dumps(cases(("[1]\n2", "six"), kind="functional"))}
    with pytest.raises(InputError, match="line 1, test 1, output: is not JSON"):
        load(tmp_path, wrong)
