"""HumanEval+ and MBPP+: the layout of EvalPlus' files, inputs that JSON cannot hold, and the tasks with own rules."""

from __future__ import annotations

import ast
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from isobudget.errors import InputError
from isobudget.judge import Judge
from isobudget.problems import load_benchmark
from isobudget.problems.evalplus.inputs import _CHANGES, _GROUPS
from isobudget.problems.problem import Benchmark, CheckFunction, Problem, ReferenceInputs
from isobudget.problems.stops import MBPP_PLUS_STOPS, USUAL_STOPS

HUMAN = {
    "task_id": "HumanEval/0",
    "prompt": 'def mean(xs):\n    """The mean of some numbers."""\n',
    "entry_point": "mean",
    "canonical_solution": "    return sum(xs) / len(xs)\n",
    "contract": "    assert xs\n",
    "base_input": [[[1, 2]], [[3.5]]],
    "plus_input": [[[1e308, 1e308]], [[7] * 3]],
    "atol": 0,
}
MOSTLY = {
    "task_id": "Mbpp/9",
    "prompt": '"""\nWrite a function to double a number.\nassert double(2) == 4\n"""\n',
    "entry_point": "double",
    "canonical_solution": "\ndef double(x):\n    return 2 * x\n",
    "assertion": "assert double(2) == 4",
    "base_input": [[2]],
    "plus_input": {},
    "atol": 0,
}


def load(folder: Path, name: str, *records: object) -> Benchmark:
    path = folder / "plus.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(record) + "\n" for record in records).encode()))
    return load_benchmark(f"{name}={path}")


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=1) as entered:
        yield entered


def passes(judge: Judge, problem: Problem, *programs: str) -> list[bool]:
    return [verdict.passed for verdict in judge.run((problem, program) for program in programs)]


def test_humaneval_plus(judge: Judge, tmp_path: Path) -> None:
    benchmark = load(tmp_path, "humaneval+", HUMAN)
    (problem,) = benchmark.problems
    assert (benchmark.name, benchmark.stop, benchmark.prompt_format) == ("humaneval+", USUAL_STOPS, "completion")
    assert (benchmark.max_tokens, benchmark.temperature, benchmark.top_p) == (512, 0.8, 0.95)
    assert benchmark.source.startswith("not the published set: plus.jsonl.gz, 1 problem, sha256 ")
    assert isinstance(problem.tests, ReferenceInputs)
    assert problem.tests.reference == str(HUMAN["prompt"]) + str(HUMAN["canonical_solution"])
    assert problem.tests.inputs == ("[[1, 2]]", "[[3.5]]", "[[1e+308, 1e+308]]", "[[7, 7, 7]]")
    assert problem.tests.tolerance == 1e-6
    assert problem.visible_tests == 2
    assert problem.reference == HUMAN["canonical_solution"]
    close = problem.program("    return sum(xs) / len(xs) + 1e-9\n")
    off = problem.program("    return sum(xs) // len(xs)\n")
    assert passes(judge, problem, problem.program(problem.reference or ""), close, off) == [True, True, False]


def test_mbpp_plus(judge: Judge, tmp_path: Path) -> None:
    benchmark = load(tmp_path, "mbpp+", MOSTLY | {"atol": 0.25})
    (problem,) = benchmark.problems
    assert (benchmark.stop, benchmark.max_tokens) == (MBPP_PLUS_STOPS, 256)
    assert isinstance(problem.tests, ReferenceInputs)
    assert (problem.tests.inputs, problem.tests.tolerance) == (("[2]",), 0.25)
    assert problem.visible_tests is None
    right = problem.program(problem.reference or "")
    assert passes(judge, problem, right, "def double(x): return 5") == [True, False]


@pytest.mark.parametrize(
    ("task", "given", "python"),
    [
        (2, "[[3, 4], [5]]", "[(3, 4), (5,)]"),
        (809, "[[1], []]", "[(1,), ()]"),
        (63, "[[[1, 2], [3]]]", "[[(1, 2), (3,)]]"),
        (780, "[[[1, 2]], 3]", None),
        (75, "[[[1, 2]], 3]", "[[(1, 2)], 3]"),
        (106, "[[1], [2]]", "[[1], (2,)]"),
        (750, "[[1], [2]]", "[[1], (2,)]"),
        (115, "[[[1, 2], [], {}, [3]]]", "[[{1, 2}, {}, {}, {3}]]"),
        (124, '["1.5", "2j"]', "[1.5, 2j]"),
        (250, "[[1, 2], 1]", "[(1, 2), 1]"),
        (307, "[[1, [2]], 0, 5]", "[(1, [2]), 0, 5]"),
        (259, "[[[1, 2], [3]], [[4]]]", "[((1, 2), (3,)), ((4,),)]"),
        (278, "[[1, [2, 3]]]", "[(1, (2, 3))]"),
        (722, '[{"a": [1.5, 2]}, 3, 4]', "[{'a': (1.5, 2)}, 3, 4]"),
        (252, '["(1+2j)"]', "[1 + 2j]"),
        (580, "[[1, [2, [3]]]]", "[(1, (2, (3,)))]"),
        (9, "[[1, [2]]]", "[[1, [2]]]"),
    ],
)
def test_inputs_that_json_cannot_hold(tmp_path: Path, task: int, given: str, python: str | None) -> None:
    record = MOSTLY | {"task_id": f"Mbpp/{task}", "base_input": [json.loads(given)]}
    if python is None:
        with pytest.raises(InputError, match=f"line 1, field base_input: does not have the form .* of Mbpp/{task}"):
            load(tmp_path, "mbpp+", record)
        return
    (problem,) = load(tmp_path, "mbpp+", record).problems
    assert isinstance(problem.tests, ReferenceInputs)
    read, expected = ast.literal_eval(problem.tests.inputs[0]), ast.literal_eval(python)
    assert (read, list(map(type, read))) == (expected, list(map(type, expected)))


def test_humaneval_plus_inputs_stay_as_json_has_them(tmp_path: Path) -> None:
    (problem,) = load(tmp_path, "humaneval+", HUMAN | {"task_id": "HumanEval/2"}).problems
    assert isinstance(problem.tests, ReferenceInputs)
    assert problem.tests.inputs[0] == "[[1, 2]]"


def test_the_table_of_inputs_names_every_task_once() -> None:
    assert sum(len(numbers.split()) for numbers, _ in _GROUPS) == len(_CHANGES) == 62


MATCH = "import re\ndef check_str(s):\n    return re.search('^[aeiou]', s)\n"
#: entry point -> reference, input, programs that pass, programs that do not
RULES: dict[str, tuple[str, list[object], list[str], list[str]]] = {
    "similar_elements": (
        "def similar_elements(a, b): return tuple(set(a) & set(b))",
        [[1, 2, 3], [3, 2]],
        ["def similar_elements(a, b): return [3, 2, 3]"],
        ["def similar_elements(a, b): return (3,)"],
    ),
    "check_str": (
        MATCH,
        ["annie"],
        [MATCH, "def check_str(s): return True", "def check_str(s): return 'Valid'"],
        ["def check_str(s): return None", "def check_str(s): return False"],
    ),
    "are_equivalent": (
        "def are_equivalent(a, b): return a == b",
        [1, 2],
        ["def are_equivalent(a, b): return True"],
        ["def are_equivalent(a, b): raise ValueError"],
    ),
    "sum_div": (
        "def sum_div(n): return sum(d for d in range(1, n) if n % d == 0)",
        [8],
        ["def sum_div(n): return 7", "def sum_div(n): return 0"],
        ["def sum_div(n): return 15"],
    ),
    "surface_Area": (
        "def surface_Area(b, s): return 2 * b * s + b ** 2",
        [3, 4],
        ["def surface_Area(b, s): return 33", "def surface_Area(b, s): return 35"],
        ["def surface_Area(b, s): return 34"],
    ),
    "digit_distance_nums": (
        "def digit_distance_nums(a, b): return sum(map(int, str(abs(a - b))))",
        [23, 1056],
        ["def digit_distance_nums(a, b): return 7", "def digit_distance_nums(a, b): return 1 + 0 + 3 + 3"],
        ["def digit_distance_nums(a, b): return 8"],
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_tasks_with_rules_of_their_own(judge: Judge, tmp_path: Path, name: str) -> None:
    reference, arguments, right, wrong = RULES[name]
    record = MOSTLY | {"entry_point": name, "canonical_solution": reference, "base_input": [arguments]}
    (problem,) = load(tmp_path, "mbpp+", record).problems
    assert isinstance(problem.tests, CheckFunction)
    assert passes(judge, problem, reference, *right, *wrong) == [True] * (1 + len(right)) + [False] * len(wrong)
    (plain,) = load(tmp_path, "humaneval+", record).problems
    assert isinstance(plain.tests, ReferenceInputs)


def test_any_root_of_a_polynomial_will_do(judge: Judge, tmp_path: Path) -> None:
    poly = "def poly(xs, x):\n    return sum(c * x ** i for i, c in enumerate(xs))\n\n"
    prompt = poly + 'def find_zero(xs):\n    """A root."""\n'
    record = HUMAN | {
        "task_id": "HumanEval/32",
        "prompt": prompt,
        "entry_point": "find_zero",
        "canonical_solution": "    return 1.0\n",
        "base_input": [[[-1, 0, 1]]],
        "plus_input": [],
        "atol": 0.0001,
    }
    (problem,) = load(tmp_path, "humaneval+", record).problems
    bodies = ["    return 1.0\n", "    return -1.0\n", "    return -1.00001\n", "    return 0.5\n"]
    forged = "def poly(xs, x): return 0\ndef find_zero(xs): return 0.5\n"
    assert passes(judge, problem, *map(problem.program, bodies), forged) == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task_id": 3}, "field task_id: must be a string, not a number"),
        ({"entry_point": "a b"}, "field entry_point: 'a b' is not a Python name"),
        ({"canonical_solution": None}, "field canonical_solution: must be a string, not null"),
        ({"canonical_solution": "def f("}, "fields prompt and canonical_solution together: is not valid Python"),
        ({"base_input": [], "plus_input": []}, "field base_input: holds no inputs, and neither does plus_input"),
        ({"base_input": {"a": 1}}, "field base_input: must be a list of lists of arguments"),
        ({"plus_input": [3]}, "field plus_input: must be a list of lists of arguments"),
        ({"plus_input": [[float("nan")]]}, r"field plus_input\[0\]: contains nan"),
        ({"atol": "0"}, "field atol: must be a number of at least 0"),
        ({"atol": -1}, "field atol: must be a number of at least 0"),
        ({"task_id": "Mbpp/9"}, "'Mbpp/9' is already used in line 1"),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path, "mbpp+", MOSTLY, MOSTLY | {"task_id": "Mbpp/10"} | changes)
    assert "plus.jsonl.gz, line 2" in str(caught.value)


def test_nothing_runs_while_loading(tmp_path: Path) -> None:
    attack = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    for name in ("humaneval+", "mbpp+"):
        load(tmp_path, name, MOSTLY | {"prompt": attack, "entry_point": "sum_div", "canonical_solution": attack})
    assert not (tmp_path / "ran").exists()
