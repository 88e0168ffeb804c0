"""A damaged file beside what a comparison needs costs its part of the report, and is named; the rest is drawn."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from markupsafe import escape

from isobudget.costs.cost import Unit
from isobudget.curves import Bootstrap
from isobudget.errors import RunError
from isobudget.ranking.options import RankOptions
from isobudget.ranking.rank import rank
from isobudget.ranking.scores import Scorer
from isobudget.records.parts import part_paths
from isobudget.records.repair import repair_run
from isobudget.records.run import Run
from isobudget.report import Report, build_report
from isobudget.study import StatedModel
from support.fake_scorer import FakeScorer
from support.page_html import without_scripts
from support.synthetic_run import PAIR, synthetic_run

FEW = Bootstrap(replicates=50)
pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="session")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run, scorer = synthetic_run(tmp_path_factory.mktemp("ranked") / "run", PAIR, {"own": 5}), FakeScorer()
    options = RankOptions(("likelihood",), StatedModel(name="codellama-7b"), bootstrap=FEW)
    rank(run.path, options, make_scorer=lambda *_: Scorer("codellama-7b", lambda: scorer))
    return run.path


@pytest.fixture
def run(ranked: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ranked, tmp_path / "run"))


def reported(run: Path) -> Report:
    return build_report(run, run / "report", units=[Unit.FLOPS], bootstrap=FEW)


def check_loud(made: Report, what: str, path: Path) -> None:
    """Page, JSON and terminal say what is left out, of which file, and what to do; the comparison is there."""
    (sentence,) = json.loads(made.json.read_text())["damaged"]
    assert sentence.startswith(f"{what.capitalize()} are left out, since a file is damaged or missing. {path}: ")
    assert f"isobudget check {path.parent.parent} --repair" in sentence
    assert sentence in made.notes
    page = without_scripts(made.page.read_text())
    assert page.count(str(escape(sentence))) == 1
    assert "Problems solved at equal budget" in page


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "gone"])
def test_a_damaged_score_file_costs_the_rankers_alone(run: Path, damage: str) -> None:
    path = part_paths(run / "scores")[0]
    whole = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes({"cut": whole[:-20], "changed": b"\0" * len(whole), "empty": b""}[damage])
    made = reported(run)
    assert made.summaries[0].ranking is None
    check_loud(made, "rankers", path)


def test_after_the_remedy_nothing_is_said(run: Path) -> None:
    path = part_paths(run / "scores")[0]
    path.write_bytes(b"")
    assert "damaged" in json.loads(reported(run).json.read_text())
    repair_run(run)
    made = reported(run)
    assert "damaged" not in json.loads(made.json.read_text())
    assert made.notes == ()
    assert 'class="damaged"' not in made.page.read_text()


def test_damaged_texts_cost_the_outputs_alone(run: Path) -> None:
    (path,) = part_paths(run / "samples")
    columns = pq.read_metadata(path).row_group(0)
    (text,) = (one for at in range(columns.num_columns) if (one := columns.column(at)).path_in_schema == "text")
    start = text.dictionary_page_offset or text.data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + text.total_compressed_size] = b"\xff" * text.total_compressed_size
    path.write_bytes(data)
    shutil.rmtree(run / "scores")
    made = reported(run)
    assert made.texts == ()
    (sentence,) = (one for one in made.notes if one.startswith("Outputs are left out"))
    assert str(path) in sentence


def test_damaged_verdicts_are_an_error_as_before(run: Path) -> None:
    (path,) = part_paths(run / "verdicts")
    path.write_bytes(b"")
    with pytest.raises(RunError, match="not a whole part of this run"):
        reported(run)
    assert Run.open(run).facts
