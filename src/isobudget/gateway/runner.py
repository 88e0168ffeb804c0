"""Playing a policy for one request: draw, judge while others are drawn, stop at the first pass.

The stepper is the one that `solve` and replay use. The samples of a move are in flight together, as many as the model
takes and the budgets pay for; each is judged as it comes. A pass stops what is in flight (the call is cancelled, and
counts at its most, as nobody can say what it came to). What the budgets do not pay for waits until something in flight
is settled. A model that fails again and again is left out of the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from isobudget.backends.base import Generation, Prompt
from isobudget.errors import BackendError
from isobudget.gateway.amounts import Amounts
from isobudget.gateway.asked import Asked
from isobudget.gateway.calling import Bill, Payer, open_call, told, with_attempts
from isobudget.gateway.faults import RefusedRequestError
from isobudget.gateway.judging import Judges
from isobudget.gateway.upstream import Upstream
from isobudget.judge.verdict import Outcome, Verdict
from isobudget.policies.schedule import Schedule, Stop
from isobudget.policies.stepper import Draw, Halt, Stepper
from isobudget.problems.problem import Problem
from isobudget.prompts import extract
from isobudget.tasks.ledger import ArmPrice

#: samples of one model that fail one after the other mean that it is gone
_GONE_AFTER = 3


class Ending(StrEnum):
    """Why no more was drawn."""

    PASSED = Halt.PASSED.value
    FINISHED = Halt.FINISHED.value
    BUDGET = Halt.BUDGET.value
    SAMPLES = "as many samples as may be drawn"
    TIME = "the time of the request is over"
    FAILED = "no model answers"


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a request.

    Attributes:
        arm: its model.
        index: its number among those that were begun.
        generation: as it came.
        program: what was judged; empty without tests.
        verdict: what the tests said; None without.
        amounts: what it cost.
    """

    arm: str
    index: int
    generation: Generation
    program: str
    verdict: Verdict | None
    amounts: Amounts

    @property
    def passed(self) -> bool:
        """Whether it passed its tests."""
        return self.verdict is not None and self.verdict.passed


@dataclass(slots=True)
class Play:
    """One request being served by a policy.

    Attributes:
        asked: the request.
        payer: who pays.
        arms: models by name.
        schedule: to play.
        judges: for its tests.
        most: samples, at most.
        begun: set as soon as the first sample is paid for, or nothing will be.
        samples: those that came, in the order in which they did.
        refusal: why no more is drawn for now.
        failure: the last failure of a model.
    """

    asked: Asked
    payer: Payer
    arms: Mapping[str, Upstream]
    schedule: Schedule
    judges: Judges
    most: int
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    on_sample: Callable[[Sample], None] = lambda _: None
    samples: list[Sample] = field(default_factory=list)
    refusal: RefusedRequestError | None = None
    failure: RefusedRequestError | None = None
    _index: int = 0
    _flying: set[asyncio.Task[Sample]] = field(default_factory=set)
    _failed: dict[str, int] = field(default_factory=dict)
    _paid: set[str] = field(default_factory=set)

    async def run(self) -> Ending:
        """Draw until a sample passes, or all is drawn, or something ends it; then nothing is in flight.

        Raises:
            RefusedRequestError: nothing came: it is not paid for, or no model answers.
        """
        try:
            async with asyncio.timeout(max(0.0, self.payer.left_seconds)):
                ending = await self._play()
        except TimeoutError:
            ending = Ending.TIME
        finally:
            await self._abandon()
            self.begun.set()
        if not self.samples and (error := self.refusal or self.failure) is not None:
            raise error
        if not self.samples:
            raise RefusedRequestError(504, "timeout", f"{ending}, and no sample came", retry_after_seconds=5.0)
        return ending

    async def _play(self) -> Ending:
        every = self.asked.problem is None or self.asked.options.return_ == "all"
        schedule = self.schedule if not every else Schedule(self.schedule.steps, Stop.NEVER, batched=True)
        stepper = Stepper(schedule)
        while isinstance(move := stepper.next(), Draw):
            if self._failed.get(move.arm, 0) >= _GONE_AFTER:
                stepper.record([])
                continue
            came, ending = await self._batch(move, schedule.stop)
            stepper.record([one.passed for one in came])
            if ending is not None:
                return ending
        return Ending(move.value) if self.samples else Ending.FAILED

    async def _batch(self, move: Draw, stop: Stop) -> tuple[list[Sample], Ending | None]:
        """Draw and judge so many samples: those that came, and why it ends here, if it does."""
        came: list[Sample] = []
        waiting = move.count
        while waiting or self._flying:
            while waiting and self._may_launch(move.arm):
                self._launch(self.arms[move.arm])
                waiting -= 1
            if not self._flying:
                break
            done, _ = await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)
            self._flying -= done
            for task in done:
                waiting += self._landed(task, move.arm, came)
            if stop is Stop.FIRST_PASS and any(one.passed for one in came):
                return came, Ending.PASSED
        if self.refusal is not None:
            return came, Ending.BUDGET
        return came, Ending.SAMPLES if waiting and self._drawn_or_flying >= self.most else None

    @property
    def _drawn_or_flying(self) -> int:
        return len(self.samples) + len(self._flying) + sum(self._failed.values())

    def _may_launch(self, arm: str) -> bool:
        gone = self._failed.get(arm, 0) >= _GONE_AFTER
        return self.refusal is None and not gone and self._drawn_or_flying < self.most

    def _launch(self, arm: Upstream) -> None:
        self._flying.add(asyncio.create_task(self._sample(arm, self._index)))
        self._index += 1

    def _landed(self, task: asyncio.Task[Sample], arm: str, came: list[Sample]) -> int:
        """Take a sample that came, or why it did not; returns how many are to be begun anew."""
        try:
            sample = task.result()
        except RefusedRequestError as error:
            # Nothing is begun until something in flight is settled, perhaps to less than it is reserved for.
            self.refusal = error
            return int(error.status == 429)
        except BackendError as error:
            self._failed[arm] = self._failed.get(arm, 0) + 1
            self.failure = told(error, arm)
        else:
            self._failed[arm] = 0
            self.samples.append(sample)
            self.on_sample(sample)
            came.append(sample)
        if self.refusal is not None and self.refusal.status == 429:
            self.refusal = None
        return 0

    async def _sample(self, arm: Upstream, index: int) -> Sample:
        asked = self.asked
        assert asked.prompt is not None
        price = arm.price(asked.prompt, asked.sampling.max_tokens)
        generation, amounts = await with_attempts(self.payer, lambda: self._drawn(arm, price, index))
        if asked.problem is None:
            return Sample(arm.name, index, generation, "", None, amounts)
        program = await asyncio.to_thread(program_of, asked.problem, asked.prompt, generation.text)
        verdict = await self._judged(asked.problem, program)
        return Sample(arm.name, index, generation, program, verdict, amounts)

    async def _drawn(self, arm: Upstream, price: ArmPrice, index: int) -> tuple[Generation, Amounts]:
        asked = self.asked
        assert asked.prompt is not None
        # Its engine computes the prompt once for all samples of a request.
        pays = not (price.shares_prompt and arm.name in self._paid)
        most = Bill(price.most(not pays), price.prompt_tokens, price.max_tokens)
        async with open_call(self.payer, arm, most) as call:
            self._paid.add(arm.name)
            self.begun.set()
            scored = asked.problem is None and self.most > 1
            seed = (asked.seed + index) % 2**31
            generation = await arm.draw(asked.prompt, asked.sampling, seed, scored=scored)
            prompt, completion = generation.prompt_tokens, generation.completion_tokens
            amounts = price.amounts(prompt * pays, prompt, completion)
            return generation, call.settle(Bill(amounts, prompt, completion))

    async def _judged(self, problem: Problem, program: str) -> Verdict:
        verdict = await self.judges.judge(self.payer.account.id, problem, program)
        if verdict.outcome is Outcome.INVALID and "tests cannot be used" in verdict.detail:
            raise RefusedRequestError(400, "tests_unusable", verdict.detail, param="isobudget.tests")
        return verdict

    async def _abandon(self) -> None:
        flying, self._flying = self._flying, set()
        for task in flying:
            task.cancel()
        await asyncio.gather(*flying, return_exceptions=True)


def program_of(problem: Problem, prompt: Prompt, text: str) -> str:
    """The program in what a model answered."""
    if isinstance(prompt, str):
        return extract("function", problem, prompt, text).program
    return extract("block", problem, "", text).program
