"""The cost of a sample of each model of a COUNTS file: from a costs file, from the paper, or from the model's name.

- A costs file (`costs.costs_file`) decides for the models that it names.
- `paper`: Table 1 for the Code Llama models; in flops, for other models of the catalogue, the paper's way of counting
(one pass at 128 tokens).
- Neither, in flops: a model whose name is in the catalogue is counted by its samples' own `completion_tokens` if the
file has them, and
  else the paper's way. In tokens: by `completion_tokens`.

Every cost's source says which of these it was. A model without a cost is an error, not a gap in the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile, Entry, cost_from_entry
from isobudget.costs.flops import PAPER_LENGTH, paper_flops
from isobudget.costs.named import find_named
from isobudget.costs.prices import example_prices, rent_cost
from isobudget.costs.usage import START_TOKEN_ONLY, TokenUse
from isobudget.errors import InputError
from isobudget.paper.tables import paper_cost

if TYPE_CHECKING:
    from isobudget.records.counts import ModelCounts

#: the value of `--costs` that stands for the paper's Table 1
PAPER = "paper"
_PAPER_GPUS = 8


def price_models(
    models: Sequence[ModelCounts], unit: Unit, costs: CostsFile | str | None = None
) -> Mapping[str, SampleCost]:
    """What one sample of each model costs, by the name of its counts.

    Args:
        models: counts of one benchmark.
        unit: of the costs.
        costs: a parsed costs file, `paper`, or None.

    Raises:
        InputError: a model has no cost in that unit; the message says what would give it one.
    """
    return {counts.name: _price(counts, unit, costs) for counts in models}


def token_use(counts: ModelCounts) -> TokenUse | None:
    """The completion tokens of the lines that have them, None if no line has; prompts are not in a COUNTS file."""
    known = [tokens for tokens in counts.completion_tokens if tokens]
    if not known:
        return None
    of_all = "" if len(known) == len(counts.task_ids) else f" of {len(known)} of {len(counts.task_ids)} problems"
    return TokenUse.of(START_TOKEN_ONLY, known, share_prompt=False, label=f"recorded completion tokens{of_all}")


def _price(counts: ModelCounts, unit: Unit, costs: CostsFile | str | None) -> SampleCost:
    use = token_use(counts)
    if isinstance(costs, CostsFile):
        for name in (counts.name, counts.model):
            entry = costs.find(name)
            if entry is not None:
                return cost_from_entry(entry, name, unit, use)
        raise InputError(
            f"{costs.path} has no [models.{_quoted(counts.model)}]; it has: {', '.join(costs.models) or 'none'}"
        )
    if costs == PAPER:
        return _paper(counts, unit)
    return cost_from_entry(Entry(where="", values={}), counts.model, unit, use)


def _paper(counts: ModelCounts, unit: Unit) -> SampleCost:
    if unit is Unit.USD:
        seconds = paper_cost(counts.model, Unit.SECONDS)
        hour = example_prices()[1][0]
        published = None if seconds is None else rent_cost(seconds, _PAPER_GPUS, hour)
    else:
        published = paper_cost(counts.model, unit)
    if published is not None:
        return published
    architecture = find_named(counts.model)
    if unit is Unit.FLOPS and architecture is not None:
        source = f"the paper's count for {architecture.name}: one pass at {PAPER_LENGTH} tokens; not in its Table 1"
        return SampleCost(unit, float(paper_flops(architecture)), source=source)
    raise InputError(
        f"the paper gives no cost in {unit} for {counts.model!r}: Table 1 has flops and seconds of Code Llama 7B, 13B, "
        f"34B and 70B. Write it into a file, [models.{_quoted(counts.model)}] with {unit} = ..., and give that file "
        "with --costs"
    )


def _quoted(name: str) -> str:
    return f'"{name}"'
