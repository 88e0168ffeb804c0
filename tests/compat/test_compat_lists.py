"""LiveCodeBench's and APPS' lists of results, on tests of one's own, held against what their source makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget.compat.apps import results, run_test
from isobudget.compat.livecodebench import codegen_metrics
from isobudget.errors import InputError

CALLS = {"fn_name": "half", "inputs": ["2", "4", "6"], "outputs": ["1", "2", "3"]}
WHOLE = {"inputs": ["1\n", "2\n", "3\n"], "outputs": ["1\n", "2.0\n", "3\n"]}
#: program -> LiveCodeBench's list, APPS' list
OF_CALLS = {
    "class Solution:\n    def half(self, x):\n        return x // 2\n": ([True] * 3, [True] * 3),
    "def half(x):\n    return x // 2 if x != 4 else 7\n": ([True, False], [True, False, True]),
    "def half(x):\n    return [1, 2][x // 2 - 1]\n": ([True, True, -4], [True, True, -1]),
    "def half(x):\n    while x == 4: pass\n    return x // 2\n": ([True, -3], [True, -1, True]),
    "def half(x) return 1": ([-4], [-2]),
    "raise ValueError(1)": ([-4], [-2]),
    "def other(x): return x": ([-4], [-2]),
}
OF_WHOLE = {
    "print(input())": ([True] * 3, [True] * 3),
    "x = input()\nprint(x if x != '2' else 5)": ([True, -2], [True, False, True]),
    "x = int(input())\nprint(6 // (x - 1))": ([-4], [-1, False, True]),
    "print(input(": ([-4], [-2]),
}


def test_livecodebench_lists() -> None:
    samples = [{"input_output": json.dumps(one)} for one in (CALLS, WHOLE)]
    programs = [list(OF_CALLS), list(OF_WHOLE)]
    metrics, lists, metadata = codegen_metrics(samples, programs, k_list=[1, 2, 50], num_process_evaluate=2, timeout=1)
    assert lists == {0: [one for one, _ in OF_CALLS.values()], 1: [one for one, _ in OF_WHOLE.values()]}
    assert metrics["pass@1"] == pytest.approx((1 / 7 + 1 / 4) / 2)
    assert metrics["detail"]["pass@2"] == {0: pytest.approx(2 / 7), 1: pytest.approx(1 / 2)}
    assert "pass@50" not in metrics
    told = [[json.loads(one) for one in each] for each in metadata]
    assert [one.get("error_code") for one in told[0]] == [None, -2, -4, -3, -4, -4, -4]
    assert told[0][1] | {} == {"error_code": -2, "error_message": "Wrong Answer", "inputs": "[4]", "expected": "2"}
    assert told[0][0]["execution time"] >= 0
    assert told[1][1]["inputs"] == "2\n"


def test_apps_lists(tmp_path: Path) -> None:
    calls = CALLS | {"inputs": [[2], [4], [6]], "outputs": [1, 2, 3]}
    whole = WHOLE | {"outputs": ["1\n", "2\n", "3\n"]}
    assert results([calls, json.dumps(whole)], [list(OF_CALLS), list(OF_WHOLE)], workers=2, timeout=1) == [
        [one for _, one in OF_CALLS.values()],
        [one for _, one in OF_WHOLE.values()],
    ]
    (tmp_path / "input_output.json").write_text(json.dumps(calls))
    assert run_test(str(tmp_path)) == calls
    assert run_test(problem_list=["x", str(tmp_path)], prob_index=1, test=next(iter(OF_CALLS))) == [True] * 3


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("[]", "must be an object"),
        ('{"inputs": ["1"], "outputs": []}', "with one output for each input"),
        ('{"inputs": [1], "outputs": ["1"]}', "lists of strings"),
    ],
)
def test_tests_that_cannot_be_read_are_named(data: str, why: str) -> None:
    with pytest.raises(InputError, match=f"problem 0.*{why}"):
        codegen_metrics([{"input_output": data}], [["x"]])
    with pytest.raises(InputError, match="1 problems"):
        codegen_metrics([{"input_output": data}], [])
    with pytest.raises(InputError, match="prob_path"):
        run_test(test="x")
