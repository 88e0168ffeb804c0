"""Arguments that several functions share: names, sources, figures and costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isobudget.costs.costs_file import CostsFile
    from isobudget.report.figures.picture import PictureTarget

Names = str | Sequence[str]
#: run folders, files, folders of files and patterns, and (where counts are read) data frames; one or several
Sources = Any


def as_names(value: Names) -> tuple[str, ...]:
    """One or several texts as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


def figure_target(
    figure: str | Path | None, width: str | float | None, font: str | None, *, folder: bool = False
) -> PictureTarget | None:
    """The target of a figure and its look; None if no figure is requested (then no plotting library is loaded).

    Raises:
        InputError, MissingExtraError: see `isobudget.report.figures.picture.target_of`.
    """
    if figure is None and width is None and font is None:
        return None
    from isobudget.report.figures.picture import target_of

    return target_of(figure, width, font, folder=folder)


def costs_of(
    costs: str | Path | None,
    tokens_per_second: str | float | None,
    usd_per_gpu_hour: str | float | None,
    gpus: str | int | None,
    completion_tokens: str | int | None = None,
) -> CostsFile | str | None:
    """The costs that a command's options state: a costs file that has been read, ``paper``, or None.

    Raises:
        InputError: the file or an option is wrong, or ``paper`` is combined with prices.
    """
    from isobudget.costs.costs_file import read_costs
    from isobudget.costs.one_line import one_line_costs
    from isobudget.errors import InputError

    stated = (tokens_per_second, usd_per_gpu_hour, gpus, completion_tokens)
    if costs is not None and str(costs) == "paper":
        if any(one is not None for one in stated):
            raise InputError(
                "--costs paper brings its own costs; leave out either --costs paper, or --tokens-per-second and prices"
            )
        return "paper"
    return one_line_costs(None if costs is None else read_costs(costs), *stated)
