"""The first stage: generate the samples that the study asks for and the run does not have yet.

Problems that fail are tried once more at the end, recorded and named; see `failures`. What is missing follows from
`work`, how many samples are under way from the backend's `Pacing`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isobudget.backends.base import Backend
from isobudget.backends.settings import Pacing
from isobudget.errors import BackendError
from isobudget.pipeline.failures import GONE_AFTER, Failure, Watch, write_failures
from isobudget.pipeline.feeding import Feed, in_parallel
from isobudget.pipeline.prepare import prepare_model, state_facts
from isobudget.pipeline.progress import SILENT, Progress
from isobudget.pipeline.samples_from_budget import samples_of
from isobudget.pipeline.work import Work, count_missing, missing_work
from isobudget.records.keys import SampleKeys
from isobudget.records.parts import PartWriter
from isobudget.records.rows import sample_row
from isobudget.records.run import Run
from isobudget.study import Study
from isobudget.study.resolve import ResolvedBenchmark, ResolvedModel, resolve

BackendFactory = Callable[[ResolvedModel], Backend]


@dataclass(slots=True)
class Generated:
    """What was done: samples generated, and problems whose generation failed with the reason."""

    samples: int = 0
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Begun:
    """A run whose samples are about to be generated.

    Attributes:
        run: under its lock.
        models: those that still have samples to generate.
        total: samples that the run will have.
    """

    run: Run
    models: tuple[ResolvedModel, ...]
    total: int


#: entered while samples are generated; what it gives is called with every part of samples that is written
Beside = Callable[[Begun], contextlib.AbstractContextManager[Callable[[Path], None] | None]]


def embedded(model: ResolvedModel) -> Backend:
    """The backend of a prepared model."""
    return model.settings.open()


def alone(_begun: Begun) -> contextlib.AbstractContextManager[None]:
    """Nothing runs beside it."""
    return contextlib.nullcontext()


def generate(
    study: Study,
    out: str | Path | None = None,
    progress: Progress = SILENT,
    make_backend: BackendFactory = embedded,
    beside: Beside = alone,
) -> tuple[Run, Generated]:
    """Generate the study's missing samples into the run folder `out` (default: ``runs/`` and the study's name).

    Raises:
        StudyError: what the study names does not exist, or a part that it needs is not installed.
        ModelError: weights cannot be had.
        RunError: the folder holds a run made otherwise, or is in use.
        StorageError: the disk is full or the folder read-only.
        BackendError: a model fails for problem after problem; what came back is recorded.
    """
    resolved = resolve(study, extras=make_backend is embedded)
    named, benchmarks = resolved.complete(), resolved.benchmarks
    samples = samples_of(resolved, progress)
    run = Run.create(out or Path("runs") / study.name, study.name)
    with run.writing():
        models = [prepare_model(one, benchmarks, samples[one.stated.name], progress) for one in named]
        state_facts(run, study, benchmarks, models)
        have = run.sample_keys()
        left = {model.name: count_missing(study, model, benchmarks, have) for model in models}
        for model in models:
            if not left[model.name]:
                progress.start(f"generating with {model.name}", 0)
        begun = Begun(run, tuple(one for one in models if left[one.name]), len(have) + sum(left.values()))
        done = Generated()
        try:
            with beside(begun) as on_part:
                for model in begun.models:
                    stage = _Stage(study, benchmarks, have, run, done, progress, on_part)
                    stage.generate_with(model, left[model.name], make_backend)
        finally:
            write_failures(run, done.failures)
    return run, done


@dataclass(frozen=True, slots=True)
class _Stage:
    """Generates with one model after the other."""

    study: Study
    benchmarks: Sequence[ResolvedBenchmark]
    have: SampleKeys
    run: Run
    done: Generated
    progress: Progress
    on_part: Callable[[Path], None] | None

    def generate_with(self, model: ResolvedModel, left: int, make_backend: BackendFactory) -> None:
        """Generate one model's missing samples; what fails is tried again at the end."""
        task = f"generating with {model.name}"
        self.progress.start(task, left)
        pace = model.settings.pacing()
        with make_backend(model) as backend, self.run.sample_writer(self.on_part) as writer:
            _state_engine(self.run, model, backend)
            generator = _Generator(backend, pace, writer, self.done, lambda steps: self.progress.advance(task, steps))
            work = missing_work(self.study, model, self.benchmarks, self.have, pace.group)
            try:
                failed = generator.generate(work)
                if failed:
                    self.progress.note(f"{model.name}: {len(failed)} calls failed; they are tried again")
                    generator.generate([piece for piece, _ in failed], last=True)
            finally:
                self.done.failures += _failures(generator.failing)
                _state_engine(self.run, model, backend)  # what it noticed meanwhile


def _state_engine(run: Run, model: ResolvedModel, backend: Backend) -> None:
    """State what the backend says of itself, now that it runs."""
    says = backend.describe()
    facts = run.facts["models"][model.name] | {"served": says.model, "repeatable": says.repeatable}
    if says.notes:
        facts["notes"] = list(says.notes)
    if says.commit:
        facts["commit"] = says.commit
    if "engine" not in model.settings.facts():  # else it follows from the settings and is stated before it runs
        facts["engine"] = says.engine
    run.state("models", model.name, facts)
    run.save_facts()


def _failures(failing: list[tuple[Work, str]]) -> list[Failure]:
    """One failure for each problem, with the samples of all its calls."""
    found: dict[tuple[str, str, str], Failure] = {}
    for piece, reason in failing:
        key = piece.keys[0][:3]
        before = found[key].samples if key in found else 0
        found[key] = Failure(*key, before + len(piece.keys), reason)
    return list(found.values())


class _Generator:
    """Keeps a backend busy and records what comes back."""

    def __init__(
        self, backend: Backend, pace: Pacing, writer: PartWriter, done: Generated, advance: Callable[[int], None]
    ) -> None:
        self.backend, self.pace, self.writer, self.done, self.advance = backend, pace, writer, done, advance
        self.failing: list[tuple[Work, str]] = []
        self._watch = Watch()

    def generate(self, work: Iterable[Work], last: bool = False) -> list[tuple[Work, str]]:
        """Do the work; returns what failed, with the reasons. They also stand in `failing` until the next call.

        Args:
            work: calls to make.
            last: whether it all failed before, so that failing again says nothing of the model.

        Raises:
            BackendError: the model fails for problem after problem.
        """
        self.failing = []
        self._watch.came_back()

        def hold() -> bool:
            return not last and self._watch.suspects()

        reason, feed = "", Feed(work)
        with contextlib.closing(in_parallel(self.backend, feed, self.pace, hold)) as results:
            for piece, result in results:
                try:
                    generations = result.result()
                except BackendError as error:
                    reason = str(error)
                    self.failing.append((piece, reason))
                    self._watch.failed(piece.problem.benchmark, piece.problem.task_id)
                    continue
                self._watch.came_back()
                self.writer.add([sample_row(key, one) for key, one in zip(piece.keys, generations, strict=True)])
                self.done.samples += len(generations)
                self.advance(len(generations))
        if hold() and not feed.is_empty():
            raise BackendError(
                f"{self.failing[-1][0].keys[0][1]}: {GONE_AFTER} problems or more failed one after the other, and none "
                f"came back between; the model seems to be gone. The last reason: {reason}. What came back before is "
                "recorded; the same command goes on from there."
            )
        return self.failing
