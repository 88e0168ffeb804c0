"""The JSON inside the page: the content of `report.json`, and the further data that the sliders need.

Its numbers are those of `isobudget report --json`. Curves and flips are given at the sample counts at which the sliders
stop (at most 64 per model, see `curves.sliders`); all other data is complete. Interval ends of differences are in
hundredths of a percentage point. Rounding keeps their sign, which says whether a lead is clear.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.curves.sliders import Sliders
from isobudget.grid import json_value
from isobudget.report.figures.style import in_order
from isobudget.report.gather import BenchmarkSummary
from isobudget.report.json.run import report_dict

#: size of the steps in which interval ends of differences are counted
STEP = 1e-4


def page_data(
    facts: Mapping[str, Any],
    summaries: Sequence[BenchmarkSummary],
    stops: Mapping[str, Sliders],
    texts: Mapping[str, Sequence[tuple[str, int]]],
    whole: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The data that the page's scripts read.

    Args:
        facts, summaries: data of the report.
        stops: the sliders of each benchmark.
        texts: files with the outputs of each benchmark, and the index of the first problem in each file.
        whole: the `report_dict` of the same data, if it has been made already.
    """
    report = dict(whole or report_dict(facts, summaries))
    report["benchmarks"] = {name: dict(record) for name, record in report["benchmarks"].items()}
    colours = {name: place for place, name in enumerate(in_order(list(report["models"])))}
    for summary in summaries:
        record = report["benchmarks"][summary.name]
        record["comparisons"] = [_thinned(one, stops[summary.name]) for one in record["comparisons"]]
        if record["ranking"] is not None:
            record["ranking"] = _thinned_ranking(record["ranking"], stops[summary.name])
        record["sliders"] = _sliders(stops[summary.name])
        record["task_ids"] = list(summary.first.curves[0].task_ids)
        record["texts"] = [list(one) for one in texts.get(summary.name, ())]
    return report | {"places": colours}


def script_text(value: Any) -> str:
    """A value as JSON that is safe inside a script element: ASCII, without `<`, `>` and `&`."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _thinned(comparison: dict[str, Any], stops: Sliders) -> dict[str, Any]:
    """The comparison with its curves and flips at the stops of each model."""
    kept = {label: set(stops.k[_model(label, stops)].tolist()) for label in comparison["models"]}
    models = {label: _columns(columns, kept[label]) for label, columns in comparison["models"].items()}
    flips = [flip for flip in comparison["flips"] if flip["k_dear"] in kept[flip["dear"]]]
    return comparison | {"models": models, "flips": flips}


def _thinned_ranking(ranking: dict[str, Any], stops: Sliders) -> dict[str, Any]:
    """The ranking with its rankers at the stops of each model, and at the largest number of ranked samples."""
    models = [
        model | {"rankers": [_thinned_ranker(one, set(stops.k[model["model"]].tolist())) for one in model["rankers"]]}
        for model in ranking["models"]
    ]
    return ranking | {"models": models}


def _thinned_ranker(ranker: dict[str, Any], kept: set[int]) -> dict[str, Any]:
    at = [place for place, k in enumerate(ranker["k"]) if k in kept or k == ranker["k"][-1]]
    take = {
        name: [ranker[name][place] for place in at]
        for name in ("k", "success", "low", "high", "monte_carlo_error")
        if ranker[name] is not None
    }
    costs = {
        unit: cost
        | {name: [cost[name][place] for place in at] for name in ("free", "charged") if cost[name] is not None}
        for unit, cost in ranker["cost"].items()
    }
    return ranker | take | {"cost": costs}


def _model(label: str, stops: Sliders) -> str:
    """The model's label in the comparison by tests, for a curve that may be by likelihood."""
    return label if label in stops.k else label.rsplit(" (", 1)[0]


def _columns(columns: dict[str, list[Any]], kept: set[int]) -> dict[str, list[Any]]:
    at = [place for place, k in enumerate(columns["k"]) if k in kept]
    return {name: [values[place] for place in at] for name, values in columns.items()}


def _sliders(stops: Sliders) -> dict[str, Any]:
    plain: dict[str, Any] = json_value(
        {
            "labels": stops.labels,
            "budgets": {str(unit): budgets for unit, budgets in stops.budgets.items()},
            "rows": {str(unit): _ends(*ends) for unit, ends in stops.rows.items()},
            "anywhere": [_ends(*ends) for ends in stops.anywhere],
            "step": STEP,
        }
    )
    return plain


def _ends(low: NDArray[np.float64], high: NDArray[np.float64]) -> dict[str, list[Any]]:
    return {"low": _whole(low), "high": _whole(high)}


def _whole(ends: NDArray[np.float64]) -> list[list[int | None]]:
    """Interval ends in whole steps, rounded away from 0 if they would become 0; None for NaN."""
    steps = np.rint(ends / STEP)
    steps = np.where((steps == 0) & (np.abs(ends) > 1e-12), np.sign(ends), steps)
    return [[None if np.isnan(value) else int(value) for value in row] for row in steps]
