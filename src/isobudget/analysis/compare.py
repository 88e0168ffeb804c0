"""Makes comparisons at equal budget from run folders and files of results: the call behind `isobudget curves`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from isobudget.analysis.compare_run import price_samples, run_comparison
from isobudget.analysis.judged import benchmarks_of
from isobudget.analysis.load_samples import LoadedRun, load_samples
from isobudget.analysis.prices import PAPER
from isobudget.analysis.recorded_counts import recorded_counts
from isobudget.costs.budget import Written
from isobudget.costs.charges import NOTHING, charge_notes, parse_charges
from isobudget.costs.choose_unit import Budgets, in_chosen_unit, passed_over
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile, read_costs
from isobudget.curves import FIXED, LIKELIHOOD, TESTS, Bootstrap, Comparison, common_counts, compare_counts
from isobudget.curves.stopping import parse_stop
from isobudget.errors import InputError
from isobudget.importers.counts import ModelCounts
from isobudget.importers.names import UNNAMED
from isobudget.importers.read import sources_shown, split_sources
from isobudget.records.run import load_run


def curves(
    source: Any,
    unit: Unit | None = None,
    *,
    from_: str | None = None,
    costs: CostsFile | str | None = None,
    budgets: Budgets = None,
    benchmark: str | None = None,
    selection: str = TESTS,
    stop: str = FIXED,
    charge: Sequence[str] = (),
    ranker: str | None = None,
    share_prompt: bool | None = None,
    extrapolate: int | None = None,
    bootstrap: Bootstrap | None = None,
) -> list[Comparison]:
    """Success against budget of every model, one comparison per benchmark.

    Arguments and errors are those of `isobudget.curves`, with `select` as `selection` and `ranker_architecture` as
    `ranker`; `bootstrap` says how intervals are computed. Without a `unit`, one is chosen, see `costs.choose_unit`.
    """
    runs, others = split_sources(source)
    shown = sources_shown(source)
    table = read_costs(costs) if isinstance(costs, str) and costs != PAPER else costs
    charges = parse_charges(charge, ranker, share_prompt)
    _check_choices(selection, parse_stop(stop), extrapolate)
    bootstrap = bootstrap or Bootstrap()
    if len(runs) == 1 and not others:
        run = load_run(runs[0])
        names = chosen_benchmarks(benchmark, benchmarks_of(run), shown)
        loaded = load_samples(run, names)
        asked, unit = unit, _unit_of_run(loaded, unit, budgets, table)
        how = _How(stop, extrapolate, Written(budgets, unit), bootstrap)
        one_run = partial(run_comparison, loaded, unit=unit, selection=selection, costs=table)
        made = [one_run(name, charges=charges, **how._asdict()) for name in names]
        return _with_notes(made, passed_over(asked, budgets, unit, table))
    if selection == LIKELIHOOD:
        raise InputError(f"{shown} has no likelihoods to choose by; --select likelihood needs a single run folder")
    models, prices, notes = recorded_counts(runs, others, unit, table, charges, from_, budgets)
    asked, unit = unit, next(iter(prices.values())).unit
    how = _How(stop, extrapolate, Written(budgets, unit), bootstrap)
    names = chosen_benchmarks(benchmark, list(dict.fromkeys(one.benchmark for one in models)), shown)
    charged = charge_notes(charges, by_tests=True)
    made = [
        _compare_counted([one for one in models if one.benchmark == name], prices, how, notes, charged)
        for name in names
    ]
    return _with_notes(made, passed_over(asked, budgets, unit, table))


def _with_notes(comparisons: Sequence[Comparison], notes: Sequence[str]) -> list[Comparison]:
    return [replace(one, notes=(*one.notes, *notes)) for one in comparisons]


def _unit_of_run(loaded: LoadedRun, unit: Unit | None, budgets: Budgets, costs: CostsFile | str | None) -> Unit:
    """The unit to compare in: as stated, or chosen by the budgets and what the run and the costs price."""

    def priced(tried: Unit) -> None:
        for models in loaded.models.values():
            for samples in models if unit is None else ():
                price_samples(loaded.run, samples, tried, costs, NOTHING)

    return in_chosen_unit(unit, budgets, costs, priced)[0]


class _How(NamedTuple):
    """How models are compared, whatever the source."""

    stop: str
    extrapolate: int | None
    budgets: Written
    bootstrap: Bootstrap


def _compare_counted(
    models: list[ModelCounts],
    prices: Mapping[tuple[str, str], SampleCost],
    how: _How,
    notes: Sequence[str],
    charged: Sequence[str],
) -> Comparison:
    """The comparison of one benchmark's models by their counts, with notes on the counts and on what is charged."""
    own, more = common_counts(models)
    priced = {one.name: prices[one.benchmark, one.name] for one in own}
    return compare_counts(
        own,
        priced,
        budgets=how.budgets,
        bootstrap=how.bootstrap,
        notes=(*notes, *more, *charged),
        stop=how.stop,
        extrapolate=how.extrapolate,
    )


def _check_choices(selection: str, stop: str, extrapolate: int | None) -> None:
    if selection not in (TESTS, LIKELIHOOD):
        raise InputError(f"unknown selection {selection!r}; a sample is chosen by {TESTS} or {LIKELIHOOD}")
    if selection != TESTS and stop != FIXED:
        raise InputError(
            f"only tests can tell when to stop; --stop {stop} cannot be combined with --select {selection}"
        )
    if extrapolate is not None and (selection != TESTS or stop != FIXED):
        raise InputError(
            "--extrapolate guesses pass@k at the cost of k samples; "
            f"it cannot be combined with --select {LIKELIHOOD} or --stop {stop if stop != FIXED else 'first-pass'}"
        )
    if extrapolate is not None and not 1 <= extrapolate < 2**31:
        raise InputError(f"--extrapolate takes the largest k, 1 or more, not {extrapolate}")


def chosen_benchmarks(benchmark: str | None, names: list[str], source: Path | str) -> list[str]:
    """The requested benchmark, or all.

    Raises:
        InputError: the source has no benchmark of that name.
    """
    if benchmark is None:
        return names
    if benchmark == UNNAMED and "" in names:
        return [""]
    if benchmark not in names:
        known = ", ".join(name or UNNAMED for name in names)
        raise InputError(f"{source} has no benchmark {benchmark!r}; it has: {known}")
    return [benchmark]
