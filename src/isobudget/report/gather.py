"""Everything that the report of a run shows, read from the run once: comparisons, greedy outputs, verdict counts.

A unit that the run does not record for every model is left out with a note, and so is the choice by likelihood where no
log-probabilities are known. Greedy outputs stand beside the curves (the stars of the paper's figures) only where every
compared problem has one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.compare_run import ModelSamples, architecture_of, model_samples, run_comparison
from isobudget.costs.cost import Unit
from isobudget.costs.seconds import measured_seconds
from isobudget.costs.usage import TokenUse, flops_cost, tokens_cost
from isobudget.curves import LIKELIHOOD, TESTS, Bootstrap, Comparison
from isobudget.errors import InputError
from isobudget.judge.verdict import Outcome, Trust
from isobudget.records.rows import KEY_COLUMNS
from isobudget.statistics.intervals import bootstrap_curve

if TYPE_CHECKING:
    import pyarrow as pa

    from isobudget.records.run import Run


@dataclass(frozen=True, slots=True, eq=False)
class Greedy:
    """One model's greedy outputs, one for each compared problem.

    Attributes:
        passed: shape (problems,), in the order of the comparison.
        success, low, high: mean over problems with its interval, in [0, 1].
        cost: what one of them costs on average, by unit.
    """

    passed: NDArray[np.bool_]
    success: float
    low: float
    high: float
    cost: dict[Unit, float]


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """What became of one model's samples on one benchmark, greedy outputs included.

    Attributes:
        model: its name.
        samples, judged: recorded samples, and how many of them have a verdict.
        outcomes: verdicts by outcome.
        cut_off: samples that ended at the token limit.
        shared: verdicts whose sample could have reached its tests.
    """

    model: str
    samples: int
    judged: int
    outcomes: dict[Outcome, int]
    cut_off: int
    shared: int


@dataclass(frozen=True, slots=True, eq=False)
class BenchmarkSummary:
    """One benchmark of a run.

    Attributes:
        name: the benchmark.
        by_tests, by_likelihood: comparisons by unit; the second is empty where no likelihood is known.
        samples: the judged samples, one entry a model.
        greedy: by model; a model without all greedy outputs is not there.
        verdicts: one entry a model.
        notes: what was left out, and why.
    """

    name: str
    by_tests: dict[Unit, Comparison]
    by_likelihood: dict[Unit, Comparison]
    samples: tuple[ModelSamples, ...]
    greedy: dict[str, Greedy]
    verdicts: tuple[VerdictCounts, ...]
    notes: tuple[str, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that there are comparisons in; at least one."""
        return tuple(self.by_tests)

    @property
    def first(self) -> Comparison:
        """The comparison in the first unit; it stands for what does not depend on the unit."""
        return self.by_tests[self.units[0]]


def summarize(run: Run, benchmark: str, units: Sequence[Unit], bootstrap: Bootstrap | None = None) -> BenchmarkSummary:
    """Gather what there is to show of one benchmark.

    Raises:
        RunError: nothing of it is judged.
        InputError: the run records none of the units for all models.
    """
    bootstrap = bootstrap or Bootstrap()
    samples = tuple(model_samples(run, benchmark))
    by_tests, notes = _in_units(run, benchmark, units, TESTS, bootstrap)
    by_likelihood: dict[Unit, Comparison] = {}
    if all(_knows_likelihood(one) for one in samples):
        by_likelihood, _ = _in_units(run, benchmark, tuple(by_tests), LIKELIHOOD, bootstrap)
    else:
        notes.append("Samples without log-probabilities: choosing by likelihood is left out.")
    greedy, missing = _greedy(run, next(iter(by_tests.values())), tuple(by_tests))
    if greedy:
        notes += [f"{model} has no greedy output for some problems: it has no star." for model in missing]
    verdicts = verdict_counts(run, benchmark)
    notes += _comparison_notes(by_tests)
    return BenchmarkSummary(benchmark, by_tests, by_likelihood, samples, greedy, verdicts, tuple(notes))


def _in_units(
    run: Run, benchmark: str, units: Sequence[Unit], selection: str, bootstrap: Bootstrap
) -> tuple[dict[Unit, Comparison], list[str]]:
    found, notes, last = {}, [], None
    for unit in units:
        try:
            found[unit] = run_comparison(run, benchmark, unit, selection=selection, bootstrap=bootstrap)
        except InputError as error:
            last = error
            notes.append(f"No comparison in {unit}: {error}.")
    if not found:
        raise last or InputError("name at least one unit to compare in")
    return found, notes


def _comparison_notes(comparisons: dict[Unit, Comparison]) -> list[str]:
    notes = [note for comparison in comparisons.values() for note in comparison.notes]
    return [f"{note[0].upper()}{note[1:].rstrip('.')}." for note in dict.fromkeys(notes)]


def _knows_likelihood(samples: ModelSamples) -> bool:
    return any(np.isfinite(problem.mean_logprob).any() for problem in samples.problems)


# greedy outputs -------------------------------------------------------------------------------------------------------


def _greedy(run: Run, comparison: Comparison, units: Sequence[Unit]) -> tuple[dict[str, Greedy], list[str]]:
    """Greedy outputs by model, and the models that lack some."""
    task_ids = comparison.curves[0].task_ids
    rows = _greedy_rows(run, comparison.benchmark)
    weights = comparison.bootstrap.weights(len(task_ids))
    found, missing = {}, []
    for model in (curve.model for curve in comparison.curves):
        of_model = [rows.get((model, task_id)) for task_id in task_ids]
        known = [row for row in of_model if row is not None and row["passed"] is not None]
        if len(known) < len(task_ids):
            missing.append(model)
            continue
        passed = np.array([row["passed"] for row in known], dtype=bool)
        low, high = bootstrap_curve(passed[:, np.newaxis].astype(float), weights, comparison.bootstrap.level)
        cost = {unit: _cost_of_one(run, model, known, unit) for unit in units}
        found[model] = Greedy(passed, float(passed.mean()), float(low[0]), float(high[0]), cost)
    return found, missing


def _greedy_rows(run: Run, benchmark: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The greedy samples of a benchmark by model and problem, with `passed` None where there is no verdict."""
    columns = [*KEY_COLUMNS, "prompt_tokens", "completion_tokens", "seconds"]
    samples = _only(run.samples_table(columns), benchmark, greedy=True)
    verdicts = _only(run.verdicts_table([*KEY_COLUMNS, "passed"]), benchmark, greedy=True)
    joined = samples.join(verdicts, keys=KEY_COLUMNS, join_type="left outer")
    return {(row["model"], row["task_id"]): row for row in joined.to_pylist()}


def _only(table: pa.Table, benchmark: str, greedy: bool) -> pa.Table:
    import pyarrow.compute as pc

    return table.filter((pc.field("benchmark") == benchmark) & (pc.field("greedy") == greedy))


def _cost_of_one(run: Run, model: str, rows: Sequence[dict[str, Any]], unit: Unit) -> float:
    """What one greedy output costs, its prompt included."""
    if unit is Unit.SECONDS:
        return measured_seconds([[row["seconds"]] for row in rows], "greedy outputs").cost(1)
    use = TokenUse.of(
        [row["prompt_tokens"] for row in rows], [[row["completion_tokens"]] for row in rows], share_prompt=False
    )
    return (tokens_cost(use) if unit is Unit.TOKENS else flops_cost(architecture_of(run, model), use)).cost(1)


# verdicts -------------------------------------------------------------------------------------------------------------


def verdict_counts(run: Run, benchmark: str) -> tuple[VerdictCounts, ...]:
    """What became of the samples of a benchmark, one entry for every model that has some."""
    finished = _count(run.samples_table(["benchmark", "model", "finish_reason"]), benchmark, "finish_reason")
    outcomes = _count(run.verdicts_table(["benchmark", "model", "outcome"]), benchmark, "outcome")
    trust = _count(run.verdicts_table(["benchmark", "model", "trust"]), benchmark, "trust")
    return tuple(
        VerdictCounts(
            model=model,
            samples=sum(finished[model].values()),
            judged=sum(outcomes[model].values()),
            outcomes={one: outcomes[model][one.value] for one in Outcome},
            cut_off=finished[model]["length"],
            shared=trust[model][Trust.SHARED.value],
        )
        for model in run.facts["models"]
        if model in finished
    )


def _count(table: pa.Table, benchmark: str, column: str) -> defaultdict[str, Counter[str]]:
    """How often each value of a column occurs, by model."""
    counted = table.group_by(["benchmark", "model", column]).aggregate([([], "count_all")])
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in counted.to_pylist():
        if row["benchmark"] == benchmark:
            found[row["model"]][row[column]] += row["count_all"]
    return found
