"""Judges a run folder or a file of samples, for `isobudget judge`, and summarizes the result."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isobudget.errors import InputError, RunError
from isobudget.files.near import near_paths
from isobudget.files.store_path import StorePath, place
from isobudget.grid import counted
from isobudget.judge import Limits
from isobudget.judge.file import judge_file
from isobudget.judge.lines import VerdictTally
from isobudget.pipeline.checking import check_problems
from isobudget.pipeline.executor import Executor, Local
from isobudget.pipeline.judging import judge_run_samples
from isobudget.problems import load_benchmark
from isobudget.progress import Progress
from isobudget.prompts import extraction_by
from isobudget.records.facts import rules_note
from isobudget.records.run import Run, load_run
from isobudget.statistics.pass_at_k import pass_at_k, trusted_k

#: most errors that a summary lists
MOST_ERRORS = 3
#: pass@k is shown for these k
TABLE_K = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True, repr=False)
class JudgeSummary:
    """The result of judging.

    Attributes:
        outcomes: number of samples by outcome, the most frequent first; for a run, only samples judged by this call.
        run: the run folder; None for a file.
        problems, n_min, n_max: for a file: number of problems, fewest and most samples per problem.
        pass_at_k: for a file: k -> mean over problems, in [0, 1], for every listed k for which all problems have enough
            samples.
        by_model: for a file whose samples state several models: for each model, a mapping such as `pass_at_k`, which
            is then empty.
        trust_shared: for a file: number of samples that ran in one process with their tests.
        problems_in_all: for a file: number of problems of the benchmark.
        invalid: for a file: the first sample that could not be judged, and why; empty if there is none.
        errors: for a file: the most frequent errors and their counts.
        not_installed: for a file: modules that samples import but that are not installed, with the number of samples.
    """

    outcomes: dict[str, int]
    run: Path | None = None
    problems: int = 0
    n_min: int = 0
    n_max: int = 0
    pass_at_k: dict[int, float] = field(default_factory=dict)
    by_model: dict[str, dict[int, float]] = field(default_factory=dict)
    trust_shared: int = 0
    problems_in_all: int = 0
    invalid: str = ""
    errors: dict[str, int] = field(default_factory=dict)
    not_installed: dict[str, int] = field(default_factory=dict)

    @property
    def trusted_k(self) -> int:
        """The largest k for which pass@k is based on enough samples, see `pass_at_k.trusted_k`."""
        return trusted_k(self.n_min)

    def __repr__(self) -> str:
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in self.outcomes.items())
        scores = "".join(f"; pass@{k} {share:.1%}" for k, share in self.pass_at_k.items())
        where = f"{self.run}: " if self.run is not None else ""
        return f"{where}{counted(sum(self.outcomes.values()), 'sample')} judged: {outcomes or 'none'}{scores}"

    def to_dict(self) -> dict[str, Any]:
        """The dict that `isobudget judge --json` prints."""
        if self.run is not None:
            return {"run": str(self.run), "outcomes": self.outcomes}
        names = ("outcomes", "problems", "n_min", "n_max")
        shares = {str(k): share for k, share in self.pass_at_k.items()}
        by_model = {name: {str(k): share for k, share in scores.items()} for name, scores in self.by_model.items()}
        others = ("trust_shared", "problems_in_all", "errors", "not_installed")
        return {
            **{name: getattr(self, name) for name in names},
            "pass_at_k": shares,
            **({"by_model": by_model} if by_model else {}),
            **{name: getattr(self, name) for name in others},
            "trust_split": sum(self.outcomes.values()) - self.trust_shared,
        }


def judge_folder(run: Run | str | Path, *, progress: Progress, **choices: Any) -> JudgeSummary:
    """Judge a run's samples, with the keywords and errors of `judge_run_samples`.

    Raises:
        RunError: the run has no samples, or problems or samples are missing.
    """
    run = run if isinstance(run, Run) else load_run(run)
    _require_whole(run)
    judged_run, judged = judge_run_samples(run, progress=progress, **choices)
    if note := rules_note(judged_run.facts):
        progress.note(f"{judged_run.path}: {note}")
    return JudgeSummary(dict(judged.outcomes.most_common()), judged_run.path)


def _require_whole(run: Run) -> None:
    samples, problems = run.sample_keys(), run.problems()
    if not len(samples):
        raise RunError(
            f"{run.path}: holds no samples to judge; generate them with isobudget run or generate, or restore its "
            "folder samples"
        )
    lost = next((group for group in samples.groups() if (group[0], group[2]) not in problems), None)
    if lost is not None:
        raise RunError(
            f"{run.path}: has samples for {lost[2]} of {lost[0]}, but lacks the problem; restore its folder problems"
        )
    if missing := samples.lacks(run.verdict_keys()):
        raise RunError(
            f"{run.path}: lacks {counted(missing, 'sample')} for which it has verdicts; restore its folder samples, or "
            "remove its folder verdicts and then generate and judge again"
        )


def judge_lines(
    samples: Path,
    problems: str | None,
    output: str | Path | None,
    limits: Limits | None,
    modes: Mapping[str, Any],
    *,
    resume: bool,
    again: bool,
    check: bool,
    extraction: str | None,
    progress: Progress,
    executor: Executor | None = None,
) -> JudgeSummary:
    """Judge a file of samples into a file of verdicts.

    `modes` are options of the judge. The errors of `judge_file` may be raised, too.

    Raises:
        InputError: the benchmark or the output is not stated, or the extraction rule is not known.
    """
    if not place(samples).exists():
        raise InputError(
            f"{place(samples)}: there is no such run folder or file of samples{near_paths(place(samples), runs=True)}"
        )
    if problems is None or output is None:
        what = "--problems, a benchmark or a JSONL file" if problems is None else "--output, where the verdicts go"
        raise InputError(f"{place(samples)}: to judge a file, state {what}")
    if isinstance(place(output), StorePath):
        raise InputError(
            f"{place(output)}: verdicts on a file of samples are appended one by one, which an object store does not "
            f"allow. Name a file on a disk; or import the samples into a run there: isobudget import {place(samples)} "
            "-o RUN"
        )
    if Path(problems).exists() and Path(problems).resolve() == Path(output).resolve():
        raise InputError(f"{output} is the file of problems; name another file for the verdicts")
    take = None if extraction is None else extraction_by(extraction)
    by_task = {problem.task_id: problem for problem in load_benchmark(problems).problems}
    judge = (executor or Local()).judge(limits=limits, **modes)
    with contextlib.ExitStack() as entered:

        def begin() -> None:
            entered.enter_context(judge)
            check_problems(by_task.values(), judge, check, progress)

        tally = judge_file(
            samples,
            by_task,
            Path(output),
            judge,
            resume=resume,
            again=again,
            extraction=take,
            progress=progress,
            begin=begin,
        )
    return _summary(tally)


def _scores(samples: Mapping[str, int], passes: Mapping[str, int]) -> dict[int, float]:
    """The mean pass@k over problems, for all listed k for which every problem has enough samples."""
    fewest = min(samples.values(), default=0)
    counts = [(n, passes.get(task_id, 0)) for task_id, n in samples.items()]
    return {k: sum(float(pass_at_k(n, c, k)) for n, c in counts) / len(counts) for k in TABLE_K if k <= fewest}


def _summary(tally: VerdictTally) -> JudgeSummary:
    models = {name: _scores(*counts) for name, counts in tally.by_model.items()}
    several = len(models) > 1
    sizes = [n for samples, _ in tally.by_model.values() for n in samples.values()]
    return JudgeSummary(
        dict(tally.outcomes.most_common()),
        problems=len(tally.samples),
        n_min=min(sizes, default=0),
        n_max=max(sizes, default=0),
        pass_at_k={} if several else _scores(tally.samples, tally.passes),
        by_model=models if several else {},
        trust_shared=tally.shared,
        problems_in_all=tally.problems,
        invalid=tally.invalid,
        errors=dict(tally.errors.most_common(MOST_ERRORS)),
        not_installed=dict(tally.not_installed.most_common()),
    )
