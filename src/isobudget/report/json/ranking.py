"""The JSON of `isobudget rank`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isobudget.grid import json_value, picked
from isobudget.rankers.calibration import Calibration

if TYPE_CHECKING:
    from isobudget.ranking.measure import Ranked, RankedModel
    from isobudget.ranking.rank import BenchmarkRanking


def ranking_json(ranking: BenchmarkRanking) -> dict[str, Any]:
    """Everything as plain values; success in [0, 1]."""
    whole = {
        "benchmark": ranking.benchmark,
        "level": ranking.bootstrap.level,
        "filter": ranking.filter,
        "models": [_model_json(model) for model in ranking.models],
    }
    plain: dict[str, Any] = json_value(whole)
    return plain


def ranking_records(ranking: BenchmarkRanking) -> list[dict[str, Any]]:
    """Flat rows, one for each model, ranker and k."""
    return [
        {
            "benchmark": ranking.benchmark,
            "model": model.model,
            "ranker": one.ranker,
            "k": k + 1,
            **{name: float(getattr(one, name)[k]) for name in ("success", "low", "high")},
        }
        for model in ranking.models
        for one in model.ranked
        for k in range(one.k_max)
    ]


def _model_json(model: RankedModel) -> dict[str, Any]:
    samples, greedy = model.samples, model.samples.greedy
    return {
        "model": model.model,
        "problems": len(samples.pool.problems),
        "n_min": int(samples.pool.sizes.min()),
        "n_max": int(samples.pool.sizes.max()),
        "left_out": samples.left_out,
        "greedy": picked(greedy, "success", "low", "high") | {"cost": {} if greedy is None else greedy.cost},
        "unpriced": samples.unpriced,
        "rankers": [_ranked_json(one) for one in model.ranked],
    }


def _ranked_json(one: Ranked) -> dict[str, Any]:
    amounts = {str(unit): picked(one, "per_problem", "per_sample") for unit, one in one.cost.amounts.items()}
    return {
        **picked(one, "ranker", "exact"),
        "k": list(range(1, one.k_max + 1)),
        **picked(one, "success", "low", "high"),
        "monte_carlo_error": one.monte_carlo,
        "cost": {
            str(unit): {
                "free": curve.cost,
                "charged": one.charged[unit].cost if unit in one.charged else None,
                "source": one.charged.get(unit, curve).price.source,
            }
            for unit, curve in one.free.items()
        },
        "scoring": {"source": one.cost.source, "amounts": amounts},
        "auc": None if one.auc is None else picked(one.auc, "value", "low", "high", "problems"),
        "calibration": None if one.calibration is None else _calibration_json(one.calibration),
        "no_score": one.undefined,
        **picked(one, "set_aside", "notes"),
    }


def _calibration_json(fit: Calibration) -> dict[str, Any]:
    rows = [picked(row, "low", "high", "predicted", "right", "weight") for row in fit.bins]
    brier = {"brier": fit.brier, "brier_of_the_mean": fit.brier_reference}
    return {"k": fit.k, **brier, **picked(fit, "ece", "problems"), "reliability": rows}
