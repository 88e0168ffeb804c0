"""Two models at two numbers of samples on the same problems: the call behind `isobudget compare`.

Each side is a model with k samples (`7b@5`), or the same model in two runs. The difference of success is paired by
problem. Its interval comes from the paired bootstrap, and its p-value from a sign-flip test: if the models do not
differ, each problem's difference is as likely with the opposite sign. The test is exact if at most 14 problems differ;
otherwise it uses 20,000 random flips, and the observed signs count as one more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.compare import chosen_benchmarks
from isobudget.analysis.compare_run import price_samples
from isobudget.analysis.load_samples import ModelSamples, load_samples
from isobudget.analysis.prices import price_counts
from isobudget.analysis.source_counts import counts_of
from isobudget.costs.charges import NOTHING
from isobudget.costs.choose_unit import units_of_costs
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile
from isobudget.costs.one_line import require_models
from isobudget.curves import Bootstrap, common_tasks
from isobudget.errors import InputError
from isobudget.files.hints import did_you_mean, meant
from isobudget.grid import counted, listed
from isobudget.importers.counts import ModelCounts, group_counts
from isobudget.importers.names import UNNAMED, file_models
from isobudget.importers.read import read_results, split_sources
from isobudget.records.run import Run
from isobudget.results import Shown
from isobudget.statistics.intervals import bootstrap_curve, bootstrap_difference
from isobudget.statistics.pass_at_k import pass_at_k, why_undefined
from isobudget.statistics.power import Power, paired_power, sampling_variance

Floats = NDArray[np.float64]

_LABEL = re.compile(r"(.+)@(\d{1,9})")
_EXACT_PROBLEMS, _FLIPS = 14, 20_000


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: a model with k samples.

    Attributes:
        label: such as ``codellama-7b@5``.
        k: samples of each problem.
        success, low, high: mean over problems of pass@k with its interval, in [0, 1].
        costs: cost of k samples of a problem, by unit, for the units that have a price.
        prices: cost of one sample with its source, by unit.
    """

    label: str
    k: int
    success: float
    low: float
    high: float
    costs: dict[Unit, float]
    prices: Mapping[Unit, SampleCost] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compared(Shown):
    """Two sides on one benchmark.

    Attributes:
        benchmark: name of the benchmark, empty if not stated.
        problems: number of problems for which both sides have samples.
        one, other: the sides.
        difference: success of `one` minus success of `other`.
        low, high: paired interval of the difference.
        p_value: two-sided p-value of no difference.
        power: what such a comparison can detect.
        notes: what was left out.
    """

    benchmark: str
    problems: int
    one: Side
    other: Side
    difference: float
    low: float
    high: float
    p_value: float
    power: Power
    notes: tuple[str, ...]

    @property
    def clear(self) -> bool:
        """Whether the interval of the difference excludes 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, eq=False)
class _Recorded:
    """A model's counts, where they come from, and a function for its price in a unit."""

    counts: ModelCounts
    source: str
    price: Callable[[Unit], SampleCost] = field(repr=False)


def compare_two(
    arguments: str | Path | Sequence[str | Path],
    *,
    k: int = 1,
    benchmark: str | None = None,
    costs: CostsFile | str | None = None,
    from_: str | None = None,
    bootstrap: Bootstrap | None = None,
) -> list[Compared]:
    """Compare two models on the same problems.

    Name both (``SOURCE... NAME@K NAME@K``), or give two sources of the same models, or one source with two models.
    Models that are not named with K are compared at `k` samples.

    Raises:
        InputError: the arguments have none of these forms; a source, a model or k is wrong; or the two models have
            fewer than two problems in common.
        RunError: a folder is not a run, or nothing in it is judged.
    """
    bootstrap = bootstrap or Bootstrap()
    arguments = [arguments] if isinstance(arguments, str | Path) else list(arguments)
    labels = [str(one) for one in arguments if _LABEL.fullmatch(str(one)) and not Path(one).exists()]
    sources = [one for one in arguments if str(one) not in labels]
    if len(labels) == 2 and sources:
        known, notes = _recorded(sources, costs, from_)
        pairs = [
            (_side(one, labels[0]), _side(one, labels[1])) for one in _by_benchmark(known, benchmark, sources).values()
        ]
        if any((one[0], one[1]) == (other[0], other[1]) for one, other in pairs):
            raise InputError(
                f"{labels[0]} and {labels[1]} are the same model and number of samples; name two that differ"
            )
    elif not labels and len(sources) == 2:
        before, notes = _recorded(sources[:1], costs, from_)
        after, more = _recorded(sources[1:], costs, from_)
        pairs, notes = _same_models(before, after, k, benchmark, sources), [*notes, *more]
        known = [*before, *after]
    elif not labels and len(sources) == 1:
        known, notes = _recorded(sources, costs, from_)
        pairs = [_only_two(own, k, sources[0]) for own in _by_benchmark(known, benchmark, sources).values()]
    else:
        raise InputError(
            "name sources and two models with their samples (SOURCE 7b@5 34b@1), or two sources of the same models, or "
            "one source with two models"
        )
    require_models(costs, [name for one in known for name in one.counts.priced_as])
    return [_compared(*pair, notes, units_of_costs(costs), bootstrap) for pair in pairs]


def _recorded(
    sources: Sequence[Any], costs: CostsFile | str | None, from_: str | None
) -> tuple[list[_Recorded], list[str]]:
    runs, files = split_sources(sources)
    entries: list[_Recorded] = []
    for path, name in zip(runs, file_models(runs), strict=True):
        loaded = load_samples(path)
        for own, models in loaded.models.items():
            entries += [
                _Recorded(counts_of(own, samples), name, partial(_of_run, loaded.run, samples, costs))
                for samples in models
            ]
    if not files:
        return entries, []
    imported = read_results(files, from_)
    name = file_models([taken.path for taken in imported.taken])[0]
    groups = group_counts(imported.all_rows()).values()
    entries += [_Recorded(counts, name, partial(_of_counts, counts, costs)) for counts in groups]
    return entries, imported.messages()


def _of_run(run: Run, samples: ModelSamples, costs: CostsFile | str | None, unit: Unit) -> SampleCost:
    return price_samples(run, samples, unit, costs, NOTHING)[0]


def _of_counts(counts: ModelCounts, costs: CostsFile | str | None, unit: Unit) -> SampleCost:
    return price_counts(counts, unit, costs)


def _by_benchmark(
    entries: Sequence[_Recorded], benchmark: str | None, sources: Sequence[Any]
) -> dict[str, list[_Recorded]]:
    names = list(dict.fromkeys(one.counts.benchmark for one in entries))
    chosen = chosen_benchmarks(benchmark, names, ", ".join(map(str, sources)))
    return {name: [one for one in entries if one.counts.benchmark == name] for name in chosen}


def _side(entries: Sequence[_Recorded], label: str) -> tuple[_Recorded, int, str]:
    """The model that a label means: the one of that name, or the only one whose name contains it."""
    match = _LABEL.fullmatch(label)
    assert match is not None
    name, k = match[1], int(match[2])
    known = [one.counts.name for one in entries]
    fits = [one for one in entries if one.counts.name in meant(name, known)]
    if len(fits) != 1 or k < 1:
        what = "the names of several models contain it" if len(fits) > 1 else "no such model"
        what = "k must be at least 1" if k < 1 else what
        raise InputError(f"{label}: {what}.{did_you_mean(name, known)} There are: {', '.join(known)}")
    return fits[0], k, f"{fits[0].counts.name}@{k}"


def _only_two(
    entries: Sequence[_Recorded], k: int, source: Any
) -> tuple[tuple[_Recorded, int, str], tuple[_Recorded, int, str]]:
    """The two models of one source."""
    names = [one.counts.name for one in entries]
    if len(entries) != 2:
        raise InputError(f"{source} has {len(names)} models ({', '.join(names)}); name two with samples, as 7b@5 34b@1")
    one, other = ((entry, k, f"{entry.counts.name}@{k}") for entry in entries)
    return one, other


def _same_models(
    before: Sequence[_Recorded], after: Sequence[_Recorded], k: int, benchmark: str | None, sources: Sequence[Any]
) -> list[tuple[tuple[_Recorded, int, str], tuple[_Recorded, int, str]]]:
    named = _benchmark_of(before, after)
    firsts = {(named(one), one.counts.name): one for one in before}
    entries = ((firsts.get((named(one), one.counts.name)), one) for one in after)
    common = [(first, one) for first, one in entries if first is not None]
    if not common and len(before) == len(after) == 1 and before[0].counts.benchmark == after[0].counts.benchmark:
        common = [(before[0], after[0])]  # files that are called otherwise hold one model each
    chosen = [pair for pair in common if benchmark in (None, pair[0].counts.benchmark)]
    if not chosen:
        held = "; ".join(f"{source} has {_held(one)}" for source, one in zip(sources, (before, after), strict=True))
        raise InputError(
            f"{' and '.join(map(str, sources))} have no model and benchmark in common: {held}. Give the models the "
            "same names (fields 'model' and 'benchmark'), or name two models of one benchmark, such as 7b@5 34b@1"
        )
    return [
        ((one, k, f"{one.counts.name}@{k} ({sources[0]})"), (other, k, f"{other.counts.name}@{k} ({sources[1]})"))
        for one, other in chosen
    ]


def _benchmark_of(before: Sequence[_Recorded], after: Sequence[_Recorded]) -> Callable[[_Recorded], str]:
    """A function that returns an entry's benchmark.

    If each source has a single benchmark, and one of these is unnamed, both count as the same.
    """
    first, second = ({one.counts.benchmark for one in side} for side in (before, after))
    alike = len(first) == len(second) == 1 and not {"", UNNAMED}.isdisjoint(first | second)
    return lambda one: "" if alike else one.counts.benchmark


def _held(entries: Sequence[_Recorded]) -> str:
    """Models by benchmark, as a message lists them."""
    models: dict[str, list[str]] = {}
    for one in entries:
        models.setdefault(one.counts.benchmark or "no benchmark named", []).append(one.counts.name)
    return ", ".join(f"{listed(names)} ({benchmark})" for benchmark, names in models.items())


def _compared(
    one: tuple[_Recorded, int, str],
    other: tuple[_Recorded, int, str],
    notes: Sequence[str],
    asked: Sequence[Unit],
    bootstrap: Bootstrap,
) -> Compared:
    tasks = common_tasks([one[0].counts.task_ids, other[0].counts.task_ids])
    if len(tasks) < 2:
        raise InputError(f"{one[2]} and {other[2]} have {counted(len(tasks), 'problem')} in common; two are needed")
    most = max(len(one[0].counts.task_ids), len(other[0].counts.task_ids))
    further_notes = [f"compared on the {len(tasks):,} problems that both have samples for, of {most:,}"] * (
        len(tasks) < most
    )
    (first, noise), (second, more) = (_success(side, tasks) for side in (one, other))
    weights = bootstrap.weights(len(tasks))
    low, high = bootstrap_difference(first[:, None], second[:, None], weights, bootstrap.level)
    difference = first - second
    (prices, reasons), (other_prices, more_reasons) = _prices(one[0]), _prices(other[0])
    further_notes += _not_priced(prices.keys() & other_prices.keys(), more_reasons | reasons, asked)
    return Compared(
        one[0].counts.benchmark,
        len(tasks),
        _shown(one, first, prices, weights, bootstrap.level),
        _shown(other, second, other_prices, weights, bootstrap.level),
        float(difference.mean()),
        float(low[0]),
        float(high[0]),
        sign_flip_p_value(difference, bootstrap.seed),
        paired_power(difference, noise + more, bootstrap.level),
        (*notes, *further_notes),
    )


def _prices(recorded: _Recorded) -> tuple[dict[Unit, SampleCost], dict[Unit, str]]:
    """The cost of a sample in each unit that has a price, and the reason why the others have none."""
    prices, reasons = {}, {}
    for unit in Unit:
        try:
            prices[unit] = recorded.price(unit)
        except InputError as error:
            reasons[unit] = str(error)
    return prices, reasons


def _not_priced(priced: Set[Unit], reasons: Mapping[Unit, str], asked: Sequence[Unit]) -> list[str]:
    """Why there are no prices in the units of the costs; without such units, why there are none in flops."""
    units = asked or ([] if priced else [Unit.FLOPS])
    return [f"no prices in {unit}: {reasons[unit]}" for unit in units if unit not in priced]


def _success(side: tuple[_Recorded, int, str], tasks: Sequence[str]) -> tuple[Floats, Floats]:
    """pass@k of each problem, and its variance over samples (NaN if a problem has fewer than 2k samples)."""
    recorded, k, label = side
    counts = recorded.counts.select(tasks)
    if why := why_undefined(counts.n, k):
        raise InputError(f"{label}: {why}")
    success = np.asarray(pass_at_k(counts.n, counts.c, k), dtype=np.float64)
    if int(counts.n.min()) < 2 * k:
        return success, np.full(len(tasks), math.nan)
    return success, sampling_variance(1.0 - success, 1.0 - np.asarray(pass_at_k(counts.n, counts.c, 2 * k)))


def _shown(
    side: tuple[_Recorded, int, str], success: Floats, prices: Mapping[Unit, SampleCost], weights: Any, level: float
) -> Side:
    _, k, label = side
    low, high = bootstrap_curve(success[:, None], weights, level)
    costs = {unit: price.cost(k) for unit, price in prices.items()}
    return Side(label, k, float(success.mean()), float(low[0]), float(high[0]), costs, prices)


def sign_flip_p_value(difference: Floats, seed: int = 0) -> float:
    """Two-sided p-value of a mean of 0 by flipping signs of paired differences, shape (problems,); 1 if all are 0."""
    values = difference[difference != 0]
    if not len(values):
        return 1.0
    seen = abs(values.sum()) - 1e-12
    if len(values) <= _EXACT_PROBLEMS:
        signs = 1 - 2 * ((np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1)
        return float((np.abs(signs @ values) >= seen).mean())
    rng = np.random.default_rng(seed)
    more = 0
    for _ in range(20):
        signs = rng.integers(0, 2, size=(_FLIPS // 20, len(values))) * 2 - 1
        more += int((np.abs(signs @ values) >= seen).sum())
    return (more + 1) / (_FLIPS + 1)
