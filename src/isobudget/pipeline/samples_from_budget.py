"""How many samples a study's budget buys.

With an estimated cost (see `outline` for the lengths), a budget per problem buys

    k = max{k' : cost(k') <= budget},        n = 2 k, at least 2

samples: the paper chooses n so that the largest k it reports is n / 2 (section 2.2 has k, its tables n), because pass@k
hangs on few samples where k comes near n. So a study with a budget spends about twice that budget per problem.

In flops and tokens the cost is estimated from the model's shape and the lengths. In seconds, usd and joules there is
nothing to estimate from: it needs a costs file, or the paper's Table 1. The estimate does not depend on what a run has
recorded, so that the same study asks for the same n when it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from isobudget.analysis.prices import PAPER, price_model
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile, read_costs
from isobudget.costs.usage import flops_cost, tokens_cost
from isobudget.errors import InputError, IsobudgetError
from isobudget.pipeline.outline import Outline, lengths, outline
from isobudget.pipeline.prepare import PreparedBenchmark
from isobudget.pipeline.progress import SILENT, Progress
from isobudget.study import Study
from isobudget.study.check import Mistake, raise_mistakes
from isobudget.study.study import StudyBudget

#: samples of each problem, by the model's name in the study and by benchmark
SampleCounts = Mapping[str, Mapping[str, int]]


def samples_of(study: Study, benchmarks: Sequence[PreparedBenchmark], progress: Progress = SILENT) -> SampleCounts:
    """Samples of each problem, by the model's name in the study and by benchmark: stated, or bought by a budget.

    Raises:
        StudyError: a model's samples cannot be priced, or a table says nothing of a benchmark.
    """
    counts: dict[str, dict[str, int]] = {model.name: {} for model in study.models}
    mistakes: list[Mistake] = []
    outlines = outline(study, benchmarks) if _by_budget(study, benchmarks) else []
    for number, benchmark in enumerate(benchmarks):
        for at, model in enumerate(study.models):
            stated = model.samples(benchmark.name)
            if stated is not None:
                counts[model.name][benchmark.name] = stated
                continue
            try:
                bought, told = _bought(study, outlines, at, benchmark, number)
            except IsobudgetError as error:
                mistakes.append(Mistake(("models", at), str(error), error))
                continue
            counts[model.name][benchmark.name] = bought
            progress.note(told)
    raise_mistakes(mistakes, study.text, study.origin)
    return counts


def _by_budget(study: Study, benchmarks: Sequence[PreparedBenchmark]) -> bool:
    return any(model.samples(one.name) is None for model in study.models for one in benchmarks)


def _bought(
    study: Study, outlines: Sequence[Outline], at: int, benchmark: PreparedBenchmark, number: int
) -> tuple[int, str]:
    """Samples that a model's budget buys of each problem, and how it comes to them."""
    model = outlines[at]
    budget = model.model.budget or study.budget
    if budget is None:
        raise InputError(f"{model.name} has no n for {benchmark.name}, and the study has no [budget]")
    costs = _costs(budget)
    price = sample_price(model, number, benchmark, budget, costs)
    amount = _amount(budget, lambda count: _cheapest(count, study, outlines, number, benchmark, budget, costs))
    k = price.affordable(amount)
    n = max(2, 2 * k)
    what = f"buys {k} samples" if k else "does not buy one sample"
    return n, (
        f"{model.name} on {benchmark.name}: n = {n} (a budget of {amount:.3g} {budget.unit} a problem {what} of "
        f"{price.cost(1):.3g}; n is twice that, at least 2)"
    )


def sample_price(
    model: Outline, number: int, benchmark: PreparedBenchmark, budget: StudyBudget, costs: CostsFile | str | None
) -> SampleCost:
    """What a sample of the benchmark at place `number` will cost, estimated.

    Raises:
        InputError: nothing tells.
    """
    unit = Unit(budget.unit)
    use = lengths(model.prompts[number], benchmark).use()
    if costs is not None:
        names = tuple(dict.fromkeys((model.model.name, model.name, model.model.model or model.name)))
        return price_model(names, unit, costs, use, architecture=model.architecture)
    if unit is Unit.TOKENS:
        return tokens_cost(use)
    if unit is not Unit.FLOPS:
        raise InputError(
            f"what a sample of {model.name} costs in {unit} must be measured: give the budget a costs file "
            f'(costs = "costs.toml"), or costs = "{PAPER}" for the models of the paper'
        )
    if model.architecture is None:
        raise InputError(
            f"the shape of {model.name} is not known, so its flops are not: state its architecture (a known name, a "
            "config.json or a GGUF file), or n"
        )
    return flops_cost(model.architecture, use)


def _costs(budget: StudyBudget) -> CostsFile | str | None:
    return budget.costs if budget.costs in (None, PAPER) else read_costs(budget.costs)


def _cheapest(
    count: float,
    study: Study,
    outlines: Sequence[Outline],
    number: int,
    benchmark: PreparedBenchmark,
    budget: StudyBudget,
    costs: CostsFile | str | None,
) -> float:
    """What so many samples cost by the cheapest of the models that a budget buys samples of; they share a prompt."""
    bought = [one for one in outlines if one.model.samples(benchmark.name) is None]
    same = [one for one in bought if (one.model.budget or study.budget or budget).unit == budget.unit]
    return min(sample_price(one, number, benchmark, budget, costs).cost(count) for one in same)


def _amount(budget: StudyBudget, cheapest: Callable[[float], float]) -> float:
    if isinstance(budget.per_problem, str):
        return cheapest(float(budget.per_problem.strip().removesuffix("x")))
    return budget.per_problem
