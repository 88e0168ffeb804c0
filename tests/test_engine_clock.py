"""The engine's time, shared among samples in flight."""

from __future__ import annotations

import pytest

from isobudget.backends.engine_clock import EngineClock, share_by_tokens


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_group_alone_gets_all_of_the_time() -> None:
    time = Clock()
    clock = EngineClock(time)
    time.now = 5.0  # idle before: nobody is charged for it
    ticket = clock.start(3)
    time.now = 7.0
    assert clock.stop(ticket) == 2.0


def test_overlapping_groups_share_by_size_and_add_up_to_the_busy_time() -> None:
    time = Clock()
    clock = EngineClock(time)
    one = clock.start(1)
    time.now = 1.0
    three = clock.start(3)
    time.now = 5.0
    first = clock.stop(one)
    time.now = 6.0
    second = clock.stop(three)
    assert first == 1.0 + 4.0 / 4
    assert second == 4.0 * 3 / 4 + 1.0
    assert first + second == 6.0


def test_groups_of_equal_size_are_told_apart() -> None:
    time = Clock()
    clock = EngineClock(time)
    first, second = clock.start(2), clock.start(2)
    time.now = 4.0
    assert clock.stop(second) == 2.0
    time.now = 5.0
    assert clock.stop(first) == 3.0


@pytest.mark.parametrize("tokens", [[10, 30], [0, 0], [5], [1, 0, 7]])
def test_shares_of_a_group_add_up(tokens: list[int]) -> None:
    shares = share_by_tokens(8.0, tokens)
    assert sum(shares) == pytest.approx(8.0)
    if sum(tokens):
        assert shares == [pytest.approx(8.0 * count / sum(tokens)) for count in tokens]
