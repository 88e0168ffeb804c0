"""Programs for whose verdict nobody waits any more: they are ended, and what waits behind them is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from isobudget.errors import JudgeError
from isobudget.gateway.judging import Judges
from isobudget.judge.judge import Judge
from isobudget.judge.verdict import Limits
from isobudget.judge.worker import UnwantedError
from isobudget.problems.given import given_problem
from support.gateway import until

GOOD = "def double(x):\n    return 2 * x\n"
BAD = "def double(x):\n    return 3 * x\n"
ENDLESS = "import time\n\ndef double(x):\n    while True:\n        time.sleep(1)\n"
PROBLEM = given_problem("assert double(2) == 4\n")
#: a program that sleeps would go on for longer than any test may take
LIMITS = Limits(wall_seconds=120.0)
SECONDS = 60.0


@pytest.fixture(scope="module")
def judges() -> Iterator[Judges]:
    with Judges(1, LIMITS) as made:
        yield made


async def began(judges: Judges, behind: int = 0) -> None:
    await asyncio.to_thread(until, lambda: len(judges.jobs) == behind)


@pytest.mark.parametrize("other", [1, 2])
def test_an_unwanted_program_is_ended_for_the_next_one(judges: Judges, other: int) -> None:
    async def check() -> list[bool]:
        (endless,) = judges.submit(1, PROBLEM, [ENDLESS])
        await began(judges)
        endless.cancel()
        async with asyncio.timeout(SECONDS):
            return [one.passed for one in await asyncio.gather(*judges.submit(other, PROBLEM, [GOOD, BAD]))]

    assert asyncio.run(check()) == [True, False]


def test_those_beside_it_are_judged_all_the_same(judges: Judges) -> None:
    async def check() -> list[bool]:
        endless, *others, unwanted = judges.submit(1, PROBLEM, [ENDLESS, GOOD, BAD, ENDLESS])
        await began(judges, behind=1)
        endless.cancel()
        unwanted.cancel()
        async with asyncio.timeout(SECONDS):
            return [one.passed for one in await asyncio.gather(*others)]

    assert asyncio.run(check()) == [True, False]


def test_the_judges_close_although_one_is_at_it() -> None:
    async def check(judges: Judges) -> None:
        (endless,) = judges.submit(1, PROBLEM, [ENDLESS])
        await began(judges)
        endless.cancel()
        async with asyncio.timeout(SECONDS):
            await asyncio.to_thread(judges.close)
        with pytest.raises(JudgeError, match="the judges were closed"):
            judges.submit(1, PROBLEM, [GOOD])

    with Judges(1, LIMITS) as judges:
        asyncio.run(check(judges))


def test_a_judge_ends_an_unwanted_run_and_serves_the_next_one() -> None:
    asked: list[bool] = []

    def is_wanted() -> bool:
        asked.append(True)
        return len(asked) == 1

    with Judge(1, LIMITS) as judge:
        with pytest.raises(UnwantedError):
            list(judge.run_while(is_wanted, [(PROBLEM, ENDLESS)]))
        assert [one.passed for one in judge.run([(PROBLEM, GOOD)])] == [True]
