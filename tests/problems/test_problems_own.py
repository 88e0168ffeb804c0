"""Own problems: the kinds of tests beside `test` and `test_list`, the two forms, and what can be wrong with them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.errors import InputError
from isobudget.judge import Judge, Limits
from isobudget.problems import load_benchmark
from isobudget.problems.literals import as_literal
from isobudget.problems.problem import CallTests, Form, ProgramTests, PytestFile, ReferenceInputs
from isobudget.problems.stops import BODY_STOPS

SOURCE = {
    "task_id": "mine/0",
    "prompt": 'def half(n):\n    """Return half of n, rounded down."""\n',
    "entry_point": "half",
}
TEXT = {"task_id": "mine/0", "form": "text", "prompt": "Halve every number on standard input, rounding down."}
PROGRAM = TEXT | {"inputs": ["4\n", "5\n"], "outputs": ["2\n", "2\n"]}
CALLS = SOURCE | {"arguments": [[4], [5]], "results": [2, 2]}
REFERENCE = SOURCE | {
    "call_inputs": [[4], "[(5)]", "[6]"],
    "reference": "def half(n):\n    return n // 2\n",
    "tolerance": 0.5,
}
PYTEST = SOURCE | {"pytest": "from solution import half\n\ndef test_half():\n    assert half(5) == 2\n"}
KINDS = {"program": PROGRAM, "calls": CALLS, "reference": REFERENCE, "pytest": PYTEST}


def write(folder: Path, *records: object) -> Path:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=1, limits=Limits(cpu_seconds=2.0)) as entered:
        yield entered


def test_every_kind_is_read(tmp_path: Path) -> None:
    def tests(record: dict[str, object]) -> object:
        return load_benchmark(write(tmp_path, record)).problems[0].tests

    assert tests(PROGRAM) == ProgramTests(inputs=("4\n", "5\n"), outputs=("2\n", "2\n"))
    assert tests(CALLS) == CallTests(arguments=("[4]", "[5]"), results=("2", "2"))
    assert tests(REFERENCE) == ReferenceInputs("def half(n):\n    return n // 2\n", ("[4]", "[(5)]", "[6]"), 0.5)
    assert tests(PYTEST) == PytestFile(source=str(PYTEST["pytest"]), module="solution")
    renamed = PYTEST | {"pytest": "import halves\ndef test_it(): assert halves.half(2) == 1", "module": "halves"}
    assert tests(renamed) == PytestFile(source=renamed["pytest"], module="halves")


@pytest.mark.parametrize("kind", KINDS)
def test_the_judge_takes_every_kind(judge: Judge, tmp_path: Path, kind: str) -> None:
    (problem,) = load_benchmark(write(tmp_path, KINDS[kind])).problems
    programs = ["print(int(input()) // 2)", "print(7)"]
    if problem.form is Form.SOURCE:
        programs = [problem.program("    return n // 2\n"), problem.program("    return 7\n")]
    verdicts = list(judge.run((problem, program) for program in programs))
    assert [verdict.passed for verdict in verdicts] == [True, False], verdicts


def test_the_form_decides_prompt_format_stop_and_program(tmp_path: Path) -> None:
    source = load_benchmark(write(tmp_path, CALLS))
    words = load_benchmark(write(tmp_path, CALLS | {"form": "text", "prompt": "Halve n.", "starter": "def half(n):\n"}))
    assert (source.prompt_format, source.stop) == ("completion", BODY_STOPS)
    assert (words.prompt_format, words.stop) == ("chat", ())
    assert source.problems[0].program("    return 1") == CALLS["prompt"] + "    return 1"
    assert words.problems[0].program("def half(n): return 1") == "def half(n): return 1"
    assert words.problems[0].starter == "def half(n):\n"
    assert source.problems[0].starter == ""


def test_shown_tests_and_the_checksum_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path, CALLS | {"shown_tests": ["assert half(4) == 2"]})
    benchmark = load_benchmark(path)
    assert benchmark.problems[0].shown_tests == ("assert half(4) == 2",)
    first = benchmark.source
    assert first.startswith("own problems: mine.jsonl, 1 problem, sha256 ")
    assert load_benchmark(path).source == first
    assert load_benchmark(write(tmp_path, CALLS)).source != first


def test_whole_programs_and_pytest_in_words_need_no_entry_point(tmp_path: Path) -> None:
    words = {"task_id": "mine/0", "form": "text", "prompt": "Write half.", "pytest": PYTEST["pytest"]}
    for record in (PROGRAM, words):
        assert load_benchmark(write(tmp_path, record)).problems[0].entry_point == ""
    with pytest.raises(InputError, match="field entry_point: is missing"):
        load_benchmark(write(tmp_path, words | {"form": "source"}))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            PROGRAM | {"outputs": ["2\n"]},
            "field outputs: has 1 item and inputs has 2; the numbers must match",
        ),
        (PROGRAM | {"outputs": None}, "field outputs: must be a list of at least one expected output"),
        (PROGRAM | {"inputs": []}, "field inputs: must be a list of at least one text"),
        (PROGRAM | {"inputs": ["4\n", 5]}, r"field inputs\[1\]: must be a string, not a number"),
        (PROGRAM | {"inputs": ["4\n", ["5"]]}, r"field inputs\[1\]: must be a string, not a list"),
        (PROGRAM | {"outputs": ["2", "\0"]}, r"field outputs\[1\]: contains a NUL"),
        (CALLS | {"arguments": [4, 5]}, r"field arguments\[0\]: must be the list of a call's arguments, not a number"),
        (CALLS | {"results": [2]}, "field results: has 1 item and arguments has 2"),
        (CALLS | {"entry_point": None}, "field entry_point: must be a string, not null"),
        (CALLS | {"form": "words"}, "field form: 'words' is not a prompt form; use 'source' .* or 'text'"),
        (CALLS | {"form": 3}, "field form: must be a string, not a number"),
        (CALLS | {"starter": 3}, "field starter: must be a string, not a number"),
        (CALLS | {"shown_tests": "assert half(4) == 2"}, "field shown_tests: must be a list of at least one test"),
        (CALLS | {"prompt": "Halve n."}, 'field prompt: does not define \'half\'.*add "form": "text"'),
        (REFERENCE | {"call_inputs": ["{4}"]}, r"field call_inputs\[0\]: must be the list of a call's arg.* not a set"),
        (
            REFERENCE | {"call_inputs": ["[print(4)]"]},
            r"field call_inputs\[0\]: must be a Python list, written as text",
        ),
        (REFERENCE | {"call_inputs": ["[4"]}, r"field call_inputs\[0\]: must be a Python list, written as text"),
        (REFERENCE | {"reference": "def hal(n): pass"}, "field reference: does not define 'half'"),
        (REFERENCE | {"reference": "def half(n:"}, "field reference: is not valid Python"),
        (REFERENCE | {"reference": None}, "field reference: must be a string, not null"),
        (REFERENCE | {"tolerance": -1}, "field tolerance: must be a number of at least 0"),
        (REFERENCE | {"tolerance": True}, "field tolerance: must be a number"),
        (REFERENCE | {"tolerance": "1"}, "field tolerance: must be a number"),
        (PYTEST | {"pytest": "from solution import half\n"}, "field pytest: contains no test function"),
        (PYTEST | {"pytest": "def test_half(): pass"}, "field pytest: does not import from 'solution'"),
        (PYTEST | {"pytest": "def test_half("}, "field pytest: is not valid Python"),
        (PYTEST | {"module": "a.b"}, r"field module: 'a\.b' is not a Python name"),
        (CALLS | {"pytest": "x"}, "has both arguments and pytest; keep only one"),
        (PROGRAM | CALLS | {"test": "x"}, "has test, inputs, arguments; keep only one"),
        (SOURCE, "needs a field test or test_list; .*Other kinds of tests: inputs, arguments, call_inputs, pytest"),
        (SOURCE | {"input": ["4"]}, r"needs a field test or test_list; the line has 'input' \(meant as 'inputs'\?\)"),
    ],
)
def test_wrong_fields_are_named_with_their_line(tmp_path: Path, record: dict[str, object], message: str) -> None:
    path = write(tmp_path, SOURCE | {"task_id": "mine/before", "test_list": ["assert half(2) == 1"]}, record)
    with pytest.raises(InputError, match=message) as caught:
        load_benchmark(path)
    assert str(caught.value).startswith(f"{path}, line 2")


def test_a_file_holds_one_form(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="field form: 'mine/0' is 'source' and 'mine/1' is 'text'"):
        load_benchmark(write(tmp_path, CALLS, PROGRAM | {"task_id": "mine/1"}))


def test_infinity_and_other_floats_are_inputs(tmp_path: Path) -> None:
    path = write(tmp_path, REFERENCE)
    path.write_text(path.read_text().replace("[[4]", "[[Infinity, -0.0, 1e-300]"))
    (problem,) = load_benchmark(path).problems
    assert isinstance(problem.tests, ReferenceInputs)
    assert str(ast.literal_eval(problem.tests.inputs[0])) == "[inf, -0.0, 1e-300]"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(), inner)
        | st.sets(st.integers() | st.text())
    ),
    max_leaves=20,
)


@given(VALUES)
@settings(max_examples=60, deadline=None)
def test_literals_read_back_as_what_they_were(value: object) -> None:
    assert ast.literal_eval(as_literal(value, "here")) == value


def test_numbers_beyond_pythons_limit_have_a_literal() -> None:
    assert ast.literal_eval(as_literal([10**6000, -(10**6000)], "here")) == [10**6000, -(10**6000)]


@pytest.mark.parametrize(
    ("value", "message"),
    [(float("nan"), "here: contains nan"), ([object()], "here: contains a object, which has no literal")],
)
def test_values_without_a_literal(value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_literal(value, "here")
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(InputError, match="here: is nested too deeply"):
        as_literal(nested, "here")
