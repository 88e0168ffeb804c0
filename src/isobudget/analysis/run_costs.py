"""What the samples of a run cost, from what the run recorded: sample by sample, and on average.

Flops follow from the model's architecture and each sample's own token counts; seconds and joules are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.load_samples import ModelSamples
from isobudget.analysis.measured import measured
from isobudget.costs.bills import Bill
from isobudget.costs.charges import Extra
from isobudget.costs.cost import AS_RECORDED, SampleCost, Unit
from isobudget.costs.devices import device_seconds
from isobudget.costs.flops import completion_flops
from isobudget.costs.prices import TokenPrice, parse_prices, usd_cost
from isobudget.costs.usage import TokenUse, flops_cost, mean_over_problems, tokens_cost
from isobudget.errors import InputError
from isobudget.files.values import ANYTHING
from isobudget.models.architecture import Architecture
from isobudget.records.facts import IMPORTED
from isobudget.records.run import Run

#: units that a run can be priced in from what it records
RUN_UNITS = (Unit.FLOPS, Unit.SECONDS, Unit.DEVICE_SECONDS, Unit.TOKENS, Unit.JOULES, Unit.USD)


def sample_cost(run: Run, samples: ModelSamples, unit: Unit, *, share_prompt: bool = True) -> SampleCost:
    """What a sample of this model cost in this run.

    Raises:
        InputError: the run does not record that unit, or the machine had no energy meter.
    """
    if unit is Unit.DEVICE_SECONDS:
        seconds = sample_cost(run, samples, Unit.SECONDS, share_prompt=share_prompt)
        return device_seconds(seconds, devices_of(run, samples.model))
    if unit in (Unit.SECONDS, Unit.JOULES):
        engine = run.facts["models"][samples.model].get("engine", "engine not stated")
        if unit is Unit.SECONDS and not any(np.isfinite(one.seconds).any() for one in samples.problems):
            raise InputError(
                f"no time was recorded with the samples of {samples.model}; state --tokens-per-second N (for curves, "
                "plan, compare and report), or give a costs file (--costs)"
            )
        amounts = measured(samples, unit)
        return amounts.cost(f"{engine}, {processor_of(run)}", share_prompt=share_prompt)
    if unit is Unit.USD and run.facts["models"][samples.model].get("backend") == IMPORTED:
        return measured_usd([one.usd for one in samples.problems], samples.model)
    use = run_token_use(samples, share_prompt=share_prompt)
    if use is None or not use.prompt_known:
        raise InputError(f"not every sample of {samples.model} has token counts; give a costs file (--costs)")
    if unit is Unit.TOKENS:
        return tokens_cost(use)
    if unit is Unit.FLOPS:
        return flops_cost(recorded_architecture(run, samples.model), use)
    if unit is Unit.USD and (price := _stated_price(run, samples.model)) is not None:
        return usd_cost(price, use)
    raise _not_recorded(unit)


def sample_amounts(run: Run, samples: ModelSamples, unit: Unit) -> tuple[NDArray[np.float64], ...]:
    """What each sample cost by itself, without the shared prompt: one array per problem.

    The mean over problems is `per_sample` of `sample_cost`. Raises `InputError` for a unit that is not recorded.
    """
    if unit is Unit.DEVICE_SECONDS:
        devices = devices_of(run, samples.model) or 1
        return tuple(devices * own for own in sample_amounts(run, samples, Unit.SECONDS))
    if unit in (Unit.SECONDS, Unit.JOULES):
        return measured(samples, unit).amounts
    if unit is Unit.USD and run.facts["models"][samples.model].get("backend") == IMPORTED:
        return tuple(problem.usd for problem in samples.problems)
    if unit is Unit.TOKENS:
        return tuple(problem.completion_tokens.astype(np.float64) for problem in samples.problems)
    if unit is Unit.FLOPS:
        shape = recorded_architecture(run, samples.model)
        return tuple(completion_flops(shape, one.prompt_tokens, one.completion_tokens) for one in samples.problems)
    amounts = sample_cost(run, samples, unit).of_lengths([one.completion_tokens for one in samples.problems])
    if amounts is None:
        raise _not_recorded(unit)
    return tuple(amounts)


def measured_usd(usd: Sequence[NDArray[np.float64]], model: str) -> SampleCost:
    """The mean over problems of what a sample was billed; an `InputError` if that is not known for every sample."""
    if not all(np.isfinite(amounts).all() for amounts in usd):
        raise InputError(f"the cost of {model}'s samples in usd was not recorded; give a costs file (--costs)")
    mean = mean_over_problems([amounts.tolist() for amounts in usd], "recorded usd")
    return SampleCost(Unit.USD, mean, 0.0, "as recorded by the samples' source", prompt=AS_RECORDED)


def run_token_use(samples: ModelSamples, *, share_prompt: bool = True) -> TokenUse | None:
    """The token counts of the samples, prompts included if they are known; None if completions are not."""
    if any((problem.completion_tokens < 0).any() for problem in samples.problems):
        return None
    prompts = [problem.prompt_tokens for problem in samples.problems]
    completions = [problem.completion_tokens.tolist() for problem in samples.problems]
    if min(prompts) < 0:
        return TokenUse.of_completions(completions, "recorded completion tokens")
    label, bills = "this run's token counts", _bills(samples)
    return TokenUse.of(prompts, completions, share_prompt=share_prompt, label=label, bills=bills)


def _bills(samples: ModelSamples) -> tuple[Bill, ...] | None:
    """What a server billed for prompts; None if that is not known for every sample."""
    if not all(np.all(np.isfinite(one.billed_prompt_tokens)) for one in samples.problems):
        return None
    return tuple(Bill(one.billed_prompt_tokens, one.cached_tokens) for one in samples.problems)


def processor_of(run: Run) -> str:
    """The processor that the run states, or words for a processor that is not stated."""
    return str(run.facts.get("machine", {}).get("processor", "a machine not stated"))


def devices_of(run: Run, model: str) -> int | None:
    """The number of GPUs that the model held, 1 on a processor; None if the run does not state it."""
    devices = run.facts["models"][model].get("devices")
    return devices if isinstance(devices, int) else None


def date_of(run: Run) -> date | None:
    """The day on which the run began, None if it does not state one."""
    try:
        return date.fromisoformat(str(run.facts.get("created"))[:10])
    except ValueError:
        return None


def _stated_price(run: Run, model: str) -> TokenPrice | None:
    """The price per token that the run states for the model, or None."""
    stated = run.facts["models"][model].get("price")
    if stated is None:
        return None
    where = f"{run.path}: the price of {model}"
    ((price,), _) = parse_prices({"price": [{"model": model, **stated}]}, where, ANYTHING)
    return price


def judging(run: Run, samples: ModelSamples) -> Extra:
    """The charge for judging: the CPU seconds that the judge took for each sample."""
    return Extra.measured(
        [problem.judge_seconds for problem in samples.problems], f"judging, measured CPU seconds: {processor_of(run)}"
    )


def recorded_architecture(run: Run, model: str) -> Architecture:
    """The model's architecture as the run states it.

    Raises:
        InputError: the run does not state it.
    """
    facts = run.facts["models"][model]
    if "architecture" not in facts:
        raise InputError(
            f"{run.path}: the architecture of {model} is not known, and so neither are its flops. State its "
            "architecture in the study (a known name, a config.json or a GGUF file), or its price in a costs file"
        )
    source = facts.get("architecture_source") or f"GGUF header of {facts.get('file', 'its weights')}"
    return Architecture(**facts["architecture"], source=source)


def _not_recorded(unit: Unit) -> InputError:
    price = "; usd needs a costs file, or a price of the model in your models file" if unit is Unit.USD else ""
    others = ", ".join(one for one in RUN_UNITS if one is not unit)
    return InputError(f"this run does not record {unit}; units that runs record: {others}{price}")
