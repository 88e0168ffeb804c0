"""Which call begins next: in their order, room is never overdrawn, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from isobudget.backends.base import Sampling
from isobudget.pipeline.work import Feed, Work, groups_of
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
