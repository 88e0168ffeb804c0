"""Task ids as others spell them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget import api
from isobudget.problems.spelling import Spelling

MBPP = Spelling(["Mbpp/11", "Mbpp/2", "Mbpp/111", "Mbpp/0"])


@pytest.mark.parametrize("spelt", ["Mbpp/11", "mbpp/11", "MBPP_11", "mbpp11", "11", "Mbpp/011", "011"])
def test_one_problem_has_many_spellings(spelt: str) -> None:
    assert MBPP.of(spelt) == "Mbpp/11"


@pytest.mark.parametrize("other", ["HumanEval/11", "Mbpp/12", "Mbpp", "", "1", "Mbpp/11/x", "Mbpp/" + "9" * 5000])
def test_other_problems_stay_unknown(other: str) -> None:
    assert MBPP.of(other) is None


def test_numbers_alone_and_names_that_differ() -> None:
    assert Spelling(["11", "12"]).of("Mbpp/11") == "11"
    assert [Spelling(["a/1", "b/1"]).of(one) for one in ("1", "A/1", "c/1")] == [None, "a/1", None]
    assert Spelling(["a/1", "a/01"]).of("a/01") == "a/01"
    assert Spelling(["a/1", "a/01"]).of("1") is None


def test_samples_are_judged_and_ranked_by_any_spelling(tmp_path: Path) -> None:
    problem = {"task_id": "Mbpp/11", "prompt": "def f():\n", "entry_point": "f", "test_list": ["assert f() == 1"]}
    (tmp_path / "own.jsonl").write_text(json.dumps(problem) + "\n")
    samples = tmp_path / "samples.jsonl"
    lines = [{"task_id": spelt, "completion": f"    return {at}\n"} for at, spelt in enumerate(("11", "mbpp/11"))]
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    verdicts = tmp_path / "verdicts.jsonl"
    own = str(tmp_path / "own.jsonl")
    summary = api.judge(samples, own, verdicts, workers=1, unsafe=True, check=False)
    assert dict(summary.outcomes) == {"failed": 1, "passed": 1}
    assert [json.loads(line)["task_id"] for line in verdicts.read_text().splitlines()] == ["Mbpp/11"] * 2
    (ranked,) = api.rank(samples, "order", problems=own, verdicts=verdicts, check=False)
    assert [model.model for model in ranked.models] == ["samples"]
