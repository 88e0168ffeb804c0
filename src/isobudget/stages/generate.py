"""The generating stage: draw every sample that the study asks for and the run does not have yet.

Sample i of a problem is drawn with the seed (base + i), where the base follows from study seed, model and problem. So a
larger n later adds samples and changes none, and a stopped run goes on where it was.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from isobudget.backends.base import Backend, Generation, Sampling
from isobudget.backends.llamacpp import LlamaCpp
from isobudget.errors import BackendError
from isobudget.problems.problem import Problem
from isobudget.records.parts import PartWriter
from isobudget.records.rows import SampleKey, sample_row
from isobudget.records.run import Run
from isobudget.stages.prepare import (
    PreparedBenchmark,
    PreparedModel,
    find_entries,
    prepare_benchmarks,
    prepare_model,
    state_facts,
)
from isobudget.stages.progress import SILENT, Progress
from isobudget.study import Study

BackendFactory = Callable[[PreparedModel], Backend]

#: Samples of one problem drawn by one call. Larger groups share the prompt's computation among more samples, smaller
#: ones keep the engine's slots full when samples end at different times.
_GROUP = 8


@dataclass(frozen=True, slots=True)
class Work:
    """Samples of one problem to draw by one call."""

    problem: Problem
    prompt: str
    sampling: Sampling
    keys: tuple[SampleKey, ...]
    seeds: tuple[int, ...]


@dataclass(slots=True)
class Generated:
    """What the stage did: samples drawn, and problems whose generation failed with the reason."""

    samples: int = 0
    failures: dict[str, str] = field(default_factory=dict)


def embedded(model: PreparedModel) -> Backend:
    """The backend of a model with weights on this machine."""
    return LlamaCpp(model.path, model.settings)


def generate(
    study: Study, out: str | Path | None = None, progress: Progress = SILENT, make_backend: BackendFactory = embedded
) -> tuple[Run, Generated]:
    """Draw the study's missing samples into the run folder `out` (default: ``runs/`` and the study's name).

    Raises:
        InputError: an unknown benchmark or model.
        ModelError: weights cannot be had.
        RunError: the folder holds a run made otherwise, or is in use.
        StorageError: the disk is full or the folder read-only.
    """
    benchmarks = prepare_benchmarks(study)
    entries = find_entries(study)
    run = Run.create(out or Path("runs") / study.name, study.name)
    with run.writing():
        models = [
            prepare_model(model, entry, benchmarks, progress)
            for model, entry in zip(study.models, entries, strict=True)
        ]
        state_facts(run, study, benchmarks, models)
        done = Generated()
        have = run.sample_keys()
        for model in models:
            _generate_with(model, missing_work(study, model, benchmarks, have), run, done, progress, make_backend)
    return run, done


def _generate_with(
    model: PreparedModel, work: list[Work], run: Run, done: Generated, progress: Progress, make_backend: BackendFactory
) -> None:
    """Draw one model's missing samples."""
    task = f"generating with {model.name}"
    progress.start(task, sum(len(piece.keys) for piece in work))
    if work:
        with make_backend(model) as backend, run.sample_writer() as writer:
            _draw(backend, work, writer, done, lambda steps: progress.advance(task, steps))


def missing_work(
    study: Study, model: PreparedModel, benchmarks: list[PreparedBenchmark], have: set[SampleKey]
) -> list[Work]:
    """What is left to draw with one model, in groups of samples of one problem."""
    work = []
    for benchmark in benchmarks:
        for problem in benchmark.problems:
            base = base_seed(study.seed, model.name, benchmark.name, problem.task_id)
            missing = [key for key in _wanted(study, model, benchmark, problem) if key not in have]
            for keys in _groups(missing):
                greedy = keys[0][3]
                sampling = replace(benchmark.sampling, temperature=0.0) if greedy else benchmark.sampling
                seeds = tuple(base + key[4] for key in keys)
                work.append(Work(problem, model.prompt(problem), sampling, keys, seeds))
    return work


def base_seed(seed: int, model: str, benchmark: str, task_id: str) -> int:
    """The seed of sample 0 of a problem: 30 bits, so that base + index stays below 2^31."""
    text = "\0".join((str(seed), model, benchmark, task_id))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 2


def _wanted(study: Study, model: PreparedModel, benchmark: PreparedBenchmark, problem: Problem) -> list[SampleKey]:
    keys = [(benchmark.name, model.name, problem.task_id, False, index) for index in range(model.n)]
    if study.greedy:
        keys.append((benchmark.name, model.name, problem.task_id, True, 0))
    return keys


def _groups(keys: list[SampleKey]) -> Iterator[tuple[SampleKey, ...]]:
    """Sampled keys in groups of equal size, none larger than `_GROUP`; greedy ones by themselves."""
    sampled = [key for key in keys if not key[3]]
    pieces = -(-len(sampled) // _GROUP)
    for piece in range(pieces):
        yield tuple(sampled[len(sampled) * piece // pieces : len(sampled) * (piece + 1) // pieces])
    for key in keys:
        if key[3]:
            yield (key,)


def _draw(
    backend: Backend, work: list[Work], writer: PartWriter, done: Generated, advance: Callable[[int], None]
) -> None:
    """Keep the backend busy with the work; record what comes back as it comes."""
    with contextlib.closing(_in_parallel(backend, work)) as results:
        for piece, result in results:
            try:
                generations = result.result()
            except BackendError as error:
                done.failures[piece.problem.task_id] = str(error)
                continue
            writer.add([sample_row(key, one) for key, one in zip(piece.keys, generations, strict=True)])
            done.samples += len(generations)
            advance(len(generations))


def _in_parallel(
    backend: Backend, work: Iterable[Work]
) -> Generator[tuple[Work, Future[list[Generation]]], None, None]:
    """Results as they come, with about 1.5 times the backend's concurrency of samples under way.

    A first Ctrl-C ends the feeding: what is in flight still comes back, then the interrupt goes on. A second one leaves
    at once.
    """
    most = backend.concurrency + backend.concurrency // 2
    running: dict[Future[list[Generation]], Work] = {}
    pool = ThreadPoolExecutor(max_workers=max(1, most))
    try:
        for piece in work:
            running[pool.submit(backend.generate, piece.prompt, piece.sampling, list(piece.seeds))] = piece
            while sum(len(one.keys) for one in running.values()) >= most:
                yield from _finished(running)
        while running:
            yield from _finished(running)
    except KeyboardInterrupt:
        while running:
            yield from _finished(running)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _finished(
    running: dict[Future[list[Generation]], Work],
) -> Iterator[tuple[Work, Future[list[Generation]]]]:
    ended, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in ended:
        yield running.pop(future), future
