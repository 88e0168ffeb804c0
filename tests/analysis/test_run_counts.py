"""Counts of a run that has nothing to count: one sentence, whoever reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isobudget import api
from isobudget.analysis.run_counts import run_counts
from isobudget.errors import RunError
from isobudget.records.check import check_run
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
