"""Commands that make or add to a run: generate, run, judge, rank."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from isobudget.api.names import Names, Sources, as_names
from isobudget.results import Results

if TYPE_CHECKING:
    from isobudget.grid import Grid
    from isobudget.pipeline.dry_run import DryRun
    from isobudget.pipeline.generate import BackendFactory, Generated
    from isobudget.pipeline.judge_samples import JudgeSummary
    from isobudget.progress import Progress
    from isobudget.ranking.rank import BenchmarkRanking, ScorerFactory
    from isobudget.records.run import Run
    from isobudget.report import Report
    from isobudget.study import Study


class GenerateResult(NamedTuple):
    """What `generate` gives: the run, and what was generated, with the problems that failed."""

    run: Run
    generated: Generated

    def to_dict(self) -> dict[str, object]:
        """What `isobudget generate --json` prints."""
        return {"run": str(self.run.path), **self.generated.to_dict()}


class RunResult(NamedTuple):
    """What `run` gives: the report, and what was generated, with the problems that failed."""

    report: Report
    generated: Generated

    def to_dict(self) -> dict[str, object]:
        """What `isobudget run --json` prints."""
        made = {"page": str(self.report.page), "report": str(self.report.json), "sentences": self.report.sentences}
        return {"run": str(self.report.run), **self.generated.to_dict(), **made}


def generate(
    study: Study | str,
    out: str | Path | None = None,
    *,
    model: Names = (),
    n: int | None = None,
    problems: int | None = None,
    progress: Progress | None = None,
    make_backend: BackendFactory | None = None,
) -> GenerateResult:
    """Generate the samples that are still missing.

    Args:
        study: an object, a file, the name of one that ships, or a benchmark (with `model`).
        out: the run folder; by default in ``runs/``, under the study's name.
        model: ``NAME`` or ``NAME=N``; these replace the study's models.
        n: samples of each problem, for every model.
        problems: only the first so many.
        progress: shows how far it is.
        make_backend: how a resolved model becomes a `Backend`; by default as its settings say.

    Raises:
        IsobudgetError: the study is wrong, a model cannot be had or does not answer; what came back is recorded.
    """
    from isobudget.pipeline.generate import generate as generate_missing
    from isobudget.pipeline.generate import open_model
    from isobudget.progress import SILENT

    return GenerateResult(
        *generate_missing(_study(study, model, n, problems), out, progress or SILENT, make_backend or open_model)
    )


def dry_run(
    study: Study | str,
    out: str | Path | None = None,
    *,
    model: Names = (),
    n: int | None = None,
    problems: int | None = None,
) -> DryRun:
    """What a study would generate and spend: samples, tokens, time, cost, disk, and what is missing here.

    Nothing is fetched or written. Arguments as in `generate`.
    """
    from isobudget.pipeline.dry_run import dry_run as estimate

    return estimate(_study(study, model, n, problems), out)


def run(
    study: Study | str,
    out: str | Path | None = None,
    *,
    model: Names = (),
    n: int | None = None,
    problems: int | None = None,
    check: bool = True,
    unsafe: bool = False,
    progress: Progress | None = None,
    make_backend: BackendFactory | None = None,
) -> RunResult:
    """Make a study from samples to report: generate, judge meanwhile, compare. Only what is missing is done.

    Arguments and errors as in `generate`; `check` first judges the references of own problems, and a right and a wrong
    program of every benchmark; `unsafe` judges even where samples cannot be confined.
    """
    from isobudget.errors import BackendError
    from isobudget.judge import Judge
    from isobudget.pipeline.generate import open_model
    from isobudget.pipeline.generate_and_judge import generate_and_judge
    from isobudget.progress import SILENT
    from isobudget.records.parts import part_paths
    from isobudget.report import build_report, require_parts

    plan, progress = _study(study, model, n, problems), progress or SILENT
    # Better known now than after hours of generating: whether samples can be judged, and the report be made.
    require_parts()
    with Judge(workers=1, unsafe=unsafe):
        pass
    made, done, _ = generate_and_judge(
        plan, out, unsafe=unsafe, check=check, progress=progress, make_backend=make_backend or open_model
    )
    if done.failures and not part_paths(made.path / "samples"):
        first = done.failures[0].reason
        raise BackendError(f"no sample came; {len(done.failures)} problems failed, the first: {first}")
    return RunResult(build_report(made, progress=progress), done)


def judge(
    samples: Run | str | Path,
    problems: str | None = None,
    output: str | Path | None = None,
    *,
    workers: int | None = None,
    seconds: float | None = None,
    memory_mb: int | None = None,
    resume: bool = False,
    again: bool = False,
    extraction: str | None = None,
    one_process: bool = True,
    trust: str = "auto",
    check: bool = True,
    unsafe: bool = False,
    progress: Progress | None = None,
) -> JudgeSummary:
    """Run the tests on samples: of a run folder, those without a verdict; of a file, all, into `output`.

    Args:
        samples: a run or its folder, or JSON lines with ``task_id`` and ``completion`` or ``solution``.
        problems, output: of a file: the benchmark or JSON lines of problems, and where the verdicts go.
        workers: samples judged at once; one per core by default.
        seconds, memory_mb: CPU seconds and MiB per sample; 3 and 1,024 by default.
        resume: continue a killed run on a file.
        again: re-judge every sample, including those that already have a verdict; replaces a file of verdicts.
        extraction: extract code from the outputs by this rule; of a run, again, with `again`.
        one_process: whether whole programs that leave nothing behind run their tests in one process.
        trust: where a file's own tests run: apart from the sample, in its process, or as decided for each problem.
        check: first judge the references of own problems, and a right and a wrong program of every benchmark.
        unsafe: judge even where samples cannot be confined.
        progress: shows how far it is.

    Raises:
        InputError, RunError, StorageError: see `isobudget.judge.file.judge_file` and `pipeline.judging.judge_run`.
        JudgeError: samples cannot be confined here.
    """
    from isobudget.errors import InputError
    from isobudget.files.store_path import place
    from isobudget.judge.verdict import Limits
    from isobudget.pipeline.judge_samples import judge_folder, judge_lines
    from isobudget.progress import SILENT
    from isobudget.records.run import Run

    limits, progress = Limits.stated(seconds, memory_mb), progress or SILENT
    if isinstance(samples, Run) or place(samples).is_dir():
        of_files = {"--problems": problems, "--output": output, "--resume": resume or None}
        if wrong := [option for option, value in of_files.items() if value is not None]:
            raise InputError(
                f"{' and '.join(wrong)}: for a file of samples; a run folder has its own, and goes on by itself"
            )
        choices = {"workers": workers, "unsafe": unsafe, "again": again, "extraction": extraction, "check": check}
        return judge_folder(samples, limits=limits, progress=progress, **choices)
    modes = {"workers": workers, "one_process": one_process, "trust": trust, "unsafe": unsafe}
    return judge_lines(
        Path(samples),
        problems,
        output,
        limits,
        modes,
        resume=resume,
        again=again,
        check=check,
        extraction=extraction,
        progress=progress,
    )


def rank(
    source: Sources,
    ranker: Names = "own",
    model: str | None = None,
    *,
    from_: str | None = None,
    backend: str | None = None,
    url: str | None = None,
    api: str | None = None,
    key_env: str | None = None,
    setting: Names = (),
    architecture: str | None = None,
    filter: str | None = None,  # noqa: A002
    benchmark: str | None = None,
    problems: str | None = None,
    verdicts: str | Path | None = None,
    first: int | None = None,
    out: str | Path | None = None,
    inputs: int = 16,
    examples: str = "benchmark",
    tests: str | Path | None = None,
    train: Sequence[str | Path] = (),
    power: float = 1.0,
    orders: int = 200,
    k: int | None = None,
    figure: str | Path | None = None,
    workers: int | None = None,
    check: bool = True,
    unsafe: bool = False,
    level: float = 0.95,
    seed: int = 0,
    progress: Progress | None = None,
    make_scorer: ScorerFactory | None = None,
) -> Results[BenchmarkRanking]:
    """Evaluate rankers: how well they pick one of k samples without running tests (equal budget, AUC, calibration).

    The arguments are the options of `isobudget rank`; see docs/cli.md. `setting` takes ``NAME=VALUE``, `make_scorer`
    finds the model that scores.

    Raises:
        IsobudgetError: see `isobudget.ranking.rank.rank`.
    """
    from isobudget.curves import Bootstrap
    from isobudget.progress import SILENT
    from isobudget.ranking.options import RankOptions
    from isobudget.ranking.rank import rank as rank_samples
    from isobudget.ranking.scoring_model import open_scorer, state_scorer
    from isobudget.report.figures.ranking import check_figure, save_rankings
    from isobudget.report.json.ranking import ranking_json, ranking_records
    from isobudget.report.tables.ranking import ranking_grids
    from isobudget.report.tables.terminal import grids_text

    if figure is not None:
        check_figure(Path(figure))
    stated = {"backend": backend, "url": url, "api": api, "key_env": key_env, "architecture": architecture}
    options = RankOptions(
        rankers=as_names(ranker),
        model=state_scorer(model, as_names(setting), stated),
        filter=filter,
        inputs=inputs,
        examples=examples,
        tests=None if tests is None else Path(tests),
        train=tuple(map(Path, train)),
        power=power,
        orders=orders,
        k=k,
        seed=seed,
        workers=workers,
        check=check,
        unsafe=unsafe,
        bootstrap=Bootstrap(level, seed=seed),
    )
    ranked = rank_samples(
        source,
        options,
        from_=from_,
        benchmark=benchmark,
        problems=problems,
        verdicts=verdicts,
        first=first,
        out=out,
        make_scorer=make_scorer or open_scorer,
        progress=progress or SILENT,
    )
    figures = [] if figure is None else [str(path) for path in save_rankings(ranked, Path(figure))]

    def grids() -> list[Grid]:
        return [grid for one in ranked for grid in ranking_grids(one)]

    return Results.of(
        ranked,
        plain=lambda: {"benchmarks": [ranking_json(one) for one in ranked], "figures": figures},
        rows=lambda: [record for one in ranked for record in ranking_records(one)],
        text=lambda: grids_text(grids()),
        grids=grids,
    )


def _study(study: Study | str, model: Names, n: int | None, problems: int | None) -> Study:
    from isobudget.study import Study, load_study

    if isinstance(study, Study):
        return study
    return load_study(study, models=list(as_names(model)) or None, n=n, problems=problems)
