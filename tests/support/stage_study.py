"""A small study of one's own, and backends that answer it: for tests of the stages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from isobudget.pipeline.generate import FAILURES_FILE, FailedProblem
from isobudget.records.run import Run
from isobudget.study.resolve import ResolvedModel
from support.fakes import FakeBackend
from support.tiny_gguf import tiny_gguf

TASKS = {"p/0": "x + 1", "p/1": "x * 2", "p/2": "x - 1"}


def write_study(tmp_path: Path) -> str:
    """A study of three problems and two tiny model files (headers only, since the fake generates)."""
    lines = [
        {
            "task_id": task,
            "prompt": f'def f{i}(x):\n    """Return {rule}."""\n',
            "entry_point": f"f{i}",
            "test_list": [f"assert f{i}({x}) == {eval(rule, {'x': x})}" for x in range(3)],
        }
        for i, (task, rule) in enumerate(TASKS.items())
    ]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("small", "large"):
        (tmp_path / f"{name}.gguf").write_bytes(tiny_gguf())
    return f"""
name = "mine"
benchmarks = ["{tmp_path / "own.jsonl"}"]
greedy = true
[[models]]
name = "{tmp_path / "small.gguf"}"
n = 10
prompt_newline = "strip"
[[models]]
name = "{tmp_path / "large.gguf"}"
n = 2
"""


def answer(prompt: str, seed: int) -> str:
    """Right for p/0 always, for p/1 at even seeds, for p/2 never."""
    right = {"f0": "x + 1", "f1": "x * 2" if seed % 2 == 0 else "x ** 9", "f2": "no"}[prompt[4:6]]
    return ("" if prompt.endswith("\n") else "\n") + f"    return {right}\n"


class Backends:
    """Makes fake backends and remembers them."""

    def __init__(self, answers: Callable[[str, int], str] = answer, fails_on: str | None = None) -> None:
        self.made: list[FakeBackend] = []
        self._answers, self._fails_on = answers, fails_on

    def __call__(self, _model: ResolvedModel) -> FakeBackend:
        self.made.append(FakeBackend(self._answers, fails_on=self._fails_on))
        return self.made[-1]

    @property
    def drawn(self) -> int:
        return sum(len(backend.drawn) for backend in self.made)


def read_failures(run: Run) -> list[FailedProblem]:
    """What `failures.json` holds; nothing if it is not there."""
    path = run.path / FAILURES_FILE
    return [FailedProblem(**one) for one in json.loads(path.read_text())] if path.exists() else []
