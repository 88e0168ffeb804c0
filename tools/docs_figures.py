"""Draw the pictures of docs/paper.md: the paper's figures from its tables, as small PNGs that say what they show."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, PngImagePlugin

from isobudget.paper.tables import pass_tables
from isobudget.report.figures.look import Look
from isobudget.report.figures.paper import paper_plots
from isobudget.report.figures.parts import Plot
from isobudget.report.figures.render import render

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "paper"
#: dots per inch, and number of colours: lines of four models on white need no more
DOTS, COLOURS = 130, 64


def small(plot: Plot) -> bytes:
    """A PNG of few colours with the caption as its description."""
    drawn = Image.open(io.BytesIO(render(plot, Look(dots=DOTS), ("png",))["png"]))
    about = PngImagePlugin.PngInfo()
    for name in ("Title", "Description"):
        about.add_text(name, drawn.info[name])
    out = io.BytesIO()
    drawn.convert("RGB").quantize(COLOURS).save(out, "png", optimize=True, pnginfo=about)
    return out.getvalue()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, plot in paper_plots(pass_tables()).items():
        (FOLDER / f"{name}.png").write_bytes(small(plot))


if __name__ == "__main__":
    main()
