"""Plays a policy for one request: draws samples, judges them meanwhile, stops at the first pass.

The stepper is the one that `solve` and replay use. The samples of a move are in flight together, as many as the model
accepts and the budgets cover, several per call if the model supports that. Each is judged when it arrives. A pass
cancels the calls in flight, which count at maximum cost because their real cost is not known. If a call for
several samples fails or is not covered, it is repeated for half as many. Samples that the budgets do not cover wait
until a call in flight is settled. A model that fails repeatedly is no longer used for the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from isobudget.backends.base import Generation, Prompt
from isobudget.errors import BackendError
from isobudget.gateway.asked import GatewayRequest
from isobudget.gateway.calling import CallBill, Payer, open_call, told, with_attempts
from isobudget.gateway.faults import RefusedRequestError
from isobudget.gateway.judging import Judges
from isobudget.gateway.upstream import Upstream
from isobudget.judge.verdict import Outcome, Verdict
from isobudget.policies.schedule import Schedule, Stop
from isobudget.policies.stepper import Draw, Halt, Stepper
from isobudget.problems.problem import Problem
from isobudget.prompts import extract
from isobudget.tasks.ledger import ArmPrice

#: after this many failed calls in a row, a model is no longer used for the request
_GONE_AFTER = 3
#: maximum number of samples in one call; if the call fails, all of them have to be drawn again
MOST_AT_ONCE = 32


class RequestEnding(StrEnum):
    """Why no more samples were drawn."""

    PASSED = Halt.PASSED.value
    FINISHED = Halt.FINISHED.value
    BUDGET = Halt.BUDGET.value
    SAMPLES = "the most samples allowed were drawn"
    TIME = "the request's time limit was reached"
    FAILED = "no model answers"


@dataclass(frozen=True, slots=True)
class RequestSample:
    """One sample of a request.

    Attributes:
        arm: the model's name.
        index: the sample's number among the started samples.
        generation: the model's output.
        program: the judged program; empty without tests.
        verdict: the tests' verdict; None without tests.
    """

    arm: str
    index: int
    generation: Generation
    program: str
    verdict: Verdict | None

    @property
    def passed(self) -> bool:
        """Whether it passed its tests."""
        return self.verdict is not None and self.verdict.passed


@dataclass(slots=True)
class Play:
    """One request being served by a policy.

    Attributes:
        asked: the request.
        payer: the paying account and its limits.
        arms: models by name.
        schedule: the schedule to play.
        judges: judges for the request's tests.
        most: maximum number of samples.
        begun: set once the first sample is paid for, or once it is clear that none will be.
        on_sample: called with each finished sample.
        samples: the finished samples: judged, if there are tests.
        refusal: why no more samples can be drawn for now.
        failure: the last failure of a model.
    """

    asked: GatewayRequest
    payer: Payer
    arms: Mapping[str, Upstream]
    schedule: Schedule
    judges: Judges
    most: int
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    on_sample: Callable[[RequestSample], None] = lambda _: None
    samples: list[RequestSample] = field(default_factory=list)
    refusal: RefusedRequestError | None = None
    failure: RefusedRequestError | None = None
    _index: int = 0
    _at_once: int = MOST_AT_ONCE
    _drawing: dict[asyncio.Future[list[RequestSample]], int] = field(default_factory=dict)
    _judging: dict[asyncio.Future[Verdict], RequestSample] = field(default_factory=dict)
    _landed: asyncio.Queue[asyncio.Future[Any]] = field(default_factory=asyncio.Queue)
    _failed: dict[str, int] = field(default_factory=dict)
    _lost: int = 0
    _paid: set[str] = field(default_factory=set)

    async def run(self) -> RequestEnding:
        """Draw until a sample passes, everything is drawn, or a limit is reached; afterwards nothing is in flight.

        Raises:
            RefusedRequestError: there is no finished sample: no budget covers one, no model answers, the tests cannot
                be used, or the time limit was reached (504).
        """
        unjudged = 0
        try:
            async with asyncio.timeout(max(0.0, self.payer.left_seconds)):
                ending = await self._play()
        except TimeoutError:
            ending, unjudged = RequestEnding.TIME, len(self._judging)
        finally:
            await self._abandon()
            self.begun.set()
        if not self.samples and (error := self.refusal or self.failure) is not None:
            raise error
        if not self.samples:
            came = (
                f"the tests had not finished for the samples that arrived ({unjudged})"
                if unjudged
                else "no sample arrived"
            )
            raise RefusedRequestError(504, "timeout", f"{ending}, and {came}", retry_after_seconds=5.0)
        return ending

    async def _play(self) -> RequestEnding:
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
        return RequestEnding(move.value) if self.samples else RequestEnding.FAILED

    async def _batch(self, move: Draw, stop: Stop) -> tuple[list[RequestSample], RequestEnding | None]:
        """Draw and judge the samples of a move.

        Returns:
            The samples, and why the request ends with them; None if it goes on.
        """
        begun, waiting = len(self.samples), move.count
        while waiting or self._drawing or self._judging:
            while waiting and (count := self._may_launch(move.arm, waiting)):
                self._launch(self.arms[move.arm], count)
                waiting -= count
            if not self._drawing and not self._judging:
                break
            landed = await self._landed.get()
            if landed in self._judging:
                self._judged(landed)
            else:
                waiting += self._drawn(landed, move.arm)
            if stop is Stop.FIRST_PASS and any(one.passed for one in self.samples[begun:]):
                return self.samples[begun:], RequestEnding.PASSED
        if self.refusal is not None:
            return self.samples[begun:], RequestEnding.BUDGET
        return self.samples[begun:], RequestEnding.SAMPLES if waiting and self._left <= 0 else None

    @property
    def _left(self) -> int:
        """How many more samples may be started."""
        return self.most - len(self.samples) - sum(self._drawing.values()) - len(self._judging) - self._lost

    def _may_launch(self, arm: str, wanted: int) -> int:
        """How many samples the next call may request; 0 if no call should be made."""
        if self.refusal is not None or self._failed.get(arm, 0) >= _GONE_AFTER:
            return 0
        return max(0, min(wanted, self._left, self._at_once, self.arms[arm].most_samples))

    def _launch(self, arm: Upstream, count: int) -> None:
        task = asyncio.create_task(self._draw(arm, range(self._index, self._index + count)))
        task.add_done_callback(self._landed.put_nowait)
        self._drawing[task] = count
        self._index += count

    def _drawn(self, task: asyncio.Future[list[RequestSample]], arm: str) -> int:
        """Take the samples of a finished call, or its error; returns how many samples to request again."""
        count = self._drawing.pop(task)
        try:
            found = task.result()
        except RefusedRequestError as error:
            again = count if error.status == 429 else 0
            if count == 1 or not again:
                # Nothing is begun until something in flight is settled, perhaps to less than it is reserved for.
                self.refusal = error
            self._at_once = max(1, count // 2)
            return again
        except BackendError as error:
            self._failed[arm] = self._failed.get(arm, 0) + 1
            self.failure = told(error, arm)
            again = count if count > 1 else 0
            self._lost += count - again
            self._at_once = max(1, count // 2)
        else:
            self._failed[arm] = 0
            self._judge(found)
            again = count - len(found)
        self._try_again()
        return again

    def _try_again(self) -> None:
        """Try again to draw, because a settled call may have freed budget."""
        if self.refusal is not None and self.refusal.status == 429:
            self.refusal = None

    def _judge(self, samples: Sequence[RequestSample]) -> None:
        """Have samples judged; without tests they are finished on arrival."""
        if self.asked.problem is None:
            for sample in samples:
                self._keep(sample)
            return
        programs = [one.program for one in samples]
        verdicts = self.judges.submit(self.payer.account.id, self.asked.problem, programs)
        for verdict, sample in zip(verdicts, samples, strict=True):
            verdict.add_done_callback(self._landed.put_nowait)
            self._judging[verdict] = sample

    def _judged(self, judged: asyncio.Future[Verdict]) -> None:
        sample, verdict = self._judging.pop(judged), judged.result()
        if verdict.outcome is Outcome.INVALID and "tests cannot be used" in verdict.detail:
            self.refusal = RefusedRequestError(400, "tests_unusable", verdict.detail, param="isobudget.tests")
        else:
            self._keep(replace(sample, verdict=verdict))

    def _keep(self, sample: RequestSample) -> None:
        self.samples.append(sample)
        self.on_sample(sample)

    async def _draw(self, arm: Upstream, indexes: range) -> list[RequestSample]:
        """The samples of one call, before judging."""
        asked = self.asked
        assert asked.prompt is not None
        prompt = arm.takes(asked.prompt)
        price = arm.price(prompt, asked.sampling.max_tokens)
        came = await with_attempts(self.payer, lambda: self._called(arm, prompt, price, indexes))
        programs = [""] * len(came)
        if asked.problem is not None:
            programs = await asyncio.to_thread(programs_of, asked.problem, prompt, [one.text for one in came])
        each = zip(indexes, came, programs, strict=False)
        return [RequestSample(arm.name, index, generation, program, None) for index, generation, program in each]

    async def _called(self, arm: Upstream, prompt: Prompt, price: ArmPrice, indexes: range) -> list[Generation]:
        asked = self.asked
        # Its engine computes the prompt once for all samples of a request.
        pays = not (price.shares_prompt and arm.name in self._paid)
        most = CallBill.of_samples(price, len(indexes), prompt_paid=not pays)
        async with open_call(self.payer, arm, most) as call:
            self._paid.add(arm.name)
            self.begun.set()
            scored = asked.problem is None and self.most > 1
            seeds = [(asked.seed + index) % 2**31 for index in indexes]
            came = await arm.draw(prompt, asked.sampling, seeds, scored=scored)
            call.settle(CallBill.of_drawn(price, came, prompt_paid=not pays))
            return came.generations

    async def _abandon(self) -> None:
        flying: list[asyncio.Future[Any]] = [*self._drawing, *self._judging]
        self._drawing, self._judging = {}, {}
        for one in flying:
            one.cancel()
        await asyncio.gather(*flying, return_exceptions=True)


def programs_of(problem: Problem, prompt: Prompt, texts: Sequence[str]) -> list[str]:
    """The programs extracted from a model's answers."""
    if isinstance(prompt, str):
        return [extract("function", problem, prompt, text).program for text in texts]
    return [extract("block", problem, "", text).program for text in texts]
