"""From a run's samples and verdicts to curves: what each model solves at each budget.

Samples without a verdict are left out and counted. Greedy outputs are no draws: they stand beside the curves as single
points (the star of the paper's figures).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.base import FinishReason
from isobudget.costs.architecture import Architecture
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.seconds import measured_seconds
from isobudget.costs.usage import TokenUse, flops_cost, tokens_cost
from isobudget.curves.compare import Comparison, compare
from isobudget.curves.curve import LIKELIHOOD, TESTS, Bootstrap, Curve, curve_from_matrix
from isobudget.errors import InputError, RunError
from isobudget.estimators import failure_curve
from isobudget.rankscore import SampleScores, rank_score_curves
from isobudget.records.rows import KEY_COLUMNS
from isobudget.records.run import Run, load_run

#: units that a run can be priced in from what it records
RUN_UNITS = (Unit.FLOPS, Unit.SECONDS, Unit.TOKENS)

_SAMPLE_COLUMNS = [
    *KEY_COLUMNS,
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "mean_logprob",
    "seconds",
]


@dataclass(frozen=True, slots=True, eq=False)
class ProblemSamples:
    """The judged samples of one problem by one model, in the order of their index; all arrays have shape (n,)."""

    passed: NDArray[np.bool_]
    prompt_tokens: int
    completion_tokens: NDArray[np.int64]
    mean_logprob: NDArray[np.float64]
    cut_off: NDArray[np.bool_]
    seconds: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ModelSamples:
    """The judged samples of one benchmark by one model.

    Attributes:
        model: its name.
        task_ids: the problems with at least one judged sample, in the run's order.
        problems: their samples, in the same order.
        greedy_passed: share of problems whose greedy output passed; NaN if none was drawn.
        unjudged: samples that have no verdict.
    """

    model: str
    task_ids: tuple[str, ...]
    problems: tuple[ProblemSamples, ...]
    greedy_passed: float
    unjudged: int

    @property
    def n(self) -> NDArray[np.int64]:
        """Judged samples of each problem."""
        return np.array([len(problem.passed) for problem in self.problems], dtype=np.int64)

    @property
    def c(self) -> NDArray[np.int64]:
        """Passed samples of each problem."""
        return np.array([int(problem.passed.sum()) for problem in self.problems], dtype=np.int64)

    def only(self, task_ids: tuple[str, ...]) -> ModelSamples:
        """The same for fewer problems."""
        chosen = dict(zip(self.task_ids, self.problems, strict=True))
        problems = tuple(chosen[task_id] for task_id in task_ids)
        return ModelSamples(self.model, task_ids, problems, self.greedy_passed, self.unjudged)


def benchmarks_of(run: Run) -> list[str]:
    """The names of the benchmarks that the run states."""
    return list(run.facts.get("benchmarks", {}))


def model_samples(run: Run, benchmark: str) -> list[ModelSamples]:
    """The judged samples of a benchmark, one entry a model, in the run's order of models.

    Raises:
        RunError: the run has no such benchmark, or no judged samples of it.
    """
    if benchmark not in benchmarks_of(run):
        known = ", ".join(benchmarks_of(run)) or "none"
        raise RunError(f"{run.path}: no benchmark {benchmark!r} in this run; it has: {known}")
    order = [task_id for name, task_id in run.problems() if name == benchmark]
    rows = _joined_rows(run, benchmark)
    models = [_of_one_model(name, rows[name], order) for name in run.facts["models"] if name in rows]
    models = [one for one in models if one.task_ids]
    if not models:
        raise RunError(f"{run.path}: no judged samples of {benchmark}; judge them with: isobudget judge {run.path}")
    return models


def sample_cost(run: Run, samples: ModelSamples, unit: Unit, *, share_prompt: bool = True) -> SampleCost:
    """What a sample of this model cost in this run.

    Flops follow from the model's architecture and each sample's own token counts; seconds are measured.

    Raises:
        InputError: the run does not record that unit.
    """
    if unit is Unit.SECONDS:
        facts = run.facts["models"][samples.model]
        source = f"{facts['engine']}, {run.facts['machine']['processor']}"
        return measured_seconds([problem.seconds.tolist() for problem in samples.problems], source)
    use = TokenUse.of(
        [problem.prompt_tokens for problem in samples.problems],
        [problem.completion_tokens.tolist() for problem in samples.problems],
        share_prompt=share_prompt,
        label="this run's token counts",
    )
    if unit is Unit.TOKENS:
        return tokens_cost(use)
    if unit is Unit.FLOPS:
        return flops_cost(architecture_of(run, samples.model), use)
    raise InputError(f"a run does not record {unit}; units that it does: {', '.join(RUN_UNITS)}")


def architecture_of(run: Run, model: str) -> Architecture:
    """The model's architecture as the run states it."""
    facts = run.facts["models"][model]
    return Architecture(**facts["architecture"], source=f"GGUF header of {facts['file']}")


def run_comparison(
    run: Run | str | Path,
    benchmark: str | None = None,
    unit: Unit = Unit.FLOPS,
    *,
    selection: str = TESTS,
    budgets: Callable[[float], list[float] | None] | None = None,
    bootstrap: Bootstrap | None = None,
) -> Comparison:
    """Compare the models of a run at equal budget, on the problems that all of them have samples for.

    Args:
        run: the run or its folder.
        benchmark: its name; may be left out if the run has one.
        unit: of the budgets.
        selection: `tests` (pass@k) or `likelihood` (rank-score@k by the model's own mean log-probability; samples cut
            off at the length limit rank last and still cost).
        budgets: told the cost of the cheapest sample, gives budgets per problem; by default powers of two of it.
        bootstrap: how intervals are computed.

    Raises:
        RunError: no such run or benchmark, or nothing is judged.
        InputError: the run has several benchmarks and none is named, or does not record the unit.
    """
    run = run if isinstance(run, Run) else load_run(run)
    benchmark = benchmark or _only_benchmark(run)
    bootstrap = bootstrap or Bootstrap()
    models, notes = _on_common_problems(model_samples(run, benchmark))
    curves = [_curve(run, samples, unit, selection, bootstrap) for samples in models]
    chosen = budgets(min(curve.price.cost(1) for curve in curves)) if budgets else None
    return compare(curves, budgets=chosen, benchmark=benchmark, bootstrap=bootstrap, notes=notes)


def _curve(run: Run, samples: ModelSamples, unit: Unit, selection: str, bootstrap: Bootstrap) -> Curve:
    k_max = int(samples.n.min())
    price = sample_cost(run, samples, unit)
    matrix = 1.0 - failure_curve(samples.n, samples.c, k_max) if selection == TESTS else _ranked(samples, k_max)
    return curve_from_matrix(
        samples.model,
        samples.task_ids,
        matrix,
        price,
        selection=selection,
        bootstrap=bootstrap,
    )


def _ranked(samples: ModelSamples, k_max: int) -> NDArray[np.float64]:
    """Rank-score@k of each problem by the model's own likelihood, shape (problems, k_max)."""
    width = int(samples.n.max())
    passed = np.zeros((len(samples.problems), width))
    scores = np.zeros_like(passed)
    cut_off = np.zeros(passed.shape, dtype=bool)
    for row, problem in enumerate(samples.problems):
        n = len(problem.passed)
        passed[row, :n] = problem.passed
        # an output without a single kept token has no likelihood: it ranks with those cut off
        unknown = np.isnan(problem.mean_logprob)
        scores[row, :n] = np.where(unknown, 0.0, problem.mean_logprob)
        cut_off[row, :n] = problem.cut_off | unknown
    return rank_score_curves(passed, SampleScores(scores), n=samples.n, discarded=cut_off, k_max=k_max)


def _on_common_problems(models: list[ModelSamples]) -> tuple[list[ModelSamples], list[str]]:
    common = tuple(task for task in models[0].task_ids if all(task in set(one.task_ids) for one in models))
    if not common:
        raise RunError("the models have no judged problem in common; there is nothing to compare")
    notes = [f"{one.model}: {one.unjudged} samples have no verdict and are left out" for one in models if one.unjudged]
    most = max(len(one.task_ids) for one in models)
    if len(common) < most:
        notes.append(f"compared on the {len(common)} problems that every model has samples for, of {most}")
    return [one.only(common) for one in models], notes


def _only_benchmark(run: Run) -> str:
    names = benchmarks_of(run)
    if len(names) != 1:
        raise InputError(f"{run.path}: the run has {len(names)} benchmarks ({', '.join(names)}); name one")
    return names[0]


def _joined_rows(run: Run, benchmark: str) -> dict[str, list[dict[str, Any]]]:
    """Samples of the benchmark with their verdicts (`passed` is None where there is none), by model."""
    samples = run.samples_table(_SAMPLE_COLUMNS)
    verdicts = run.verdicts_table([*KEY_COLUMNS, "passed"])
    joined = samples.join(verdicts, keys=KEY_COLUMNS, join_type="left outer")
    rows = defaultdict(list)
    for row in joined.to_pylist():
        if row["benchmark"] == benchmark:
            rows[row["model"]].append(row)
    return rows


def _of_one_model(model: str, rows: list[dict[str, Any]], order: list[str]) -> ModelSamples:
    judged = [row for row in rows if row["passed"] is not None]
    greedy = [bool(row["passed"]) for row in judged if row["greedy"]]
    by_task = defaultdict(list)
    for row in judged:
        if not row["greedy"]:
            by_task[row["task_id"]].append(row)
    task_ids = tuple(task_id for task_id in order if task_id in by_task)
    return ModelSamples(
        model=model,
        task_ids=task_ids,
        problems=tuple(_of_one_problem(by_task[task_id]) for task_id in task_ids),
        greedy_passed=sum(greedy) / len(greedy) if greedy else math.nan,
        unjudged=len(rows) - len(judged),
    )


def _of_one_problem(rows: list[dict[str, Any]]) -> ProblemSamples:
    rows = sorted(rows, key=lambda row: row["index"])

    def column(name: str) -> list[Any]:
        return [row[name] for row in rows]

    return ProblemSamples(
        passed=np.array(column("passed"), dtype=bool),
        prompt_tokens=rows[0]["prompt_tokens"],
        completion_tokens=np.array(column("completion_tokens"), dtype=np.int64),
        mean_logprob=np.array(column("mean_logprob"), dtype=np.float64),
        cut_off=np.array([reason == FinishReason.LENGTH for reason in column("finish_reason")]),
        seconds=np.array(column("seconds"), dtype=np.float64),
    )


__all__ = ["LIKELIHOOD", "RUN_UNITS", "TESTS", "model_samples", "run_comparison", "sample_cost"]
