"""Verdicts that replace all others, stopped at every change of a file: the old ones or the new ones, never both."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isobudget.judge.verdict import Limits
from isobudget.records.check import check_run
from isobudget.records.facts import ANEW
from isobudget.records.part_writer import PartWriter
from isobudget.records.parts import part_paths
from isobudget.records.run import Run, load_run
from support.synthetic_run import synthetic_run

CHANGES = ("replace", "rename", "unlink", "link")
OLD, NEW = Limits()._asdict(), Limits(cpu_seconds=1.0)._asdict()


class Stopped(BaseException):
    """The process ends here."""


def stop_at(at: int, patch: Callable[..., None]) -> list[int]:
    """Raise before the `at`-th change of a file from now on; how many are left."""
    left = [at]

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*given: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Stopped
            return change(*given, **named)

        return changed

    for name in CHANGES:
        patch(os, name, counted(getattr(os, name)))
    return left


def judged_anew(run: Run) -> None:
    """Every verdict turned round, in two parts, by other limits."""
    rows = [replace(row, passed=not row.passed) for row in run.verdicts()]

    def state() -> None:
        names = [path.name for path in part_paths(run.path / "verdicts")]
        run.facts[ANEW] = {"parts": names, "judge": NEW, "judge_rules": 7}
        run.save_facts()

    with run.verdict_writer(state) as writer:
        writer.add(rows[:5])
        writer.flush()
        writer.add(rows[5:])


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "Ctrl-C"])
def test_stopped_at_every_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, killed: bool) -> None:
    made = synthetic_run(tmp_path / "made", benchmarks={"b": 4})
    with made.writing():
        made.facts |= {"judge": OLD, "judge_rules": 1}
        made.save_facts()
    before = {row.key: row.passed for row in made.verdicts()}
    at, ended = 0, False
    seen = set()
    while not ended:
        at += 1
        assert at < 100
        shutil.copytree(made.path, tmp_path / str(at))
        run = load_run(tmp_path / str(at))
        with monkeypatch.context() as patched:
            if killed:
                patched.setattr(PartWriter, "__exit__", lambda *_: None)
            try:
                with run.writing():
                    left = stop_at(at, patched.setattr)
                    judged_anew(run)
            except Stopped:
                pass
            ended = left[0] > 0
        now = load_run(run.path)
        with now.writing():
            found = [(row.key, row.passed) for row in now.verdicts()]
        assert len({key for key, _ in found}) == len(found)
        new = [before[key] != passed for key, passed in found]
        assert all(new) or not any(new)
        assert now.facts["judge"] == (NEW if new[0] else OLD), at
        assert now.facts["judge_rules"] == (7 if new[0] else 1)
        assert ANEW not in now.facts
        assert new[0] or len(found) == len(before)
        seen.add(new[0])
        assert not [one for one in check_run(now.path).findings if one.kind in ("twice", "unlisted")], at
    assert seen == ({True, False} if killed else {True})  # Ctrl-C writes what came on the way out
    assert at > 6
