"""The table of `isobudget passk`, as lines of plain text of any width, and as a grid that fits the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from isobudget.analysis.passk import PassAtK
from isobudget.grid import Grid, counted, interval, percent
from isobudget.report.tables.terminal import UNCERTAIN, legend


def passk_lines(results: Sequence[PassAtK]) -> list[str]:
    """The results as text, one line per benchmark and model, then the meanings of the symbols."""
    grid = passk_grid(results)
    rows = [grid.columns, *grid.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*lines, "", *grid.notes]


def passk_grid(results: Sequence[PassAtK], notes: Sequence[str] = ()) -> Grid:
    """The results as a table; `notes` say what was left out of the sources."""
    named, conditions = (any(getattr(one, name) for one in results) for name in ("benchmark", "condition"))
    head = [*["benchmark"] * named, "model", *["condition"] * conditions, "problems", "n"]
    columns = [*head, *(f"pass@{k}" for k in results[0].k)]
    rows = []
    for result in results:
        names = [*[result.benchmark or "-"] * named, result.model, *[result.condition or "-"] * conditions]
        rows.append((*names, str(result.problems), _n(result), *(_cell(result, at) for at in range(len(result.k)))))
    below = (*_notes(results, [row[len(head) :] for row in rows]), *notes)
    words = tuple(range(len(head) - 2))
    return Grid("pass@k", tuple(columns), tuple(rows), notes=below, words=words, narrow=_one_a_line(results, below))


def _one_a_line(results: Sequence[PassAtK], notes: Sequence[str]) -> Grid:
    """One row per model and k, for many k on a narrow terminal; sample counts are below the model's name."""
    rows = []
    for result in results:
        name = " ".join(filter(None, (result.benchmark, result.model, result.condition)))
        lines = [name, f"  {counted(result.problems, 'problem')}, n = {_n(result)}"]
        cells = [(f"{k:,}", _cell(result, at)) for at, k in enumerate(result.k)]
        lines += [""] * (len(cells) - len(lines))
        cells += [("", "")] * (len(lines) - len(cells))
        rows += [(left, *right) for left, right in zip(lines, cells, strict=True)]
    return Grid("pass@k", ("Model", "k", "pass@k"), tuple(rows), notes=tuple(notes))


def _n(result: PassAtK) -> str:
    return "-".join(map(str, dict.fromkeys((result.n_min, result.n_max))))


def _cell(result: PassAtK, at: int) -> str:
    if result.k[at] in result.undefined:
        return "-"
    ends = interval(result.low[at], result.high[at])
    mark = "?" if result.k[at] > result.trusted_k else ""
    return percent(result.success[at], 2) + (f" ({ends})" if ends else "") + mark


def _notes(results: Sequence[PassAtK], cells: Sequence[Sequence[str]]) -> list[str]:
    fewest: dict[int, list[str]] = {}
    for result in results:
        if result.undefined:
            name = " ".join(part for part in (result.benchmark, result.model, result.condition) if part)
            fewest.setdefault(result.n_min, []).append(name)
    known = "; ".join(f"{n:,} ({', '.join(names)})" for n, names in fewest.items())
    interval_note = [
        f"In percent, with {100 * one.level:g}% intervals over problems (bootstrap of {one.replicates:,} replicates, "
        f"seed {one.seed})."
        for one in results[:1]
    ]
    return [
        *interval_note,
        *legend(cells, {"?": UNCERTAIN}),
        *[f"-  pass@k needs k samples of every problem; fewest samples of a problem: {known}"] * bool(fewest),
    ]
