"""isobudget: for what you can spend, which code model to run, how many times, and when to stop.

The names below are the public interface; they are loaded when first used, so that importing isobudget is quick. The
commands as Python functions are in `isobudget.api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isobudget.lazy import lazy_names

if TYPE_CHECKING:
    __version__: str
    from isobudget.api.tasks import solve
    from isobudget.costs.cost import SampleCost, Unit
    from isobudget.curves import Bootstrap, Comparison, Curve
    from isobudget.errors import IsobudgetError
    from isobudget.judge import Judge, Limits, Outcome, Verdict
    from isobudget.models import Architecture
    from isobudget.policies import Schedule, Stepper
    from isobudget.problems import load_benchmark
    from isobudget.problems.problem import Benchmark, Problem
    from isobudget.records import Run, load_run
    from isobudget.report.tables.sentence import winner_sentence
    from isobudget.rewards import reward
    from isobudget.solving.plan import Plan
    from isobudget.statistics.pass_at_k import expected_draws, pass_at_k, pass_curve
    from isobudget.statistics.rank_score import SampleScores, rank_score_at_k, rank_score_curve
    from isobudget.study import Study, load_study
    from isobudget.tasks.solution import Solution

_HOME = {
    "Architecture": "models",
    "Benchmark": "problems.problem",
    "Bootstrap": "curves",
    "Comparison": "curves",
    "Curve": "curves",
    "IsobudgetError": "errors",
    "Judge": "judge",
    "Limits": "judge",
    "Outcome": "judge",
    "Plan": "solving.plan",
    "Problem": "problems.problem",
    "Run": "records",
    "SampleCost": "costs.cost",
    "SampleScores": "statistics.rank_score",
    "Schedule": "policies",
    "Solution": "tasks.solution",
    "Stepper": "policies",
    "Study": "study",
    "Unit": "costs.cost",
    "Verdict": "judge",
    "expected_draws": "statistics.pass_at_k",
    "load_benchmark": "problems",
    "load_run": "records",
    "load_study": "study",
    "pass_at_k": "statistics.pass_at_k",
    "pass_curve": "statistics.pass_at_k",
    "rank_score_at_k": "statistics.rank_score",
    "rank_score_curve": "statistics.rank_score",
    "reward": "rewards",
    "solve": "api.tasks",
    "winner_sentence": "report.tables.sentence",
}

__all__ = [
    "Architecture",
    "Benchmark",
    "Bootstrap",
    "Comparison",
    "Curve",
    "IsobudgetError",
    "Judge",
    "Limits",
    "Outcome",
    "Plan",
    "Problem",
    "Run",
    "SampleCost",
    "SampleScores",
    "Schedule",
    "Solution",
    "Stepper",
    "Study",
    "Unit",
    "Verdict",
    "expected_draws",
    "load_benchmark",
    "load_run",
    "load_study",
    "pass_at_k",
    "pass_curve",
    "rank_score_at_k",
    "rank_score_curve",
    "reward",
    "solve",
    "winner_sentence",
]


_load = lazy_names(__name__, _HOME)


def __getattr__(name: str) -> Any:
    """Load a public name, or look up the version, when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("isobudget")
    return _load(name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
