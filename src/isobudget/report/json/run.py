"""The report as plain JSON values for other programs: the content of the page. NaN is None, success is in [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from isobudget.grid import json_value, picked
from isobudget.records.facts import JUDGE_LAYERS
from isobudget.report.gather import BenchmarkSummary
from isobudget.report.json.comparison import comparison_json
from isobudget.report.json.ranking import ranking_json
from isobudget.report.ranked import against_greedy
from isobudget.solving.plan import row_record

FORMAT = 1


def report_dict(
    facts: Mapping[str, Any], summaries: Sequence[BenchmarkSummary], damaged: Sequence[str] = ()
) -> dict[str, Any]:
    """The report of a run; each entry of `comparisons` has the form of `comparison_json`.

    `damaged` says which data is missing because of damaged files, see `report.contents.PageContent`.
    """
    plain: dict[str, Any] = json_value(
        {
            "format": FORMAT,
            "run": facts.get("name"),
            "isobudget": version("isobudget"),
            "made_with": _made_with(facts),
            **({"runs": {name: _made_with(one) for name, one in facts["runs"].items()}} if "runs" in facts else {}),
            "models": facts.get("models", {}),
            **({"damaged": list(damaged)} if damaged else {}),
            "benchmarks": {summary.name: _benchmark(facts, summary) for summary in summaries},
        }
    )
    return plain


def _made_with(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a run states about how it was made; None for facts that it does not state."""
    return {name: facts.get(name) for name in ("isobudget", "created", "machine", "judge", JUDGE_LAYERS)}


def _benchmark(facts: Mapping[str, Any], summary: BenchmarkSummary) -> dict[str, Any]:
    return {
        "problems": len(summary.first.curves[0].task_ids),
        "sampling": facts["benchmarks"].get(summary.name, {}),
        "comparisons": [
            comparison_json(comparison)
            for by_unit in (summary.by_tests, summary.by_likelihood)
            for comparison in by_unit.values()
        ],
        "greedy": {model: picked(one, "success", "low", "high", "cost") for model, one in summary.greedy.items()},
        "ranked_against_greedy": [asdict(pair) | {"verdict": pair.verdict} for pair in against_greedy(summary)],
        "verdicts": {row.model: asdict(row) for row in summary.verdicts},
        "passed": {
            one.model: {
                task_id: [passed, judged]
                for task_id, passed, judged in zip(one.task_ids, one.c.tolist(), one.n.tolist(), strict=True)
            }
            for one in summary.tallies
        },
        "frontier": {str(unit): [row_record(row) for row in rows] for unit, rows in summary.frontier.items()},
        "ranking": None if summary.ranking is None else ranking_json(summary.ranking),
        "notes": list(summary.notes),
    } | ({"suites": {one.model: asdict(one) for one in summary.suites}} if summary.suites else {})
