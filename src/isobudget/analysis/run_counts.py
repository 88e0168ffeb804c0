"""Counts a run's samples and passed samples of each problem and model, without reading anything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isobudget.analysis.judged import Judged, benchmarks_of, read_judged
from isobudget.analysis.load_samples import none_judged
from isobudget.analysis.run_columns import groups_of
from isobudget.importers.counts import ModelCounts
from isobudget.records.parts import read_each
from isobudget.records.rows import ProblemRow
from isobudget.records.run import load_run


def run_counts(path: Path) -> tuple[list[ModelCounts], list[str]]:
    """The counts of every benchmark and model of a run, greedy outputs left out, and notes.

    Raises:
        RunError: there is no such run, a part is damaged, or the run has no judged samples.
    """
    run = load_run(path)
    benchmarks = benchmarks_of(run)
    tasks: dict[tuple[str, str], None] = {}
    for block in read_each(run.path / "problems", ProblemRow, ["benchmark", "task_id"]):
        tasks |= dict.fromkeys(zip(block["benchmark"].to_pylist(), block["task_id"].to_pylist(), strict=True))
    chosen = sorted((one for one in tasks if one[0] in benchmarks), key=lambda one: benchmarks.index(one[0]))
    columns = read_judged(run, benchmarks, chosen, counts_only=True)
    pairs = [(benchmark, model) for benchmark in benchmarks for model in columns.models]
    counted = [_counted(columns, *pair) for pair in pairs]
    if all(one is None for one, _ in counted):
        raise none_judged(run, ", ".join(benchmarks) or "any benchmark")
    return [one for one, _ in counted if one is not None], [note for _, notes in counted for note in notes]


def _counted(columns: Judged, benchmark: str, model: str) -> tuple[ModelCounts | None, list[str]]:
    rows = columns.rows(model, benchmark)
    judged = rows["judged"]
    sampled = judged & (groups_of(rows["key"]) & 1 == 0)
    groups, starts = np.unique(groups_of(rows["key"][sampled]), return_index=True)
    if not len(groups):
        return None, []
    n = np.diff(np.append(starts, int(sampled.sum())))
    c = np.add.reduceat(rows["passed"][sampled], starts, dtype=np.int64)
    task_ids = tuple(columns.tasks[task][1] for task in columns.places.task_of(groups).tolist())
    unknown = (None,) * len(task_ids)
    notes = columns.left_out(model, benchmark).notes(model)
    return ModelCounts(benchmark, model, "", task_ids, n, c, unknown, unknown), notes
