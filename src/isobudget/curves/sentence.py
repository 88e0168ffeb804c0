"""The verdict of a comparison in plain words: which model up to which budget, how sure, and where it flips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from isobudget.costs.cost import Unit
from isobudget.curves.compare import Best, Comparison
from isobudget.curves.flips import Flip
from isobudget.curves.stopping import FIRST_PASS
from isobudget.grid import amount

#: said wherever budgets are spending on average
EXPECTED = "Drawing stops at the first pass, after k samples at the latest: budgets are expected spending."

_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"))


def with_unit(value: float, unit: Unit) -> str:
    """An amount with its unit: `13.5 Tflops`, `0.395 s`, `$0.0018`."""
    if math.isnan(value):
        return "-"
    if unit is Unit.FLOPS:
        scale, prefix = next(((s, p) for s, p in _PREFIXES if value >= s), (1.0, ""))
        return f"{amount(value / scale)} {prefix}flops"
    if unit is Unit.USD:
        return f"${value:.3g}" if value < 100 else f"${value:,.0f}"
    return f"{amount(value)} { {Unit.SECONDS: 's', Unit.TOKENS: 'tokens', Unit.JOULES: 'J'}[unit] }"


def winner_sentence(comparison: Comparison) -> str:
    """One to three sentences: the best model by budget, whether that is clear, and the cost ratio that turns it.

    Budgets are per problem. Where the interval of a difference includes 0, the sentence says that it is not clear.
    """
    verdict = _verdict(comparison)
    return f"{verdict} {EXPECTED}" if comparison.stop == FIRST_PASS else verdict


def _verdict(comparison: Comparison) -> str:
    judged = [best for best in comparison.best if best.model is not None]
    if not judged:
        cheapest = comparison.curves[0]
        price = with_unit(cheapest.price.cost(1), comparison.unit)
        return f"No budget here affords one sample of any model; the cheapest, of {cheapest.label}, costs {price}."
    if len(comparison.curves) == 1:
        last = judged[-1]
        return (
            f"Only {last.model} was given, so there is nothing to choose: it solves {last.success:.1%} "
            f"of the problems for {with_unit(last.budget, comparison.unit)} a problem ({_samples(last.k)})."
        )
    segments = [list(group) for _, group in groupby(judged, key=lambda best: best.model)]
    parts = [_segment(segment, comparison.unit, at == 0, len(segments)) for at, segment in enumerate(segments)]
    sentences = ["; ".join(parts) + "."]
    sentences += [_flip_sentence(flip, comparison) for flip in _headline_flips(comparison)]
    return " ".join(sentences)


def _segment(segment: Sequence[Best], unit: Unit, first: bool, segments: int) -> str:
    start, end = segment[0], segment[-1]
    if segments == 1:
        where = f"at every budget from {with_unit(start.budget, unit)} to {with_unit(end.budget, unit)} a problem"
        text = f"Use {start.model} {where} ({_samples(start.k)} to {end.k}: {start.success:.1%} to {end.success:.1%})"
    elif first:
        text = f"Use {start.model} up to {with_unit(end.budget, unit)} a problem ({_samples(end.k)}: {end.success:.1%})"
    else:
        text = f"{start.model} from {with_unit(start.budget, unit)} ({_samples(start.k)}: {start.success:.1%})"
    return text + _doubt(segment, unit)


def _doubt(segment: Sequence[Best], unit: Unit) -> str:
    """Where the lead is not clear: the interval of a difference includes 0, or a rival's samples run out."""
    unclear = [best for best in segment if best.unclear_against]
    if not unclear:
        return ""
    rivals = ", ".join(dict.fromkeys(label for best in unclear for label in best.unclear_against))
    if len(unclear) == len(segment):
        return f", not clear against {rivals}"
    budgets = ", ".join(with_unit(best.budget, unit) for best in unclear)
    return f", not clear against {rivals} at {budgets}"


def _headline_flips(comparison: Comparison) -> list[Flip]:
    """The cheapest model against one sample of the dearest."""
    cheap, dear = comparison.curves[0].label, comparison.curves[-1].label
    return [flip for flip in comparison.flips if (flip.cheap, flip.dear, flip.k_dear) == (cheap, dear, 1)]


def _flip_sentence(flip: Flip, comparison: Comparison) -> str:
    if flip.k_cheap is None:
        return f"{flip.reason[0].upper()}{flip.reason[1:]}, so no cost ratio is known at which it would win."
    low = "?" if math.isnan(flip.low) else f"{flip.low:.3g}"
    high = "?" if math.isnan(flip.high) else f"{flip.high:.3g}"
    holds = "holds" if flip.now >= flip.ratio else "does not hold"
    return (
        f"Against one sample of {flip.dear}, {flip.cheap} wins while that costs more than {flip.ratio:.3g} times "
        f"one of its own ({comparison.bootstrap.level:.0%} interval {low} to {high}), which {holds} now: "
        f"it costs {flip.now:.3g} times as much."
    )


def _samples(k: int) -> str:
    return "1 sample" if k == 1 else f"{k:,} samples"
