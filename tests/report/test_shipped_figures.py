"""Figures that ship: those of the recorded run, as they are plotted now, and of nothing else."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from isobudget import api
from isobudget.files.near import EXAMPLE
from isobudget.report.figures import comparison, shipped
from isobudget.report.figures.look import Look
from isobudget.report.figures.parts import Line, Panel, Plot
from isobudget.report.figures.style import Style

TOOLS = Path(__file__).parents[2] / "tools"
X = np.array([1.0, 2.0, 4.0])
LINE = Line("a", Style("#0072b2", "o"), X, 10 * X, np.arange(3), 3, 3)
#: names of parts, which are made of what is in them; and places
ID, NUMBER = re.compile(r'(?<=id=")[^"]*|(?<="#)[^"]*|(?<=url\(#)[^)]*'), re.compile(r"-?\d+(?:\.\d+)?")
PLOT = Plot("name", "title", "y", (Panel("x", (LINE,)),), "caption")


def same_picture(name: str, one: bytes, other: bytes) -> bool:
    """Whether two files show the same to the eye: places in an SVG, and pixels, may differ by rounding."""
    if name.endswith(".svg"):
        texts = [ID.sub("", data.decode()) for data in (one, other)]
        numbers = [np.array(NUMBER.findall(text), dtype=float) for text in texts]
        return NUMBER.sub("#", texts[0]) == NUMBER.sub("#", texts[1]) and bool(
            np.abs(numbers[0] - numbers[1]).max() < 0.1
        )
    from matplotlib.image import imread

    pixels = [imread(io.BytesIO(data)) for data in (one, other)]
    return pixels[0].shape == pixels[1].shape and bool(np.abs(pixels[0] - pixels[1]).mean() < 1e-3)


def test_they_are_what_is_plotted_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this fails, a figure's look or content has changed: `python tools/shipped_figures.py` plots them anew."""
    mpl = pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(TOOLS))
    from shipped_figures import PLACE, plotted

    with zipfile.ZipFile(PLACE) as archive:
        ships, by = {name: archive.read(name) for name in archive.namelist()}, archive.comment.decode()
    shown, made = plotted()
    assert sorted(ships) == sorted({*made, "figures.json"})
    index = json.loads(ships["figures.json"])
    assert sorted(index) == sorted(shown)
    assert [stem for stem in shown if not shipped._same(shown[stem], index[stem])] == []
    if by != mpl.__version__:
        pytest.skip(f"the figures that ship were plotted by Matplotlib {by}")
    assert [name for name in made if not same_picture(name, made[name], ships[name])] == []


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
        dataclasses.replace(PLOT, panels=(Panel("x", (dataclasses.replace(LINE, y=10.001 * X),)),)),
        dataclasses.replace(PLOT, panels=(Panel("x", (dataclasses.replace(LINE, low=X),)),)),
        dataclasses.replace(PLOT, title="\ud800"),
    ],
)
def test_figures_are_told_apart_by_all_that_they_show(
    other: Plot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = shipped.archive({"a": shipped.content_of(PLOT, Look())}, {"a.svg": b"its file"}, "3")
    (tmp_path / shipped.ARCHIVE).write_bytes(content)
    monkeypatch.setattr(shipped.resources, "files", lambda _: tmp_path)
    shipped._members.cache_clear()
    try:
        noisy = dataclasses.replace(PLOT, panels=(Panel("x", (dataclasses.replace(LINE, x=X * (1 + 1e-7)),)),))
        for same in (PLOT, noisy):
            assert shipped.shipped(same, Look(), ("svg",)) == {"svg": b"its file"}
        assert shipped.shipped(PLOT, Look(), ("svg", "png")) is None
        assert shipped.shipped(PLOT, Look(dots=160), ("svg",)) is None
        assert shipped.shipped(other, Look(), ("svg",)) is None
    finally:
        shipped._members.cache_clear()
