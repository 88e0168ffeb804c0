"""A page on disk, made without Matplotlib's figures, for tests in a browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.costs.cost import Unit
from isobudget.curves import Bootstrap, Comparison
from isobudget.curves.sliders import Sliders, sliders
from isobudget.records.run import Run
from isobudget.report.contents import Asked, collect_content, page_text
from isobudget.report.gather import BenchmarkSummary
from isobudget.report.sources import opened
from support.synthetic_run import FakeModel

FEW = Bootstrap(replicates=200)
MODELS = (
    FakeModel("small-135m", 40, -1.0, 0.004, 576, 30),
    FakeModel("medium-0.5b", 20, 0.4, 0.009, 896, 24),
    FakeModel("large-1.5b", 6, 1.4, 0.022, 1536, 28),
)
#: follow a link to a state, and wait until everything is drawn
FOLLOW = """(hash) => new Promise((done) => {
    window.addEventListener("hashchange", () => setTimeout(done), { once: true });
    location.hash = hash;
})"""


@dataclass(frozen=True)
class Made:
    """A page on disk and what it was made from."""

    path: Path
    summary: BenchmarkSummary
    stops: Sliders
    facts: Mapping[str, Any]

    def comparison(self, unit: Unit) -> Comparison:
        return self.summary.by_tests[unit]


def made_page(run: Run, place: Path) -> Made:
    """The page and its outputs, without the figures that Matplotlib draws."""
    with opened(run) as sources:
        found = collect_content(sources, Asked(bootstrap=FEW))
    (place / "texts").mkdir(parents=True)
    (place / "index.html").write_text(page_text(found, {}))
    for files in found.outputs.values():
        for name, _, content in files:
            (place / name).write_bytes(content)
    summary = found.summaries[0]
    return Made(place / "index.html", summary, sliders(summary.by_tests), found.facts)
