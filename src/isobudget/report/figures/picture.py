"""A figure to look at in a notebook, and to save: what `figure()` of a result gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.whole import make_folder, write_whole
from isobudget.report.figures.look import Look, parse_look
from isobudget.report.figures.parts import Plot
from isobudget.report.figures.render import figure_format, render


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Picture:
    """A figure.

    Attributes:
        plot: what it shows, every point of it.
    """

    plot: Plot

    @property
    def caption(self) -> str:
        """What it shows, in words; it is in each file as well."""
        return self.plot.caption

    def save(self, path: str | Path, *, width: str | float | None = None, font: str | None = None) -> Path:
        """Write it as .svg, .pdf or .png.

        Args:
            path: the file.
            width: as of `isobudget curves --width`: `icml-column`, `89mm`.
            font: as of `--font`: `times,8`.

        Raises:
            InputError: an ending, a width or a font that there is not.
            MissingExtraError: Matplotlib is not installed.
        """
        kind = figure_format(str(path))
        write_whole(Path(path), render(self.plot, parse_look(width, font), (kind,))[kind])
        return Path(path)

    def _repr_svg_(self) -> str:
        return render(self.plot)["svg"].decode()

    def __repr__(self) -> str:
        return f"{self.plot.title}\n{self.plot.caption}"


def check_figure(path: Path) -> None:
    """Raise `InputError` for a file that `save_plots` could not write: before the work, not after it."""
    figure_format(str(path))
    if not path.parent.is_dir():
        raise InputError(f"--figure {path}: there is no folder {path.parent}")


def save_plots(plots: Mapping[str, Plot], path: Path, look: Look | None = None) -> list[Path]:
    """Write figures; several have their names in the file's, before its ending.

    Raises:
        InputError: there is nothing to draw, or the file's ending is none of those that can be drawn.
    """
    kind = figure_format(str(path))
    if not plots:
        raise InputError(f"--figure {path}: there is nothing to draw")
    places = [path] if len(plots) == 1 else [path.with_name(f"{path.stem}-{stem}{path.suffix}") for stem in plots]
    for plot, place in zip(plots.values(), places, strict=True):
        write_whole(place, render(plot, look, (kind,))[kind])
    return places


def save_folder(plots: Mapping[str, Plot], folder: Path, look: Look | None = None) -> list[Path]:
    """Write each figure as .svg and .pdf into a folder, which is made if it is not there."""
    make_folder(folder)
    written = []
    for stem, plot in plots.items():
        for kind, content in render(plot, look, ("svg", "pdf")).items():
            written.append(folder / f"{stem}.{kind}")
            write_whole(written[-1], content)
    return written
