"""The size and fonts of a figure: widths of common paper templates, font families, sizes in points.

The defaults are meant for print: the figure is plotted at the width that it has on the page, so that its letters keep
the stated size. No letter is smaller than 6 points.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches

from isobudget.errors import InputError

#: widths in inches, of a column and of the whole text, as the templates' style files set them
WIDTHS = {
    "column": 3.25,
    "text": 6.75,
    "acl-column": 3.03,
    "acl": 6.3,
    "colm": 5.5,
    "iclr": 5.5,
    "icml-column": 3.25,
    "icml": 6.75,
    "ieee-column": 3.5,
    "ieee": 7.16,
    "nature-column": 3.5,
    "nature": 7.2,
    "neurips": 5.5,
    "slide": 10.0,
}
#: families that come with Matplotlib, by their names in `--font`
FONTS = {
    "sans": "DejaVu Sans",
    "serif": "DejaVu Serif",
    "times": "STIXGeneral",
    "computer-modern": "cmr10",
    "mono": "DejaVu Sans Mono",
}
#: smallest font size, in points
SMALLEST = 6.0
_LARGEST = 24.0
_FAMILY, _POINTS = FONTS["sans"], 8.0
_INCHES = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72.27, "": 1.0}
_LEAST_WIDTH, _MOST_WIDTH = 1.5, 40.0


@dataclass(frozen=True, slots=True)
class Look:
    """How a figure is plotted.

    Attributes:
        width: width of the whole figure, in inches; None for a column's width with one panel, else the text's width.
        family: font family.
        points: font size of labels, in points; numbers and legend are one point smaller, at least 6.
        dots: dots per inch of a PNG.
        beside: maximum number of panels side by side.
    """

    width: float | None = None
    family: str = _FAMILY
    points: float = _POINTS
    dots: int = 300
    beside: int = 3

    def for_panels(self, panels: int) -> Look:
        """The same look with a definite width."""
        return self if self.width is not None else replace(self, width=WIDTHS["column" if panels == 1 else "text"])

    @property
    def inches(self) -> float:
        """The width in inches."""
        return WIDTHS["text"] if self.width is None else self.width

    @property
    def small(self) -> float:
        """Font size of numbers and of the legend."""
        return max(SMALLEST, self.points - 1)


def parse_width(text: str | float) -> float:
    """Parse `--width` into inches.

    A width is a template's name, such as `neurips` or `icml-column`, or a length: `3.25in`, `8.5cm`, `89mm`, `240pt`.
    A length without a unit is in inches.

    Raises:
        InputError: the text is not a width, or the width is below 1.5 or above 40 inches.
    """
    known = WIDTHS.get(str(text).strip().lower())
    if known is not None:
        return known
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(in|cm|mm|pt|)\s*", str(text))
    if match is None:
        near = get_close_matches(str(text), WIDTHS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"--width {text!r}: neither a length such as 3.25in or 89mm nor one of {_listed()}{hint}")
    inches = float(match[1]) * _INCHES[match[2]]
    if not _LEAST_WIDTH <= inches <= _MOST_WIDTH:
        raise InputError(f"--width {text}: the width must be {_LEAST_WIDTH:g} to {_MOST_WIDTH:g} inches")
    return inches


def parse_font(text: str) -> tuple[str, float]:
    """Parse `--font`: a family, with or without a size in points. The default size is 8 points.

    The family is a name in `FONTS` or any installed font: `serif`, `times,9`, `Helvetica,8`.

    Raises:
        InputError: the font is not installed, or the size is not a number of 6 to 24 points.
        MissingExtraError: Matplotlib is not installed.
    """
    name, comma, size = text.partition(",")
    try:
        points = float(size) if comma else _POINTS
    except ValueError:
        raise InputError(f"--font {text!r}: after the comma, write the size in points, as in times,9") from None
    if not SMALLEST <= points <= _LARGEST:
        raise InputError(f"--font {text!r}: the font size must be {SMALLEST:g} to {_LARGEST:g} points")
    family = FONTS.get(name.strip().lower())
    return family or _installed(name.strip()), points


def parse_look(width: str | float | None = None, font: str | None = None) -> Look:
    """The look that the options state; None stands for the default."""
    family, points = (_FAMILY, _POINTS) if font is None else parse_font(font)
    return Look(None if width is None else parse_width(width), family, points)


def _installed(name: str) -> str:
    from isobudget.report.figures.style import require_matplotlib

    require_matplotlib()
    from matplotlib.font_manager import fontManager

    names = sorted({font.name for font in fontManager.ttflist})
    match = next((one for one in names if one.casefold() == name.casefold()), None)
    if match is None:
        near = get_close_matches(name, [*FONTS, *names], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"--font {name!r}: no such font is installed; always available: {', '.join(FONTS)}{hint}")
    return match


def _listed() -> str:
    return ", ".join(WIDTHS)
