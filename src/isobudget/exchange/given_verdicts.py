"""Verdicts in another file than their samples: a list for each problem, in the order of its samples.

Any format with verdicts is read: COUNTS with `passed` lists, or graded samples. If each file has a single model, the
two models are taken to be the same, even if their names differ; with several models the names must match.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from isobudget.errors import InputError
from isobudget.exchange.known_problems import KnownProblems
from isobudget.files.store_path import place
from isobudget.files.whole import sha256_of
from isobudget.grid import counted
from isobudget.importers.names import model_of_file, with_condition
from isobudget.importers.read import read_results
from isobudget.importers.records import CountRow


class GivenVerdicts:
    """The verdicts of a file.

    Args:
        path: the file.
        known: the problems of the import.

    Attributes:
        names: for each model of the samples that has another name in this file, that name; empty before `fit`.

    Raises:
        InputError: the file cannot be read, has only counts, or has two rows for the samples of one problem.
    """

    def __init__(self, path: str | Path, known: KnownProblems) -> None:
        self.path = place(path)
        self.names: dict[str, str] = {}
        self._rows: dict[str, dict[str, CountRow]] = {}
        for row in read_results(path).rows:
            if row.passed is None:
                raise InputError(
                    f"{path}, line {row.line}: only counts of {row.task_id}; verdicts on samples of another file need "
                    "a `passed` list with one entry for each sample"
                )
            benchmark = known.benchmark(row.benchmark, row.task_id)
            task_id = known.spelt(benchmark, row.task_id) or row.task_id
            own = self._rows.setdefault(with_condition(row.model, row.condition), {})
            if own.setdefault(task_id, row) is not row:
                raise InputError(
                    f"{path}, line {row.line}: is a second line with verdicts for {task_id}; split the file"
                )

    def fit(self, models: Collection[str]) -> None:
        """Match the samples' models to the models of this file, and store names that differ in `names`.

        Raises:
            InputError: a model of the samples has no verdicts in this file.
        """
        if len(models) == len(self._rows) == 1:
            (theirs,), (ours,) = models, self._rows
            if ours != model_of_file(self.path):
                self.names = {theirs: ours}
                return
            self._rows = {theirs: self._rows[ours]}  # verdicts without a model were given the name of their own file
        if any(one not in self._rows for one in models):
            several = "several models" if len(self._rows) > 1 else "one model"
            raise InputError(
                f"{self.path}: verdicts of {several} ({', '.join(self._rows)}), and samples of "
                f"{', '.join(models)}; state the same `model` in both files, or split the file of verdicts"
            )

    def of(self, model: str, task_id: str, index: int) -> bool | None:
        """The verdict on the sample at an index among the samples of its problem; None if there is none."""
        row = self._rows[model].get(task_id)
        return None if row is None or row.passed is None or index >= len(row.passed) else row.passed[index]

    def check(self, samples: Mapping[tuple[str, str], int]) -> None:
        """Raise `InputError` unless there are as many verdicts as samples, counted by model and problem."""
        fitting = False
        for (model, task_id), number in samples.items():
            row = self._rows[model].get(task_id)
            fitting |= row is not None
            if row is not None and row.n != number:
                raise InputError(
                    f"{self.path}, line {row.line}: {counted(row.n, 'verdict')} of {task_id}, but "
                    f"{counted(number, 'sample')}. Samples whose judge failed have no verdict: judge them "
                    "again, or leave them out of both files"
                )
        if not fitting:
            raise InputError(
                f"{self.path}: has no verdict for any problem of the samples, such as {next(iter(samples))[1]}"
            )

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The facts on the file for run.toml."""
        return {"verdicts": self.path.name, "verdicts_sha256": sha256_of(self.path)}
