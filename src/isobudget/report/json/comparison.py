"""Comparisons as plain values, the same wherever they are printed or written: nested for JSON, flat for CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isobudget.curves import Comparison
from isobudget.curves.beyond import beyond_json, beyond_records
from isobudget.grid import json_value
from isobudget.report.tables.power import power_line
from isobudget.report.tables.sentence import winner_sentence


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """`Comparison.to_dict`, with its `sentence`, its `power` in words and, if requested, a labelled `extrapolation`."""
    guesses = {"extrapolation": json_value(beyond_json(comparison.beyond))} if comparison.beyond else {}
    return comparison.to_dict() | {"sentence": winner_sentence(comparison), "power": power_line(comparison)} | guesses


def comparisons_json(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The JSON of a single comparison. Several comparisons are under `benchmarks`, by name."""
    named = {comparison.benchmark: comparison_json(comparison) for comparison in comparisons}
    return named[comparisons[0].benchmark] if len(comparisons) == 1 else {"benchmarks": named}


def point_records(comparison: Comparison) -> list[dict[str, Any]]:
    """Every point of every curve as flat records, one per model and k; extrapolated points have another `kind`."""
    points = [
        {"label": label, "kind": "estimate", **dict(zip(columns, values, strict=True))}
        for label, columns in comparison.to_dict()["models"].items()
        for values in zip(*columns.values(), strict=True)
    ]
    return [_record(comparison, point) for point in (*points, *beyond_records(comparison.beyond))]


def _record(comparison: Comparison, point: dict[str, Any]) -> dict[str, Any]:
    curve = comparison.curve(point.pop("label"))
    return {
        "benchmark": comparison.benchmark,
        "unit": str(comparison.unit),
        "model": curve.model,
        "selection": curve.selection,
        "stop": curve.stop,
        **point,
        "trusted": point["k"] <= curve.trusted_k,
        "cost_source": curve.price.source,
    }
