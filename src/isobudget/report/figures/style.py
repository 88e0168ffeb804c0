"""How the report's figures look, and what all of them share: colours, markers, panels, legend, saving.

Colours are those of Okabe and Ito and a grey, which colour-blind readers can tell apart; every model has its own
marker too. The page replaces each of them by one that suits its background (see svg.py). Matplotlib is used through its
objects, without pyplot and its global state. Names are drawn as plain text, whatever they hold.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from isobudget.errors import MissingExtraError
from isobudget.grid import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, RULE, PAPER = "#1b1f24", "#d9dde2", "#ffffff"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7d8590")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")

#: Matplotlib's settings while a figure is drawn
_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "text.usetex": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "path",
}


def require_matplotlib() -> None:
    """Make sure that figures can be drawn; a `MissingExtraError` if Matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise MissingExtraError("Drawing the report's figures", "report") from None


@contextlib.contextmanager
def drawing(name: str) -> Iterator[None]:
    """The look of all figures while one is drawn; its name makes the ids inside the SVG differ from those of others."""
    require_matplotlib()
    import matplotlib as mpl

    with warnings.catch_warnings(), mpl.rc_context(rc=_SETTINGS | {"svg.hashsalt": name}):
        # a name may hold characters that the font lacks; a box stands for them
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def saved(figure: Figure, kind: str) -> bytes:
    """The contents of its file, `svg`, `pdf` or `png`; without a date, so that the same figure gives the same file."""
    out = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    figure.savefig(out, format=kind, facecolor=PAPER, dpi=160, metadata=metadata)
    return out.getvalue()


def dress(panel: Axes, x_label: str) -> None:
    """A panel's axes: x in powers of two, a light grid, no frame above and at the right."""
    panel.set_xscale("log", base=2)
    panel.set_xlabel(x_label)
    panel.grid(True, color=RULE, linewidth=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def set_title(figure: Figure, text: str, points: int) -> None:
    """The title above all panels."""
    figure.suptitle(printable(text), parse_math=False, fontsize=points, fontweight="bold")


def set_legend(figure: Figure, entries: Sequence[tuple[Any, str]], columns: int) -> None:
    """What the signs mean, below all panels."""
    handles = [handle for handle, _ in entries]
    legend = figure.legend(handles, [" "] * len(handles), loc="outside lower center", ncols=columns, frameon=False)
    # Set afterwards: a legend takes a label that begins with an underscore for "do not show".
    for text, (_, label) in zip(legend.get_texts(), entries, strict=True):
        text.set_parse_math(False)
        text.set_text(printable(label))


def cut(text: str, most: int) -> str:
    """The text, its end left out if it is longer than so many characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def model_style(model: str, models: Sequence[str]) -> tuple[str, str]:
    """Colour and marker of one of the models; the pair repeats only after 56."""
    place = models.index(model)
    return COLOURS[place % len(COLOURS)], _MARKERS[place % len(_MARKERS)]


def mark(panel: Axes, x: Any, y: Any, marker: str, colour: str, face: str, edge: float = 1.0) -> None:
    """Markers at points of a line; `face` fills them."""
    form: dict[str, Any] = {"marker": marker, "markersize": 4.8, "markeredgewidth": edge, "markerfacecolor": face}
    panel.plot(x, y, linestyle="none", color=colour, **form)


def line_sign(colour: str, marker: str) -> Any:
    """A line with its marker, for the legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, marker=marker, markersize=5, linewidth=1.7)


def star(colour: str) -> dict[str, Any]:
    """How a greedy output is drawn."""
    return _single_output("*", 12.5, colour)


def square(colour: str) -> dict[str, Any]:
    """How one sampled output is drawn."""
    return _single_output("s", 7.5, colour)


def _single_output(marker: str, size: float, colour: str) -> dict[str, Any]:
    form = {"marker": marker, "markersize": size, "color": colour, "linestyle": "none"}
    return form | {"markeredgecolor": INK, "markeredgewidth": 0.7, "zorder": 5, "clip_on": False}
