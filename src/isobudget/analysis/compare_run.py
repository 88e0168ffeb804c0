"""From a run's samples and verdicts to curves: what each model solves at each budget.

Without a costs file a run is priced by what it recorded, sample by sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.load_samples import ModelSamples, ProblemSamples, benchmarks_of, model_samples
from isobudget.analysis.prices import price_model
from isobudget.costs.charges import NOTHING, Charges, Extra, charge_notes, extras_of, with_extras
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile
from isobudget.costs.energy import measured_joules
from isobudget.costs.flops import completion_flops
from isobudget.costs.seconds import measured_seconds
from isobudget.costs.usage import TokenUse, flops_cost, tokens_cost
from isobudget.curves import FIRST_PASS, FIXED, Charged, check_any, common_tasks, look_beyond
from isobudget.curves.compare import Comparison, compare
from isobudget.curves.curve import LIKELIHOOD, TESTS, Bootstrap, Curve, curve_from_matrix
from isobudget.errors import InputError, RunError
from isobudget.models.architecture import Architecture
from isobudget.records.run import Run, load_run
from isobudget.statistics.pass_at_k import failure_curve
from isobudget.statistics.rank_score import SampleScores, rank_score_curves

#: units that a run can be priced in from what it records
RUN_UNITS = (Unit.FLOPS, Unit.SECONDS, Unit.TOKENS, Unit.JOULES)


def sample_cost(run: Run, samples: ModelSamples, unit: Unit, *, share_prompt: bool = True) -> SampleCost:
    """What a sample of this model cost in this run.

    Flops follow from the model's architecture and each sample's own token counts; seconds and joules are measured.

    Raises:
        InputError: the run does not record that unit, or the machine had no energy meter.
    """
    facts = run.facts["models"][samples.model]
    source = f"{facts.get('engine', 'engine not stated')}, {run.facts['machine']['processor']}"
    if unit is Unit.JOULES:
        return measured_joules([problem.joules.tolist() for problem in samples.problems], source)
    if unit is Unit.SECONDS:
        return measured_seconds([problem.seconds.tolist() for problem in samples.problems], source)
    use = token_use(samples, share_prompt=share_prompt)
    if unit is Unit.TOKENS:
        return tokens_cost(use)
    if unit is Unit.FLOPS:
        return flops_cost(architecture_of(run, samples.model), use)
    raise InputError(f"a run does not record {unit}; units that it does: {', '.join(RUN_UNITS)}")


def sample_amounts(run: Run, samples: ModelSamples, unit: Unit) -> tuple[NDArray[np.float64], ...]:
    """What each sample cost by itself, the prompt that it shares left out: one array a problem.

    Their mean over problems is `per_sample` of `sample_cost`. Raises `InputError` for a unit that is not recorded.
    """
    if unit is Unit.SECONDS:
        return tuple(problem.seconds for problem in samples.problems)
    if unit is Unit.JOULES:
        return tuple(problem.joules for problem in samples.problems)
    if unit is Unit.TOKENS:
        return tuple(problem.completion_tokens.astype(np.float64) for problem in samples.problems)
    if unit is Unit.FLOPS:
        shape = architecture_of(run, samples.model)
        return tuple(completion_flops(shape, one.prompt_tokens, one.completion_tokens) for one in samples.problems)
    raise InputError(f"a run does not record {unit}; units that it does: {', '.join(RUN_UNITS)}")


def token_use(samples: ModelSamples, *, share_prompt: bool = True) -> TokenUse:
    """The token counts of the samples, prompts included."""
    return TokenUse.of(
        [problem.prompt_tokens for problem in samples.problems],
        [problem.completion_tokens.tolist() for problem in samples.problems],
        share_prompt=share_prompt,
        label="this run's token counts",
    )


def judging(run: Run, samples: ModelSamples) -> Extra:
    """What the judge took for each sample, in CPU seconds."""
    processor = run.facts["machine"]["processor"]
    return Extra.measured(
        [problem.judge_seconds for problem in samples.problems], f"judging, measured CPU seconds: {processor}"
    )


def architecture_of(run: Run, model: str) -> Architecture:
    """The model's architecture as the run states it.

    Raises:
        InputError: the run does not know it.
    """
    facts = run.facts["models"][model]
    if "architecture" not in facts:
        raise InputError(
            f"{run.path}: the run does not know the shape of {model}, so it has no flops. State its architecture in "
            "the study (a known name, a config.json or a GGUF file), or price it by a costs file"
        )
    source = facts.get("architecture_source") or f"GGUF header of {facts.get('file', 'its weights')}"
    return Architecture(**facts["architecture"], source=source)


def run_comparison(
    run: Run | str | Path,
    benchmark: str | None = None,
    unit: Unit = Unit.FLOPS,
    *,
    selection: str = TESTS,
    stop: str = FIXED,
    costs: CostsFile | str | None = None,
    charges: Charges = NOTHING,
    extrapolate: int | None = None,
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
        stop: when drawing stops: `fixed`, or `first-pass`, where budgets are expected spending. Passing and failing
            samples are then charged as they were recorded, or all alike if a costs file sets the price.
        costs: a costs file that has been read, or `paper`; by default the run's own records.
        charges: what is charged beside drawing: judging, scoring.
        extrapolate: guess pass@k beyond the samples up to this k.
        budgets: told the cost of the cheapest sample, gives budgets per problem; by default powers of two of it.
        bootstrap: how intervals are computed.

    Raises:
        RunError: no such run or benchmark, or nothing is judged.
        InputError: the run has several benchmarks and none is named, does not record the unit, or what is asked for
            does not go together.
    """
    run = run if isinstance(run, Run) else load_run(run)
    benchmark = benchmark or _only_benchmark(run)
    bootstrap = bootstrap or Bootstrap()
    models, notes = _on_common_problems(model_samples(run, benchmark))
    notes += charge_notes(charges, selection == TESTS)
    curves = []
    for samples in models:
        price, amounts = _price(run, samples, unit, costs, charges)
        curves.append(_curve(samples, price, selection, _charged(samples, price, stop, amounts), bootstrap))
    beyond = []
    if extrapolate is not None:
        pairs = zip(curves, models, strict=True)
        beyond = [look_beyond(curve, samples.n, samples.c, extrapolate, bootstrap) for curve, samples in pairs]
        check_any(beyond, extrapolate)
    chosen = budgets(min(curve.price.cost(1) for curve in curves)) if budgets else None
    return compare(curves, budgets=chosen, benchmark=benchmark, bootstrap=bootstrap, notes=notes, beyond=beyond)


def _price(
    run: Run, samples: ModelSamples, unit: Unit, costs: CostsFile | str | None, charges: Charges
) -> tuple[SampleCost, list[NDArray[np.float64]] | None]:
    """What a sample costs with what is charged on top, and each sample's own amount where the run has it."""
    use, tests = token_use(samples), judging(run, samples)
    if costs is not None:
        recorded = _known_seconds(run, samples) if unit in (Unit.SECONDS, Unit.USD) else None
        shape = _known_architecture(run, samples.model)
        names = (samples.model,)
        price = price_model(names, unit, costs, use, charges, architecture=shape, seconds=recorded, judging=tests)
        return price, None
    extras = extras_of(samples.model, unit, charges, use=use, judging=tests)
    amounts = list(sample_amounts(run, samples, unit))
    for extra in extras:
        on_top: Sequence[NDArray[np.float64] | float] = extra.by_sample or [extra.per_sample] * len(amounts)
        amounts = [own + more for own, more in zip(amounts, on_top, strict=True)]
    return with_extras(sample_cost(run, samples, unit), extras), amounts


def _known_architecture(run: Run, model: str) -> Architecture | None:
    try:
        return architecture_of(run, model)
    except InputError:
        return None


def _known_seconds(run: Run, samples: ModelSamples) -> SampleCost | None:
    try:
        return sample_cost(run, samples, Unit.SECONDS)
    except InputError:
        return None


def _charged(
    samples: ModelSamples, price: SampleCost, stop: str, amounts: list[NDArray[np.float64]] | None
) -> Charged | None:
    """The samples paid for if drawing stops at the first pass, by what passing and failing ones cost; else None."""
    if stop != FIRST_PASS:
        return None
    success = _by_tests(samples)
    if amounts is None:
        return Charged.first_pass(success)
    passed, failed = (
        [_mean(own[problem.passed == kind]) for own, problem in zip(amounts, samples.problems, strict=True)]
        for kind in (True, False)
    )
    return Charged.first_pass(success, np.divide(passed, price.per_sample), np.divide(failed, price.per_sample))


def _mean(amounts: NDArray[np.float64]) -> float:
    return float(amounts.mean()) if len(amounts) else 0.0


def _curve(
    samples: ModelSamples, price: SampleCost, selection: str, charged: Charged | None, bootstrap: Bootstrap
) -> Curve:
    return curve_from_matrix(
        samples.model,
        samples.task_ids,
        _by_tests(samples) if selection == TESTS else _ranked(samples),
        price,
        selection=selection,
        charged=charged,
        bootstrap=bootstrap,
    )


def _by_tests(samples: ModelSamples) -> NDArray[np.float64]:
    """pass@k of each problem, shape (problems, k_max)."""
    return 1.0 - failure_curve(samples.n, samples.c, int(samples.n.min()))


def _ranked(samples: ModelSamples) -> NDArray[np.float64]:
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
    return rank_score_curves(passed, SampleScores(scores), n=samples.n, discarded=cut_off, k_max=int(samples.n.min()))


def _on_common_problems(models: list[ModelSamples]) -> tuple[list[ModelSamples], list[str]]:
    common = common_tasks([one.task_ids for one in models])
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


__all__ = [
    "LIKELIHOOD",
    "RUN_UNITS",
    "TESTS",
    "ModelSamples",
    "ProblemSamples",
    "architecture_of",
    "benchmarks_of",
    "model_samples",
    "run_comparison",
    "sample_amounts",
    "sample_cost",
]
