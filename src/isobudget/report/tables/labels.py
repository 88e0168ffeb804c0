"""Names of models in tables, shortened if they are long, and notes on costs and intervals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves import Comparison
from isobudget.grid import with_unit
from isobudget.importers.names import UNNAMED

#: most letters of all labels together that leave room for the numbers at 80 columns
_WIDEST = 30
#: most letters of a label that is not cut
_LONGEST = 18
#: note on a table that was cut to fit: where to find all of it
REST = "All of them are in --csv and --json of isobudget curves, and on the page of a report."
NO_INTERVAL = "One problem gives no interval."


def short_labels(labels: Sequence[str]) -> dict[str, str]:
    """Short labels: if the labels together are too long for a heading, their common beginning and end are left out.

    A label that is still too long loses its organisation, and then its last parts, unless two labels become the same.
    """
    if len(labels) < 2 or sum(len(label) for label in labels) <= _WIDEST:
        return {label: label for label in labels}
    parts = [re.split(r"(?<=[-_/ ])|(?=[-_/ ])", label) for label in labels]
    start = _common(parts)
    end = _common([part[start:][::-1] for part in parts])
    short = ["".join(part[start : len(part) - end]).strip("-_/ ") for part in parts]
    usable = all(short) and len(set(short)) == len(short)
    return dict(zip(labels, _cut(short if usable else list(labels)), strict=True))


def _cut(names: Sequence[str]) -> list[str]:
    """Long names without the organization before a slash, and then without their last parts."""
    for shorter in (_without_owner, _first_parts):
        made = [shorter(name) if len(name) > _LONGEST else name for name in names]
        names = [
            one if made.count(one) == 1 and one not in names else name for one, name in zip(made, names, strict=True)
        ]
    return list(names)


def _without_owner(name: str) -> str:
    owned = re.fullmatch(r"[\w.-]+/([^/]+)", name)
    return name if owned is None else owned[1]


def _first_parts(name: str) -> str:
    """As many whole parts as fit; the full name if none fits, or if the size or source would be lost."""
    ends = [match.start() for match in re.finditer(r"[-_/: ]", name) if 0 < match.start() <= _LONGEST]
    lost = name[ends[-1] :] if ends else ""
    return name if not ends or re.search(r"\d[bm]\b|\(", lost, re.IGNORECASE) else name[: ends[-1]]


def _common(parts: Sequence[Sequence[str]]) -> int:
    """The number of leading parts that all names share."""
    differ = (at for at, column in enumerate(zip(*parts, strict=False)) if len(set(column)) > 1)
    return next(differ, min(len(part) for part in parts))


def _short(comparison: Comparison) -> dict[str, str]:
    return short_labels([curve.label for curve in comparison.curves])


def prompt_note(comparison: Comparison) -> str:
    """A note on whether the samples of a problem share its prompt, since verdicts at equal budget depend on this."""
    short = short_names(comparison)
    return prompts_note([(short[curve.label], curve.price) for curve in comparison.curves])


def prompts_note(priced: Iterable[tuple[str, SampleCost]]) -> str:
    """A note on how the prices count prompts; names with the same rule are grouped."""
    models_by_note: dict[str, list[str]] = {}
    for name, price in priced:
        models_by_note.setdefault(price.prompt_said, []).append(name)
    if len(models_by_note) == 1:
        return f"Prompts: {next(iter(models_by_note))}."
    return "Prompts: " + "; ".join(f"{how} ({', '.join(names)})" for how, names in models_by_note.items()) + "."


def short_names(comparison: Comparison) -> dict[str, str]:
    """The short name of each curve in tables, by label."""
    return short_labels([curve.label for curve in comparison.curves])


def shared_part(price: SampleCost, unit: Unit) -> str:
    """The part of a sample's cost that the samples of a problem share, as text to follow the cost; empty if none."""
    return f", of which {with_unit(price.per_problem, unit)} once per problem" if price.per_problem else ""


def sources_note(priced: Iterable[tuple[str, str]]) -> str:
    """A note on the sources of costs; names with the same source are grouped: "a, b: SOURCE. c: OTHER."."""
    sources: dict[str, list[str]] = {}
    for name, source in priced:
        sources.setdefault(source, []).append(name)
    return " ".join(f"{', '.join(names)}: {source}." for source, names in sources.items())


def intervals_over(comparison: Comparison) -> str:
    """The kind of a comparison's intervals, `95% intervals over problems`; empty for one problem, which has none."""
    known = len(comparison.curves[0].task_ids) > 1
    return f"{comparison.bootstrap.level:.0%} intervals over problems" if known else ""


def said_of(named: Iterable[tuple[str, str]]) -> list[str]:
    """The texts, preceded by the names of their benchmarks or suites of tests if there are several."""
    pairs = list(named)
    several = len({name for name, _ in pairs}) > 1
    return [f"{name or UNNAMED}: {text}" if several else text for name, text in pairs]
