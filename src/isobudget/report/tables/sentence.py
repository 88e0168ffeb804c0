"""The verdict of a comparison in plain words: which model up to which budget, how sure, and where it flips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

import numpy as np

from isobudget.curves import FIRST_PASS, Best, Comparison, Flip
from isobudget.grid import counted, ratio, with_unit

#: said wherever budgets are spending on average
EXPECTED = "Sampling stops at the first pass, after k samples at the latest: budgets are expected spending."


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
            f"of the problems for {with_unit(last.budget, comparison.unit)} a problem ({counted(last.k, 'sample')})."
        )
    segments = [list(group) for _, group in groupby(judged, key=lambda best: best.model)]
    starts = [segments[0][0].budget]
    starts += [_switch(comparison, before[-1], after[0]) for before, after in pairwise(segments)]
    parts = [
        _segment(segment, comparison, start, at == 0, starts[1] if len(starts) > 1 else None)
        for at, (segment, start) in enumerate(zip(segments, starts, strict=True))
    ]
    sentences = ["; ".join(parts) + "."]
    sentences += [_flip_sentence(flip, comparison) for flip in _headline_flips(comparison)]
    return " ".join(sentences)


def _switch(comparison: Comparison, before: Best, after: Best) -> float:
    """The exact budget in (before, after] from which the second model is best: there, one affords a sample more."""
    steps = np.unique(np.concatenate([curve.cost for curve in comparison.curves]))
    for budget in steps[(steps > before.budget) & (steps <= after.budget)]:
        points = comparison.points(float(budget))
        best = max(point.success for point in points.values() if not math.isnan(point.success))
        if points[str(after.model)].success >= best - 1e-12 and points[str(before.model)].success < best - 1e-12:
            return float(budget)
    return after.budget


def _segment(segment: Sequence[Best], comparison: Comparison, start: float, first: bool, end: float | None) -> str:
    unit, last, model = comparison.unit, segment[-1], str(segment[0].model)
    begin = comparison.points(start)[model]
    if first and end is None:
        where = f"at every budget from {with_unit(start, unit)} to {with_unit(last.budget, unit)} a problem"
        text = (
            f"Use {model} {where} ({counted(begin.k, 'sample')} to {last.k}: {begin.success:.1%} to {last.success:.1%})"
        )
    elif first and end is not None:
        solved = f"{counted(last.k, 'sample')} for {with_unit(last.budget, unit)}: {last.success:.1%}"
        text = f"Use {model} below {with_unit(end, unit)} a problem ({solved})"
    else:
        text = f"{model} from {with_unit(start, unit)} ({counted(begin.k, 'sample')}: {begin.success:.1%})"
    return text + _doubt(segment, unit)


def _doubt(segment: Sequence[Best], unit: str) -> str:
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
        return _unreached(flip, comparison)
    holds = "holds" if flip.now >= flip.ratio else "does not hold"
    return (
        f"Against one sample of {flip.dear}, {flip.cheap} wins while that costs more than {ratio(flip.ratio)} times "
        f"one of its own ({comparison.bootstrap.level:.0%} interval {ratio(flip.low)} to {ratio(flip.high)}), which "
        f"{holds} now: it costs {ratio(flip.now)} times as much."
    )


def _unreached(flip: Flip, comparison: Comparison) -> str:
    """What is known of a flip that lies beyond the recorded samples: the ratio up to which the dear model wins."""
    cheap, dear = comparison.curve(flip.cheap), comparison.curve(flip.dear)
    # one sample more than recorded is the first that could turn it: below its price the cheap model has these alone
    limit = float(cheap.charged.samples[-1] / dear.charged.samples[0])
    tell = "" if flip.now < limit else f", so more samples of {flip.cheap} are needed to tell"
    return (
        f"All {counted(cheap.k_max, 'sample')} of {flip.cheap} solve {cheap.success[-1]:.1%}, one of {flip.dear} "
        f"{dear.success[0]:.1%}: {flip.dear} wins while one of its samples costs less than {ratio(limit)} times one of "
        f"{flip.cheap}; beyond that, no ratio is known at which this flips. "
        f"Now it costs {ratio(flip.now)} times as much{tell}."
    )
