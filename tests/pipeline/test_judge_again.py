"""Judging anew: the verdicts that are there count until the first new ones are written, whatever comes between."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isobudget.errors import InputError, JudgeError, RunError
from isobudget.exchange.write_run import write_run
from isobudget.judge.verdict import Limits
from isobudget.pipeline.executor import Local
from isobudget.pipeline.generate import generate
from isobudget.pipeline.judging import judge_run_samples
from isobudget.progress import Progress
from isobudget.records.part_writer import PartWriter
from isobudget.records.run import Run, load_run
from isobudget.study.read import parse_study
from support.stage_study import Backends, write_study

OTHER = Limits(cpu_seconds=1.0)


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    run, _ = generate(parse_study(write_study(tmp_path), "mine"), tmp_path / "run", make_backend=Backends())
    judge_run_samples(run, workers=1)
    return load_run(tmp_path / "run")


def state(run: Run) -> tuple[Any, ...]:
    """The verdicts, and by which limits the run says that they were made."""
    now = load_run(run.path)
    return sorted(now.verdicts(), key=lambda one: str(one.key)), now.facts["judge"], now.facts.get("extraction")


class Unreachable(Local):
    """A judge that cannot be begun."""

    @contextlib.contextmanager
    def judge(self, *args: Any, **choices: Any) -> Iterator[Any]:
        raise JudgeError("nothing answers there")
        yield


class Stopped(Progress):
    """Ctrl-C after so many verdicts."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, task: str, by: int) -> None:
        self.left -= by
        if self.left < 0:
            raise KeyboardInterrupt


def test_a_judge_that_does_not_begin_loses_nothing(judged: Run) -> None:
    before = state(judged)
    with pytest.raises(JudgeError, match="nothing answers"):
        judge_run_samples(judged, again=True, limits=OTHER, extraction="none", executor=Unreachable())
    assert state(judged) == before


def test_a_reference_that_fails_loses_nothing(tmp_path: Path) -> None:
    problems, samples = tmp_path / "problems.jsonl", tmp_path / "samples.jsonl"
    problems.write_text(
        '{"task_id": "a", "prompt": "def f():\\n", "entry_point": "f", "canonical_solution": "    return 2\\n",'
        ' "test": "def check(candidate):\\n    assert candidate() == 1"}\n'
    )
    samples.write_text('{"task_id": "a", "completion": "    return 1\\n", "passed": true}\n')
    write_run(samples, tmp_path / "run", problems=str(problems))
    run = load_run(tmp_path / "run")
    before = sorted(one.key for one in run.verdicts())
    with pytest.raises(InputError, match="a reference solution fails its tests: a: failed"):
        judge_run_samples(run, again=True, workers=1)
    assert sorted(one.key for one in load_run(run.path).verdicts()) == before
    assert len(before) == 1


def test_verdicts_whose_tests_are_not_known_stay(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"task_id": "z", "completion": "x", "passed": true}\n')
    write_run(samples, tmp_path / "run")
    with pytest.raises(RunError, match="has no tests of imported, only verdicts that were imported"):
        judge_run_samples(tmp_path / "run", again=True, workers=1)
    assert [one.passed for one in load_run(tmp_path / "run").verdicts()] == [True]


@pytest.mark.parametrize("after", [0, 5])
def test_stopped_on_the_way_it_has_old_or_new_verdicts_and_goes_on(judged: Run, after: int) -> None:
    """What Ctrl-C leaves is written on the way out: new verdicts under new limits, finished without `again`."""
    whole, limits, _ = state(judged)
    with pytest.raises(KeyboardInterrupt):
        judge_run_samples(judged, again=True, limits=OTHER, workers=1, progress=Stopped(after))
    found, stated, _ = state(judged)
    assert 0 < len(found) <= after + 1
    assert stated == OTHER._asdict() != limits
    assert len(list((judged.path / ".superseded" / "verdicts").iterdir())) >= 1
    judge_run_samples(judged.path, workers=1)
    assert [one.key for one in state(judged)[0]] == [one.key for one in whole]


def test_killed_before_the_first_new_ones_are_written_it_has_the_old_ones(
    judged: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by kill -9: nothing is written on the way out."""
    before = state(judged)
    with monkeypatch.context() as patched:
        patched.setattr(PartWriter, "__exit__", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            judge_run_samples(judged, again=True, limits=OTHER, workers=1, progress=Stopped(3))
    assert state(judged) == before
