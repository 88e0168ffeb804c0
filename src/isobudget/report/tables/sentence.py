"""The verdict of a comparison in words: which model up to which budget, how certain, and what a sample's price buys.

Every number is also in the tables: prices are those of one sample, shares those of the cells at the same budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from isobudget.curves import FIRST_PASS, TESTS, Comparison, Curve, Flip, Point, Segment
from isobudget.grid import counted, ratio, with_unit
from isobudget.report.tables.labels import short_labels, short_names

#: added wherever budgets are average spending
EXPECTED = "Sampling stops at the first pass, after k samples at the latest: budgets are expected spending."
#: most letters of a name in sentences; longer names are shortened
_LONG = 24
#: most budgets, or models, that are listed one by one
_FEW_BUDGETS = 3


def winner_sentence(comparison: Comparison) -> str:
    """A few sentences: which model to use at which budget, whether that is clear, and what a sample costs and buys.

    Budgets are per problem. The recommendation changes only where a difference is clear with all budgets tested
    together; other differences are called not clear.
    """
    verdict = _verdict(comparison)
    return f"{verdict} {EXPECTED}" if comparison.stop == FIRST_PASS else verdict


def headline(comparison: Comparison) -> str:
    """The verdict in two lines: which model to use at which budget, and what the price of the dearest sample buys.

    Only one line if there is nothing to choose or nothing is solved.
    """
    segments = comparison.recommendation()
    if len(comparison.curves) < 2 or not segments:
        return _verdict(comparison).split(" One sample costs ")[0]
    return "\n".join([_use(segments, comparison), *(_at_one(flip, comparison) for flip in _headline_flips(comparison))])


def basis(comparison: Comparison) -> str:
    """The basis of the headline: where it is not clear, prices of a sample, and the ratio at which the winner flips.

    Long names are shortened as in the tables.
    """
    if len(comparison.curves) < 2 or not comparison.recommendation():
        return EXPECTED if comparison.stop == FIRST_PASS else ""
    short = _said(comparison)
    text = winner_sentence(comparison)
    for label in sorted(short, key=len, reverse=True):
        text = text.replace(label, short[label])
    return text


def _said(comparison: Comparison) -> dict[str, str]:
    """The names of models in sentences: their labels, or the tables' short names for long ones."""
    labels = [curve.label for curve in comparison.curves]
    if len({curve.selection for curve in comparison.curves}) > 1:
        return dict(zip(labels, labels, strict=True)) if max(map(len, labels)) <= _LONG else short_names(comparison)
    models = [curve.model for curve in comparison.curves]
    return dict(zip(labels, models if max(map(len, models)) <= _LONG else short_labels(models).values(), strict=True))


def _chosen(comparison: Comparison) -> str:
    """The beginning of a sentence: how samples are chosen, if not by tests and if the same for all models."""
    selections = {curve.selection for curve in comparison.curves}
    return f"Chosen by {next(iter(selections))}: use" if len(selections) == 1 and TESTS not in selections else "Use"


def _use(segments: Sequence[Segment], comparison: Comparison) -> str:
    """Which model from which budget on, in one line; if there are many changes, only the first and the last."""
    short, unit = _said(comparison), comparison.unit
    first, later = segments[0], segments[1:]
    sure = _sure(segments, len(comparison.best)) + _ahead(segments, comparison)
    if not later:
        end = with_unit(first.rows[-1].budget, unit)
        return f"{_chosen(comparison)} {short[first.model]} at every budget up to {end} a problem: {sure}."
    switches = [f"{short[one.model]} from {with_unit(one.start, unit)}" for one in later]
    if len(later) == 1:
        switches = [f"then {short[later[0].model]}"]
    elif len(switches) > _FEW_BUDGETS:
        switches = [f"{len(switches) - 1} others between", switches[-1]]
    start = f"{_chosen(comparison)} {short[first.model]} below {with_unit(later[0].start, unit)} a problem"
    return f"{', '.join([start, *switches])}: {sure}."


def _sure(segments: Sequence[Segment], budgets: int) -> str:
    """Whether the recommendation is clear; if only at some budgets, at how many of those in the table."""
    with_choice = sum(len(row.affordable) > 1 for segment in segments for row in segment.rows)
    unclear = sum(bool(models) for segment in segments for models in segment.unclear_against.values())
    if unclear == 0 or unclear == with_choice:
        return "not clear" if unclear else "clear"
    alone = sum(len(row.affordable) == 1 for segment in segments for row in segment.rows)
    forced = f"; {alone} {'pays' if alone == 1 else 'pay'} for one model" if alone else ""
    return f"clear at {with_choice - unclear} of {budgets} budgets{forced}"


def _ahead(segments: Sequence[Segment], comparison: Comparison) -> str:
    """Which other model solves more, though not clearly, and at how many of the table's budgets; empty if none does."""
    labels = [label for segment in segments for label in segment.ahead.values()]
    if not labels:
        return ""
    who = f"{_said(comparison)[labels[0]]} is" if len(set(labels)) == 1 else "others are"
    return f"; {who} ahead at {len(labels)} of {counted(len(comparison.best), 'budget')}"


def _at_one(flip: Flip, comparison: Comparison) -> str:
    """What one sample of the most expensive model solves, and what the cheapest model solves for the same price."""
    short = _said(comparison)
    cheap, dear = comparison.curve(flip.cheap), comparison.curve(flip.dear)
    one, other = (curve.at(dear.price.cost(1)) for curve in (cheap, dear))
    paid = f"{'all ' if one.capped else ''}{counted(one.k, 'sample')} of {short[cheap.label]}"
    solve = "solves" if one.k == 1 else "solve"
    large = f"One sample of {short[dear.label]} solves {other.success:.1%}"
    return f"{large}; for its price, {paid} {solve} {one.success:.1%}."


def _verdict(comparison: Comparison) -> str:
    segments = comparison.recommendation()
    if not segments:
        return _nothing(comparison)
    if len(comparison.curves) == 1:
        curve, last = comparison.curves[0], segments[-1].last
        # more samples that solve no more, as it is shown, are no price of it
        least = curve.budget_to_reach(min(last.success, round(last.success, 3) - 5e-4))
        return (
            f"Only {curve.label} was given, so there is nothing to choose: it solves {last.success:.1%} of the "
            f"problems for {with_unit(least, comparison.unit)} a problem ({counted(curve.at(least).k, 'sample')})."
        )
    parts = [_segment(segments, at, comparison) for at in range(len(segments))]
    sentences = ["; ".join(parts) + "."]
    for flip in _headline_flips(comparison):
        sentences += [_prices(flip, segments, comparison), _match(flip, comparison)]
    return " ".join(sentences)


def _nothing(comparison: Comparison) -> str:
    """Why there is no recommendation."""
    problems = counted(len(comparison.curves[0].task_ids), "problem")
    if all(curve.success.max() == 0 for curve in comparison.curves):
        return f"No model solves any of the {problems} with its recorded samples, so none is recommended."
    if any(point.k for best in comparison.best for point in comparison.points(best.budget).values()):
        return f"No model solves any of the {problems} at the compared budgets, so none is recommended."
    cheapest = comparison.curves[0]
    price = with_unit(cheapest.price.cost(1), comparison.unit)
    return f"No compared budget affords one sample of any model; the cheapest, of {cheapest.label}, costs {price}."


def _segment(segments: Sequence[Segment], at: int, comparison: Comparison) -> str:
    unit, segment = comparison.unit, segments[at]
    first, last = segment.first, segment.last
    if len(segments) == 1:
        where = f"at every budget from {with_unit(segment.start, unit)} to {with_unit(last.budget, unit)} a problem"
        solved = f"{counted(first.k, 'sample')} to {last.k}: {first.success:.1%} to {last.success:.1%}"
        text = f"Use {segment.model} {where} ({solved})"
    elif at == 0:
        solved = f"{counted(last.k, 'sample')} for {with_unit(last.budget, unit)}: {last.success:.1%}"
        text = f"Use {segment.model} below {with_unit(segments[1].start, unit)} a problem ({solved})"
    else:
        solved = f"{counted(first.k, 'sample')}: {first.success:.1%}"
        text = f"{segment.model} from {with_unit(segment.start, unit)} ({solved})"
    return text + _doubt(segment, comparison)


def _doubt(segment: Segment, comparison: Comparison) -> str:
    """Where it is not clear that the model is best, and where another model was ahead."""
    unclear = [budget for budget, models in segment.unclear_against.items() if models]
    if not unclear:
        return ""
    rivals = dict.fromkeys(label for models in segment.unclear_against.values() for label in models)
    chosen = [row for row in segment.rows if len(row.affordable) > 1]
    where = f" {_budgets(unclear, len(chosen), comparison)}" if len(unclear) < len(chosen) else ""
    ahead: dict[str, list[float]] = {}
    for budget, label in segment.ahead.items():
        ahead.setdefault(label, []).append(budget)
    others = [f"{label} was ahead {_budgets(at, len(chosen), comparison)}" for label, at in ahead.items()]
    doubt = f", not clear against {_names(list(rivals))}{where}"
    return f"{doubt} ({', '.join([*others, *_ran_out(segment)])})" if others else doubt


def _ran_out(segment: Segment) -> list[str]:
    """A remark if another model was ahead because the recommended model had too few samples."""
    ended = any(segment.model in row.capped for row in segment.rows if row.budget in segment.ahead)
    return [f"with all {counted(segment.last.k, 'recorded sample')} of {segment.model}"] if ended else []


def _names(labels: Sequence[str]) -> str:
    return ", ".join(labels) if len(labels) <= _FEW_BUDGETS else f"{len(labels)} others"


def _budgets(budgets: Sequence[float], whole: int, comparison: Comparison) -> str:
    if len(budgets) <= _FEW_BUDGETS:
        return "at " + ", ".join(with_unit(budget, comparison.unit) for budget in budgets)
    return f"at {len(budgets)} of {whole} budgets with a choice"


# what the price of a sample buys --------------------------------------------------------------------------------------


def _headline_flips(comparison: Comparison) -> list[Flip]:
    """The cheapest model against one sample of the dearest."""
    cheap, dear = comparison.curves[0].label, comparison.curves[-1].label
    return [flip for flip in comparison.flips if (flip.cheap, flip.dear, flip.k_dear) == (cheap, dear, 1)]


def _prices(flip: Flip, segments: Iterable[Segment], comparison: Comparison) -> str:
    """The price of one sample, and how many samples of the cheapest model the price of the most expensive one buys."""
    cheap, dear = comparison.curve(flip.cheap), comparison.curve(flip.dear)
    named = {cheap.label, dear.label, *(segment.model for segment in segments)}
    by_price: dict[str, list[str]] = {}
    for curve in comparison.curves:
        if curve.label in named:
            by_price.setdefault(with_unit(curve.price.cost(1), comparison.unit), []).append(curve.label)
    prices = ", ".join(f"{price} ({', '.join(labels)})" for price, labels in by_price.items())
    budget = dear.price.cost(1)
    one, other = cheap.at(budget), dear.at(budget)
    further = "" if not cheap.price.per_problem else f", each further one {_further(cheap)}"
    return (
        f"One sample costs {prices}{further}. For the price of one of {dear.label} the budget pays for "
        f"{_paid(one, cheap)}: {one.success:.1%} against {other.success:.1%}."
    )


def _further(curve: Curve) -> str:
    return f"of {curve.label} {with_unit(curve.price.per_sample, curve.unit)} since the prompt is shared"


def _paid(point: Point, curve: Curve) -> str:
    if not point.capped:
        return f"{counted(point.k, 'sample')} of {curve.label}"
    return f"more than the {counted(point.k, 'recorded sample')} of {curve.label}"


def _match(flip: Flip, comparison: Comparison) -> str:
    """How many samples of the cheaper model do as well as one of the more expensive one."""
    cheap, dear = comparison.curve(flip.cheap), comparison.curve(flip.dear)
    aside = ", the prompt aside" if cheap.price.per_problem or dear.price.per_problem else ""
    average = f", {_as_many(flip.ratio)} on average" if cheap.stop == FIRST_PASS else ""
    if flip.k_cheap is not None:
        ends = _ends(flip, comparison.bootstrap.level)
        return f"{cheap.label} does as well with {counted(flip.k_cheap, 'sample')}{average} ({ends}){aside}."
    # one sample more than recorded is the first that could turn it: below its price the cheap model has these alone
    limit = float(cheap.charged.samples[-1] / dear.charged.samples[0])
    tell = "" if flip.now < limit else f"; more samples of {flip.cheap} are needed to tell"
    return (
        f"All {counted(cheap.k_max, 'sample')} of {flip.cheap} solve {cheap.success[-1]:.1%}, so {flip.dear} wins "
        f"while the price of one of its samples pays for fewer than {ratio(limit)}{aside}{tell}."
    )


def _as_many(times: float) -> str:
    """How many times as many samples are generated as for another model, in words."""
    return "as many" if ratio(times) == "1" else f"{ratio(times)} times as many"


def _ends(flip: Flip, level: float) -> str:
    """The interval of the ratio in words."""
    if math.isnan(flip.low):
        return f"no {level:.0%} interval"
    if math.isnan(flip.high):
        return f"{level:.0%} interval from {ratio(flip.low)}, no upper end within the recorded samples"
    return f"{level:.0%} interval {ratio(flip.low)} to {ratio(flip.high)}"
