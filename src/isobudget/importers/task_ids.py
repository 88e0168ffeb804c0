"""Recognizes a published benchmark from the beginning of a task id."""

from __future__ import annotations

_BENCHMARKS = (("HumanEval/", "humaneval"), ("Mbpp/", "mbpp"), ("sample_", "cruxeval"))


def benchmark_by(task_id: str) -> str | None:
    """The benchmark whose task ids begin like this one; None if there is none."""
    return next((name for start, name in _BENCHMARKS if task_id.startswith(start)), None)
