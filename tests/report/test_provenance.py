"""What the page says of how a run was made: layers of confinement and trust."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from isobudget.analysis.load_samples import load_samples
from isobudget.costs.cost import Unit
from isobudget.curves import Bootstrap
from isobudget.report import build_report
from isobudget.report.gather import summarize
from isobudget.report.page.provenance import machine_facts, trust_facts
from support.page_html import without_scripts
from support.synthetic_run import PAIR, synthetic_run

FEW = Bootstrap(replicates=50)
LAYERS = {"separate process": True, "mount namespace": False, "system call filter": True}


def test_layers_that_a_run_records_are_shown() -> None:
    shown = dict(machine_facts({"judge_layers": LAYERS}))["Layers of confinement"]
    assert shown == (
        "2 of 3 were active around every sample: separate process, system call filter; inactive: mount namespace"
    )
    assert "not there" not in dict(machine_facts({"judge_layers": {"one": True}}))["Layers of confinement"]


def test_a_run_without_layers_says_so() -> None:
    for facts in ({}, {"judge": {"cpu_seconds": 3.0}}):
        assert dict(machine_facts(facts))["Layers of confinement"] == "not recorded"


@pytest.mark.usefixtures("undrawn")
def test_layers_and_trust_stand_on_the_page_and_in_its_json(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "one", PAIR)
    run.facts["judge_layers"] = LAYERS
    run.save_facts()
    other = synthetic_run(tmp_path / "two", PAIR)
    made = build_report([run.path, other.path], tmp_path / "out", units=[Unit.FLOPS], bootstrap=FEW)
    text = without_scripts(made.page.read_text())
    assert "2 of 3 were active around every sample" in text
    assert "not recorded" in text
    record = json.loads(made.json.read_text())
    stated = {name: one["judge_layers"] for name, one in record["runs"].items()}
    assert sorted(stated.values(), key=str) == [None, LAYERS]
    (summary,) = made.summaries
    assert [f"<dd>{value}</dd>" in text for _, value in trust_facts([summary])] == [True] * 4


def test_counts_by_trust_add_up(tmp_path: Path) -> None:
    loaded = load_samples(synthetic_run(tmp_path / "run", PAIR))
    summary = summarize(loaded, next(iter(loaded.counts)), [Unit.FLOPS], FEW)
    for row, (_, shown) in zip(summary.verdicts, trust_facts([summary]), strict=True):
        assert row.judged == row.shared  # so this run states
        assert shown == f"0 split, {row.judged:,} shared"
    mixed = replace(summary.verdicts[0], judged=1_000, shared=7, imported=3)
    assert [shown for _, shown in trust_facts([replace(summary, verdicts=(mixed,))])] == [
        "990 split, 7 shared, 3 imported"
    ]
