"""Texts of a figure measured and fitted: names cut in their middle, labels broken into lines, ticks that have room.

Lengths are in points. A text is measured by its outlines, as Matplotlib draws it, so that nothing is drawn first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

from isobudget.grid import printable

#: room between two numbers of an axis, in times their size
_APART = 0.8


@lru_cache(maxsize=4096)
def width_of(text: str, family: str, points: float) -> float:
    """How wide a line of text is."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    letters = FontProperties(family=[family, "DejaVu Sans"], size=points)
    width, _, _ = text_to_path.get_text_width_height_descent(printable(text), letters, ismath=False)
    return float(width)


def fitted(text: str, room: float, family: str, points: float) -> str:
    """The text, its middle left out where it is wider than the room: names often differ at their end."""
    if width_of(text, family, points) <= room:
        return text
    for kept in range(len(text) - 1, 1, -1):
        short = f"{text[: math.ceil(kept / 2)]}…{text[len(text) - kept // 2 :]}"
        if width_of(short, family, points) <= room:
            return short
    return text[:1]


def all_fitted(texts: Sequence[str], room: float, family: str, points: float) -> list[str]:
    """Different texts, fitted so that they stay different: of those that would not, each has its number."""
    found: list[str] = []
    for text in texts:
        short, number = fitted(text, room, family, points), 1
        while short in found:
            number += 1
            mark = f" #{number}"
            short = fitted(text, room - width_of(mark, family, points), family, points) + mark
        found.append(short)
    return found


def in_lines(text: str, room: float, family: str, points: float) -> str:
    """The text, broken at blanks into lines no wider than the room; a word that is wider stands alone."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, family, points) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def power_ticks(low: float, high: float, room: float, family: str, points: float) -> list[tuple[float, str]]:
    """Powers of two between two positive numbers, on a log axis as long as `room`, each with its text; none touch."""
    first, last = math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9)
    scale = room / math.log2(high / low)
    ticks: list[tuple[float, str]] = []
    for step in range(1, last - first + 2):
        ticks = [(2.0**power, _tick(2.0**power)) for power in range(first, last + 1) if power % step == 0]
        if all(gap >= _APART * points for gap in _gaps(ticks, step * scale, family, points)):
            break
    return ticks


def _gaps(ticks: Sequence[tuple[float, str]], apart: float, family: str, points: float) -> Iterator[float]:
    """The room between the texts of neighbours, which stand so far apart."""
    widths = [width_of(text, family, points) for _, text in ticks]
    return (apart - (one + other) / 2 for one, other in itertools.pairwise(widths))


def _tick(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:.3g}"
