"""The judging stage: run the tests on every sample of a run that has no verdict yet.

A sample's program is extracted from its text by the rule that the run states, or on request by another rule.
Nothing needs to be generated again for that.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.dataset as ds

from isobudget.errors import InputError, RunError
from isobudget.files.hints import unknown
from isobudget.grid import counted
from isobudget.judge import Judge
from isobudget.judge.confinement.confine import LAYERS
from isobudget.judge.verdict import RULES, Limits, Outcome, Verdict
from isobudget.pipeline.checking import check_problems
from isobudget.pipeline.executor import Executor, Local
from isobudget.pipeline.prompts import RunPrograms
from isobudget.problems.problem import NoTests, Problem, ProjectTests
from isobudget.progress import SILENT, Progress
from isobudget.records.facts import ANEW, JUDGE_LAYERS, rules_note
from isobudget.records.keys import SampleKeys
from isobudget.records.part_writer import PartWriter
from isobudget.records.parts import part_paths, read_part_rows, read_rows, rows_in_table
from isobudget.records.rows import NO_TEXT, SampleKey, SampleRow, verdict_row
from isobudget.records.run import Run, load_run

Key = TypeVar("Key")


@dataclass(slots=True)
class Judged:
    """The result of the stage: verdicts by outcome, of this call alone."""

    outcomes: Counter[str] = field(default_factory=Counter)


def judge_run_samples(
    run: Run | str | Path,
    *,
    limits: Limits | None = None,
    workers: int | None = None,
    unsafe: bool = False,
    again: bool = False,
    extraction: str | None = None,
    check: bool | None = True,
    progress: Progress = SILENT,
    executor: Executor | None = None,
) -> tuple[Run, Judged]:
    """Judge the samples of a run that have no verdict yet.

    Arguments are those of `isobudget.judge`. Verdicts under different limits cannot be compared, so the limits and the
    extraction rule of the first verdicts apply to the whole run; changing them requires `again`. If `check` is true,
    the problems are checked first; if false, a note says that they were not; None means that they have been checked
    already.

    Raises:
        RunError: the run does not exist, or was judged under other limits or by another rule.
        InputError: the extraction rule is not known.
        JudgeError: samples cannot be confined here, or the judge fails the check of the problems.
        ClusterError: the cluster of the `executor` loses every worker.
    """
    run = run if isinstance(run, Run) else load_run(run)
    _check_judgeable(run, again)
    with run.writing():
        extraction = chosen_extraction(run, extraction, again)
        limits = chosen_limits(run, limits, again)
        judging = Judging(run, extraction, again)
        total = judging.to_judge(progress)
        progress.start("judging", total - len(judging.have))
        if len(judging.have) < total:
            if not again:
                state_judging(run, limits, extraction)
            with (executor or Local()).judge(workers, limits, unsafe=unsafe) as judge:
                if check is not None:
                    check_problems(judging.problems.values(), judge, check, progress)
                anew = partial(_state_anew, run, limits, extraction, judge) if again else None
                _judge_all(judging, judge, partial(progress.advance, "judging", 1), anew)
    return run, judging.judged


def _judge_all(judging: Judging, judge: Judge, advance: Callable[[], None], anew: Callable[[], None] | None) -> None:
    """Judge samples without a verdict, or all samples `anew`.

    Old verdicts count until the first new ones are written.
    """
    run = judging.run
    if anew is None:
        state_layers(run, judge.layers)
    try:
        judging.judge(judge, part_paths(run.path / "samples"), advance, anew)
    except KeyboardInterrupt:
        if anew is None:
            raise
        remedy = f"Samples re-judged so far are saved; resume with: isobudget judge {run.path}"
        raise KeyboardInterrupt(remedy) from None
    if judging.judged.outcomes:
        state_layers(run, judge.layers)  # workers of other machines may have come meanwhile


def _state_anew(run: Run, limits: Limits, extraction: str | None, judge: Judge) -> None:
    """State how the new verdicts, which will replace all others, are made.

    The statement takes effect when the verdicts do (`Run.settle_anew`).
    """
    layers = {} if judge.layers is None else {JUDGE_LAYERS: {layer: layer in judge.layers for layer in LAYERS}}
    old = [path.name for path in part_paths(run.path / "verdicts")]
    run.facts[ANEW] = {"parts": old, **_made_by(limits, extraction), "judge_rules": RULES, **layers}
    run.save_facts()


def _made_by(limits: Limits, extraction: str | None) -> dict[str, Any]:
    """The choices by which verdicts were made, as a run states them."""
    return {"judge": limits._asdict(), **({} if extraction is None else {"extraction": extraction})}


def _check_judgeable(run: Run, again: bool) -> None:
    """Raise `RunError` if the judge cannot run a run's tests or, for `again`, if samples have no texts to judge."""
    if own := next((one for one in run.problems().values() if isinstance(one.tests, ProjectTests)), None):
        raise RunError(
            f"{run.path}: {own.task_id} has tests of a project, so isobudget judge cannot run them. Only isobudget "
            "solve can, in the project's own tree"
        )
    if again and (without := next(_without_text(run), None)):
        raise RunError(
            f"{run.path}: {without.model} has samples of {without.task_id} that were imported without texts, so "
            "these samples cannot be judged again"
        )


def _without_text(run: Run) -> Iterator[SampleRow]:
    """Imported samples without their texts."""
    if "imported" in run.facts:
        yield from read_rows(run.path / "samples", SampleRow, ds.field("finish_reason") == NO_TEXT)


class Judging:
    """Judges the samples of a run's parts that have no verdict yet, and records the verdicts."""

    def __init__(self, run: Run, extraction: str | None, again: bool = False) -> None:
        self.run = run
        self.have = SampleKeys() if again else run.verdict_keys()
        self.judged = Judged()
        self.stopped = threading.Event()
        self._programs = RunPrograms(run, extraction)
        self.problems = run.problems()

    def to_judge(self, progress: Progress) -> int:
        """The number of samples that have or can get a verdict; the others are reported in a note."""
        total = rows_in_table(self.run.path / "samples")
        if len(self.have) == total:  # however many came without texts
            return total
        unknown = sum(row.key not in self.have for row in _without_text(self.run))
        if unknown:
            progress.note(f"{counted(unknown, 'sample')} came with neither text nor verdict, and get no verdict")
        return total - unknown

    def judge(
        self,
        judge: Judge,
        parts: Iterable[Path],
        on_progress: Callable[[], None],
        state: Callable[[], None] | None = None,
    ) -> None:
        """Judge the parts as they arrive; once `stopped` is set, finish only the samples in progress.

        Args:
            judge: the judge, already entered.
            parts: part files of samples.
            on_progress: called after each verdict.
            state: if given, the verdicts replace the existing ones, as in `Run.verdict_writer`.
        """
        with self.run.verdict_writer(state) as writer:
            for part in parts:
                if self.stopped.is_set():
                    return
                self._judge_part(judge, part, writer, on_progress)

    def _judge_part(self, judge: Judge, part: Path, writer: PartWriter, on_progress: Callable[[], None]) -> None:
        for key, verdict in with_verdicts(judge, self._work(part)):
            self.judged.outcomes[verdict.outcome.value] += 1
            if verdict.outcome is not Outcome.INVALID:  # the judge's own fault: the next call tries again
                writer.add([verdict_row(key, verdict)])
                self.have.add(key)
            on_progress()

    def _work(self, part: Path) -> Iterator[tuple[SampleKey, Problem, str]]:
        for sample in read_part_rows(part, SampleRow):
            if self.stopped.is_set():
                return
            if sample.finish_reason == NO_TEXT:  # it keeps the verdict that it came with, or none
                continue
            if sample.key not in self.have:
                problem = self.problems[sample.benchmark, sample.task_id]
                if isinstance(problem.tests, NoTests):
                    raise RunError(
                        f"{self.run.path}: has no tests of {sample.benchmark}, only verdicts that were imported with "
                        "the samples. To judge the samples, import them again with --problems BENCHMARK"
                    )
                yield sample.key, problem, self._programs.program(problem, sample.model, sample.text)


def with_verdicts(judge: Judge, work: Iterable[tuple[Key, Problem, str]]) -> Iterator[tuple[Key, Verdict]]:
    """The key of each problem and program, with its verdict; verdicts are in the order of the programs."""
    waiting: deque[Key] = deque()

    def pairs() -> Iterator[tuple[Problem, str]]:
        for key, problem, program in work:
            waiting.append(key)
            yield problem, program

    for verdict in judge.run(pairs()):
        yield waiting.popleft(), verdict


def chosen_limits(run: Run, limits: Limits | None, again: bool = False) -> Limits:
    """The limits of this run: those of its first verdicts, unless everything is judged again.

    Raises:
        RunError: the run was judged under other limits.
    """
    stated = run.facts.get("judge")
    if stated is not None and not again:
        first = Limits(**stated)
        if limits is not None and limits != first:
            described = ", ".join(f"{name} = {value}" for name, value in first._asdict().items())
            raise RunError(
                f"{run.path}: its verdicts were made under other limits ({described}). "
                f"Judge with the same limits, or re-judge everything with: isobudget judge {run.path} --again"
            )
        return first
    return limits or Limits()


def state_judging(run: Run, limits: Limits, extraction: str | None) -> None:
    """State how the verdicts about to be added are made: limits, extraction and the judge's rules.

    Raises:
        RunError: the run has verdicts by other rules.
    """
    run.facts.pop("extraction", None)
    run.facts |= _made_by(limits, extraction)
    state_rules(run)


def state_rules(run: Run) -> None:
    """State the version of the judge's rules, before verdicts are added.

    Raises:
        RunError: the run has verdicts by other rules.
    """
    if part_paths(run.path / "verdicts") and (note := rules_note(run.facts)):
        raise RunError(
            f"{run.path}: {note}. Verdicts by different rules are not mixed: re-judge everything with: isobudget judge "
            f"{run.path} --again"
        )
    run.facts["judge_rules"] = RULES
    run.save_facts()


def state_layers(run: Run, layers: Collection[str] | None) -> None:
    """State the layers of confinement that were active for all verdicts of the run, including those about to be added.

    If the layers of the earlier or the new verdicts are not known (`layers` is None), none are stated.
    """
    before = run.facts.pop(JUDGE_LAYERS, None)
    begun = bool(part_paths(run.path / "verdicts"))
    if layers is not None and not (begun and before is None):
        held = {layer for layer, stood in before.items() if stood} if begun else set(LAYERS)
        run.facts[JUDGE_LAYERS] = {layer: layer in layers and layer in held for layer in LAYERS}
    if run.facts.get(JUDGE_LAYERS) != before:
        run.save_facts()


def chosen_extraction(run: Run, extraction: str | None, again: bool = False) -> str | None:
    """The extraction rule for all programs of this run; None if each prompt format uses its own.

    Raises:
        RunError: the run has verdicts by another rule.
        InputError: the extraction rule is not known.
    """
    from isobudget.prompts.formats import EXTRACTIONS

    if extraction is not None and extraction not in EXTRACTIONS:
        raise InputError(unknown("extraction rule", extraction, EXTRACTIONS))
    stated = run.facts.get("extraction")
    if again:
        return extraction
    if extraction is not None and extraction != stated:
        by = repr(stated) if stated else "the rules of its prompt formats"
        raise RunError(
            f"{run.path}: its code was extracted by {by}. To re-judge everything with another rule: "
            f"isobudget judge {run.path} --again --extraction {extraction}"
        )
    return stated
