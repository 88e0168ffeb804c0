"""Which outputs a page shows, against choosing them one row after the other."""

from __future__ import annotations

import random
from itertools import zip_longest
from pathlib import Path

import pytest

from isobudget.records.rows import SampleRow, VerdictRow
from isobudget.records.run import Run
from isobudget.report.page.texts import read_outputs

DETAILS = ("", "AssertionError", "AssertionError: 1 != 2", "AssertionError: 3 != 4", "NameError: x", "Ünïcode: a\nb: c")


def recorded(path: Path, dice: random.Random) -> Run:
    """A run of random verdicts in several parts, in no order; some samples have none."""
    run = Run.create(path, "made")
    keys = [
        (benchmark, model, task, greedy, index)
        for benchmark in ("a", "b")
        for model in ("small", "large", "not shown: ü")
        for task in ("t/0", "t/1", "only/in/" + benchmark)
        for greedy in (False, True)
        for index in range(1 if greedy else 12)
    ]
    dice.shuffle(keys)
    with run.writing(), run.sample_writer() as samples, run.verdict_writer() as verdicts:
        for start in range(0, len(keys), 70):
            for key in keys[start : start + 70]:
                samples.add([SampleRow(*key, f"text of {key}", "stop", 5, 4, -1.0, -0.25, 0.5, None, 0)])
                if dice.random() < 0.9:
                    passed = dice.random() < 0.3
                    outcome = "passed" if passed else dice.choice(["failed", "timeout"])
                    detail = "" if passed else dice.choice(DETAILS)
                    verdicts.add([VerdictRow(*key, outcome, passed, 0.1, None, detail, "split", None, None, "")])
            samples.flush()
            verdicts.flush()
    return run


def shown(rows: list[VerdictRow], failures: int) -> list[VerdictRow]:
    """The greedy output, the passed one with the lowest index, and of each kind of failure the first ones in turn."""
    greedy = [row for row in rows if row.greedy][:1]
    passed = sorted((row for row in rows if row.passed and not row.greedy), key=lambda row: row.index)[:1]
    kinds: dict[tuple[str, str], list[VerdictRow]] = {}
    for row in rows:
        if not (row.passed or row.greedy):
            kinds.setdefault((row.outcome, row.detail.split(":")[0]), []).append(row)
    first = [sorted(kind[:failures], key=lambda row: row.index) for kind in kinds.values()]
    failed = [row for turn in zip_longest(*first) for row in turn if row is not None]
    return [*greedy, *passed, *failed[:failures]]


@pytest.mark.parametrize("failures", [1, 2, 3, 50])
def test_outputs_are_those_chosen_row_by_row(tmp_path: Path, failures: int) -> None:
    run = recorded(tmp_path / "run", random.Random(failures))
    by_place: dict[tuple[str, str, str], list[VerdictRow]] = {}
    for row in run.verdicts():
        by_place.setdefault((row.benchmark, row.model, row.task_id), []).append(row)
    found = read_outputs([(run, {})], failures)
    assert set(found) == set(by_place)
    for place, rows in by_place.items():
        said = [(one["index"], one["kind"] == "greedy", one["outcome"], one["text"]) for one in found[place]]
        assert said == [(row.index, row.greedy, row.outcome, f"text of {row.key}") for row in shown(rows, failures)]


def test_a_run_without_verdicts_shows_none(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "made")
    assert read_outputs([(run, {})]) == {}
