"""`isobudget judge FILE --extraction RULE` through the command line: programs are taken out, unknown rules refused."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

from support.command import isobudget

PROBLEM = {
    "task_id": "Own/0",
    "prompt": "def square(x):\n",
    "entry_point": "square",
    "test": "def check(candidate):\n    assert candidate(3) == 9\n",
    "canonical_solution": "    return x * x\n",
}
CHAT = "<think>maybe x + x</think>Sure:\n```python\ndef square(x):\n    return x * x\n```\nDone.<|im_end|>"
LINES = [
    {"completion": CHAT},
    {"solution": CHAT},
    {"completion": "    return x * x</s>"},
    {"completion": "<think>x * x"},
]


def judge(folder: Path, *arguments: str) -> CompletedProcess[str]:
    (folder / "problems.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    (folder / "samples.jsonl").write_text("".join(json.dumps({"task_id": "Own/0"} | line) + "\n" for line in LINES))
    words = ["samples.jsonl", "--problems", "problems.jsonl", "-o", "verdicts.jsonl", "--workers", "1", *arguments]
    return isobudget("judge", *words, cwd=folder)


def passed(folder: Path) -> list[bool]:
    return [json.loads(line)["passed"] for line in (folder / "verdicts.jsonl").read_text().splitlines()]


def test_a_rule_extracts_from_completions_and_solutions(tmp_path: Path) -> None:
    for rule in ("block", "function"):
        (tmp_path / rule).mkdir()
        done = judge(tmp_path / rule, "--extraction", rule)
        assert done.returncode == 0, done.stderr
        assert passed(tmp_path / rule) == [True, True, True, False]


def test_without_a_rule_and_by_none_outputs_are_judged_as_they_are(tmp_path: Path) -> None:
    for arguments in ((), ("--extraction", "none")):
        folder = tmp_path / "-".join(("as", *arguments))
        folder.mkdir()
        assert judge(folder, *arguments).returncode == 0
        assert passed(folder) == [False, False, False, False]


def test_an_unknown_rule_is_refused_before_anything_is_judged(tmp_path: Path) -> None:
    done = judge(tmp_path, "--extraction", "blocks")
    assert done.returncode == 2
    assert "unknown extraction rule 'blocks'" in done.stderr
    assert "none, function, block, program" in done.stderr
    assert not (tmp_path / "verdicts.jsonl").exists()
