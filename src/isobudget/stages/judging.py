"""The judging stage: run the tests on every sample of a run that has no verdict yet."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from isobudget.errors import RunError
from isobudget.judge import Judge
from isobudget.judge.verdict import Limits, Outcome
from isobudget.problems.problem import Problem
from isobudget.records.rows import SampleKey, SampleRow, verdict_row
from isobudget.records.run import Run, load_run
from isobudget.stages.prepare import model_prompt
from isobudget.stages.progress import SILENT, Progress


@dataclass(slots=True)
class Judged:
    """What the stage did: verdicts by outcome, of this call alone."""

    outcomes: Counter[str] = field(default_factory=Counter)


def judge_run(
    run: Run | str | Path,
    *,
    limits: Limits | None = None,
    workers: int | None = None,
    unsafe: bool = False,
    again: bool = False,
    progress: Progress = SILENT,
) -> tuple[Run, Judged]:
    """Judge the samples of a run that have no verdict yet.

    Args:
        run: the run or its folder.
        limits: of the judge. Verdicts under different limits do not belong together, so a run keeps the first ones.
        workers: samples judged at the same time; one per core by default.
        unsafe: judge even where samples cannot be confined.
        again: forget the verdicts there are and judge everything.
        progress: told how far it is.

    Raises:
        RunError: no such run, or it was judged under other limits.
        JudgeError: samples cannot be confined here.
    """
    run = run if isinstance(run, Run) else load_run(run)
    with run.writing():
        if again:
            run.drop_verdicts()
        limits = _state_limits(run, limits, again)
        judged = Judged()
        have = run.verdict_keys()
        total = run.samples_table(["index"]).num_rows
        progress.start("judging", total, len(have))
        if len(have) < total:
            with Judge(workers=workers, limits=limits, unsafe=unsafe) as judge:
                _judge(run, judge, have, judged, progress)
    return run, judged


def _judge(run: Run, judge: Judge, have: set[SampleKey], judged: Judged, progress: Progress) -> None:
    waiting: deque[SampleKey] = deque()
    with run.verdict_writer() as writer:
        for verdict in judge.run(_programs(run, have, waiting)):
            key = waiting.popleft()
            judged.outcomes[verdict.outcome.value] += 1
            if verdict.outcome is not Outcome.INVALID:  # the judge's own fault: the next call tries again
                writer.add([verdict_row(key, verdict)])
            progress.advance("judging", 1)


def _programs(run: Run, have: set[SampleKey], waiting: deque[SampleKey]) -> Iterator[tuple[Problem, str]]:
    """The programs to judge; each one's key is put into `waiting`, since verdicts come back in the same order."""
    problems = run.problems()
    for sample in run.samples():
        if sample.key not in have:
            waiting.append(sample.key)
            problem = problems[sample.benchmark, sample.task_id]
            yield problem, sample_program(run, problem, sample)


def sample_program(run: Run, problem: Problem, sample: SampleRow) -> str:
    """The whole program of a sample: the prompt exactly as the model got it, and what the model wrote."""
    return model_prompt(problem, run.facts["models"][sample.model]["prompt_newline"]) + sample.text


def _state_limits(run: Run, limits: Limits | None, again: bool) -> Limits:
    """The limits of this run: those it was judged under first, unless everything is judged again."""
    stated = run.facts.get("judge")
    if stated is not None and not again:
        first = Limits(**stated)
        if limits is not None and limits != first:
            raise RunError(
                f"{run.path}: its verdicts were made under other limits ({_describe(first)}). "
                "Judge with the same ones, or everything anew with: isobudget judge RUN --again"
            )
        return first
    chosen = limits or Limits()
    run.facts["judge"] = {name: getattr(chosen, name) for name in Limits.__slots__}
    run.save_facts()
    return chosen


def _describe(limits: Limits) -> str:
    return ", ".join(f"{name} = {getattr(limits, name)}" for name in Limits.__slots__)
