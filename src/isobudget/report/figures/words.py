"""Measures and fits the texts of a figure: names shortened in the middle, labels broken into lines, ticks with room.

Lengths are in points. A text is measured by the outlines that Matplotlib will draw, without rendering it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import pairwise

from isobudget.grid import printable


@lru_cache(maxsize=4096)
def width_of(text: str, family: str, points: float) -> float:
    """The width of a line of text."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    letters = FontProperties(family=[family, "DejaVu Sans"], size=points)
    width, _, _ = text_to_path.get_text_width_height_descent(printable(text), letters, ismath=False)
    return float(width)


def fitted(text: str, room: float, family: str, points: float) -> str:
    """The text, shortened in the middle if it is wider than the room, because names often differ at their end."""
    return fitted_to(text, room, partial(width_of, family=family, points=points))


def fitted_to(text: str, room: float, width: Callable[[str], float] = len) -> str:
    """The text, shortened as by `fitted`, with any measure of width; by default the number of letters."""
    if width(text) <= room:
        return text
    for kept in range(len(text) - 1, 1, -1):
        short = f"{text[: math.ceil(kept / 2)]}…{text[len(text) - kept // 2 :]}"
        if width(short) <= room:
            return short
    return text[:1]


def all_fitted(texts: Sequence[str], room: float, family: str, points: float) -> list[str]:
    """Different texts, shortened so that they stay different; texts that would become equal get a number."""
    shortened: list[str] = []
    for text in texts:
        short, number = fitted(text, room, family, points), 1
        while short in shortened:
            number += 1
            mark = f" #{number}"
            short = fitted(text, room - width_of(mark, family, points), family, points) + mark
        shortened.append(short)
    return shortened


def in_lines(text: str, room: float, family: str, points: float) -> str:
    """The text broken at spaces into lines no wider than the room; a wider word gets its own line.

    A per cent sign stays with the word before it.
    """
    lines: list[str] = []
    for word in re.split(" (?!%)", text):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, family, points) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def power_ticks(
    low: float, high: float, room: float, width: Callable[[str], float], apart: float
) -> list[tuple[float, str]]:
    """Ticks at powers of two between two positive numbers on a log axis of length `room`, each with its text.

    Args:
        low, high: the ends of the axis.
        room: length of the axis.
        width: measures the width of a text, in the measure of `room`.
        apart: minimum distance between two texts.
    """
    first, last = math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9)
    scale = room / math.log2(high / low)
    ticks: list[tuple[float, str]] = []
    for step in range(1, last - first + 2):
        ticks = [(2.0**power, _tick(2.0**power)) for power in range(first, last + 1) if power % step == 0]
        widths = [width(text) for _, text in ticks]
        if all(step * scale - (one + other) / 2 >= apart for one, other in pairwise(widths)):
            break
    return ticks


def _tick(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:.3g}"
