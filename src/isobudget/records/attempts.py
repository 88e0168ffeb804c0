"""Rows of a run that tasks were solved in: the place of each sample in its schedule, and how each task ended."""

from __future__ import annotations

from dataclasses import dataclass

from isobudget.records.rows import OfSample


@dataclass(frozen=True, slots=True)
class AttemptRow(OfSample):
    """One sample of a task.

    Attributes:
        place: its number among all samples of the task, in the order in which they were begun.
        step: which move of the schedule asked for it.
        explored: whether it was sampled regardless of what the others came to.
        code: the text of the file with it; empty where none could be made.
        parent: the index of the sample that it repairs; None if it was sampled from scratch.
    """

    place: int
    step: int
    explored: bool
    code: str
    parent: int | None


@dataclass(frozen=True, slots=True)
class TaskRow:
    """How one task ended.

    Attributes:
        benchmark, task_id: which.
        target: as it was named.
        tests: as they were named.
        budget: as it was written.
        schedule: what was played.
        ending: why sampling stopped.
        solved: whether a sample passed.
        samples: number taken, abandoned ones included.
        seconds, loading_seconds: wall time from the first sample, and what loading models took.
        tokens, flops, usd: spent, null where not known.
        date: when it ended.
    """

    benchmark: str
    task_id: str
    target: str
    tests: list[str] | None
    budget: str
    schedule: str
    ending: str
    solved: bool
    samples: int
    seconds: float
    loading_seconds: float
    tokens: float | None
    flops: float | None
    usd: float | None
    date: str
