"""Renders a `Plot` with Matplotlib: panels side by side or stacked, a legend below them, as SVG, PDF or PNG.

Matplotlib is used through its objects, without pyplot and its global state. Names are drawn as plain text, never as
markup. Letters are embedded in a PDF as TrueType, and drawn in an SVG as outlines. The file contains the caption, for
readers who cannot see the figure. The same plot always gives the same file, which therefore contains no date.
"""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from isobudget.errors import InputError
from isobudget.grid import printable
from isobudget.report.figures.look import Look
from isobudget.report.figures.parts import RING, SQUARE, STAR, Line, Panel, Plot, PlotPoint, x_limits, y_limits
from isobudget.report.figures.style import INK, PAPER, RULE, require_matplotlib
from isobudget.report.figures.words import all_fitted, fitted, in_lines, power_ticks, width_of
from isobudget.report.tables.labels import short_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import LayoutEngine

#: formats, which are also the file extensions
FORMATS = ("svg", "pdf", "png")
#: width in inches below which panels are stacked instead of side by side
_NARROWEST_PANEL = 1.6
#: height of a panel, in inches
_LEAST_HEIGHT, _MOST_HEIGHT = 1.5, 2.9
#: widths in the legend, in multiples of its font size: a sign with the space after it, and the space between columns
_SIGN, _BETWEEN = 3.1, 1.6
#: least distance between two numbers of an axis, in multiples of their font size
_APART = 0.8
_DASHES, _DOTS = (0, (3.2, 2.0)), (0, (1, 1.5))
#: most layouts: ticks and labels depend on the width of the panels, which in turn depends a little on them
_MOST_LAYOUTS = 3
#: most lines of a legend before names are shortened
_MOST_LINES = 8
#: least width for names if the legend has two columns, in multiples of its font size
_LEAST_NAME = 20
#: marker of single outputs, and its size in multiples of 0.45 of the font size
_SIZES = {STAR: ("*", 2.5), SQUARE: ("s", 1.5), RING: ("o", 2.2)}


def figure_format(name: str) -> str:
    """The format of a figure's file, from the extension of its name.

    Raises:
        InputError: files with that extension cannot be written.
    """
    ending = name.rpartition(".")[2].lower()
    if ending not in FORMATS:
        raise InputError(f"--figure {name}: the name must end in .svg, .pdf or .png")
    return ending


def render(plot: Plot, look: Look | None = None, formats: Sequence[str] = ("svg",)) -> dict[str, bytes]:
    """The file contents in each format.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    look = (look or Look()).for_panels(len(plot.panels))
    with figure_settings(plot.name, look):
        figure = lay_out(plot, look)
        return {kind: _saved(figure, plot, kind, look) for kind in formats}


@contextlib.contextmanager
def figure_settings(name: str, look: Look) -> Iterator[None]:
    """Apply Matplotlib's settings while a figure is rendered, and restore them afterwards."""
    require_matplotlib()
    import matplotlib as mpl

    with warnings.catch_warnings(), mpl.rc_context(rc=_settings(look) | {"svg.hashsalt": name}):
        # a name may hold characters that the font lacks; a box stands for them
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def _settings(look: Look) -> dict[Any, Any]:
    inks = dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK)
    return inks | {
        "font.family": [look.family, "DejaVu Sans"],
        "font.size": look.points,
        "xtick.labelsize": look.small,
        "ytick.labelsize": look.small,
        "legend.fontsize": look.small,
        "axes.linewidth": 0.6,
        "text.usetex": False,
        "text.hinting": "none",  # letters have the same size at every resolution, so that one layout serves all
        "axes.unicode_minus": False,
        "svg.fonttype": "path",
        "pdf.fonttype": 42,
    }


def lay_out(plot: Plot, look: Look) -> Figure:
    """The figure, laid out and ready to be saved; call it inside `figure_settings`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows, columns = _rows_and_columns(len(plot.panels), look)
    panel = min(max(_LEAST_HEIGHT, (0.6 if columns == 1 else 0.78) * look.inches / columns), _MOST_HEIGHT)
    padding = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03)
    size = (look.inches, rows * panel + 1.5 * look.points / 72)
    figure = Figure(figsize=size, dpi=look.dots, layout=padding, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for empty in axes[len(plot.panels) :]:
        empty.remove()
    axes = axes[: len(plot.panels)]
    for place, (one, content) in enumerate(zip(axes, plot.panels, strict=True)):
        _plot_panel(one, content, look)
        if place % columns == 0:
            label = in_lines(plot.y_label, 60 * (panel - 0.5), look.family, look.points)
            one.set_ylabel(label, multialignment="center")
    axes[0].set_ylim(*y_limits(plot))
    title = fitted(printable(plot.title), 66 * look.inches, look.family, look.points * 1.1)
    figure.suptitle(title, parse_math=False, fontsize=look.points, fontweight="bold")
    _place(figure, axes, plot, look, padding)
    return figure


def _rows_and_columns(panels: int, look: Look) -> tuple[int, int]:
    """The numbers of rows and columns of panels: as many columns as allowed, in rows of about equal length.

    One panel per row if the figure is too narrow.
    """
    beside = min(panels, look.beside)
    if look.inches / beside < _NARROWEST_PANEL:
        return panels, 1
    rows = math.ceil(panels / beside)
    return rows, math.ceil(panels / rows)


def _place(figure: Figure, axes: Any, plot: Plot, look: Look, engine: LayoutEngine) -> None:
    """Set ticks and labels to fit the available room, then the legend below; the same layout serves every format.

    The layout engine is called directly, so that nothing needs to be rendered for it. Ticks are first chosen for the
    approximate size of the panels. The layout is repeated only if other ticks fit the final size.
    """
    columns = axes[0].get_gridspec().ncols
    rooms = [72 * 0.9 * look.inches / columns] * len(plot.panels)
    before: list[Any] = []
    for _ in range(_MOST_LAYOUTS):
        chosen = [_x_axis(content, room, look) for content, room in zip(plot.panels, rooms, strict=True)]
        if chosen == before:
            break
        for one, content, (ticks, label) in zip(axes, plot.panels, chosen, strict=True):
            one.set_xlim(*x_limits(content))
            one.set_xticks([value for value, _ in ticks], [text for _, text in ticks])
            one.minorticks_off()
            one.set_xlabel(label)
        engine.execute(figure)
        rooms = [72 * one.get_position().width * look.inches for one in axes]
        before = chosen
    figure.set_layout_engine("none")
    legend = _set_legend(figure, _entries(plot, look), look)
    if legend is not None:
        _heighten(figure, legend.get_window_extent().height / figure.dpi + 0.05)


def _x_axis(panel: Panel, room: float, look: Look) -> tuple[list[tuple[float, str]], str]:
    """The ticks with their texts, and the axis label, of a panel that is `room` points wide."""
    wide = partial(width_of, family=look.family, points=look.small)
    ticks = power_ticks(*x_limits(panel), room, wide, _APART * look.small)
    return list(ticks), in_lines(panel.x_label, room, look.family, look.points)


def _heighten(figure: Figure, inches: float) -> None:
    """Add room at the foot of a figure; everything else keeps its size and its distance from the top."""
    before = figure.get_figheight()
    share, scale = inches / (before + inches), before / (before + inches)
    for one in figure.axes:
        place = one.get_position()
        one.set_position((place.x0, share + scale * place.y0, place.width, scale * place.height))
    for text in figure.texts:
        text.set_y(share + scale * text.get_position()[1])
    figure.set_figheight(before + inches)


# panels ---------------------------------------------------------------------------------------------------------------


def _plot_panel(axes: Axes, panel: Panel, look: Look) -> None:
    axes.set_xscale("log", base=2)
    axes.grid(True, color=RULE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(length=2.5, width=0.6, labelleft=True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for line in panel.lines:
        if line.low is not None and line.high is not None:
            axes.fill_between(
                line.x, line.low, line.high, color=line.style.colour, alpha=0.4 / max(3, len(panel.lines)), linewidth=0
            )
    for line in panel.lines:
        _plot_line(axes, line, look)
    for point in panel.points:
        axes.plot(point.x, point.y, **_single(point, look))


def _plot_line(axes: Axes, line: Line, look: Look) -> None:
    """Plot a line: first solid, then dashed; markers first filled, then hollow."""
    colour, wide = line.style.colour, 0.14 * look.points
    if line.dotted:
        axes.plot(line.x, line.y, color=colour, linewidth=0.8 * wide, linestyle=_DOTS)
    else:
        start = max(0, line.solid - 1)
        axes.plot(line.x[: line.solid], line.y[: line.solid], color=colour, linewidth=wide)
        if line.solid < len(line.x):
            axes.plot(line.x[start:], line.y[start:], color=colour, linewidth=0.8 * wide, linestyle=_DASHES)
    for places, face in (
        (line.marks[line.marks < line.filled], colour),
        (line.marks[line.marks >= line.filled], PAPER),
    ):
        whole: dict[str, Any] = {
            "clip_on": False,
            "in_layout": False,
        }  # whole markers at 100%
        axes.plot(line.x[places], line.y[places], linestyle="none", **_marker(line, look, face), **whole)


def _marker(line: Line, look: Look, face: str) -> dict[str, Any]:
    form = {"marker": line.style.marker, "color": line.style.colour, "markersize": 0.5 * look.points}
    return form | {"markeredgewidth": 0.1 * look.points, "markerfacecolor": face}


def _single(point: PlotPoint, look: Look) -> dict[str, Any]:
    """Matplotlib's settings for a single output."""
    marker, times = _SIZES[point.kind]
    colour = {"markerfacecolor": "none"} if point.kind == RING else {"color": point.style.colour}
    form = {"marker": marker, "markersize": times * 0.45 * look.points, "linestyle": "none", "markeredgecolor": INK}
    return form | colour | {"markeredgewidth": 0.07 * look.points, "zorder": 5, "clip_on": False}


# legend ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of the legend: a sign, its name, and a note that always follows the name."""

    sign: Any
    name: str
    behind: str = ""

    @property
    def text(self) -> str:
        return self.name + self.behind


def _entries(plot: Plot, look: Look) -> list[_Entry]:
    """Entries for lines, single outputs and kinds of lines, without duplicates."""
    from matplotlib.lines import Line2D

    entries: dict[str, _Entry] = {}
    for line in (line for panel in plot.panels for line in panel.lines if not line.dotted):
        sign = {"linestyle": "-" if line.solid else _DASHES, "linewidth": 0.14 * look.points}
        handle = Line2D([], [], **_marker(line, look, line.style.colour) | sign)
        entries.setdefault(line.name, _Entry(handle, line.name, f" {line.note}" if line.note else ""))
    for name, points in _by_name(plot).items():
        entries.setdefault(name, _Entry(Line2D([], [], **_single(points[0], look) | _shared_sign(points)), name))
    for kind, text in plot.key:
        form: dict[str, Any] = {"linestyle": _DOTS if kind == "dotted" else _DASHES, "linewidth": 0.11 * look.points}
        entries.setdefault(text, _Entry(Line2D([], [], color=INK, **form), text))
    return list(entries.values())


def _by_name(plot: Plot) -> dict[str, list[PlotPoint]]:
    named: dict[str, list[PlotPoint]] = {}
    for point in (point for panel in plot.panels for point in panel.points):
        named.setdefault(point.name, []).append(point)
    return named


def _shared_sign(points: Sequence[PlotPoint]) -> dict[str, Any]:
    """A sign without colour if it stands for points of several colours."""
    return {"color": PAPER} if len({point.style for point in points}) > 1 else {}


def _set_legend(figure: Figure, entries: Sequence[_Entry], look: Look) -> Any:
    """Add the legend at the foot of the figure, in as many columns as fit; None if there is nothing to explain."""
    if not entries:
        return None
    texts, columns = _fitted_legend(entries, look)
    form: dict[str, Any] = {"frameon": False, "handlelength": 2.3, "handletextpad": 0.6, "columnspacing": 1.2}
    form |= {"labelspacing": 0.25, "borderpad": 0.1, "borderaxespad": 0.1, "loc": "lower center", "ncols": columns}
    legend = figure.legend([entry.sign for entry in entries], [" "] * len(entries), **form)
    legend.set_in_layout(False)
    # Set afterwards: a legend takes a label that begins with an underscore for "do not show".
    for label, text in zip(legend.get_texts(), texts, strict=True):
        label.set_parse_math(False)
        label.set_text(printable(text))
    return legend


def _fitted_legend(entries: Sequence[_Entry], look: Look) -> tuple[list[str], int]:
    """The texts and number of columns that fit. If they need too many lines, parts common to all names are dropped."""
    room = 72 * look.inches - look.points
    texts = [entry.text for entry in entries]
    columns = _columns(texts, room, look)
    if len(texts) <= _MOST_LINES * columns:
        return texts, columns
    short = short_labels([entry.name for entry in entries if entry.behind])
    texts = [short.get(entry.name, entry.name) + entry.behind for entry in entries]
    columns = _columns(texts, room, look)
    if columns == 0 or len(texts) > _MOST_LINES * columns:
        two = room / 2 - (_SIGN + _BETWEEN) * look.small
        columns = max(columns, 2 if len(texts) > _MOST_LINES and two >= _LEAST_NAME * look.small else 1)
    each = room / columns - (_SIGN + _BETWEEN * (columns > 1)) * look.small
    return (all_fitted(texts, each, look.family, look.small), columns) if columns < 3 else (texts, columns)


def _columns(texts: Sequence[str], room: float, look: Look) -> int:
    """The largest number of columns of signs and texts that fits the room; 0 if not even one fits."""
    widths = [width_of(text, look.family, look.small) + (_SIGN + _BETWEEN) * look.small for text in texts]
    for columns in range(len(texts), 0, -1):
        rows = math.ceil(len(texts) / columns)
        if sum(max(widths[at : at + rows]) for at in range(0, len(texts), rows)) <= room + _BETWEEN * look.small:
            return math.ceil(len(texts) / rows)
    return 0


# files ----------------------------------------------------------------------------------------------------------------


def _saved(figure: Figure, plot: Plot, kind: str, look: Look) -> bytes:
    """The file's contents, made by the canvas of its format, because `savefig` would render everything twice."""
    title, caption = (printable(text).replace("\n", " ") for text in (plot.title, plot.caption))
    # no program that looks for markup in any file finds some in these
    plain = {"Title": title, "Subject": caption, "Description": caption}
    plain = {name: text.replace("<", "‹").replace(">", "›") for name, text in plain.items()}
    out, canvas = io.BytesIO(), _canvas(figure, kind)
    figure.dpi = look.dots
    if kind == "svg":
        canvas.print_svg(out, metadata={"Date": None})
        return _described(out.getvalue().decode(), title, caption).encode()
    if kind == "png":
        canvas.print_png(out, metadata={name: plain[name] for name in ("Title", "Description")})
    else:
        about = {"CreationDate": None, "Creator": "isobudget", "Title": plain["Title"], "Subject": plain["Subject"]}
        canvas.print_pdf(out, metadata=about)
    return out.getvalue()


def _canvas(figure: Figure, kind: str) -> Any:
    """The canvas that renders a figure in a format."""
    if kind == "svg":
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        return FigureCanvasSVG(figure)
    if kind == "pdf":
        from matplotlib.backends.backend_pdf import FigureCanvasPdf

        return FigureCanvasPdf(figure)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    return FigureCanvasAgg(figure)


def _described(svg: str, title: str, caption: str) -> str:
    """The SVG with its title and description, for screen readers."""
    head, start, rest = svg.partition("<svg")
    tag, end, body = rest.partition(">")
    return f"{head}{start}{tag}{end}\n <title>{escape(title)}</title>\n <desc>{escape(caption)}</desc>{body}"
