"""Counts of a run that has nothing to count: one sentence, whoever reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from isobudget import api
from isobudget.analysis.compare_run import run_comparison
from isobudget.analysis.run_counts import run_counts
from isobudget.curves import Bootstrap
from isobudget.errors import RunError
from isobudget.records.check import check_run
from isobudget.report import build_report, print_report
from support.synthetic_run import PAIR, synthetic_run

READERS: dict[str, Callable[[Path], Any]] = {"counts": run_counts, "passk": api.passk, "curves": api.curves}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("aside", [True, False], ids=["all set aside", "none judged"])
def test_a_run_without_judged_samples_says_so(tmp_path: Path, read: Callable[[Path], Any], aside: bool) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"own": 3}, judged=aside)
    if aside:
        (run.path / "samples" / "part-000001.parquet").write_bytes(b"gone")
        assert check_run(run.path, repair=True).whole
    with pytest.raises(RunError, match=r"run: no judged samples of own; judge them with: isobudget judge"):
        read(run.path)


@pytest.mark.parametrize("order", [1, -1], ids=["as recorded", "reversed"])
def test_a_sample_that_is_recorded_twice_counts_once_and_is_said(tmp_path: Path, order: int) -> None:
    runs = [synthetic_run(tmp_path / name / "run", PAIR, {"own": 3}, seed=1) for name in ("once", "twice")]
    (runs[1].path / "manifest.json").unlink()  # as of an older version, where every part counts
    part = runs[1].path / "samples" / "part-000001.parquet"
    table = pq.read_table(part)
    pq.write_table(table.take(list(range(table.num_rows))[::order]), part.with_name("part-000002.parquet"))
    (once, _), (twice, notes) = (run_counts(run.path) for run in runs)
    assert [(one.n.tolist(), one.c.tolist()) for one in twice] == [(one.n.tolist(), one.c.tolist()) for one in once]
    said = [note for note in notes if "recorded more than once; the first of each counts" in note]
    assert len(said) == 2
    first, again = (run_comparison(run.path) for run in runs)
    assert set(said) <= set(again.notes)
    assert [curve.price for curve in again.curves] == [curve.price for curve in first.curves]


def test_an_interrupted_run_says_how_many_problems_have_no_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"own": 8})
    (run.path / "manifest.json").unlink()  # as of an older version, whose parts have no checksum
    part = run.path / "samples" / "part-000001.parquet"
    table = pq.read_table(part)
    model, lacking = PAIR[0].name, ("own/6", "own/7")
    kept = [row["model"] != model or row["task_id"] not in lacking for row in table.to_pylist()]
    assert kept.count(False) > len(lacking)
    pq.write_table(table.filter(kept), part)
    said = f"{model}: 2 of the run's 8 problems have no judged sample yet and are left out"
    assert run_counts(run.path)[1] == [said]
    assert said in run_comparison(run.path).notes
    assert f"{said}." in api.plan(run.path, unit="tokens").to_dict()["notes"]
    print_report(build_report(run, tmp_path / "page", bootstrap=Bootstrap(replicates=200)))
    assert said in " ".join(capsys.readouterr().out.split())


def test_a_run_names_the_models_that_it_has_no_samples_of(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"own": 3})
    with run.writing():
        run.state("models", "third", run.facts["models"][PAIR[0].name])
        run.save_facts()
    assert "third: no judged sample yet, left out" in run_comparison(run.path).notes
