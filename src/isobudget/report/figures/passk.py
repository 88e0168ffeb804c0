"""Plots the output of `isobudget passk`: pass@k against the requested k, one line per model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from isobudget.analysis.passk import PassAtK
from isobudget.files.whole import file_stems
from isobudget.grid import counted
from isobudget.report.figures.comparison import LESS_CERTAIN, SAMPLES
from isobudget.report.figures.parts import Line, Panel, Plot
from isobudget.report.figures.style import model_style


def passk_plots(results: Sequence[PassAtK]) -> dict[str, Plot]:
    """One figure for each benchmark, by a name for its file; a benchmark without any defined pass@k has none."""
    benchmarks = list(dict.fromkeys(one.benchmark for one in results))
    stems = file_stems([name or "passk" for name in benchmarks])
    made = {
        stem: _plot(name, [one for one in results if one.benchmark == name])
        for stem, name in zip(stems, benchmarks, strict=True)
    }
    return {stem: plot for stem, plot in made.items() if plot.panels[0].lines}


def _plot(benchmark: str, results: Sequence[PassAtK]) -> Plot:
    names = [_name(one) for one in results]
    lines = [_line(one, names) for one in results if any(not math.isnan(value) for value in one.success)]
    problems = " or ".join(dict.fromkeys(counted(one.problems, "problem") for one in results))
    title = ", ".join(filter(None, [benchmark, problems]))
    dashed = any(line.filled < len(line.x) for line in lines)
    values = "; ".join(
        f"{line.name}: " + ", ".join(f"{y:.1f}% at {x:,.0f}" for x, y in zip(line.x, line.y, strict=True))
        for line in lines
    )
    caption = f"{title}: pass@k against k, in powers of two. {values}. Bands: intervals over problems."
    panel = Panel(SAMPLES, tuple(lines))
    key = (("dashed", LESS_CERTAIN),) if dashed else ()
    return Plot("passk", title, "problems solved: pass@k, %", (panel,), caption, key)


def _name(result: PassAtK) -> str:
    return f"{result.model} ({result.condition})" if result.condition else result.model


def _line(result: PassAtK, names: Sequence[str]) -> Line:
    known = sorted((k, at) for at, k in enumerate(result.k) if not math.isnan(result.success[at]))
    at = [place for _, place in known]
    certain = sum(k <= result.trusted_k for k, _ in known)
    low, y, high = (100 * np.array(values)[at] for values in (result.low, result.success, result.high))
    x = np.array([float(k) for k, _ in known])
    name, n = _name(result), "-".join(f"{n:,}" for n in dict.fromkeys((result.n_min, result.n_max)))
    style = model_style(name, names)
    return Line(name, style, x, y, np.arange(len(at)), certain, certain, low, high, note=f"(n = {n})")
