"""How many samples a study's budget buys.

With an estimated cost, a budget per problem buys

    k = max{k' : cost(k') <= budget},        n = 2 k, at least 2

samples. The paper chooses n so that the largest k it reports is n / 2 (section 2.2 states k, and the paper's tables n),
because pass@k depends on few samples when k is close to n. So a study with a budget spends about twice that budget per
problem.

In flops and tokens the cost is estimated from the model's shape and the lengths. In seconds, usd and joules it cannot
be estimated: a costs file or the paper's Table 1 is needed, or, in usd, the price stated in the models file. The
estimate does not depend on recorded samples, so that a resumed study requests the same n.

Lengths are estimated, because tokenizers come with the weights. A prompt has about one token per 3.2 characters
(HumanEval's prompts have 450 characters and about 140 tokens in Code Llama's tokenizer), and at most one per byte,
because byte-level tokenizers never split a byte. A completion has at most `max_tokens`; half of that is assumed if
nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from isobudget.analysis.prices import PAPER, price_model
from isobudget.backends.base import CHARACTERS_PER_TOKEN, characters, texts_of
from isobudget.costs.budget import as_shown, parse_budget
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile, read_costs
from isobudget.costs.prices import usd_cost
from isobudget.costs.usage import TokenUse, flops_cost, tokens_cost
from isobudget.errors import InputError, IsobudgetError
from isobudget.grid import counted, with_unit
from isobudget.progress import SILENT, Progress
from isobudget.study.check import Mistake, raise_mistakes
from isobudget.study.prompts import ModelPrompts
from isobudget.study.resolve import Resolved, ResolvedBenchmark, ResolvedModel
from isobudget.study.study import MOST_SAMPLES, StudyBudget, StudyModel

#: samples of each problem, by the model's name in the study and by benchmark
SampleCounts = Mapping[str, Mapping[str, int]]


#: beyond this number of samples, amounts are shown alike for k and k + 1 samples
_MOST_DISTINCT = 1000
#: about the most tokens that begin a text, or that a chat template puts around a message
_TOKENS_AROUND = 8


@dataclass(frozen=True, slots=True)
class Lengths:
    """Estimated lengths in tokens of one benchmark's prompts in one format, one entry per problem."""

    prompts: tuple[int, ...]
    prompts_at_most: tuple[int, ...]
    completion: float
    completion_at_most: int

    def use(self) -> TokenUse:
        """The lengths as token counts of samples that share their problem's prompt."""
        completions = [[max(2, round(self.completion))]] * len(self.prompts)
        return TokenUse.of(self.prompts, completions, label="estimated token counts")


def lengths(prompts: ModelPrompts, benchmark: ResolvedBenchmark, completion: float | None = None) -> Lengths:
    """Estimate the lengths; `completion` is the mean length of completions if it is known."""
    rendered = [prompts.render(problem).prompt for problem in benchmark.problems]
    most = benchmark.sampling.max_tokens
    return Lengths(
        prompts=tuple(max(1, round(characters(prompt) / CHARACTERS_PER_TOKEN)) for prompt in rendered),
        prompts_at_most=tuple(sum(len(text.encode()) + _TOKENS_AROUND for text in texts_of(one)) for one in rendered),
        completion=most / 2 if completion is None else completion,
        completion_at_most=most,
    )


def samples_of(resolved: Resolved, progress: Progress = SILENT) -> SampleCounts:
    """Samples per problem, by the model's name in the study and by benchmark: stated, or bought by a budget.

    Raises:
        StudyError: a model's samples cannot be priced, or a table lacks a benchmark.
    """
    study = resolved.study
    counts: dict[str, dict[str, int]] = {model.name: {} for model in study.models}
    mistakes: list[Mistake] = []
    for benchmark in resolved.benchmarks:
        for at, model in enumerate(study.models):
            n = model.samples(benchmark.name)
            if n is None:
                try:
                    n, why = _bought(resolved, at, model, benchmark)
                except IsobudgetError as error:
                    mistakes.append(Mistake(("models", at), str(error), error))
                    continue
                progress.note(why)
            counts[model.name][benchmark.name] = n
    raise_mistakes(mistakes, *study.source)
    return counts


def _bought(resolved: Resolved, at: int, stated: StudyModel, benchmark: ResolvedBenchmark) -> tuple[int, str]:
    """How many samples per problem a model's budget buys, and how that number is computed."""
    budget = stated.budget or resolved.study.budget
    if budget is None:
        raise InputError(f"{stated.name} has no n for {benchmark.name}, and the study has no [budget]")
    model = _known(resolved, at)
    costs = budget.costs if budget.costs in (None, PAPER) else read_costs(budget.costs)
    price, amount = sample_price(model, benchmark, budget, costs), budget.per_problem
    stands = ""
    if isinstance(amount, str):  # a number of samples of the cheapest of the models that a budget buys samples of
        count = parse_budget(amount).amount
        same = [
            _known(resolved, at)
            for at, one in enumerate(resolved.study.models)
            if one.samples(benchmark.name) is None
            and (one.budget or resolved.study.budget or budget).unit == budget.unit
        ]
        amount = min(sample_price(one, benchmark, budget, costs).cost(count) for one in same)
    else:
        near = int(min(price.samples(amount) + 2, _MOST_DISTINCT))
        typed, amount = amount, as_shown(amount, price.unit, price.costs(near))
        stands = f", which stands for {amount:.6g} {price.unit}," if amount != typed else ""
    k = price.affordable(amount)
    n = max(2, 2 * k)
    if n > MOST_SAMPLES:
        raise InputError(f"{model.name} on {benchmark.name}: the budget buys {k:.3g} samples, too many to generate")
    what = f"buys {counted(k, 'sample')}" if k else "does not buy one sample"
    shared = f", each further one {with_unit(price.per_sample, price.unit)}" if k and price.per_problem else ""
    return n, (
        f"{model.name} on {benchmark.name}: n = {n} (a budget of {with_unit(amount, price.unit)} a problem{stands} "
        f"{what} of {with_unit(price.cost(1), price.unit)}{shared}; n is twice that, at least 2)"
    )


def _known(resolved: Resolved, at: int) -> ResolvedModel:
    model = resolved.models[at]
    if model is None:
        raise InputError(f"{resolved.study.models[at].name} is not known, and so neither is the cost of its samples")
    return model


def sample_price(
    model: ResolvedModel, benchmark: ResolvedBenchmark, budget: StudyBudget, costs: CostsFile | str | None
) -> SampleCost:
    """The estimated cost of a sample of the benchmark.

    Raises:
        InputError: the cost cannot be estimated.
    """
    unit = Unit(budget.unit)
    use = lengths(model.prompts[benchmark.name], benchmark).use()
    if costs is not None:
        names = tuple(dict.fromkeys((model.stated.name, model.name, model.stated.model or model.stated.name)))
        return price_model(names, unit, costs, use, architecture=model.architecture)
    if unit is Unit.TOKENS:
        return tokens_cost(use)
    if unit is Unit.USD and model.stated.price is not None:
        return usd_cost(replace(model.stated.price, model=model.name), use)
    if unit is not Unit.FLOPS:
        raise InputError(
            f"the cost of a sample of {model.name} in {unit} must be measured: give the budget a costs file "
            f'(costs = "costs.toml"), or costs = "{PAPER}" for the models of the paper'
        )
    if model.architecture is None:
        raise InputError(
            f"the shape of {model.name} is not known, so its flops are not known either: state the model's "
            "'architecture' (a known name, a config.json or a GGUF file), or 'n'"
        )
    return flops_cost(model.architecture, use)
