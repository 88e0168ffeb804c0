"""The JSON of `isobudget rank`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isobudget.grid import json_value, picked
from isobudget.rankers.calibration import Calibration

if TYPE_CHECKING:
    from isobudget.ranking.measure import Ranked, RankedModel
    from isobudget.ranking.rank import BenchmarkRanking


def ranking_json(ranking: BenchmarkRanking) -> dict[str, Any]:
    """The whole ranking as plain values; success in [0, 1]."""
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
        "left_out": samples.left_out.unjudged,
        "greedy": picked(greedy, "success", "low", "high") | {"cost": {} if greedy is None else greedy.cost},
        "unpriced": samples.unpriced,
        "rankers": [_ranked_json(one) for one in model.ranked],
    }


def _ranked_json(ranked: Ranked) -> dict[str, Any]:
    amounts = {str(unit): picked(one, "per_problem", "per_sample") for unit, one in ranked.cost.amounts.items()}
    return {
        **picked(ranked, "ranker", "exact"),
        "k": list(range(1, ranked.k_max + 1)),
        **picked(ranked, "success", "low", "high"),
        "monte_carlo_error": ranked.monte_carlo,
        "cost": {
            str(unit): {
                "free": curve.cost,
                "charged": ranked.charged[unit].cost if unit in ranked.charged else None,
                "source": ranked.charged.get(unit, curve).price.source,
            }
            for unit, curve in ranked.free.items()
        },
        "scoring": {"source": ranked.cost.source, "amounts": amounts},
        "auc": None if ranked.auc is None else picked(ranked.auc, "value", "low", "high", "problems"),
        "calibration": None if ranked.calibration is None else _calibration_json(ranked.calibration),
        "no_score": ranked.undefined,
        **picked(ranked, "set_aside", "notes"),
    }


def _calibration_json(fit: Calibration) -> dict[str, Any]:
    rows = [picked(row, "low", "high", "predicted", "right", "weight") for row in fit.bins]
    brier = {"brier": fit.brier, "brier_of_the_mean": fit.brier_reference}
    return {"k": fit.k, **brier, **picked(fit, "ece", "problems"), "reliability": rows}
