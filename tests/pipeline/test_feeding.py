"""Which call begins next: in their order, room is never overdrawn, nothing is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from random import Random
from threading import Event, Semaphore
from weakref import WeakSet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isobudget.backends.base import Generation, Sampling
from isobudget.backends.settings import Pacing
from isobudget.pipeline.interrupts import Interrupts
from isobudget.pipeline.work import Feed, Work, groups_of, in_parallel
from isobudget.problems.problem import AssertList, Problem

PROBLEM = Problem("t", "mine", "def f():\n", "f", AssertList(("assert f() is None",)))
SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_tokens=8)


def calls_of(counts: list[int], group: int) -> list[Work]:
    return [
        Work(PROBLEM, "p", SAMPLING, keys, tuple(range(len(keys))))
        for number, count in enumerate(counts)
        for keys in groups_of([("mine", "m", f"t{number}", False, index) for index in range(count)], group)
    ]


@given(
    st.lists(st.integers(0, 30), max_size=8), st.integers(1, 9), st.integers(1, 20), st.randoms(use_true_random=False)
)
def test_every_call_begins_once_in_order_and_fits(counts: list[int], group: int, room: int, random: Random) -> None:
    calls = calls_of(counts, group)
    feed = Feed(iter(calls))
    under_way: list[Work] = []
    begun: list[Work] = []

    def fits(call: Work) -> bool:
        return not under_way or sum(len(one.keys) for one in [*under_way, call]) <= room

    while True:
        while call := feed.next(fits):
            under_way.append(call)
            begun.append(call)
            assert len(under_way) == 1 or sum(len(one.keys) for one in under_way) <= room
        assert feed.is_empty() == (len(begun) == len(calls))
        if not under_way:
            break
        under_way.pop(random.randrange(len(under_way)))
    assert begun == calls


def test_work_is_made_as_it_is_asked_for() -> None:
    made: list[Work] = []

    def endless() -> Iterator[Work]:
        while True:
            made.extend(calls_of([1], 1))
            yield made[-1]

    feed = Feed(endless())
    assert feed.next(lambda _: True) is made[0]
    assert not feed.is_empty()
    assert feed.next(lambda _: False) is None
    assert feed.next(lambda _: True) is made[1]
    assert len(made) == 2


class Gate:
    """A backend whose calls wait until the gate is open, all but the first."""

    concurrency = 3

    def __init__(self) -> None:
        self.open = Event()

    def generate(self, prompt: str, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        if seeds != [0]:
            self.open.wait(60)
        return []


@pytest.mark.parametrize("first_ends", [True, False])
def test_ctrl_c_says_at_once_what_it_waits_for(*, first_ends: bool) -> None:
    """One call has come back or none; three or four samples are in flight, and all of them still come."""
    gate, said = Gate(), list[str]()
    calls = [Work(PROBLEM, "p", SAMPLING, (("mine", "m", "t", False, at),), (at,)) for at in range(not first_ends, 9)]
    came: list[tuple[Work, Future[list[Generation]]]] = []

    def tell(text: str) -> None:
        said.append(text)
        gate.open.set()

    def hold() -> bool:
        if came or not first_ends:
            held.append(True)
        if len(held) > (1 if first_ends else gate.concurrency):  # every place is taken
            raise KeyboardInterrupt
        return False

    held, pace = list[bool](), Pacing(1, by_calls=True, ahead=1.0, on_cores=False)
    results = in_parallel(gate, Feed(iter(calls), tell), pace, hold)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        came.extend(results)
    (text,) = said
    assert text.startswith(f"Stopping: nothing new is started. Waiting for {gate.concurrency} samples in flight, ")
    assert ("about 1 s" if first_ends else "time left not known yet") in text
    assert len(came) == gate.concurrency + first_ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["while a call is begun", "while a result is written down"])
def test_an_interrupt_between_two_steps_loses_no_result(where: str, number: signal.Signals) -> None:
    asked, came = list[int](), list[int]()

    class Counting:
        concurrency = 3

        def generate(self, _prompt: str, _sampling: Sampling, seeds: list[int]) -> list[Generation]:
            asked.extend(seeds)
            return []

    def calls() -> Iterator[Work]:
        for at in range(100):
            if at == 5 and where == "while a call is begun":
                signal.raise_signal(number)
            yield Work(PROBLEM, "p", SAMPLING, (("mine", "m", "t", False, at),), (at,))

    def written(results: Iterable[tuple[Work, object]]) -> Iterator[int]:
        for at, (call, _) in enumerate(results):
            if at == 5 and where == "while a result is written down":
                signal.raise_signal(number)
            yield call.seeds[0]

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        pace = Pacing(1, by_calls=True, ahead=1.0, on_cores=False)
        results = in_parallel(Counting(), Feed(calls()), pace, lambda: False)  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            came.extend(written(results))
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
    assert sorted(came) == sorted(asked)
    assert 5 <= len(came) < 20


def test_what_was_taken_is_not_kept() -> None:
    class Results(list[Generation]):
        """Of a call, and counted as long as somebody keeps them."""

        __hash__ = object.__hash__  # type: ignore[assignment]

    kept, answered = WeakSet[Results](), Semaphore(4)

    class Instant:
        concurrency = 4

        def generate(self, _prompt: str, _sampling: Sampling, _seeds: list[int]) -> list[Generation]:
            kept.add(results := Results())
            answered.release()
            return results

    def calls() -> Iterator[Work]:
        for call in calls_of([1] * 500, 1):
            answered.acquire()  # so that a call has mostly ended when results are looked for
            yield call

    pace = Pacing(1, by_calls=True, ahead=1.0, on_cores=False)
    most = 0
    for _ in in_parallel(Instant(), Feed(calls()), pace, lambda: False):  # type: ignore[arg-type]
        most = max(most, len(kept))
    assert 0 < most < 40


def test_a_second_interrupt_is_not_held_back() -> None:
    interrupts = Interrupts()
    with interrupts.held_back():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_an_interrupt_at_any_moment_of_the_waiting_loses_no_call() -> None:
    """It comes in steps of 20 microseconds after the last call has begun; nobody waits for ever then."""

    class Wide(Gate):
        concurrency = 64

        def generate(self, _prompt: str, _sampling: Sampling, _seeds: list[int]) -> list[Generation]:
            self.open.wait(60)
            return []

    def interrupted(seconds: float) -> int:
        gate, came, held = Wide(), list[object](), list[bool]()
        calls = [Work(PROBLEM, "p", SAMPLING, (("mine", "m", "t", False, at),), (at,)) for at in range(64)]

        def hold() -> bool:
            held.append(True)
            if len(held) == len(calls) + 1:
                signal.setitimer(signal.ITIMER_REAL, seconds, 10.0)  # and again, if it does not end
            return False

        pace = Pacing(1, by_calls=True, ahead=1.0, on_cores=False)
        results = in_parallel(gate, Feed(iter(calls), lambda _: gate.open.set()), pace, hold)  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            came.extend(results)
        signal.setitimer(signal.ITIMER_REAL, 0)
        return len(came)

    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        assert [interrupted(20e-6 * (step + 1)) for step in range(20)] == [64] * 20
    finally:
        signal.signal(signal.SIGALRM, before)
