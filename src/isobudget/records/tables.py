"""The tables that a run may have: the row type and the key columns of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.records.attempts import AttemptRow, TaskRow
from isobudget.records.part_names import numbered_parts
from isobudget.records.ranking_rows import ObservationRow, ScoreRow, TestRow
from isobudget.records.rows import KEY_COLUMNS, ProblemRow, PromptRow, SampleRow, VerdictRow


@dataclass(frozen=True, slots=True)
class Table:
    """A kind of table: its row type, and the columns whose values identify a row."""

    row_type: type[Any]
    key: tuple[str, ...]


_SAMPLE = tuple(KEY_COLUMNS)
TABLES = {
    "problems": Table(ProblemRow, ("benchmark", "task_id")),
    "prompts": Table(PromptRow, ("benchmark", "task_id", "format", "newline")),
    "samples": Table(SampleRow, _SAMPLE),
    "verdicts": Table(VerdictRow, _SAMPLE),
    "source_verdicts": Table(VerdictRow, _SAMPLE),
    "attempts": Table(AttemptRow, _SAMPLE),
    "tasks": Table(TaskRow, ("benchmark", "task_id", "date")),
    "scores": Table(ScoreRow, (*_SAMPLE, "ranker", "scorer")),
    "observations": Table(ObservationRow, (*_SAMPLE, "inputs")),
    "tests": Table(TestRow, ("benchmark", "task_id", "writer", "index")),
}


def table_folders(run: Path) -> Iterator[Path]:
    """The folders of a run that contain parts."""
    for name in TABLES:
        if numbered_parts(run / name):
            yield run / name
