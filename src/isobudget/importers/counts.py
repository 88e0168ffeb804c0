"""Counts by model: what the commands compute with, whatever tool's files they came from."""

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
        n, c: int64 arrays, one entry per problem.
        passed, completion_tokens: per problem, None for a problem whose line has none.
        stated: the model as its source has it, where `model` also names the source.
        prompt_tokens, seconds, usd: per problem, of its prompt and of each sample, None where they are not known; empty
            where they are known of no problem.
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
        """The names under which its price may be found, the most particular one first."""
        return tuple(dict.fromkeys((self.name, self.model, self.stated or self.model)))

    @property
    def name(self) -> str:
        """The model, with its condition where there is one: ``code-cushman-001 [short]``."""
        return with_condition(self.model, self.condition)

    def select(self, task_ids: Iterable[str]) -> ModelCounts:
        """The same model on some of its problems, in the order given. Raises `InputError` for a problem it lacks."""
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
    """The counts of a file of any known format by its first suite of tests; at least one row, in the file's order.

    Raises:
        InputError: the file cannot be read, holds no rows, or a line is wrong or repeats a problem; it is named.
    """
    return list(read_results(path).rows)


def group_counts(rows: Iterable[CountRow]) -> dict[GroupKey, ModelCounts]:
    """Gather rows by benchmark, model and condition: benchmarks in order of first appearance, models within them too.

    The rows are as `read_counts` gives them, no problem twice within a group; for the order of the problems see
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
