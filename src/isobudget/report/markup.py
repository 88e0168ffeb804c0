"""Converts tables for papers and spreadsheets: Markdown, LaTeX (booktabs), CSV.

Texts may come from untrusted files. In LaTeX and Markdown every special character is escaped; for CSV see
`isobudget.files.csv_text`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from isobudget.files import csv_text as csv_file
from isobudget.grid import Grid, json_value, printable

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": r"{[}",
    "]": r"{]}",
}
#: marks before the text of a cell: arrows, stars, signs, a dash for an empty cell
_MARKS = re.compile(r"^[^\w]+")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#])")


def markdown(grid: Grid) -> str:
    """The grid as a pipe table, with its title above and its notes below; marked cells are bold."""
    lines = [f"**{_escaped(grid.title)}**", "", _piped(map(_escaped, grid.columns))]
    lines.append(_piped("---" if is_text else "---:" for is_text in _texts(grid)))
    for y, row in enumerate(grid.rows):
        lines.append(
            _piped(f"**{_escaped(text)}**" if (y, x) in grid.marked else _escaped(text) for x, text in enumerate(row))
        )
    return "\n".join([*lines, *(f"\n{_escaped(note)}" for note in grid.notes)])


def latex(grid: Grid) -> str:
    r"""The grid as a floating table: caption, tabular, notes in small print. It needs ``\usepackage{booktabs}``."""
    rows = [
        " & ".join(rf"\textbf{{{_tex(text)}}}" if (y, x) in grid.marked else _tex(text) for x, text in enumerate(row))
        for y, row in enumerate(grid.rows)
    ]
    notes = [r"\par\smallskip\raggedright\footnotesize " + r" \\ ".join(map(_tex, grid.notes))] if grid.notes else []
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_tex(grid.title)}}}",
            rf"\begin{{tabular}}{{{''.join('l' if is_text else 'r' for is_text in _texts(grid))}}}",
            r"\toprule",
            " & ".join(map(_tex, grid.columns)) + r" \\",
            r"\midrule",
            *(row + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            *notes,
            r"\end{table}",
        ]
    )


def _texts(grid: Grid) -> list[bool]:
    """For each column, whether it is left-aligned: the first column, and those whose cells all begin with letters."""
    columns = list(zip(*grid.rows, strict=True)) or [()] * len(grid.columns)
    begins = [[_MARKS.sub("", text)[:1] for text in column] for column in columns]
    return [x == 0 or (any(own) and all(one.isalpha() for one in own if one)) for x, own in enumerate(begins)]


def csv_text(records: Sequence[Mapping[str, Any]]) -> str:
    """Records with equal keys as CSV with a header row; NaN and None are empty cells. Empty without records."""
    if not records:
        return ""
    return csv_file.csv_text(list(records[0]), map(json_value, records))


def _piped(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", printable(text).replace("\n", " "))


def _tex(text: str) -> str:
    return "".join(_LATEX.get(one, one) for one in printable(text).replace("\n", " "))
