"""The judge on a cluster: a `Judge` whose workers are actors, each with one worker on one core of its machine.

Verdicts come in the order of the programs and equal those of the local judge. Batch sizes adapt to the speed of the
workers, so that a batch takes a few seconds. A program that crashes workers gets the verdict `crashed` if the reference
solution of its problem passes, else `invalid`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from isobudget.cluster.actors import Hello, JudgeActor
from isobudget.cluster.dispatch import Dispatch, Guilty
from isobudget.cluster.fleet import Fleet
from isobudget.cluster.ray_fleet import ActorKind
from isobudget.errors import JudgeError
from isobudget.judge.judge import Judge
from isobudget.judge.verdict import Limits, Verdict
from isobudget.judge.worker import GRACE_SECONDS, lost
from isobudget.pipeline.work import stopping
from isobudget.problems.problem import Problem

#: bounds on the programs of a batch; the first batches are the smallest
FEWEST_PROGRAMS, MOST_PROGRAMS = 10, 1000
#: how long a batch should take, and the maximum amount of text in it
_BATCH_SECONDS, _BATCH_CHARACTERS = 2.0, 8 << 20
#: minimum duration in a rate, for a run that has just begun
_INSTANT = 1e-3
#: batches per worker that are taken ahead while an early one still runs
_AHEAD = 8
#: a worker's judge ends hanging programs within its limits; after this many times as long the worker itself must hang
_STALLS = 4

#: a program to judge: its place in the order, below 0 for the reference of the program at -1 - place
Job = tuple[int, Problem, str]


class ClusterJudge(Judge):
    """A judge whose workers are actors.

    Args:
        make_fleet: called on entry with the kind of actor to start; returns a fleet of such actors.
        limits: bounds on every sample.
        note: called with messages for the user.
        actor: class of the actors.
        modes: further arguments of `Judge`.
    """

    def __init__(
        self,
        make_fleet: Callable[[ActorKind], Fleet],
        limits: Limits | None = None,
        *,
        note: Callable[[str], None] = lambda _: None,
        actor: type[JudgeActor] = JudgeActor,
        **modes: Any,
    ) -> None:
        super().__init__(None, limits, **modes)
        self._make_fleet = make_fleet
        self._kind = ActorKind(actor, (self.limits, modes), 1.0, 0.0, 1, pack)
        self._dispatch: Dispatch[Job] | None = None
        self._note, self._streaming = note, False

    def _on_ready(self, hello: Hello) -> None:
        if hello.error:
            raise JudgeError(hello.error)
        if hello.layers is not None:
            self.layers = hello.layers if self.layers is None else self.layers & hello.layers

    def __enter__(self) -> Self:
        """Start the actors.

        Raises:
            JudgeError: samples cannot be confined on a machine of the cluster.
            ClusterError: the cluster does not exist or has no room, or no actor starts.
        """
        fleet = self._make_fleet(self._kind)
        self.workers = fleet.size()
        stall = _STALLS * (2 * self.limits.wall_seconds + GRACE_SECONDS)
        self._dispatch = Dispatch(fleet, stall, self._on_ready, self._note)
        self._dispatch.__enter__()
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        if self._dispatch is not None:
            self._dispatch.close()

    def run(self, pairs: Iterable[tuple[Problem, str]]) -> Iterator[Verdict]:
        """Like `Judge.run`.

        After a first Ctrl-C no new program is started. Verdicts on running programs still come, up to the first program
        that was not started. Then the interrupt is raised, and the judge cannot be used any more.

        Raises:
            ClusterError: workers crash whatever the batch.
        """
        if not self._entered or self._dispatch is None:
            raise JudgeError("use the judge inside a `with` block: with ... as judge: judge.run(...)")
        if self._streaming:
            raise JudgeError("this judge is busy with another run: take its verdicts first, or close it")
        self._streaming = True
        stream = _ClusterStream(self._dispatch, iter(pairs))
        try:
            yield from stream.verdicts(self._finishes)
        except KeyboardInterrupt:
            self._entered = False
            raise
        finally:
            self._streaming = False

    def _finishes(self, _jobs: list[Job]) -> None:
        each = f"{self.limits.wall_seconds:g} s at most for each"
        self._note(stopping(f"the verdicts on samples in flight, {each}"))


class _ClusterStream:
    """One run: the programs given out, and the verdicts that wait for earlier ones."""

    def __init__(self, dispatch: Dispatch[Job], pairs: Iterator[tuple[Problem, str]]) -> None:
        self.dispatch, self.pairs = dispatch, pairs
        self.given = self.yielded = self.came = 0
        self.waiting: dict[int, Verdict] = {}
        self.guilty: dict[int, str] = {}
        self.begun = time.monotonic()

    def verdicts(self, finishes: Callable[[list[Job]], None]) -> Iterator[Verdict]:
        """All verdicts, in order; `finishes` is called on an interrupt."""
        for items, results in self.dispatch.results(self._next, self._hold, finishes):
            for job, result in zip(items, results, strict=True):
                self._take(job, result)
            while self.yielded in self.waiting:
                verdict = self.waiting.pop(self.yielded)
                self.yielded += 1
                yield verdict

    def _size(self) -> int:
        """Number of programs in the next batch."""
        workers = max(1, self.dispatch.ready)
        rate = self.came / max(time.monotonic() - self.begun, _INSTANT) / workers
        return int(min(MOST_PROGRAMS, max(FEWEST_PROGRAMS, rate * _BATCH_SECONDS)))

    def _hold(self) -> bool:
        return self.given - self.yielded > _AHEAD * max(1, self.dispatch.ready) * self._size()

    def _next(self) -> list[Job]:
        jobs: list[Job] = []
        size, characters = self._size(), 0
        while len(jobs) < size and characters < _BATCH_CHARACTERS:
            pair = next(self.pairs, None)
            if pair is None:
                break
            jobs.append((self.given, *pair))
            self.given += 1
            characters += len(pair[1])
        return jobs

    def _take(self, job: Job, result: Any) -> None:
        if result is None:  # not begun before an interrupt
            return
        place, problem, _ = job
        guilty = isinstance(result, Guilty)
        if place < 0:  # a reference, after which it is known whose fault a lost worker was
            place = -1 - place
            passes = not guilty and Verdict.from_plain(result).passed
            self.waiting[place] = lost(stuck=False, reference_passes=passes)
        elif guilty and problem.reference is not None:
            self.dispatch.add_alone([(-1 - place, problem, problem.program(problem.reference))])
        else:
            self.waiting[place] = lost(False, False) if guilty else Verdict.from_plain(result)
        self.came += 1


def pack(jobs: Any) -> tuple[list[Problem], list[tuple[int, str]]]:
    """Each problem once, and each program with the index of its problem."""
    places: dict[Problem, int] = {}
    programs = [(places.setdefault(problem, len(places)), program) for _, problem, program in jobs]
    return list(places), programs
