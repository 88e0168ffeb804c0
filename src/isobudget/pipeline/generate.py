"""The first stage: generate the samples that the study requests and the run does not have yet.

`work` determines the missing samples, and the backend's `Pacing` how many are in flight. A problem that fails is tried
once more after the others. If it fails again, it is written to ``failures.json`` and named in the final report, and
generation continues. But if a model fails for several problems in a row, its server is assumed to be down and
generation stops.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from isobudget.backends.base import Generation, PartlyAnsweredError
from isobudget.errors import BackendError, RunError
from isobudget.files.whole import write_whole
from isobudget.grid import counted
from isobudget.pipeline.executor import BackendFactory, Executor, Local, OpenModel, open_model
from isobudget.pipeline.prepare import imported_note, prepare_model, state_facts
from isobudget.pipeline.samples_from_budget import samples_of
from isobudget.pipeline.served import ServedNames
from isobudget.pipeline.work import Feed, Work, count_missing, missing_work
from isobudget.problems.problem import Problem
from isobudget.progress import SILENT, Progress
from isobudget.records.facts import model_notes
from isobudget.records.part_writer import PartWriter
from isobudget.records.rows import sample_row
from isobudget.records.run import Run
from isobudget.study import Study
from isobudget.study.resolve import ResolvedModel, resolve

#: after this many different problems have failed in a row, without a success in between, the model counts as down
GONE_AFTER = 10

#: file of the failed problems in the run folder; removed when the same command has generated their samples
FAILURES_FILE = "failures.json"


@dataclass(frozen=True, slots=True)
class FailedProblem:
    """A problem for which some samples could not be generated.

    Attributes:
        benchmark, model, task_id: the problem and the model.
        samples: number of missing samples.
        reason: the backend's last message.
    """

    benchmark: str
    model: str
    task_id: str
    samples: int
    reason: str


def write_failures(run: Run, failures: list[FailedProblem]) -> None:
    """Write the failures to their file; without failures the file is removed.

    Raises:
        StorageError: the file cannot be written.
    """
    path = run.path / FAILURES_FILE
    if failures:
        write_whole(path, (json.dumps([asdict(one) for one in failures], indent=2) + "\n").encode())
    else:
        path.unlink(missing_ok=True)


@dataclass(slots=True)
class Generated:
    """The result of generating: number of samples, failed problems with reasons, and remarks of backends."""

    samples: int = 0
    failures: list[FailedProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        failed = f", {counted(len(self.failures), 'problem')} failed" if self.failures else ""
        return f"{counted(self.samples, 'new sample')}{failed}"

    def to_dict(self) -> dict[str, object]:
        """The result as a dict for JSON."""
        failures = [asdict(one) for one in self.failures]
        return {"drawn": self.samples, "failures": failures, "notes": self.notes}


@dataclass(frozen=True, slots=True)
class BegunRun:
    """A run before its samples are generated.

    Attributes:
        run: the run, locked for writing.
        models: the models with samples still to generate.
        total: number of samples that the run will have.
    """

    run: Run
    models: tuple[ResolvedModel, ...]
    total: int


#: makes a context that lasts while samples are generated; the function that it yields gets every part that is written
Beside = Callable[[BegunRun], contextlib.AbstractContextManager[Callable[[Path], None] | None]]
#: called with all problems before anything is fetched; an error that it raises stops the stage
First = Callable[[Iterable[Problem]], None]


def alone(_begun: BegunRun) -> contextlib.AbstractContextManager[None]:
    """A context in which nothing runs beside generation."""
    return contextlib.nullcontext()


def generate(
    study: Study,
    out: str | Path | None = None,
    progress: Progress = SILENT,
    make_backend: BackendFactory = open_model,
    beside: Beside = alone,
    first: First | None = None,
    executor: Executor | None = None,
) -> tuple[Run, Generated]:
    """Generate the study's missing samples into the run folder `out` (default: ``runs/`` and the study's name).

    The `executor` decides where models run; without one they run in this process, with backends from `make_backend`.

    Raises:
        StudyError: something that the study names does not exist, or a package that it needs is not installed.
        ModelError: the weights are not available.
        RunError: the folder holds imported results or a run with other settings, or is in use.
        StorageError: the disk is full or the folder read-only.
        BackendError: a model fails for several problems in a row; the samples received so far are recorded.
        ClusterError: the cluster lacks requested resources, or loses every worker.
    """
    executor = executor or Local(make_backend)
    resolved = resolve(study, extras=executor.needs_extras)
    named, benchmarks = resolved.complete(), resolved.benchmarks
    if first is not None:
        first(problem for one in benchmarks for problem in one.problems)
    samples = samples_of(resolved, progress)
    run = Run.create(out or Path("runs") / study.name, study.name)
    with run.writing():
        if imported := imported_note(run):
            raise RunError(imported)
        models = executor.place([prepare_model(one, benchmarks, samples[one.stated.name], progress) for one in named])
        state_facts(run, study, benchmarks, models)
        have = run.sample_keys()
        left = {model.name: count_missing(study, model, benchmarks, have) for model in models}
        for model in models:
            if not left[model.name]:
                progress.start(_task(model), 0)
        begun = BegunRun(run, tuple(one for one in models if left[one.name]), len(have) + sum(left.values()))
        done = Generated()
        for model in begun.models:
            if why := model.settings.not_running():
                progress.note(f"{model.name}: {why} before this model's turn")
        try:
            with beside(begun) as on_part:
                for model in begun.models:
                    progress.start(_task(model), left[model.name])
                    work = missing_work(study, model, benchmarks, have, model.settings.pacing().group)
                    opened = executor.generating(model, left[model.name])
                    with _telling_what_is_saved(), opened as backend, run.sample_writer(on_part) as writer:
                        served = ServedNames(run.facts["models"], model, progress)
                        _Generator(run, model, backend, writer, done, progress, served).generate(work)
        finally:
            write_failures(run, done.failures)
            done.notes = model_notes(run.facts)
    return run, done


@contextlib.contextmanager
def _telling_what_is_saved() -> Iterator[None]:
    """Errors of a model also say that no sample is lost."""
    try:
        yield
    except BackendError as error:
        raise BackendError(
            f"{str(error).rstrip('.')}. Samples received so far are saved; run the same command to resume."
        ) from error


def _task(model: ResolvedModel) -> str:
    return f"generating with {model.name}"


def _failures(failing: list[tuple[Work, str]]) -> list[FailedProblem]:
    """One failure for each problem, counting the samples of all its calls."""
    failures: dict[tuple[str, str, str], FailedProblem] = {}
    for piece, reason in failing:
        key = piece.keys[0][:3]
        before = failures[key].samples if key in failures else 0
        failures[key] = FailedProblem(*key, before + len(piece.keys), reason)
    return list(failures.values())


@dataclass(slots=True)
class _Generator:
    """Keeps one model's backend busy and records the results.

    Attributes:
        failing: calls that failed since work was last started, with the reasons.
        lost: calls with unreadable answers; they are not tried again.
        failing_in_a_row: number of problems that failed in a row, without a success in between.
    """

    run: Run
    model: ResolvedModel
    backend: OpenModel
    writer: PartWriter
    done: Generated
    progress: Progress
    served: ServedNames
    failing: list[tuple[Work, str]] = field(default_factory=list)
    lost: list[tuple[Work, str]] = field(default_factory=list)
    failing_in_a_row: set[tuple[str, str]] = field(default_factory=set)

    def generate(self, work: Iterable[Work]) -> None:
        """Do the work; failed calls are tried again at the end.

        Raises:
            BackendError: the model fails for several problems in a row.
        """
        self._state_engine()
        try:
            self._try(work)
            if self.failing:
                self.progress.note(f"{self.model.name}: {len(self.failing)} calls failed; they are tried again")
                self._try([piece for piece, _ in self.failing], last=True)
        finally:
            self.done.failures += _failures(self.lost + self.failing)
            self._state_engine()  # what it noticed meanwhile

    def _state_engine(self) -> None:
        """Record the backend's description, now that it is running."""
        says, name = self.backend.describe(), self.model.name
        facts = self.run.facts["models"][name] | {"served": says.model, "repeatable": says.repeatable}
        if says.notes:
            facts["notes"] = list(says.notes)
        if says.commit:
            facts["commit"] = says.commit
        if (
            "engine" not in self.model.settings.facts()
        ):  # else it follows from the settings and is stated before it runs
            facts["engine"] = says.engine
        self.run.state("models", name, facts)
        self.run.save_facts()

    def _try(self, work: Iterable[Work], last: bool = False) -> None:
        """Try the work once.

        `last`: all of it has failed before, so another failure does not mean that the model is down.
        """
        self.failing = []
        self.failing_in_a_row.clear()

        def hold() -> bool:
            return not last and len(self.failing_in_a_row) >= GONE_AFTER

        reason, feed = "", Feed(work, self.progress.note)
        with contextlib.closing(self.backend.results(feed, hold)) as results:
            for piece, result in results:
                generations: Sequence[Generation | None] = ()
                try:
                    generations = result.result()
                except BackendError as error:
                    generations = error.generations if isinstance(error, PartlyAnsweredError) else ()
                    reason = str(error)
                    (self.failing if error.again else self.lost).append((piece.without(generations), reason))
                if any(generations):
                    self.failing_in_a_row.clear()
                    self._record(piece, generations)
                else:
                    self.failing_in_a_row.add((piece.problem.benchmark, piece.problem.task_id))
        if hold() and not feed.is_empty():
            raise BackendError(
                f"{self.model.name}: {GONE_AFTER} problems or more failed in a row, so the model seems to be down. The "
                f"last reason: {reason}"
            )

    def _record(self, piece: Work, generations: Sequence[Generation | None]) -> None:
        came = [(key, one) for key, one in zip(piece.keys, generations, strict=True) if one is not None]
        self.served.check(one for _, one in came)
        self.writer.add([sample_row(key, one) for key, one in came])
        self.done.samples += len(came)
        task = _task(self.model)
        self.progress.spend(task, "tokens", sum(one.completion_tokens for _, one in came))
        if (price := self.model.stated.price) is not None:
            paid = (price.usd_of(one.billed_prompt_tokens or 0, one.completion_tokens) for _, one in came)
            self.progress.spend(task, "usd", sum(paid))
        self.progress.advance(task, len(came))
