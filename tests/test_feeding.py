"""Which call begins next: room is never overdrawn, a problem's calls follow each other, nothing is lost."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from isobudget.backends.base import Sampling
from isobudget.problems.problem import AssertList, Problem
from isobudget.stages.feeding import Feed
from isobudget.stages.work import Work, groups_of

PROBLEM = Problem("t", "mine", "def f():\n", "f", AssertList(("assert f() is None",)))
SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_tokens=8)


def calls_of(counts: list[int], group: int) -> list[Work]:
    return [
        Work(PROBLEM, "p", SAMPLING, keys, tuple(range(len(keys))))
        for number, count in enumerate(counts)
        for keys in groups_of([("mine", "m", f"t{number}", False, index) for index in range(count)], group)
    ]


def name_of(call: Work) -> str:
    return call.keys[0][2]


@given(
    st.lists(st.integers(0, 30), max_size=8),
    st.integers(1, 9),
    st.integers(1, 20),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_every_call_begins_once_and_fits(
    counts: list[int], group: int, room: int, follow: bool, random: Random
) -> None:
    calls = calls_of(counts, group)
    feed = Feed(iter(calls), follow)
    under_way: list[Work] = []
    begun: list[Work] = []

    def fits(call: Work) -> bool:
        return not under_way or sum(len(one.keys) for one in [*under_way, call]) <= room

    while True:
        while call := feed.next(fits):
            under_way.append(call)
            begun.append(call)
            assert len(under_way) == 1 or sum(len(one.keys) for one in under_way) <= room
            assert not follow or len({name_of(one) for one in under_way}) == len(under_way)
        if not under_way:
            break
        feed.came_back(under_way.pop(random.randrange(len(under_way))))
    assert feed.is_empty()
    assert sorted(one.keys for one in begun) == sorted(one.keys for one in calls)
    for number in range(len(counts)):
        own = [one.keys for one in begun if name_of(one) == f"t{number}"]
        assert own == [one.keys for one in calls if name_of(one) == f"t{number}"]
    assert follow or begun == calls


def test_a_begun_problem_goes_on_before_a_new_one_begins() -> None:
    first, second = calls_of([8], 4)
    other = Work(PROBLEM, "p", SAMPLING, (("mine", "m", "other", False, 0),), (0,))
    feed = Feed([first, second, other], follow=True)
    assert feed.next(lambda _: True) is first
    assert feed.next(lambda _: True) is other  # the second call waits for the first
    assert feed.next(lambda _: True) is None
    assert not feed.is_empty()
    feed.came_back(first)
    assert feed.next(lambda _: True) is second
    assert feed.is_empty()
