"""Figures that ship: those of the recorded run, as they are plotted now, and of nothing else."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pytest

from isobudget import api
from isobudget.records.example import EXAMPLE
from isobudget.report.figures import comparison, shipped
from isobudget.report.figures.look import Look
from isobudget.report.figures.parts import Line, Panel, Plot
from isobudget.report.figures.style import Style

TOOLS = Path(__file__).parents[2] / "tools"
X = np.array([1.0, 2.0, 4.0])
LINE = Line("a", Style("#0072b2", "o"), X, 10 * X, np.arange(3), 3, 3)
PLOT = Plot("name", "title", "y", (Panel("x", (LINE,)),), "caption")


def test_they_are_what_is_plotted_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this fails, a figure's look or content has changed: `python tools/shipped_figures.py` plots them anew."""
    mpl = pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(TOOLS))
    from shipped_figures import PLACE, plotted

    with zipfile.ZipFile(PLACE) as archive:
        ships, by = {name: archive.read(name) for name in archive.namelist()}, archive.comment.decode()
    made = plotted()
    assert sorted(ships) == sorted(made)
    if by == mpl.__version__:
        assert ships == made
        assert PLACE.read_bytes() == shipped.archive(made, by)


def test_the_run_that_ships_is_reported_on_without_plotting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(comparison, "render", None)
    made = api.report(EXAMPLE)
    assert len(made.figures) == 4
    assert all(path.read_bytes() for path in made.figures)
    with pytest.raises(TypeError):  # the same run in other units has other figures
        api.report(EXAMPLE, unit="tokens")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut short"])
def test_without_a_whole_archive_everything_is_plotted(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / shipped.ARCHIVE).write_bytes(content)
    monkeypatch.setattr(shipped.resources, "files", lambda _: tmp_path)
    shipped._members.cache_clear()
    try:
        assert shipped.shipped(PLOT, Look(), ("svg",)) is None
    finally:
        shipped._members.cache_clear()


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(PLOT, title="other"),
        dataclasses.replace(PLOT, key=(("dashed", "b"),)),
        dataclasses.replace(PLOT, panels=(Panel("x", (dataclasses.replace(LINE, y=10 * X + 1e-6),)),)),
        dataclasses.replace(PLOT, panels=(Panel("x", (dataclasses.replace(LINE, low=X),)),)),
        dataclasses.replace(PLOT, title="\ud800"),
    ],
)
def test_a_digest_tells_plots_apart(other: Plot) -> None:
    assert shipped.digest_of(PLOT, Look()) != shipped.digest_of(other, Look())
    assert shipped.digest_of(PLOT, Look()) != shipped.digest_of(PLOT, Look(dots=160))


def test_a_digest_is_the_same_wherever_the_content_is() -> None:
    line = dataclasses.replace(LINE, x=X + 1e-13, y=np.array([10.0, 20.0, 40.0]), name="".join(["a"]))
    same = dataclasses.replace(PLOT, panels=(Panel("x", (line,)),))
    assert shipped.digest_of(same, Look()) == shipped.digest_of(PLOT, Look())
