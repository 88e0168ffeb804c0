"""What is loaded once is read once: every part file of a run, by each command that reads runs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from isobudget.analysis.compare import curves
from isobudget.costs.cost import Unit
from isobudget.curves import Bootstrap
from isobudget.ranking.options import RankOptions
from isobudget.ranking.rank import rank
from isobudget.records.run import Run
from isobudget.report import build_report
from support.synthetic_run import PAIR, synthetic_run

FEW = Bootstrap(replicates=200)
UNITS = (Unit.FLOPS, Unit.SECONDS)


class Reads:
    """Counts reads of part files through the auditing event of `isobudget.records.parts`, while it is entered."""

    def __init__(self) -> None:
        self.parts: Counter[str] = Counter()
        self.counting = False
        sys.addaudithook(self._hear)  # a hook stays for good; it counts nothing later

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "isobudget.read_part" and self.counting:
            self.parts[Path(str(arguments[0])).parent.name] += 1

    def of(self, work: Callable[[], object]) -> dict[str, int]:
        """Reads by table while `work` is done."""
        self.parts.clear()
        self.counting = True
        try:
            work()
        finally:
            self.counting = False
        return dict(self.parts)


def parts(run: Run) -> dict[str, int]:
    """How many parts each table of the run has."""
    counted = Counter(path.parent.name for path in run.path.rglob("part-*.parquet"))
    return dict(counted)


@pytest.mark.parametrize(
    ("benchmarks", "units"), [({"quickstart": 5}, UNITS), ({"quickstart": 5, "other": 3}, UNITS[:1])]
)
def test_a_report_reads_each_table_once(tmp_path: Path, benchmarks: dict[str, int], units: tuple[Unit, ...]) -> None:
    """And the outputs that its page can open, which are chosen by their verdicts, once more: texts are not all kept."""
    run = synthetic_run(tmp_path / "run", PAIR, benchmarks)
    reads = Reads().of(lambda: build_report(run, units=units, bootstrap=FEW, texts=0))
    assert reads == parts(run) == {"problems": len(benchmarks), "samples": 1, "verdicts": 1}
    reads = Reads().of(lambda: build_report(run, units=units[:1], bootstrap=FEW))
    assert reads == {"problems": len(benchmarks), "samples": 2, "verdicts": 2}


def test_curves_of_a_run_read_each_table_once(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"quickstart": 5, "other": 3})
    assert Reads().of(lambda: curves(run.path, Unit.SECONDS, bootstrap=FEW)) == parts(run)


def test_ranking_reads_each_table_once(tmp_path: Path) -> None:
    """Several models and rankers; what a first call found out is read once a model by the second."""
    run = synthetic_run(tmp_path / "run", PAIR, {"quickstart": 2})
    options = RankOptions(("own", "agreement", "votes", "tests"), orders=5, filter="examples", bootstrap=FEW)
    rank(run.path, options)
    there = parts(run)
    assert there["observations"] >= 1
    read = Reads().of(lambda: rank(run.path, options))
    assert read.pop("observations") <= len(PAIR) * there.pop("observations")
    assert read == there
