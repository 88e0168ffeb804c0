"""Reads labels of problems, such as their difficulty, from the sources of a plan: run folders and JSON lines.

The label of a problem in a run is its `difficulty`. A line of a COUNTS file, or of a file of samples with `task_id`,
may state `difficulty`, or `stratum` for any other label that is known before the first draw. Labels are not read from
other formats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.jsonl import read_numbered
from isobudget.importers.fields import name
from isobudget.importers.read import split_sources
from isobudget.records.run import Run, load_run

FIELDS = ("difficulty", "stratum")


def labels_of(sources: Sequence[str | Path], benchmark: str) -> dict[str, str]:
    """The label of each problem that has one, by its task id.

    Args:
        sources: run folders, files and patterns, as a plan takes them.
        benchmark: benchmark of the problems.

    Raises:
        InputError: a label is not a text, or two lines give one problem different labels.
    """
    labels: dict[str, str] = {}
    runs, others = split_sources(sources)
    lines = [path for path in others if isinstance(path, Path) and path.name.endswith((".jsonl", ".jsonl.gz"))]
    for read in (
        *(_of_run(load_run(path), benchmark) for path in runs),
        *(_of_file(path, benchmark) for path in lines if path.is_file()),
    ):
        for task, label, where in read:
            if labels.setdefault(task, label) != label:
                raise InputError(f"{where}: {task!r} is labelled {label!r} here and {labels[task]!r} elsewhere")
    return labels


def _of_run(run: Run, benchmark: str) -> Iterator[tuple[str, str, str]]:
    for (where, task), problem in run.problems().items():
        if where == benchmark and problem.difficulty:
            yield task, problem.difficulty, str(run.path)


def _of_file(path: Path, benchmark: str) -> Iterator[tuple[str, str, str]]:
    for number, record in read_numbered(path):
        where = f"{path}, line {number}"
        stated = name(record, "benchmark", where, required=False)
        task = name(record, "task_id", where, required=False)
        label = next((text for field in FIELDS if (text := name(record, field, where, required=False))), "")
        if task and label and stated in ("", benchmark):
            yield task, label, where
