"""Run the code cells of a notebook without Jupyter, and write what they show into it; `--check` only runs them.

A cell that needs a package names it in its tags, as `needs-pandas`. If the package is not installed, the cell is left
unchanged.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import importlib.util
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "notebook.ipynb"
Cell = dict[str, Any]


def run(path: Path) -> dict[str, Any]:
    """The notebook with the outputs of its cells, run one after the other in a folder of their own."""
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    names: dict[str, Any] = {"__name__": "__main__"}
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for number, cell in enumerate((one for one in notebook["cells"] if one["cell_type"] == "code"), start=1):
                if all(map(importlib.util.find_spec, needed(cell))):
                    cell["outputs"], cell["execution_count"] = outputs(cell, number, names), number
        finally:
            os.chdir(before)
    return notebook


def needed(cell: Cell) -> list[str]:
    """The packages that a cell needs."""
    tags = cell["metadata"].get("tags", [])
    return [tag.removeprefix("needs-") for tag in tags if tag.startswith("needs-")]


def outputs(cell: Cell, number: int, names: dict[str, Any]) -> list[dict[str, Any]]:
    """What a cell prints, and its last expression as a notebook shows it."""
    tree = ast.parse("".join(cell["source"]), filename=f"cell {number}")
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    shown = [{"output_type": "stream", "name": "stdout", "text": lines(printed.getvalue())}] * bool(printed.getvalue())
    if value is None:
        return shown
    result = {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": data_of(value)}
    return [*shown, result]


def data_of(value: Any) -> dict[str, Any]:
    """A value as text, and as HTML or a picture where it has such a form."""
    data: dict[str, Any] = {"text/plain": lines(repr(value))}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = lines(value._repr_html_())
    if hasattr(value, "plot"):
        data["image/png"] = base64.b64encode(png_of(value.plot)).decode()
    return data


def png_of(plot: Any) -> bytes:
    """The plot as a PNG, like the other pictures of the docs."""
    from docs_figures import small

    return small(plot)


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    made = run(NOTEBOOK)
    if "--check" not in sys.argv:
        NOTEBOOK.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
