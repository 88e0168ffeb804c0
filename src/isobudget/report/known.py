"""What is known of a run of which nothing can be compared yet: how much is judged, success by samples, and the reason.

There is no comparison before the first verdict, and none where nothing says what a sample costs.
"""

from __future__ import annotations

from dataclasses import dataclass

from isobudget.analysis.load_samples import LoadedRun, load_samples
from isobudget.analysis.passk import PassAtK, passk
from isobudget.analysis.source_counts import counts_of
from isobudget.errors import InputError
from isobudget.records.run import Run

#: the numbers of samples that success is shown at, as far as a problem has that many samples
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to show without a comparison.

    Attributes:
        why: why there is none, and what to do.
        models, benchmarks: how many the run states.
        judged: samples that have a verdict, greedy outputs too.
        success: by benchmark, pass@k of each model that has judged samples.
    """

    why: str
    models: int
    benchmarks: int
    judged: int
    success: dict[str, tuple[PassAtK, ...]]


def known_of(run: Run, error: Exception) -> Known:
    """What is known of a run whose comparison failed with `error`.

    Raises:
        RunError: a part is damaged, which is no lack of verdicts or prices.
    """
    loaded = load_samples(run)
    why = str(error)
    if isinstance(error, InputError):
        needs = "No comparison at equal budget, which takes a price of every model's samples"
        why = f"{needs}: isobudget report {run.path} --costs FILE ({why})"
    judged = sum(row.judged for rows in loaded.counts.values() for row in rows)
    success = {name: rows for name in loaded.models if (rows := _success(loaded, name))}
    return Known(why, len(run.facts.get("models", {})), len(loaded.models), judged, success)


def _success(loaded: LoadedRun, benchmark: str) -> tuple[PassAtK, ...]:
    groups = [counts_of("", one) for one in loaded.models[benchmark]]
    most = max((int(one.n.max()) for one in groups), default=0)
    return tuple(passk(groups, [size for size in _SIZES if size <= most]))
