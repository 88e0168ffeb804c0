"""What the drop-ins are called with: odd arguments are said before anything is judged, and in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isobudget.compat import apps, code_eval, livecodebench
from isobudget.compat.evalplus import evaluate
from isobudget.compat.human_eval import evaluate_functional_correctness
from isobudget.errors import InputError, StorageError

TESTS = "assert add(2, 3) == 5"
RIGHT = "def add(a, b): return a + b"
WHOLE = {"inputs": ["1\n"], "outputs": ["1\n"]}
PROBLEM = {
    "task_id": "Own/0",
    "prompt": "def one():\n",
    "entry_point": "one",
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A file of samples and its problems."""
    (tmp_path / "problems.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    (tmp_path / "samples.jsonl").write_text(json.dumps({"task_id": "Own/0", "completion": "    return 1\n"}) + "\n")
    return {"sample_file": str(tmp_path / "samples.jsonl"), "problem_file": str(tmp_path / "problems.jsonl")}


def of_code_eval(programs: Any = (RIGHT,), k: Any = (1,), workers: Any = 1, timeout: Any = 3.0) -> Any:
    """The drop-in with one task, and one argument that a test chooses."""
    return code_eval.compute([programs], [TESTS], k, workers, timeout)


def of_livecodebench(programs: Any = (RIGHT,), k: Any = (1,), workers: Any = 1, timeout: Any = 3.0) -> Any:
    """Likewise."""
    return livecodebench.codegen_metrics([{"input_output": json.dumps(WHOLE)}], [programs], k, workers, timeout)


def of_apps(programs: Any = (RIGHT,), workers: Any = 1, timeout: Any = 3.0) -> Any:
    """Likewise."""
    return apps.results([WHOLE], [programs], workers, timeout)


@pytest.mark.parametrize("call", [of_code_eval, of_livecodebench])
@pytest.mark.parametrize("k", [1, "1", [0], [-1], ["1"], [1.0], [True], None])
def test_k_is_a_list_of_whole_numbers(call: Callable[..., Any], k: Any, files: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"k(_list)?: .*whole numbers"):
        call(k=k)
    with pytest.raises(InputError, match=r"k: .*whole numbers"):
        evaluate_functional_correctness(**files, k=k)
    assert not Path(f"{files['sample_file']}_results.jsonl").exists()


@pytest.mark.parametrize("call", [of_code_eval, of_livecodebench, of_apps])
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"programs": RIGHT}, r"\[0\]: pass a list of programs, not 'def add"),
        ({"programs": None}, r"\[0\]: pass a list of programs, not None"),
        ({"programs": [RIGHT, None]}, r"\[0\]\[1\]: a program must be a string, not None"),
        ({"programs": [b"x"]}, r"\[0\]\[0\]: a program must be a string"),
        ({"timeout": 0}, "timeout must be a number of CPU seconds above 0"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"timeout": float("inf")}, "timeout must be"),
        ({"timeout": "3"}, "timeout must be"),
        ({"timeout": None}, "timeout must be"),
        ({"workers": 0}, "workers must be a whole number"),
        ({"workers": 1.5}, "workers must be a whole number"),
    ],
)
def test_odd_arguments_are_named(call: Callable[..., Any], arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        call(**arguments)


def test_as_many_workers_as_the_judge_may_have() -> None:
    assert of_code_eval(workers=10_000)[0] == {"pass@1": 1.0}


def test_texts_and_numbers_of_numpy() -> None:
    scores, _ = code_eval.compute([np.array([RIGHT, "x = 1"])], np.array([TESTS]), np.array([1, 2]), 1)  # type: ignore[arg-type]
    assert scores == {"pass@1": 0.5, "pass@2": 1.0}


def test_references_that_are_one_text() -> None:
    with pytest.raises(InputError, match="references: pass a list"):
        code_eval.compute([[RIGHT]], TESTS)


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        ({}, "needs a field 'input_output'"),
        ({"input_output": 5}, "needs a field 'input_output'"),
        (None, "needs a field 'input_output'"),
        ({"input_output": json.dumps({"inputs": [], "outputs": []})}, "holds no tests"),
        ({"input_output": WHOLE | {"fn_name": 5}}, "fn_name: must be a string"),
        ({"input_output": WHOLE | {"fn_name": "a b"}}, "fn_name: 'a b' is not a Python name"),
    ],
)
def test_problems_of_livecodebench(sample: Any, why: str) -> None:
    with pytest.raises(InputError, match=f"problem 0[:,] {why}"):
        livecodebench.codegen_metrics([sample], [["x"]], [1])


def test_tests_that_are_read_already() -> None:
    problem: Any = {"input_output": WHOLE}
    assert livecodebench.codegen_metrics([problem], [["print(input())"]], [1], 1)[1] == {0: [[True]]}


def test_a_folder_that_the_list_does_not_have() -> None:
    with pytest.raises(InputError, match="prob_index 3 is out of range: 'problem_list' has 1 folders"):
        apps.run_test(problem_list=["x"], prob_index=3, test="x")
    for given in ({"prob_path": {"inputs": []}}, {"problem_list": [3], "prob_index": 0}):
        with pytest.raises(InputError, match=r"a problem must be the path of its folder, not a (dict|int)"):
            apps.run_test(**given, test="x")
    with pytest.raises(InputError, match="problem_list: pass a list"):
        apps.run_test(problem_list=5, prob_index=0, test="x")  # type: ignore[arg-type]


@pytest.mark.parametrize("odd", [None, 5, b"samples.jsonl", ["samples.jsonl"]])
def test_a_file_is_named_by_a_path(odd: Any) -> None:
    with pytest.raises(InputError, match="sample_file: pass a path"):
        evaluate_functional_correctness(odd)
    with pytest.raises(InputError, match="samples: pass a path"):
        evaluate("humaneval", odd)
    with pytest.raises(InputError, match="dataset must be 'humaneval' or 'mbpp'"):
        evaluate(odd, "samples.jsonl")


def test_a_place_that_cannot_be_written_is_said_first(files: dict[str, str]) -> None:
    Path(f"{files['sample_file']}_results.jsonl").mkdir()
    with pytest.raises(StorageError, match="is a folder, but the results go to a file of this name"):
        evaluate_functional_correctness(**files, k=[1])


@pytest.mark.parametrize("odd", [None, 5, "text", b"bytes"])
def test_what_is_no_list_of_problems(odd: Any) -> None:
    calls = [
        lambda: code_eval.compute(odd, [TESTS]),
        lambda: livecodebench.codegen_metrics(odd, [["x"]]),
        lambda: livecodebench.codegen_metrics([{"input_output": WHOLE}], odd),
        lambda: apps.results(odd, [["x"]]),
        lambda: apps.results([WHOLE], odd),
    ]
    for call in calls:
        with pytest.raises(InputError, match=r"^\w+: pass a list"):
            call()


@pytest.mark.parametrize(
    "tests", [{"inputs": {1}, "outputs": {2}}, {"inputs": np.array(["1"]), "outputs": ["1"]}, b"{}"]
)
def test_tests_of_apps_that_json_does_not_have(tests: Any) -> None:
    with pytest.raises(InputError, match="problem 0: has a value that JSON cannot represent"):
        apps.results([tests], [["x"]])


@pytest.mark.parametrize(
    ("tests", "why"),
    [
        ({"fn_name": "f", "inputs": ["1"], "outputs": ["zz("]}, "problem 0, output: is not JSON"),
        ({"inputs": ["\ud800"], "outputs": ["1"]}, "problem 0: contains half of a surrogate pair"),
    ],
)
def test_tests_of_livecodebench_that_cannot_be_used(tests: Any, why: str) -> None:
    with pytest.raises(InputError, match=why):
        livecodebench.codegen_metrics([{"input_output": tests}], [["x"]], [1])


def test_tests_of_apps_that_are_damaged_and_a_place_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "input_output.json").write_text("{")
    for test in (None, "x"):
        with pytest.raises(InputError, match="is not JSON"):
            apps.run_test(str(tmp_path), test=test)
    with pytest.raises(InputError, match="prob_index: must be an index of 'problem_list'"):
        apps.run_test(problem_list=[str(tmp_path)], prob_index="a", test="x")  # type: ignore[arg-type]


def test_a_task_id_that_is_no_text(files: dict[str, str]) -> None:
    Path(files["sample_file"]).write_text('{"task_id": ["x"], "completion": ""}\n')
    with pytest.raises(InputError, match="line 1: no problem has the task_id"):
        evaluate_functional_correctness(**files)
