"""Collects what can be shown of a run that cannot be compared yet: judged samples, pass@k, and the reason.

There is no comparison before the first verdict, or if the cost of a sample is not known.
"""

from __future__ import annotations

from dataclasses import dataclass

from isobudget.analysis.load_samples import LoadedRun, load_samples
from isobudget.analysis.passk import PassAtK, passk
from isobudget.analysis.source_counts import counts_of
from isobudget.errors import InputError
from isobudget.records.run import Run

#: the k at which pass@k is shown, up to the largest number of samples of a problem
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True)
class Known:
    """What can be shown without a comparison.

    Attributes:
        why: why there is no comparison, and what to do.
        models, benchmarks: the numbers of models and benchmarks that the run states.
        judged: number of samples with a verdict, including greedy outputs.
        success: by benchmark, pass@k of each model with judged samples.
    """

    why: str
    models: int
    benchmarks: int
    judged: int
    success: dict[str, tuple[PassAtK, ...]]


def known_of(run: Run, error: Exception) -> Known:
    """Collect what can be shown of a run whose comparison failed with `error`.

    Raises:
        RunError: a part is damaged, so the failure has another cause than missing verdicts or prices.
    """
    loaded = load_samples(run)
    why = str(error)
    if isinstance(error, InputError):
        needs = "A comparison at equal budget needs a price for the samples of every model. State prices with"
        why = f"{needs}: isobudget report {run.path} --costs FILE ({why})"
    judged = sum(row.judged for rows in loaded.counts.values() for row in rows)
    success = {name: rows for name in loaded.models if (rows := _success(loaded, name))}
    return Known(why, len(run.facts.get("models", {})), len(loaded.models), judged, success)


def _success(loaded: LoadedRun, benchmark: str) -> tuple[PassAtK, ...]:
    groups = [counts_of("", one) for one in loaded.models[benchmark]]
    most = max((int(one.n.max()) for one in groups), default=0)
    return tuple(passk(groups, [size for size in _SIZES if size <= most]))
