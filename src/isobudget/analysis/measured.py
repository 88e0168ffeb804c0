"""The measured seconds and joules of a run's samples, as prices that do not depend on how many ran together.

    cost(k) = prompt + k * sample

Where the engine timed prompts apart, a problem's prompt is charged once, as it was computed once, and a sample costs
its share of the steps that advanced it. A step with idle slots (at the end of a run, or with
a model that has few samples) took longer for each sample than a full step. So if at least a tenth of all tokens were
generated in full steps, tokens of steps with idle slots are priced by the model's full steps:

    sample = seconds of its full steps + its tokens of idle steps x seconds of a full step's token
 The source says what could not be separated: the
prompt's time, or the time of idle slots.

Not covered: joules of idle slots, and that a token takes longer the more tokens are before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.load_samples import ModelSamples, ProblemSamples
from isobudget.costs.cost import EACH_PAYS, SHARED, SampleCost, Unit
from isobudget.costs.energy import measured_joules
from isobudget.costs.seconds import measured_seconds
from isobudget.costs.usage import mean_over_problems

FloatArray = NDArray[np.float64]

#: the least share of tokens generated in full steps from which the time of a full step is estimated
_ENOUGH = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured of one model's samples.

    Attributes:
        unit: seconds or joules.
        amounts: the amount of each sample without the shared prompt, one array per problem.
        prompt: mean amount of computing a prompt, 0 if that is part of `amounts`.
        notes: what a reader of the price has to know.
    """

    unit: Unit
    amounts: tuple[FloatArray, ...]
    prompt: float
    notes: tuple[str, ...]

    def cost(self, source: str, *, share_prompt: bool = True) -> SampleCost:
        """The price, with the prompt charged once a problem or to every sample; `source` names engine and machine."""
        price = measured_seconds if self.unit is Unit.SECONDS else measured_joules
        source = "; ".join([source, *self.notes])
        if share_prompt:
            return replace(price(self.amounts, source, self.prompt), prompt=SHARED)
        return replace(price([amounts + self.prompt for amounts in self.amounts], source), prompt=EACH_PAYS)


def measured(samples: ModelSamples, unit: Unit) -> Measured:
    """The seconds or joules of a model's samples."""
    problems = samples.problems
    in_seconds = unit is Unit.SECONDS
    apart = [one.prompt_seconds if in_seconds else one.prompt_joules for one in problems]
    amounts, notes = _at_full_slots(problems) if in_seconds else ([one.joules for one in problems], [])
    if all(np.all(np.isfinite(one)) for one in apart):
        return Measured(unit, tuple(amounts), mean_over_problems(apart), ("prompt charged once a problem", *notes))
    shared = [own + _share(prompt) for own, prompt in zip(amounts, apart, strict=True)]
    notes = ["the prompt's share is not known separately: it is spread over the generated samples", *notes]
    return Measured(unit, tuple(shared), 0.0, tuple(notes))


def _share(prompt: FloatArray) -> FloatArray:
    """Each sample's part of the known amounts of the prompt; 0 where the sample's own amount includes the prompt."""
    known = np.isfinite(prompt)
    return np.where(known, prompt, 0.0) / max(int(known.sum()), 1)


def _at_full_slots(problems: tuple[ProblemSamples, ...]) -> tuple[list[FloatArray], list[str]]:
    """The seconds of each sample as if no slot had ever been idle, as far as full steps allow this to be computed."""
    own = [one.seconds for one in problems]
    if not all(np.isfinite(times).all() for times in own):
        return own, []  # they have no price
    idle = np.concatenate([one.idle_tokens for one in problems])
    if not np.all(np.isfinite(idle)):
        return own, ["time of idle slots included"] if np.any(idle > 0) else []
    steps = sum(float(np.maximum(one.completion_tokens - 1, 0).sum()) for one in problems)
    full = steps - float(idle.sum())
    if not np.any(idle):
        return own, []
    if full < _ENOUGH * steps:
        return own, [
            "almost all measured while slots were idle, because too few samples were generated at once; with full "
            "slots, samples cost less"
        ]
    rate = sum(float((one.seconds - one.idle_seconds).sum()) for one in problems) / full
    priced = [one.seconds - one.idle_seconds + rate * one.idle_tokens for one in problems]
    return priced, [
        f"{1 - full / steps:.0%} of the tokens were generated while slots were idle, priced as if all were full"
    ]
