"""The cost of a sample of each model of a COUNTS file: from a costs file, from the paper, or from the model's name.

- A costs file (`costs.costs_file`) decides for the models that it names.
- `paper`: Table 1 for the Code Llama models; in flops, for other models of the catalogue, the paper's way of counting
  (one pass at 128 tokens).
- Without either, flops are counted for a model whose name is in the catalogue: from the `completion_tokens` of its
  samples if the file has them, else in the paper's way. Tokens are counted from `completion_tokens`.

The source of every cost says which of these was used. A model without a cost is an error, not a gap in the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from isobudget.costs.charges import NOTHING, Charges, Extra, extras_of, with_extras
from isobudget.costs.cost import AS_RECORDED, ONE_PASS, SampleCost, Unit
from isobudget.costs.costs_file import CostsFile, cost_from_entry
from isobudget.costs.entry import Entry
from isobudget.costs.flops import PAPER_LENGTH, paper_flops
from isobudget.costs.one_line import OneLine
from isobudget.costs.prices import example_prices, rent_cost
from isobudget.costs.usage import TokenUse, mean_over_problems
from isobudget.errors import InputError
from isobudget.models.architecture import Architecture
from isobudget.models.named import find_named
from isobudget.paper.tables import PAPER_GPUS, paper_cost

if TYPE_CHECKING:
    from isobudget.importers.counts import ModelCounts

#: the value of `--costs` that stands for the paper's Table 1
PAPER = "paper"


def price_models(
    models: Sequence[ModelCounts], unit: Unit, costs: CostsFile | str | None = None, charges: Charges = NOTHING
) -> Mapping[str, SampleCost]:
    """What one sample of each model of a benchmark costs, by the name of its counts; see `price_model`."""
    return {counts.name: price_counts(counts, unit, costs, charges) for counts in models}


def price_counts(
    counts: ModelCounts, unit: Unit, costs: CostsFile | str | None = None, charges: Charges = NOTHING
) -> SampleCost:
    """What one sample of a model with counts costs: as its source recorded it, or else by `price_model`.

    The recorded cost is used only if no costs are given. Errors are those of `price_model`.
    """
    own = _recorded(counts, unit) if costs is None else None
    if own is not None:
        return with_extras(own, extras_of(counts.model, unit, charges, use=counts_token_use(counts)))
    seconds = _recorded(counts, Unit.SECONDS)
    return price_model(counts.priced_as, unit, costs, counts_token_use(counts), charges, seconds=seconds)


def _recorded(counts: ModelCounts, unit: Unit) -> SampleCost | None:
    """The mean over problems of the cost that the samples' source recorded; None unless every problem has it."""
    amounts = {Unit.SECONDS: counts.seconds, Unit.USD: counts.usd}.get(unit, ())
    known = [one for one in amounts if one is not None]
    if not known or len(known) < len(counts.task_ids):
        return None
    mean = mean_over_problems(known, f"recorded {unit}")
    return SampleCost(unit, mean, 0.0, "as recorded by the samples' source", prompt=AS_RECORDED)


def price_model(
    names: Sequence[str],
    unit: Unit,
    costs: CostsFile | str | None,
    use: TokenUse | None,
    charges: Charges = NOTHING,
    *,
    architecture: Architecture | None = None,
    seconds: SampleCost | None = None,
    judging: Extra | None = None,
    devices: int | None = None,
    when: date | None = None,
) -> SampleCost:
    """What one sample of a model costs by a costs file, by the paper, or by its name.

    Args:
        names: names of the model, the most specific first.
        unit: unit of the cost.
        costs: a parsed costs file, `paper`, or None.
        use: recorded token counts, or None.
        charges: what is charged on top.
        architecture, seconds, judging, devices: as a run recorded them, for what the costs leave open.
        when: the run's date, for prices of several dates.

    Raises:
        InputError: there is no cost in that unit; the message says what would give one.
    """
    model = names[-1]
    entry = Entry(where="", values={})
    if isinstance(costs, CostsFile):
        entry = replace(
            _entry(costs, names, unit), architecture=architecture, seconds=seconds, devices=devices, when=when
        )
    if charges.share_prompt is not None and costs == PAPER:
        raise InputError("the paper's costs do not separate the prompt, so prompt sharing cannot be chosen with them")
    if charges.share_prompt is not None:
        entry = replace(entry, values={**entry.values, "share_prompt": charges.share_prompt})
    price = _paper(model, unit) if costs == PAPER else cost_from_entry(entry, model, unit, use)
    if charges.share_prompt is False and unit in entry.values:
        price = price.unshared()
    return with_extras(price, extras_of(model, unit, charges, entry=entry, use=use, judging=judging))


def counts_token_use(counts: ModelCounts) -> TokenUse | None:
    """The token counts of the lines that have completion tokens; None if no line has them.

    Prompt tokens are included only if every line has both counts.
    """
    known = [tokens for tokens in counts.completion_tokens if tokens]
    if not known:
        return None
    of_all = "" if len(known) == len(counts.task_ids) else f" of {len(known)} of {len(counts.task_ids)} problems"
    label = f"recorded completion tokens{of_all}"
    prompts = [one for one in counts.prompt_tokens if one]
    if not of_all and len(prompts) == len(known):
        return TokenUse.of(prompts, known, label="recorded token counts")
    return TokenUse.of_completions(known, label)


def _entry(costs: CostsFile, names: Sequence[str], unit: Unit) -> Entry:
    stated = next((entry for name in names if (entry := costs.find(name)) is not None), None)
    if stated is None and unit in (Unit.FLOPS, Unit.TOKENS) and isinstance(costs, OneLine) and costs.base is None:
        return Entry(where="", values={})  # a rate of another model changes nothing about these
    if stated is None:
        raise costs.lacks(names[-1])
    return stated


def _paper(model: str, unit: Unit) -> SampleCost:
    if unit is Unit.USD:
        seconds = paper_cost(model, Unit.SECONDS)
        hour = example_prices()[1][0]
        published = None if seconds is None else rent_cost(seconds, PAPER_GPUS, hour)
    else:
        published = paper_cost(model, unit)
    if published is not None:
        return published
    architecture = find_named(model)
    if unit is Unit.FLOPS and architecture is not None:
        source = f"the paper's count for {architecture.name}: one pass at {PAPER_LENGTH} tokens; not in its Table 1"
        return SampleCost(unit, float(paper_flops(architecture)), source=source, prompt=ONE_PASS)
    raise InputError(
        f"the paper gives no cost in {unit} for {model!r}: Table 1 has flops and seconds of Code Llama 7B, 13B, "
        f'34B and 70B. Write it into a file, [models."{model}"] with {unit} = ..., and give that file '
        "with --costs"
    )
