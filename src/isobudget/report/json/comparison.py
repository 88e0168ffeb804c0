"""A comparison with everything that its numbers depend on, as plain values for JSON."""

from __future__ import annotations

import math
from typing import Any

from isobudget.curves.beyond import beyond_json
from isobudget.curves.compare import Comparison, Reach
from isobudget.curves.stopping import FIXED
from isobudget.grid import json_value
from isobudget.report.tables.sentence import winner_sentence


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """`Comparison.to_dict` with what a reader of the numbers has to know.

    Beside it: `selection` (of each model) and `stop`; `costs` with sources, and the k up to which curves are to be
    trusted; `reach`: what each model needs for a success, and what the cheapest saves; `crossings` of every pair;
    whether a best model is clear; the sentence; and, only where it was asked for, `extrapolation`, under its label.
    """
    whole: dict[str, Any] = comparison.to_dict() | {
        "benchmark": comparison.benchmark,
        "selection": {curve.label: curve.selection for curve in comparison.curves},
        "stop": comparison.stop,
        "costs": {curve.label: _cost(comparison, curve.label) for curve in comparison.curves},
        "reach": [_reach(comparison, reach) for reach in comparison.reach()],
        "crossings": [
            {"models": list(pair), "budget": crossing.budget, "leader": crossing.leader}
            for pair, crossings in comparison.all_crossings().items()
            for crossing in crossings
        ],
        "clear_against": [list(best.clear_against) for best in comparison.best],
        "reasons": [best.reason for best in comparison.best],
        "level": comparison.bootstrap.level,
        "notes": list(comparison.notes),
        "sentence": winner_sentence(comparison),
    }
    if comparison.beyond:
        whole["extrapolation"] = beyond_json(comparison.beyond)
    plain: dict[str, Any] = json_value(whole)
    return plain


def _cost(comparison: Comparison, label: str) -> dict[str, Any]:
    curve = comparison.curve(label)
    cost: dict[str, Any] = {
        "per_sample": curve.price.per_sample,
        "per_problem": curve.price.per_problem,
        "source": curve.price.source,
        "trusted_k": curve.trusted_k,
    }
    return cost if curve.stop == FIXED else cost | {"samples_charged": curve.charged.samples[:-1].tolist()}


def _reach(comparison: Comparison, reach: Reach) -> dict[str, Any]:
    labels = [curve.label for curve in comparison.curves]
    return {
        "success": reach.success,
        "cheapest": reach.cheapest,
        "k": reach.k,
        "budget": reach.budget,
        "saving": {label: reach.saving(label) for label in labels if not math.isnan(reach.budget[label])},
    }
