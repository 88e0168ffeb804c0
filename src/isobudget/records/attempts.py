"""Rows of runs in which tasks were solved: each sample's place in its schedule, and how each task ended."""

from __future__ import annotations

from dataclasses import dataclass

from isobudget.records.rows import OfSample


@dataclass(frozen=True, slots=True)
class AttemptRow(OfSample):
    """One sample of a task: its place in the schedule, and the file that was tested.

    Attributes:
        place: the sample's number among all samples of the task, in the order in which they were started.
        step: number of the schedule's move that requested the sample.
        explored: whether the sample was drawn regardless of the other samples' verdicts.
        code: text of the file with the sample; empty if none could be made.
        parent: the index of the sample that this sample repairs; None if this sample was drawn from scratch.
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
        benchmark, task_id: the task.
        target: the target as the user named it.
        tests: the tests as the user named them.
        budget: the budget as the user wrote it.
        schedule: the schedule that was played.
        ending: why sampling stopped.
        solved: whether a sample passed.
        samples: number of samples, including abandoned ones.
        seconds: wall time from the first sample on.
        loading_seconds: time spent loading models.
        tokens, flops, usd: amounts spent; null where not known.
        date: when the task ended.
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
