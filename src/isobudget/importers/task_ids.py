"""Which published benchmark a task id is of, by how it begins."""

from __future__ import annotations

_BENCHMARKS = (("HumanEval/", "humaneval"), ("Mbpp/", "mbpp"), ("sample_", "cruxeval"))


def benchmark_by(task_id: str) -> str | None:
    """The benchmark whose task ids begin so; None where none does."""
    return next((name for start, name in _BENCHMARKS if task_id.startswith(start)), None)
