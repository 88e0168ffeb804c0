"""Prepares a figure's SVG for a page: gives it the page's colours, and makes its ids unique on the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isobudget.grid import printable
from isobudget.report.figures.style import COLOURS, INK, PAPER, RULE

if TYPE_CHECKING:
    from markupsafe import Markup

#: removed: texts that the page has outside the figure, and a style rule of Matplotlib's for the whole document, which
#: the page's own style sheet states for figures only
_LEFT_OUT = re.compile(
    r"<title>.*?</title>|<desc>.*?</desc>|<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", re.DOTALL
)
_ID = re.compile(r'(\bid="|href="#|url\(#)')
_PATH_DATA = re.compile(r'(?<= d=")[^"]*(?=")')
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_PAGE_COLOURS = {INK: "currentColor", RULE: "var(--rule)", PAPER: "var(--page)"} | {
    colour: f"var(--model-{place})" for place, colour in enumerate(COLOURS)
}


def inline(svg: bytes, name: str, description: str) -> Markup:
    """Turn a figure's SVG, as Matplotlib writes it, into an element of a page.

    `name` (letters, digits, hyphens) is put before every id; `description` is for readers who cannot see the figure.
    """
    from markupsafe import Markup, escape

    text = svg.decode()
    text = _LEFT_OUT.sub("", text[text.index("<svg") :])
    text = _PATH_DATA.sub(lambda path: _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.2f}", path[0]), text)
    text = _ID.sub(rf"\g<1>{name}-", text)
    for colour, variable in _PAGE_COLOURS.items():
        text = text.replace(colour, variable)
    start, rest = text.split(">", 1)
    start = re.sub(r'\s(?:width|height)="[^"]*"', "", start)
    label = escape(printable(description).replace("\n", " "))
    return Markup(f'{start} role="img" aria-label="{label}">{rest.strip()}')
