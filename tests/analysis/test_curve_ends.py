"""The curves of a run end where those of counts do, with the same note."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from isobudget.analysis.compare_run import run_comparison
from isobudget.curves import FIRST_PASS, LIKELIHOOD, TESTS, Bootstrap
from support.synthetic_run import synthetic_run


@pytest.mark.parametrize(("selection", "stop"), [(TESTS, "fixed"), (LIKELIHOOD, "fixed"), (TESTS, FIRST_PASS)])
def test_curves_of_a_run_end_at_the_deepest_k(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selection: str, stop: str
) -> None:
    run = synthetic_run(tmp_path / "run", benchmarks={"b": 8})
    options = {"selection": selection, "stop": stop, "bootstrap": Bootstrap(replicates=100)}
    whole = run_comparison(run, "b", **options)
    shortest = min(curve.k_max for curve in whole.curves)
    monkeypatch.setattr(import_module("isobudget.curves.curve"), "DEEPEST", shortest - 1)
    cut = run_comparison(run, "b", **options)
    for one, other in zip(cut.curves, whole.curves, strict=True):
        assert one.k_max == shortest - 1 < other.k_max
        assert one.success == pytest.approx(other.success[: one.k_max])
        assert one.trusted_k == min(other.trusted_k, one.k_max)
    names = ", ".join(curve.model for curve in whole.curves)
    assert cut.notes[-1] == f"Curves end at k = {shortest - 1:,}; {names}: more samples are recorded."
    assert not any("Curves end" in note for note in whole.notes)
