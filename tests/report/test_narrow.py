"""Tables on a terminal of 80 columns: whatever they hold, no line is wider and no number is broken."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from isobudget import api
from isobudget.grid import Grid, column_widths
from isobudget.report.tables.plan import plan_grids
from isobudget.report.tables.terminal import print_grids

NAMES = [f"some-organisation/Model-Family-Coder-{size}B-Instruct-2026-GGUF-Q4_K_M" for size in range(1, 13)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Twelve models with long names on 8 problems, and their costs."""
    folder = tmp_path_factory.mktemp("many")
    counts, costs = folder / "counts.jsonl", folder / "costs.toml"
    rows = [
        {"benchmark": "a benchmark", "model": name, "task_id": task, "n": 12, "c": (task * (place + 3)) % 13}
        for place, name in enumerate(NAMES)
        for task in range(8)
    ]
    counts.write_text("\n".join(map(json.dumps, rows)))
    costs.write_text(
        "".join(
            f'[models."{name}"]\nflops = {1.69e12 * 1.5**place}\nseconds = {0.395 * 1.7**place}\nusd = 0.0123\n'
            for place, name in enumerate(NAMES)
        )
    )
    return counts, costs


def shown(grids: Sequence[Grid], width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_grids(grids, console)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def check(grids: Sequence[Grid]) -> str:
    text = shown(grids)
    assert max(map(len, text.splitlines())) <= 80
    for grid in grids:
        form: Grid | None = grid
        while form is not None and column_widths(form, 80) is None:
            form = form.narrow
        assert form is not None, grid.title
        for row in form.rows:
            for x, cell in enumerate(row):
                if x not in form.words and re.search(r"\d", cell):
                    assert cell in text
    return text


def test_pass_at_k_of_many_k(sources: tuple[Path, Path]) -> None:
    text = check(api.passk(sources[0], ",".join(map(str, range(1, 13))), replicates=50).grids())
    assert text.count("(") > 12 * 12


def test_curves_of_many_models(sources: tuple[Path, Path]) -> None:
    check(api.curves(sources[0], costs=sources[1], replicates=50).grids())


def test_two_models_in_every_unit(sources: tuple[Path, Path]) -> None:
    two = [str(sources[0]), f"{NAMES[0]}@4", f"{NAMES[11]}@1"]
    check(api.compare(two, costs=sources[1], replicates=50, usd_per_gpu_hour=2).grids())


def test_a_plan_with_many_arms(sources: tuple[Path, Path]) -> None:
    made = api.plan(sources[0], costs=sources[1], budget=["4x", "64x"], policy=["greedy"], replicates=50)
    check(plan_grids(made))


def test_the_papers_tables() -> None:
    check(api.paper(benchmark="mbpp").grids())


def test_sql_of_many_columns(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    from support.synthetic_run import PAIR, synthetic_run

    run = synthetic_run(tmp_path / "run", PAIR, {"b": 2})
    grids = api.sql(run, "select * from samples order by all limit 2").grids()
    text = check(grids)
    assert "completion_tokens" in text
    wide = api.sql(run, "select model, avg(passed) as share from samples group by model order by model").grids()
    assert shown(wide).splitlines()[2].split() == ["model", "share"]
    long = api.sql(run, "select repeat('x y', 500) as text, 12345678 as number").grids()
    assert "12345678" in check(long)
    assert api.sql(run, "select 1 as one where false").grids()[0].rows == ()
    check(api.sql(run, "select 1 as one where false").grids())
