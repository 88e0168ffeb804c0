"""What a report consists of: its files, its sentences, and what they were made from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.report.gather import BenchmarkSummary


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What was made.

    Attributes:
        run: the run folder.
        page: the HTML page.
        figures: the figures, each as SVG and as PNG.
        json: the comparisons as JSON.
        sentences: which model to use at which budget, one for every benchmark and unit.
        summaries: what the page was made from, one entry a benchmark.
        notes: what the models' backends noticed, such as a server that draws one sample where several are asked for.
    """

    run: Path
    page: Path
    figures: tuple[Path, ...]
    json: Path
    sentences: tuple[str, ...]
    summaries: tuple[BenchmarkSummary, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What `isobudget report --json` prints: the content of `json`."""
        content: dict[str, Any] = json.loads(self.json.read_text(encoding="utf-8"))
        return content

    def __repr__(self) -> str:
        return "\n".join((*self.sentences, f"page: {self.page}"))
