"""What choosing a sample costs on top of generating it: running its tests, or scoring it with a ranker.

The paper counts both as free (section 2.2), and so does isobudget by default. Each charge is an amount per
sample, in the unit of the budget:

- **judging**: the CPU seconds of the tests that a run's judge measured, or the amount that a costs file states.
- **scoring**: one forward pass of the ranker over prompt and completion, `flops.scoring_flops`; a model's own
  likelihood is known once the sample is generated, and costs nothing more.

If an amount is not known in the unit, charging it is an error. An unknown amount is never taken for 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.entry import Entry
from isobudget.costs.flops import PAPER_LENGTH, completion_flops, paper_flops, prompt_flops
from isobudget.costs.usage import TokenUse, mean_over_problems
from isobudget.errors import InputError
from isobudget.models.architecture import Architecture

FloatArray = NDArray[np.float64]

#: what can be charged
JUDGE, SCORING = "judge", "scoring"


@dataclass(frozen=True, slots=True)
class Charges:
    """Costs to charge in addition to generating the samples; by default none, as in the paper.

    Attributes:
        judge: whether to charge running each sample's tests.
        scoring: whether to charge scoring each sample.
        ranker: the model that scores; None for the model that generated the sample.
        share_prompt: True if the samples of a problem share the cost of its prompt, False if each sample pays for the
            prompt. None means as stated or billed, or else shared.
    """

    judge: bool = False
    scoring: bool = False
    ranker: Architecture | None = None
    share_prompt: bool | None = None


NOTHING = Charges()


def charge_notes(charges: Charges, by_tests: bool) -> list[str]:
    """Notes for charges that the chosen way of selection does not need."""
    notes = []
    if charges.scoring and by_tests:
        notes.append("Tests choose here and need no scores; scoring is charged because you asked for it.")
    if charges.judge and not by_tests:
        notes.append("No test is needed to choose by likelihood; judging is charged because you asked for it.")
    return notes


@dataclass(frozen=True, slots=True, eq=False)
class Extra:
    """An amount on top of a sample's cost.

    Attributes:
        per_sample: mean over problems, in the requested unit.
        source: what the amount is for, and where it comes from.
        by_sample: the amounts of each problem's samples where they were measured one by one, else None.
    """

    per_sample: float
    source: str
    by_sample: tuple[FloatArray, ...] | None = None

    @classmethod
    def measured(cls, by_sample: Sequence[FloatArray], source: str) -> Extra:
        """The charge from an amount for each sample; every problem has the same weight."""
        return cls(mean_over_problems(by_sample), source, tuple(by_sample))


def parse_charges(names: Sequence[str], ranker: str | None = None, share_prompt: bool | None = None) -> Charges:
    """The charges by name, `judge` and `scoring`; `ranker` names an architecture, a config.json or a GGUF file."""
    from isobudget.models.read_architecture import load_architecture

    for name in names:
        if name not in (JUDGE, SCORING):
            raise InputError(f"cannot charge {name!r}; choose {JUDGE} or {SCORING}")
    if ranker is not None and SCORING not in names:
        raise InputError(
            f"a ranker's architecture is only used to price the ranker's forward passes; add --charge {SCORING}"
        )
    scorer = None if ranker is None else load_architecture(ranker)
    return Charges(JUDGE in names, SCORING in names, scorer, share_prompt)


def with_extras(price: SampleCost, extras: Sequence[Extra]) -> SampleCost:
    """The price with every extra on top, each named in its source."""
    for extra in extras:
        price = price.plus(extra.per_sample, extra.source)
    return price


def extras_of(
    model: str,
    unit: Unit,
    charges: Charges,
    *,
    entry: Entry | None = None,
    use: TokenUse | None = None,
    judging: Extra | None = None,
) -> list[Extra]:
    """What is charged on top of one model's samples.

    Args:
        model: the model's name.
        unit: the unit of the budget.
        charges: what to charge.
        entry: the costs file's values for the model. Its `judge_UNIT` and `scoring_UNIT` take precedence.
        use: token counts of the model's samples, for scoring. Without them, a pass is over 128 tokens, as in Table 1.
        judging: what the run's judge measured, in seconds.

    Raises:
        InputError: a charge has no amount in `unit`.
    """
    extras = []
    if charges.judge:
        extras.append(_stated(entry, JUDGE, unit) or _judging(model, unit, judging))
    if charges.scoring:
        extras.append(_stated(entry, SCORING, unit) or _scoring(model, unit, charges.ranker, use))
    return extras


def _stated(entry: Entry | None, charge: str, unit: Unit) -> Extra | None:
    amount = None if entry is None else entry.values.get(f"{charge}_{unit}")
    if entry is None or amount is None:
        return None
    return Extra(
        float(amount), f"{charge} at {amount:g} {unit} a sample as stated ({entry.source_of(f'{charge}_{unit}')})"
    )


def _judging(model: str, unit: Unit, measured: Extra | None) -> Extra:
    by_time = unit in (Unit.SECONDS, Unit.DEVICE_SECONDS)  # a processor is one device
    if by_time and measured is not None:
        return measured
    why = "this file has no judging times" if by_time else f"judging is not priced in {unit}"
    raise _unpriced("the judge", model, why, JUDGE, unit)


def _scoring(model: str, unit: Unit, ranker: Architecture | None, use: TokenUse | None) -> Extra:
    if ranker is None:
        return Extra(0.0, "scoring by the model's own likelihood, free: it is known once the sample is generated")
    if unit is not Unit.FLOPS:
        raise _unpriced(f"scoring by {ranker.name}", model, f"scoring is not priced in {unit}", SCORING, unit)
    if use is None:
        what = f"scoring by {ranker.name}, one pass at {PAPER_LENGTH} tokens"
        return Extra(float(paper_flops(ranker)), what)
    lengths = zip(use.prompt, use.completions, strict=True)
    passes = [_pass_flops(ranker, int(prompt), tokens) for prompt, tokens in lengths]
    return Extra.measured(passes, f"scoring by {ranker.name}, one pass over prompt and completion, by {use.said}")


def _unpriced(what: str, model: str, why: str, charge: str, unit: Unit) -> InputError:
    return InputError(
        f"cannot charge {what} for {model!r}: {why}. State {charge}_{unit} = ..., its cost per sample, for the model "
        "or under [defaults] in a costs file, and give that with --costs"
    )


def _pass_flops(ranker: Architecture, prompt: int, completions: NDArray[np.int64]) -> FloatArray:
    """`scoring_flops` of each completion of one prompt; 0 for an empty completion."""
    flops = prompt_flops(ranker, prompt) + completion_flops(ranker, prompt, completions)
    return np.where(completions > 0, flops, 0.0)
