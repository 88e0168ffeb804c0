"""From a run's samples and verdicts to curves: what each model solves at each budget, and by its greedy outputs.

Without a costs file, each sample has the cost that the run recorded for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.judged import benchmarks_of
from isobudget.analysis.left_out import absent_note
from isobudget.analysis.load_samples import LoadedRun, ModelSamples, load_samples
from isobudget.analysis.prices import price_model
from isobudget.analysis.run_costs import (
    date_of,
    devices_of,
    judging,
    recorded_architecture,
    run_token_use,
    sample_amounts,
    sample_cost,
)
from isobudget.costs.budget import Written
from isobudget.costs.charges import NOTHING, Charges, charge_notes, extras_of, with_extras
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile
from isobudget.costs.one_line import require_models
from isobudget.costs.usage import TokenUse
from isobudget.curves import FIRST_PASS, FIXED, Charged, common_tasks, look_all_beyond
from isobudget.curves.compare import Comparison, compare
from isobudget.curves.curve import TESTS, Bootstrap, curve_end, curve_from_matrix, cut_note
from isobudget.errors import InputError, RunError
from isobudget.grid import counted
from isobudget.rankers.base import PerSample
from isobudget.rankers.measure import rank_scores
from isobudget.records.facts import IMPORTED
from isobudget.records.run import Run, load_run
from isobudget.statistics.intervals import bootstrap_curve
from isobudget.statistics.pass_at_k import failure_curve, trusted_k

#: units that follow from seconds
_BY_TIME = (Unit.SECONDS, Unit.DEVICE_SECONDS, Unit.USD)


def run_comparison(
    run: LoadedRun | Run | str | Path,
    benchmark: str | None = None,
    unit: Unit = Unit.FLOPS,
    *,
    selection: str = TESTS,
    stop: str = FIXED,
    costs: CostsFile | str | None = None,
    charges: Charges = NOTHING,
    extrapolate: int | None = None,
    budgets: Written | None = None,
    bootstrap: Bootstrap | None = None,
) -> Comparison:
    """Compare the models of a run at equal budget, on the problems that all of them have samples for.

    Arguments that are not listed here are those of `isobudget.curves`.

    Args:
        run: the run, loaded or not, or its folder.
        benchmark: name of the benchmark; may be left out if the run has only one.
        selection: `tests`, or `likelihood`: success is then rank-score@k by the model's own mean log-probability, and
            samples cut off at the length limit rank last and still cost.
        stop: `fixed`, or `first-pass`: passing and failing samples are then charged as they were recorded, or all
            alike if a costs file states what a sample costs.
        budgets: budgets per problem; by default powers of two times the cheapest sample.

    Raises:
        RunError: there is no such run or benchmark, or nothing is judged.
        InputError: the run has several benchmarks and none is named, the run does not record the unit, or options
            cannot be combined.
    """
    run = load_run(run) if isinstance(run, str | Path) else run
    benchmark = benchmark or _only_benchmark(run.run if isinstance(run, LoadedRun) else run)
    bootstrap = bootstrap or Bootstrap()
    loaded = load_samples(run, [benchmark])
    require_models(costs, list(loaded.run.facts["models"]))
    models, notes = _on_common_problems(loaded, benchmark)
    notes += [*charge_notes(charges, selection == TESTS), *cut_note([(one.model, one.n) for one in models])]
    curves = []
    for samples in models:
        price, amounts = price_samples(loaded.run, samples, unit, costs, charges)
        success = _by_tests(samples) if selection == TESTS else _ranked(samples)
        charged, whose = _charged(samples, price, stop, amounts), (samples.model, samples.task_ids)
        curve = curve_from_matrix(
            *whose,
            success,
            price,
            selection=selection,
            trusted=trusted_k(samples.n),
            charged=charged,
            bootstrap=bootstrap,
        )
        curves.append(curve)
    beyond = look_all_beyond(curves, [(one.n, one.c) for one in models], extrapolate, bootstrap)
    return compare(curves, budgets=budgets, benchmark=benchmark, bootstrap=bootstrap, notes=notes, beyond=beyond)


def price_samples(
    run: Run, samples: ModelSamples, unit: Unit, costs: CostsFile | str | None, charges: Charges
) -> tuple[SampleCost, list[NDArray[np.float64]] | None]:
    """What a sample costs, charges included, and the cost of each sample by itself if it is known."""
    use, tests = run_token_use(samples), judging(run, samples)
    shared = {"share_prompt": charges.share_prompt is not False}
    if costs is not None or _by_name(run, samples, unit, use):
        shape = recorded = None
        with contextlib.suppress(InputError):
            shape = recorded_architecture(run, samples.model)
        with contextlib.suppress(InputError):
            recorded = sample_cost(run, samples, Unit.SECONDS, **shared) if unit in _BY_TIME else None
        names = (samples.model,)
        price = price_model(
            names,
            unit,
            costs,
            use,
            charges,
            architecture=shape,
            seconds=recorded,
            judging=tests,
            devices=devices_of(run, samples.model),
            when=date_of(run),
        )
        lengths = [one.completion_tokens for one in samples.problems]
        return price, None if use is None else price.of_lengths(lengths)
    extras = extras_of(samples.model, unit, charges, use=use, judging=tests)
    price, amounts = sample_cost(run, samples, unit, **shared), list(sample_amounts(run, samples, unit))
    if charges.share_prompt is False:
        paid = sample_cost(run, samples, unit).per_problem
        amounts = [own + paid for own in amounts]
    for extra in extras:
        on_top: Sequence[NDArray[np.float64] | float] = extra.by_sample or [extra.per_sample] * len(amounts)
        amounts = [own + more for own, more in zip(amounts, on_top, strict=True)]
    return with_extras(price, extras), amounts


def _by_name(run: Run, samples: ModelSamples, unit: Unit, use: TokenUse | None) -> bool:
    """Whether imported samples have no price of their own in a unit, so that they are priced like counts."""
    if run.facts["models"][samples.model].get("backend") != IMPORTED:
        return False
    return unit is Unit.FLOPS or (unit is Unit.TOKENS and (use is None or not use.prompt_known))


def _charged(
    samples: ModelSamples, price: SampleCost, stop: str, amounts: list[NDArray[np.float64]] | None
) -> Charged | None:
    """The samples to pay for if sampling stops at the first pass, from the prices of passing and failing ones.

    None if sampling does not stop.
    """
    if stop != FIRST_PASS:
        return None
    success = _by_tests(samples)
    if amounts is None:
        return Charged.first_pass(success)
    passed = [problem.passed for problem in samples.problems]
    return Charged.by_amounts(success, passed, amounts, price.per_sample)


def _by_tests(samples: ModelSamples) -> NDArray[np.float64]:
    """pass@k of each problem, shape (problems, k_max)."""
    return 1.0 - failure_curve(samples.n, samples.c, curve_end(samples.n))


def _ranked(samples: ModelSamples) -> NDArray[np.float64]:
    """Rank-score@k of each problem by the model's own likelihood, shape (problems, k_max)."""
    if not any(np.isfinite(one.mean_logprob).any() for one in samples.problems):
        raise InputError(f"{samples.model}: no log-probabilities were recorded; choose by tests")
    # an output without a single kept token has no likelihood: it ranks with those cut off
    scores = PerSample(
        tuple(one.mean_logprob for one in samples.problems), tuple(one.cut_off for one in samples.problems)
    )
    return rank_scores([one.passed for one in samples.problems], scores, curve_end(samples.n))


def _on_common_problems(loaded: LoadedRun, benchmark: str) -> tuple[list[ModelSamples], list[str]]:
    models, facts = loaded.samples(benchmark), loaded.run.facts
    common = common_tasks([one.task_ids for one in models])
    if not common:
        raise RunError("the models have no judged problem in common; there is nothing to compare")
    notes = [note for one in models for note in one.left_out.notes(one.model)]
    if "imported" not in facts:
        notes += absent_note(facts["models"], {one.model for one in models})
    most = max(len(one.task_ids) for one in models)
    if len(common) < most:
        notes.append(f"compared on the {counted(len(common), 'problem')} that every model has samples for, of {most}")
    return [one.only(common) for one in models], notes


def _only_benchmark(run: Run) -> str:
    names = benchmarks_of(run)
    if len(names) != 1:
        raise InputError(f"{run.path}: the run has {len(names)} benchmarks ({', '.join(names)}); name one")
    return names[0]


@dataclass(frozen=True, slots=True, eq=False)
class Greedy:
    """One model's greedy outputs, one for each compared problem.

    Attributes:
        passed: shape (problems,), in the order of the comparison.
        success, low, high: mean over problems with its interval, in [0, 1].
        cost: what one output costs on average, its prompt included, by unit.
    """

    passed: NDArray[np.bool_]
    success: float
    low: float
    high: float
    cost: dict[Unit, float]


def greedy_outputs(
    run: Run, samples: ModelSamples, task_ids: Sequence[str], units: Sequence[Unit], bootstrap: Bootstrap
) -> Greedy | None:
    """The model's greedy outputs for these problems; None if a problem has no judged greedy output.

    The outputs are priced in `units`, all of which the run must record.
    """
    if samples.greedy is None or not set(task_ids) <= set(samples.greedy.task_ids):
        return None
    outputs = samples.greedy.only(tuple(task_ids))
    passed = outputs.c.astype(bool)
    low, high = bootstrap_curve(passed[:, np.newaxis].astype(float), bootstrap.weights(len(passed)), bootstrap.level)
    cost = {unit: sample_cost(run, outputs, unit, share_prompt=False).cost(1) for unit in units}
    return Greedy(passed, float(passed.mean()), float(low[0]), float(high[0]), cost)
