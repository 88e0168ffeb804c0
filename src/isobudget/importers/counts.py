"""Counts of samples by model, from files of any tool: the data on which the commands compute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.errors import InputError
from isobudget.importers.names import with_condition
from isobudget.importers.read import read_results
from isobudget.importers.records import CountRow, GroupKey

__all__ = ["CountRow", "GroupKey", "ModelCounts", "group_counts", "read_counts"]


@dataclass(frozen=True, slots=True, eq=False)
class ModelCounts:
    """All problems of one benchmark under one model and condition.

    Attributes:
        benchmark, model, condition: as in `CountRow`.
        task_ids: the problems, in the order in which the file first names them under any model of the benchmark: models
            with the same problems have equal `task_ids`, whatever the order of their own lines.
        n, c: int64 arrays of shape (problems,).
        passed, completion_tokens: one entry per problem, with a value for each sample; None if the problem's line has
            no such list.
        stated: the model's name in its source, if `model` also names the source.
        prompt_tokens: one entry per problem, the tokens of its prompt; None if not known. Empty if not known for any
            problem.
        seconds, usd: one entry per problem, the cost of each sample; None if not known. Empty if not known for any
            problem.
    """

    benchmark: str
    model: str
    condition: str
    task_ids: tuple[str, ...]
    n: NDArray[np.int64]
    c: NDArray[np.int64]
    passed: tuple[tuple[bool, ...] | None, ...]
    completion_tokens: tuple[tuple[int, ...] | None, ...]
    stated: str = ""
    prompt_tokens: tuple[int | None, ...] = ()
    seconds: tuple[tuple[float, ...] | None, ...] = ()
    usd: tuple[tuple[float, ...] | None, ...] = ()

    @property
    def priced_as(self) -> tuple[str, ...]:
        """The names under which the model's price may be listed, the most specific first."""
        return tuple(dict.fromkeys((self.name, self.model, self.stated or self.model)))

    @property
    def name(self) -> str:
        """The model, with its condition where there is one: ``code-cushman-001 [short]``."""
        return with_condition(self.model, self.condition)

    def select(self, task_ids: Iterable[str]) -> ModelCounts:
        """The same model on a subset of its problems, in the given order.

        Raises `InputError` for a problem that the model lacks.
        """
        place = {task: at for at, task in enumerate(self.task_ids)}
        chosen = tuple(task_ids)
        missing = [task for task in chosen if task not in place]
        if missing:
            raise InputError(
                f"{self.name} has no counts for {missing[0]!r}; compare models on problems that all of them have"
            )
        at = [place[task] for task in chosen]
        names = ("passed", "completion_tokens", "prompt_tokens", "seconds", "usd")
        lists: dict[str, Any] = {
            name: tuple(getattr(self, name)[i] for i in at) for name in names if getattr(self, name)
        }
        return replace(self, task_ids=chosen, n=self.n[at], c=self.c[at], **lists)


def read_counts(path: Path | str) -> list[CountRow]:
    """The counts in a file of any known format, by its first test suite; at least one row, in the file's order.

    Raises:
        InputError: the file cannot be read, has no rows, or has an invalid line or one that repeats a problem; the
            message names the line.
    """
    return list(read_results(path).rows)


def group_counts(rows: Iterable[CountRow]) -> dict[GroupKey, ModelCounts]:
    """Group rows by benchmark, model and condition, each in order of first appearance.

    The rows are those of `read_counts`, with no problem twice in a group; for the order of problems see
    `ModelCounts.task_ids`.
    """
    order: dict[str, dict[str, int]] = {}
    groups: dict[GroupKey, list[CountRow]] = {}
    for row in rows:
        tasks = order.setdefault(row.benchmark, {})
        tasks.setdefault(row.task_id, len(tasks))
        groups.setdefault(row.group, []).append(row)
    by_benchmark = sorted(groups, key=lambda key: list(order).index(key[0]))
    return {key: _gather(key, groups[key], order[key[0]]) for key in by_benchmark}


def _gather(key: GroupKey, members: list[CountRow], place: dict[str, int]) -> ModelCounts:
    members = sorted(members, key=lambda row: place[row.task_id])
    return ModelCounts(
        *key,
        tuple(row.task_id for row in members),
        np.array([row.n for row in members], dtype=np.int64),
        np.array([row.c for row in members], dtype=np.int64),
        tuple(row.passed for row in members),
        tuple(row.completion_tokens for row in members),
        members[0].stated,
        *(
            known if any(one is not None for one in known) else ()
            for known in (tuple(getattr(row, name) for row in members) for name in ("prompt_tokens", "seconds", "usd"))
        ),
    )
