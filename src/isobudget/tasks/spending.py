"""Spends a budget on one task: the policy says what to draw, and samples are generated and judged at the same time.

The thread that calls `play` judges. Each sample in flight has a thread of its own, which waits for the backend. A draw
that the ledger cannot pay for waits until a sample in flight is settled. A pass, the time limit or Ctrl-C ends drawing.
Samples then still in flight are abandoned, and stay counted with their maximum cost.

A model that cannot be reached, or fails repeatedly, is left out from then on; the others continue.

A draw of an arm with repairs is a chain (`policies.repair`): if a sample fails, its repair starts as soon as the
verdict is known. If the budget does not cover a repair, it is skipped and drawing goes on.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from isobudget.backends.base import Backend, Generation, Prompt, Sampling
from isobudget.errors import BackendError, IsobudgetError
from isobudget.grid import with_unit
from isobudget.judge.verdict import Verdict
from isobudget.pipeline.interrupts import Interrupts, get_interruptibly
from isobudget.policies.repair import split_arm
from isobudget.policies.schedule import Schedule, Stop
from isobudget.policies.stepper import Draw, Halt, Stepper
from isobudget.tasks.clock import Clock
from isobudget.tasks.ledger import SAMPLES, TaskLedger, TaskReservation

#: when this many samples of one model have failed in a row, the model is no longer used
_GONE_AFTER = 3
#: after this long without a sample, `on_wait` is called
_QUIET_SECONDS = 15.0


class Ending(StrEnum):
    """Why drawing stopped."""

    PASSED = Halt.PASSED.value
    FINISHED = Halt.FINISHED.value
    BUDGET = Halt.BUDGET.value
    SAMPLES = "all samples of the budget are drawn"
    TIME = "the time budget is used up"
    INTERRUPTED = "it was interrupted"
    GONE = "no model responds any more"


@dataclass(frozen=True, slots=True)
class OpenArm:
    """A model to draw from.

    Attributes:
        name: name of the model.
        backend: its backend, already open.
        prompt, sampling: prompt and sampling settings.
        concurrency: maximum number of samples at the same time.
        repairs: how often a failing sample may be repaired.
        again: makes the prompt of a repair, with its maximum number of tokens.
    """

    name: str
    backend: Backend
    prompt: Prompt
    sampling: Sampling
    concurrency: int
    repairs: int = 0
    again: Callable[[Attempt], tuple[Prompt, int]] | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sample with its verdict.

    Attributes:
        arm: name of the model that generated it.
        index: its number among the samples of its arm, from 0.
        place: its number among all samples of the task, in the order in which they were begun.
        step: which move of the schedule requested it.
        generation, verdict: the model's output, and the verdict of the tests.
        text: text of the target's file with the sample; empty if none could be made.
        amounts: cost by unit.
        parent: the index of the sample that it repairs; None if it was sampled from scratch.
        repairs: how many repairs led to it.
    """

    arm: str
    index: int
    place: int
    step: int
    generation: Generation
    verdict: Verdict
    text: str
    amounts: dict[str, float]
    parent: int | None = None
    repairs: int = 0


class CandidateJudge(Protocol):
    """Judges samples: the interface of a task's tests."""

    def judge(self, arm: OpenArm, generation: Generation, deadline: float) -> tuple[Verdict, str]:
        """The verdict on a sample, and the text of the file made from it."""


@dataclass(slots=True)
class _Flight:
    index: int
    place: int
    step: int
    reservation: TaskReservation
    prompt: Prompt
    parent: Attempt | None


#: what a thread gives back: its flight, and a sample or an error
_Landed = tuple[_Flight, Generation | Exception]


@dataclass(slots=True)
class LiveSpending:
    """Spending of one task.

    Attributes:
        schedule: the schedule to play.
        open_arm: opens a model by the name of the arm. It is called once for each arm, while nothing is in flight.
        judging: judges samples.
        ledger: limits the cost.
        clock: limits the time.
        on_attempt: receives every judged sample.
        on_wait: receives the model's name and the number of samples in flight if none has landed for a while.
        seed: seed of each model's first sample; later samples count up from it.
        passes: number of passing samples that end drawing, if the schedule stops at a pass.
        after: given the attempts, chooses the next schedule if `schedule` is finished without a pass; called once.
        attempts: the judged samples.
        failures: errors of models.
        abandoned: names of models with samples in flight that nobody waits for any more.
    """

    schedule: Schedule
    open_arm: Callable[[str], OpenArm]
    judging: CandidateJudge
    ledger: TaskLedger
    clock: Clock
    on_attempt: Callable[[Attempt], None] = lambda _attempt: None
    on_wait: Callable[[str, int], None] = lambda _name, _count: None
    seed: int = 0
    passes: int = 1
    after: Callable[[Sequence[Attempt]], Schedule | None] | None = None
    attempts: list[Attempt] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    abandoned: set[str] = field(default_factory=set)
    _arms: dict[str, OpenArm] = field(default_factory=dict)
    _landed: queue.SimpleQueue[_Landed] = field(default_factory=queue.SimpleQueue)
    _flying: list[_Flight] = field(default_factory=list)
    _to_repair: deque[Attempt] = field(default_factory=deque)
    _begun: int = 0
    _steps: int = 0
    _indices: dict[str, int] = field(default_factory=dict)
    _failed_in_a_row: int = 0
    _gone: dict[str, BackendError] = field(default_factory=dict)

    def play(self, interrupts: Interrupts | None = None) -> Ending:
        """Draw until enough samples pass, the schedule is finished, or the budget is spent.

        Args:
            interrupts: delays interrupts (Ctrl-C) for the caller. While samples are drawn, interrupts are let through,
                and one ends drawing.

        Raises:
            BackendError: no model has ever answered.
        """
        try:
            return interrupts.let_in(self._play_all) if interrupts else self._play_all()
        except KeyboardInterrupt:
            return Ending.INTERRUPTED
        finally:
            self._abandon()
            self.clock.stop()

    def _play_all(self) -> Ending:
        ending = self._play(self.schedule)
        if ending is Ending.FINISHED and self.after and (more := self.after(self.attempts)) is not None:
            ending = self._play(more)
        if self._gone and not self.attempts and ending is Ending.GONE:
            raise next(iter(self._gone.values()))
        return ending

    def _play(self, schedule: Schedule) -> Ending:
        # More than one pass is more than a stepper that stops at the first one asks for.
        stepper = Stepper(schedule if self.passes == 1 else replace(schedule, stop=Stop.NEVER))
        while isinstance(move := stepper.next(), Draw):
            verdicts, whole = self._drawn(move)
            stepper.record(verdicts)
            self._steps += 1
            if self._enough:
                return Ending.PASSED
            if not whole:
                return self._unpaid(move.arm)
        if self._gone and all(arm in self._gone for arm in schedule.arms):
            return Ending.GONE
        return Ending.FINISHED if self.passes > 1 else Ending(move.value)

    def _unpaid(self, arm: str) -> Ending:
        """The ending that says which budget, of time, samples or cost, does not cover the next draw.

        For budgets other than time and samples, a note says what the next sample may cost.
        """
        unit = self.ledger.unit
        if self.clock.left <= 0 or unit is None:
            return Ending.TIME
        if unit == SAMPLES:
            return Ending.SAMPLES
        name = split_arm(arm)[0]
        most, left = with_unit(self.ledger.next_amount(name), unit), with_unit(max(self.ledger.left, 0), unit)
        self.ledger.notes.append(f"the next sample of {name} may cost up to {most}, and {left} of the budget are left")
        return Ending.BUDGET

    def _drawn(self, move: Draw) -> tuple[list[bool], bool]:
        """What `_batch` returns for a draw; no verdicts if the model no longer answers.

        Such a model is skipped from then on.
        """
        if move.arm in self._gone:
            return [], True
        try:
            arm = self._opened(move.arm)
            self.clock.start()
            return self._batch(arm, move.count, self._steps)
        except BackendError as error:
            self._gone[move.arm] = error
            self.failures.append(f"{error}; this model is no longer used")
            self._abandon()
            self._to_repair.clear()
            self._failed_in_a_row = 0
            return [], True

    @property
    def _enough(self) -> bool:
        """Whether the wanted number of samples have passed."""
        if self.schedule.stop is not Stop.FIRST_PASS:
            return False
        return sum(one.verdict.passed for one in self.attempts) >= self.passes

    def _opened(self, name: str) -> OpenArm:
        if name not in self._arms:
            with self.clock.loading():
                self._arms[name] = self.open_arm(name)
        return self._arms[name]

    def _batch(self, arm: OpenArm, count: int, step: int) -> tuple[list[bool], bool]:
        """Draw and judge `count` samples and their repairs.

        Returns the verdicts, and whether all were drawn and judged.
        """
        verdicts: list[bool] = []
        waiting = count
        while waiting or self._to_repair or self._flying:
            if self.clock.left <= 0:
                return verdicts, False
            waiting -= self._launch(arm, waiting, step)
            if not self._flying and self._to_repair:
                verdicts += [False] * self._give_up_repairs()
                continue
            if not self._flying:
                return verdicts, False
            landed = self._next_landed(arm)
            if landed is None or landed[0] not in self._flying:
                continue  # nothing yet, or of a model that was left out meanwhile
            flight, came = landed
            self._flying.remove(flight)
            if isinstance(came, Exception):
                self._failed(flight, came)
                continue
            self._failed_in_a_row = 0
            # What waits is begun before this sample is judged.
            amounts = self.ledger.settle(flight.reservation, came)
            waiting -= self._launch(arm, waiting, step)
            attempt = self._judge(arm, flight, came, amounts)
            if attempt.verdict.passed or attempt.repairs >= arm.repairs:
                verdicts.append(attempt.verdict.passed)
            else:
                self._to_repair.append(attempt)
            if self._enough:
                return verdicts, False
        return verdicts, True

    def _next_landed(self, arm: OpenArm) -> _Landed | None:
        """The next sample to land. None if the time is up, or if none lands for a while, which is reported."""
        try:
            return get_interruptibly(self._landed, min(self.clock.left, _QUIET_SECONDS))
        except queue.Empty:
            if self.clock.left > 0:
                self.on_wait(arm.name, len(self._flying))
            return None

    def _launch(self, arm: OpenArm, most: int, step: int) -> int:
        """Start as many samples as the backend and the budget allow, repairs first.

        Returns how many of the started samples are from scratch.
        """
        while self._to_repair and len(self._flying) < arm.concurrency:
            parent = self._to_repair[0]
            assert arm.again is not None
            prompt, tokens = arm.again(parent)
            reservation = self.ledger.reserve(arm.name, tokens)
            if reservation is None:
                break
            self._begin(arm, step, reservation, prompt, self._to_repair.popleft())
        begun = 0
        while begun < most and len(self._flying) < arm.concurrency:
            reservation = self.ledger.reserve(arm.name)
            if reservation is None:
                break
            self._begin(arm, step, reservation, arm.prompt, None)
            begun += 1
        return begun

    def _begin(
        self, arm: OpenArm, step: int, reservation: TaskReservation, prompt: Prompt, parent: Attempt | None
    ) -> None:
        index = self._indices.get(arm.name, 0)
        self._indices[arm.name] = index + 1
        flight = _Flight(index, self._begun, step, reservation, prompt, parent)
        self._begun += 1
        self._flying.append(flight)
        threading.Thread(
            target=_generate, args=(arm, flight, self.seed + index, self._landed), name="draw", daemon=True
        ).start()

    def _give_up_repairs(self) -> int:
        """Skip waiting repairs if too little is left for them and nothing is in flight.

        Returns how many were skipped.
        """
        samples = self.ledger.unit == SAMPLES
        note = f"the {'samples of the budget did not suffice' if samples else 'budget did not pay'} for every repair"
        if note not in self.ledger.notes:
            self.ledger.notes.append(note)
        left_out = len(self._to_repair)
        self._to_repair.clear()
        return left_out

    def _judge(self, arm: OpenArm, flight: _Flight, came: Generation, amounts: dict[str, float]) -> Attempt:
        verdict, text = self.judging.judge(arm, came, self.clock.deadline)
        parent, repairs = (None, 0) if flight.parent is None else (flight.parent.index, flight.parent.repairs + 1)
        place = (arm.name, flight.index, flight.place, flight.step)
        attempt = Attempt(*place, came, verdict, text, amounts, parent, repairs)
        self.attempts.append(attempt)
        self.on_attempt(attempt)
        return attempt

    def _failed(self, flight: _Flight, error: Exception) -> None:
        if not isinstance(error, IsobudgetError):
            raise error
        self.ledger.give_up(flight.reservation)
        self.failures.append(str(error))
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= _GONE_AFTER:
            raise BackendError(f"{flight.reservation.arm}: {self._failed_in_a_row} samples failed in a row: {error}")

    def _abandon(self) -> None:
        for flight in self._flying:
            self.ledger.give_up(flight.reservation)
            self.abandoned.add(flight.reservation.arm)
        self._flying.clear()


def _generate(arm: OpenArm, flight: _Flight, seed: int, landed: queue.SimpleQueue[_Landed]) -> None:
    try:
        (generation,) = arm.backend.generate(flight.prompt, arm.sampling, [seed])
    except Exception as error:
        landed.put((flight, error))
    else:
        landed.put((flight, generation))
