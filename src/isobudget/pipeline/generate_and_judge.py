"""Generates and judges at the same time: the judge works on the samples that have arrived.

The judge's thread reads every part of samples after it is written. So a verdict never exists without its sample on
disk, and stopping at any moment loses neither. Samples that remain when generation ends are judged then, with all
workers. The verdicts are the same as if one stage followed the other.

While models run on this machine's CPU cores, only one worker judges. More would gain nothing, because the cores are
busy, and would slow down the engine, whose seconds are recorded. Judging a sample takes milliseconds of CPU time;
generating it takes seconds.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from isobudget.errors import IsobudgetError
from isobudget.judge import Judge
from isobudget.pipeline.checking import FirstCheck
from isobudget.pipeline.executor import BackendFactory, Executor, Local, open_model
from isobudget.pipeline.generate import BegunRun, Generated, generate
from isobudget.pipeline.judging import (
    Judged,
    Judging,
    chosen_extraction,
    chosen_limits,
    judge_run_samples,
    state_judging,
    state_layers,
)
from isobudget.progress import SILENT, Progress
from isobudget.records.parts import part_paths
from isobudget.records.run import Run
from isobudget.study import Study

_TASK = "judging (in the background)"


def generate_and_judge(
    study: Study,
    out: str | Path | None = None,
    *,
    unsafe: bool = False,
    check: bool = True,
    progress: Progress = SILENT,
    make_backend: BackendFactory = open_model,
    executor: Executor | None = None,
) -> tuple[Run, Generated, Judged]:
    """Generate a study's missing samples and judge them meanwhile; then judge the rest.

    With `check` the problems are checked first, see `pipeline.checking`. `make_backend` and `executor` are as for
    `generate`.

    Raises:
        IsobudgetError: see `generate`, `judge_run_samples` and `check_problems`.
    """
    early, executor = Judged(), executor or Local(make_backend)
    limits, workers = study.judge.limits(), study.judge.workers
    first = FirstCheck(lambda: executor.judge(workers, limits, unsafe=unsafe), check, progress)

    def beside(begun: BegunRun) -> contextlib.AbstractContextManager[Callable[[Path], None]]:
        return _judge_beside(study, begun, early, unsafe, progress, executor, first.layers)

    run, done = generate(study, out, progress, beside=beside, first=first, executor=executor)
    run, judged = judge_run_samples(
        run, limits=limits, workers=workers, unsafe=unsafe, check=None, progress=progress, executor=executor
    )
    return run, done, Judged(early.outcomes + judged.outcomes)


@contextlib.contextmanager
def _judge_beside(
    study: Study,
    begun: BegunRun,
    early: Judged,
    unsafe: bool,
    progress: Progress,
    executor: Executor,
    layers: Collection[str] | None,
) -> Iterator[Callable[[Path], None]]:
    """Judge parts in a thread while this context lasts: call the yielded function with each part.

    On exit, the samples in progress are finished; the others are left to the judging stage.
    """
    if not begun.models:
        yield lambda _part: None
        return
    limits, extraction = chosen_limits(begun.run, study.judge.limits()), chosen_extraction(begun.run, None)
    state_judging(begun.run, limits, extraction)
    state_layers(begun.run, layers)
    judging = Judging(begun.run, extraction)
    on_cores = any(model.settings.pacing().on_cores for model in begun.models)
    workers = study.judge.workers or (1 if on_cores else None)
    judge = executor.judge(workers, limits, begun.models, unsafe=unsafe)
    arrived: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
    for part in part_paths(begun.run.path / "samples"):
        arrived.put(part)
    progress.start(_TASK, begun.total - len(judging.have))
    thread = threading.Thread(target=_work, args=(judge, judging, arrived, progress), name="judge")
    thread.start()
    try:
        yield arrived.put
    finally:
        judging.stopped.set()
        arrived.put(None)
        thread.join()
        if judging.judged.outcomes:
            state_layers(begun.run, judge.layers)
        early.outcomes.update(judging.judged.outcomes)


def _work(judge: Judge, judging: Judging, arrived: queue.SimpleQueue[Path | None], progress: Progress) -> None:
    """The judge's thread.

    If the judge fails, generation continues, and the judging stage afterwards reports the reason.
    """
    try:
        with judge:
            judging.judge(judge, iter(arrived.get, None), lambda: progress.advance(_TASK, 1))
    except IsobudgetError as error:
        progress.note(f"judging stopped: {error}; generating goes on, and the remaining samples are judged afterwards")
