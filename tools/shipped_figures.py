"""Plot the figures of the recorded run that ships, and write `shipped.zip`; see `isobudget.report.figures.shipped`.

python tools/shipped_figures.py
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import matplotlib as mpl

from isobudget import api
from isobudget.files.near import EXAMPLE
from isobudget.report.figures import comparison, shipped
from isobudget.report.figures.look import Look
from isobudget.report.figures.parts import Plot
from isobudget.report.figures.render import render

PLACE = Path(shipped.__file__).with_name(shipped.ARCHIVE)


def plotted() -> tuple[dict[str, Any], dict[str, bytes]]:
    """The content of each figure in a report of that run, by the stem of its files, and all files by name."""
    shown: dict[str, Any] = {}
    files: dict[str, bytes] = {}

    def recorded(plot: Plot, look: Look, formats: Sequence[str]) -> dict[str, bytes]:
        stem, made = f"{plot.name}-{len(shown)}", render(plot, look, formats)
        shown[stem] = shipped.content_of(plot, look)
        files.update((f"{stem}.{kind}", data) for kind, data in made.items())
        return made

    # The name `example` means the run that ships only where no file is called so.
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        mock.patch.object(comparison, "shipped", recorded),
    ):
        api.report(EXAMPLE)
    return shown, files


if __name__ == "__main__":
    PLACE.write_bytes(shipped.archive(*plotted(), mpl.__version__))
    print(f"{PLACE.name}: {PLACE.stat().st_size >> 10} kB")
