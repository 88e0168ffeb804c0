"""A figure to show in a notebook and to save: what `figure()` of a result returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.store_path import StorePath, place
from isobudget.files.whole import make_folder, write_whole
from isobudget.report.figures.look import Look, parse_look
from isobudget.report.figures.parts import Plot
from isobudget.report.figures.render import figure_format, render
from isobudget.report.figures.style import require_matplotlib


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Picture:
    """A figure that a notebook displays and that can be saved.

    Attributes:
        plot: its content, with every point.
    """

    plot: Plot

    @property
    def caption(self) -> str:
        """A description of the figure in words; each saved file contains it, too."""
        return self.plot.caption

    def save(self, path: str | Path, *, width: str | float | None = None, font: str | None = None) -> Path:
        """Write the figure as .svg, .pdf or .png.

        Args:
            path: the file.
            width: as for `isobudget curves --width`: `icml-column`, `89mm`.
            font: as for `--font`: `times,8`.

        Raises:
            InputError: the file extension, width or font is not valid.
            MissingExtraError: Matplotlib is not installed.
        """
        kind = figure_format(str(path))
        write_whole(Path(path), render(self.plot, parse_look(width, font), (kind,))[kind])
        return Path(path)

    def _repr_svg_(self) -> str:
        return render(self.plot)["svg"].decode()

    def __repr__(self) -> str:
        return f"{self.plot.title}\n{self.plot.caption}"


@dataclass(frozen=True, slots=True)
class PictureTarget:
    """Where figures are written, and how they look.

    Attributes:
        path: a file, or a folder for several figures.
        look: width and fonts.
    """

    path: Path
    look: Look

    def save(self, plots: Mapping[str, Plot]) -> tuple[Path, ...]:
        """Write a single figure to `path`, or several figures to files whose names begin like `path`; return the files.

        With the path `x.svg`, the figure `a` of several is written to `x-a.svg`.

        Raises:
            InputError: there is no figure, or the file extension is not valid.
        """
        kind = figure_format(str(self.path))
        if not plots:
            raise InputError(f"--figure {self.path}: there is nothing to plot")
        places = [self.path] if len(plots) == 1 else [self._named(stem) for stem in plots]
        for plot, path in zip(plots.values(), places, strict=True):
            write_whole(path, render(plot, self.look, (kind,))[kind])
        return tuple(places)

    def save_all(self, plots: Mapping[str, Plot]) -> tuple[Path, ...]:
        """Write each figure as .svg and .pdf into the folder, which is created if necessary; return the files."""
        make_folder(self.path)
        written = []
        for stem, plot in plots.items():
            for kind, content in render(plot, self.look, ("svg", "pdf")).items():
                written.append(self.path / f"{stem}.{kind}")
                write_whole(written[-1], content)
        return tuple(written)

    def _named(self, stem: str) -> Path:
        return self.path.with_name(f"{self.path.stem}-{stem}{self.path.suffix}")


def target_of(
    figure: str | Path | None, width: str | float | None = None, font: str | None = None, *, folder: bool = False
) -> PictureTarget | None:
    """Where a command writes its figure and how the figure looks, from the options; None without `--figure`.

    Called before the command's work begins, so that wrong options cost no time.

    Raises:
        InputError: the file extension, width or font is not valid, the file's folder does not exist, or a width or font
            is given without a figure.
        MissingExtraError: Matplotlib is not installed.
    """
    look = parse_look(width, font)
    if figure is None:
        if width is not None or font is not None:
            raise InputError(
                "--width and --font change how a figure looks, so they need --figure, which names the figure's file"
            )
        return None
    path = place(figure)
    if not folder:
        figure_format(str(path))
        if not (isinstance(path, StorePath) or path.parent.is_dir()):
            raise InputError(f"--figure {path}: there is no folder {path.parent}")
    require_matplotlib()
    return PictureTarget(path, look)
