"""Reads everything that the report of a run shows from the run, once: comparisons, greedy outputs, verdict counts.

A unit that is not recorded for every model is left out with a note. Choosing by likelihood is left out, with a note, if
a model has no log-probabilities. A model's greedy outputs (the stars of the paper's figures) are shown only if every
compared problem has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.compare import curves
from isobudget.analysis.compare_run import Greedy, greedy_outputs, run_comparison
from isobudget.analysis.load_samples import LoadedRun, ModelSamples, VerdictCounts, load_samples
from isobudget.analysis.source_counts import load_counts
from isobudget.costs.charges import NOTHING, Charges
from isobudget.costs.choose_unit import RECORDED, typed_units, units_of_costs, units_of_report
from isobudget.costs.cost import Unit
from isobudget.costs.costs_file import CostsFile
from isobudget.curves import LIKELIHOOD, TESTS, Bootstrap, Comparison
from isobudget.errors import InputError, NoPriceError
from isobudget.importers.names import UNNAMED
from isobudget.policies.choose import PlanRow
from isobudget.records.run import Run
from isobudget.report.suites import TwoSuites, two_suites

if TYPE_CHECKING:
    from isobudget.ranking.rank import BenchmarkRanking

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Numbers of judged samples (`n`) and passed samples (`c`) of one model: arrays of shape (problems,)."""

    model: str
    task_ids: tuple[str, ...]
    n: NDArray[np.int64]
    c: NDArray[np.int64]

    def only(self, task_ids: Sequence[str]) -> Tally:
        """The tally of a subset of the problems."""
        place = {task: at for at, task in enumerate(self.task_ids)}
        at = [place[task] for task in task_ids]
        return Tally(self.model, tuple(task_ids), self.n[at], self.c[at])


@dataclass(frozen=True, slots=True, eq=False)
class BenchmarkSummary:
    """Everything that a report shows about one benchmark of a run.

    Attributes:
        name: the benchmark.
        by_tests, by_likelihood: comparisons by unit, of samples chosen by tests and by likelihood; the second is empty
            if likelihoods are not known.
        samples: the judged samples, one entry per model; empty if only counts are known.
        tallies: numbers of judged and passed samples, one entry per model.
        greedy: greedy outputs by model; models that lack some are missing.
        verdicts: counts of verdicts, one entry per model.
        notes: what was left out and why, and remarks on the comparisons.
        suites: if there are two suites of tests, the samples by both, one entry per model.
        frontier: by unit, the policy to use at each budget; empty if none was learned.
        ranking: recorded success of rankers, which choose without tests; None if the run was not ranked.
    """

    name: str
    by_tests: dict[Unit, Comparison]
    by_likelihood: dict[Unit, Comparison]
    samples: tuple[ModelSamples, ...]
    tallies: tuple[Tally, ...]
    greedy: dict[str, Greedy]
    verdicts: tuple[VerdictCounts, ...]
    notes: tuple[str, ...]
    suites: tuple[TwoSuites, ...] = ()
    frontier: Mapping[Unit, tuple[PlanRow, ...]] = field(default_factory=dict)
    ranking: BenchmarkRanking | None = None

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units of the comparisons; at least one."""
        return tuple(self.by_tests)

    @property
    def first(self) -> Comparison:
        """The comparison in the first unit, used for everything that does not depend on the unit."""
        return self.by_tests[self.units[0]]


def summarize(
    run: LoadedRun | Run,
    benchmark: str,
    units: Sequence[Unit],
    bootstrap: Bootstrap | None = None,
    costs: CostsFile | str | None = None,
    charges: Charges = NOTHING,
) -> BenchmarkSummary:
    """Collect what can be shown about one benchmark that has judged samples."""
    bootstrap = bootstrap or Bootstrap()
    run = load_samples(run, [benchmark])
    samples = tuple(run.samples(benchmark))
    by_tests, notes = _in_units(run, benchmark, units, TESTS, bootstrap, costs, charges)
    by_likelihood: dict[Unit, Comparison] = {}
    if all(_knows_likelihood(one) for one in samples):
        by_likelihood, _ = _in_units(run, benchmark, tuple(by_tests), LIKELIHOOD, bootstrap, costs, charges)
    else:
        notes.append("Samples without log-probabilities: choosing by likelihood is left out.")
    first, by_model = next(iter(by_tests.values())), {one.model: one for one in samples}
    outputs = {
        curve.model: greedy_outputs(run.run, by_model[curve.model], curve.task_ids, tuple(by_tests), bootstrap)
        for curve in first.curves
    }
    greedy = {model: output for model, output in outputs.items() if output is not None}
    if greedy:
        missing = [model for model in outputs if model not in greedy]
        notes += [f"{model} has no greedy output for some problems: it has no star." for model in missing]
    notes += _comparison_notes(by_tests)
    tallies = tuple(Tally(one.model, one.task_ids, one.n, one.c) for one in samples)
    suites = two_suites(run, benchmark, first.curves[0].task_ids)
    verdicts = run.counts[benchmark]
    return BenchmarkSummary(
        benchmark, by_tests, by_likelihood, samples, tallies, greedy, verdicts, tuple(notes), suites
    )


def summarize_counts(
    sources: Sequence[Any],
    units: Sequence[Unit],
    bootstrap: Bootstrap | None = None,
    costs: CostsFile | str | None = None,
    charges: Charges = NOTHING,
    from_: str | None = None,
) -> list[BenchmarkSummary]:
    """Collect what can be shown about counts alone, one entry per benchmark."""
    counts, _ = load_counts(list(sources), from_)
    share = charges.share_prompt
    compare = partial(curves, list(sources), from_=from_, costs=costs, share_prompt=share, bootstrap=bootstrap)
    made, notes = _of_units(units, costs, compare)
    by_benchmark: dict[str, dict[Unit, Comparison]] = {}
    for unit, comparisons in made.items():
        for comparison in comparisons:
            by_benchmark.setdefault(comparison.benchmark, {})[unit] = comparison
    summaries = []
    for name, by_tests in by_benchmark.items():
        tallies = tuple(Tally(one.name, one.task_ids, one.n, one.c) for one in counts if one.benchmark == name)
        said = (*notes, *_comparison_notes(by_tests))
        summaries.append(BenchmarkSummary(name or UNNAMED, by_tests, {}, (), tallies, {}, (), said))
    return summaries


def _in_units(
    run: LoadedRun,
    benchmark: str,
    units: Sequence[Unit],
    selection: str,
    bootstrap: Bootstrap,
    costs: CostsFile | str | None,
    charges: Charges,
) -> tuple[dict[Unit, Comparison], list[str]]:
    choose = partial(run_comparison, selection=selection, costs=costs, charges=charges, bootstrap=bootstrap)
    return _of_units(units, costs, partial(choose, run, benchmark))


def _of_units(
    units: Sequence[Unit], costs: CostsFile | str | None, made: Callable[[Unit], Made]
) -> tuple[dict[Unit, Made], list[str]]:
    """The results of `made` by unit, and a note for each unit without a result.

    If `units` is empty, the units of the costs are used.

    Raises:
        InputError: no unit has a result; or `units` is empty, and a unit that options state has no result, or the costs
            state an invalid price in a unit.
    """
    results: dict[Unit, Made] = {}
    why: dict[Unit, InputError] = {}
    stated, suggested = units_of_costs(costs), () if units else units_of_report(costs)
    for unit in dict.fromkeys((*units, *suggested, *(RECORDED if suggested else ()))):
        if results and unit not in (*units, *suggested):
            break
        try:
            results[unit] = made(unit)
        except InputError as error:
            if suggested and (unit in typed_units(costs) or (unit in stated and not isinstance(error, NoPriceError))):
                raise
            why[unit] = error
    if not results:
        first = next((unit for unit in stated if suggested and unit in why), next(iter(why)))
        raise why[first if suggested else units[-1]]
    return results, [f"No comparison in {unit}: {error}." for unit, error in why.items()]


def _comparison_notes(comparisons: dict[Unit, Comparison]) -> list[str]:
    notes = [note for comparison in comparisons.values() for note in comparison.notes]
    return [f"{note[0].upper()}{note[1:].rstrip('.')}." for note in dict.fromkeys(notes)]


def _knows_likelihood(samples: ModelSamples) -> bool:
    return any(np.isfinite(problem.mean_logprob).any() for problem in samples.problems)
