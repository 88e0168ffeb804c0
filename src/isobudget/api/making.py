"""Commands that make a run or add to it: generate, run, judge."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from isobudget.api.names import Names, as_names
from isobudget.grid import counted

if TYPE_CHECKING:
    from isobudget.pipeline.dry_run import DryRun
    from isobudget.pipeline.executor import BackendFactory, Executor
    from isobudget.pipeline.generate import Generated
    from isobudget.pipeline.judge_samples import JudgeSummary
    from isobudget.progress import Progress
    from isobudget.records.run import Run
    from isobudget.report import Report
    from isobudget.study import Study


class GenerateResult(NamedTuple):
    """The result of `generate`: the run, the generated samples, and the problems that failed."""

    run: Run
    generated: Generated

    def __repr__(self) -> str:
        return f"{self.run.path}: {self.generated}"

    def to_dict(self) -> dict[str, object]:
        """What `isobudget generate --json` prints."""
        return {"run": str(self.run.path), **self.generated.to_dict()}


class RunResult(NamedTuple):
    """The result of `run`: the report, the generated samples, and the problems that failed."""

    report: Report
    generated: Generated

    def __repr__(self) -> str:
        return f"{self.report}\n{self.report.run}: {self.generated}"

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
    backend: str | None = None,
    url: str | None = None,
    api: str | None = None,
    key_env: str | None = None,
    setting: Names = (),
    cluster: str | None = None,
    replicas: int | None = None,
    progress: Progress | None = None,
    make_backend: BackendFactory | None = None,
) -> GenerateResult:
    """Generate the samples that are still missing.

    Args:
        study: a TOML file, a study that ships (such as quickstart), or a benchmark (with --model). In Python also a
            `Study`.
        out: the run folder; by default runs/ and the study's name.
        model: model to run, NAME or NAME=N; replaces the models of the study. Repeatable.
        n: samples of each problem, for every model.
        problems: only the first N problems.
        backend: how to reach --model: llama.cpp, server (or openai), vllm, transformers; by default server with --url,
            else llama.cpp, or as your models file declares.
        url: base URL of a server, such as http://localhost:8000/v1.
        api: API of the server: completions, or chat (prompts are then conversations); by default completions, or as
            your models file declares.
        key_env: as in `rank`.
        setting: any other setting of the backend, as in a study (docs/studies.md). Repeatable.
        cluster: the Ray cluster to run on, local, auto or HOST:PORT (docs/cluster.md): local starts one here, auto
            finds one, and HOST:PORT is the head of one.
        replicas: replicas of each model on the cluster; by default as many as fit.
        progress: shows the progress.
        make_backend: makes the `Backend` of a resolved model; by default as its settings state.

    Raises:
        IsobudgetError: the study is wrong, or a model is not available or does not answer. Samples received so far are
            recorded.
    """
    plan = _study(study, locals())
    from isobudget.cluster.executor import executor_at
    from isobudget.pipeline.generate import generate as generate_missing
    from isobudget.progress import SILENT

    progress = progress or SILENT
    with executor_at(cluster, replicas, progress, make_backend) as executor:
        return GenerateResult(*generate_missing(plan, out, progress, executor=executor))


def dry_run(
    study: Study | str,
    out: str | Path | None = None,
    *,
    model: Names = (),
    n: int | None = None,
    problems: int | None = None,
    backend: str | None = None,
    url: str | None = None,
    api: str | None = None,
    key_env: str | None = None,
    setting: Names = (),
    cluster: str | None = None,
    replicas: int | None = None,
) -> DryRun:
    """Estimate what a study would generate and spend: samples, tokens, time, cost, disk, and what is missing here.

    With `cluster`, the GPUs and the time with this number of replicas are estimated as well; the cluster is not
    contacted. Nothing is fetched or written.

    Args:
        study, out, model, n, problems, backend, url, api, key_env, setting: as in `generate`.
        cluster, replicas: as in `generate`.
    """
    given = locals()
    from dataclasses import replace

    from isobudget.cluster.connect import check_replicas, lacks_ray, room_note
    from isobudget.pipeline.dry_run import dry_run as estimate

    plan = estimate(_study(study, given), out, check_replicas(cluster, replicas))
    if cluster is None:
        return plan
    room = room_note(cluster, replicas, max((one.gpus for one in plan.replicas), default=0))
    notes = (*plan.notes, *filter(None, [room]))
    lacking = lacks_ray()
    return replace(plan, notes=notes, missing=plan.missing if lacking is None else (*plan.missing, str(lacking)))


def run(
    study: Study | str,
    out: str | Path | None = None,
    *,
    model: Names = (),
    n: int | None = None,
    problems: int | None = None,
    backend: str | None = None,
    url: str | None = None,
    api: str | None = None,
    key_env: str | None = None,
    setting: Names = (),
    check: bool = True,
    unsafe: bool = False,
    judge: str | None = None,
    cluster: str | None = None,
    replicas: int | None = None,
    progress: Progress | None = None,
    make_backend: BackendFactory | None = None,
) -> RunResult:
    """Run a study from samples to report: generate, judge meanwhile, compare. Only what is missing is done.

    Args:
        study, out, model, n, problems, backend, url, api, key_env, setting: as in `generate`.
        check: as in `judge`.
        unsafe: as in `judge`.
        judge: as in `judge`.
        cluster, replicas, progress, make_backend: as in `generate`.

    Raises:
        IsobudgetError: as `generate`; or samples cannot be confined, or judged.
    """
    from isobudget.errors import BackendError
    from isobudget.judge import Judge
    from isobudget.pipeline.generate_and_judge import generate_and_judge
    from isobudget.progress import SILENT
    from isobudget.records.parts import part_paths
    from isobudget.report import build_report, require_parts

    plan, progress = _study(study, locals()), progress or SILENT
    # So that it is known before hours of generating whether samples can be judged and the report can be made.
    require_parts()
    with _executor(cluster, judge, progress, replicas, make_backend) as executor:
        with Judge(workers=1, unsafe=unsafe) if judge is None else executor.judge(unsafe=unsafe):
            pass
        made, done, _ = generate_and_judge(plan, out, unsafe=unsafe, check=check, progress=progress, executor=executor)
    if done.failures and not part_paths(made.path / "samples"):
        first = done.failures[0].reason
        raise BackendError(
            f"no sample was generated; {counted(len(done.failures), 'problem')} failed, the first: {first}"
        )
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
    cluster: str | None = None,
    judge: str | None = None,
    progress: Progress | None = None,
) -> JudgeSummary:
    """Run the tests on the samples of a run folder that have no verdict, or on all samples of a file.

    Args:
        samples: JSON lines with task_id and completion or solution, or a run folder.
        problems: a benchmark's name or a JSONL file of problems.
        output: file for the verdicts on a file of samples (.gz is compressed).
        workers: samples judged at once; by default one per core.
        seconds: CPU seconds per sample; by default 3.
        memory_mb: memory per sample, MiB; by default 1024.
        resume: continue an interrupted run on a file.
        again: re-judge every sample, including those that already have a verdict; replaces a file of verdicts.
        extraction: extract code from the outputs with this rule: function, block, program, none. A run: with --again.
        one_process: whether a whole program that leaves nothing behind runs all of its tests in one process.
        trust: where function and pytest tests of your own problems run: split (in a process apart from the sample),
            shared (in the sample's process), or auto (isobudget decides for each problem).
        check: first judge the references of own problems, and a right and a wrong program of every benchmark.
        unsafe: judge even where samples cannot be confined.
        cluster: as in `generate`.
        judge: URL of a judge service (`isobudget judge --serve`) that judges instead of this machine; its key is read
            from ISOBUDGET_JUDGE_KEY.
        progress: shows the progress.

    Raises:
        InputError, RunError, StorageError: see `judge.file.judge_file` and `pipeline.judging.judge_run_samples`.
        JudgeError: samples cannot be confined here.
    """
    from isobudget.errors import InputError
    from isobudget.judge.verdict import Limits
    from isobudget.pipeline.judge_samples import judge_folder, judge_lines
    from isobudget.pipeline.judges import decided_by_service
    from isobudget.progress import SILENT
    from isobudget.records.example import run_folder
    from isobudget.records.run import Run

    limits, progress = Limits.stated(seconds, memory_mb), progress or SILENT
    if judge is not None and workers is not None:
        raise decided_by_service(["workers"])
    how: dict[str, Any] = {"again": again, "extraction": extraction, "check": check, "progress": progress}
    samples = samples if isinstance(samples, Run) else run_folder(samples)
    if isinstance(samples, Run) or samples.is_dir():
        of_files = {"--problems": problems, "--output": output, "--resume": resume or None}
        if wrong := [option for option, value in of_files.items() if value is not None]:
            raise InputError(
                f"{' and '.join(wrong)}: only for a file of samples; a run folder has its own problems and verdicts, "
                "and resumes by itself"
            )
        with _executor(cluster, judge, progress) as executor:
            return judge_folder(samples, limits=limits, workers=workers, unsafe=unsafe, executor=executor, **how)
    modes = {"workers": workers, "one_process": one_process, "trust": trust, "unsafe": unsafe}
    with _executor(cluster, judge, progress) as executor:
        return judge_lines(Path(samples), problems, output, limits, modes, resume=resume, executor=executor, **how)


def _executor(
    cluster: str | None,
    service: str | None,
    progress: Progress,
    replicas: int | None = None,
    make_backend: BackendFactory | None = None,
) -> AbstractContextManager[Executor]:
    """The executor: this machine, a cluster, or this machine with a judge service."""
    from isobudget.cluster.executor import executor_at
    from isobudget.errors import InputError
    from isobudget.pipeline.executor import open_model
    from isobudget.pipeline.judges import JudgedByService

    if service is None:
        return executor_at(cluster, replicas, progress, make_backend)
    if cluster is not None or replicas is not None:
        raise InputError("--cluster and --judge both say where to judge; choose one")
    return nullcontext(JudgedByService(make_backend or open_model, url=service))


def _study(study: Study | str, given: Mapping[str, Any]) -> Study:
    """The study with a command's arguments, by name, applied; a `Study` object is used unchanged."""
    from isobudget.study import Study, load_study

    if isinstance(study, Study):
        return study
    return load_study(
        study,
        models=list(as_names(given["model"])) or None,
        n=given["n"],
        problems=given["problems"],
        settings=as_names(given["setting"]),
        options={name: given[name] for name in ("backend", "url", "api", "key_env")},
    )
