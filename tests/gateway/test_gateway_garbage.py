"""Garbage in cycles is looked for seldom while a server runs, and as before once it has ended."""

from __future__ import annotations

import gc

import pytest

from isobudget.gateway.serving import seldom_collected


def collections() -> int:
    return sum(one["collections"] for one in gc.get_stats())


def interrupted() -> None:
    with seldom_collected():
        gc.freeze()
        raise KeyboardInterrupt


def test_what_some_requests_hold_is_not_gone_through_again_and_again() -> None:
    def held() -> list[list[int]]:
        return [[] for _ in range(20_000)]

    gc.collect()
    before = collections()
    held()
    often = collections() - before
    with seldom_collected():
        gc.collect()
        before = collections()
        held()
        seldom = collections() - before
    assert often > 10
    assert seldom <= 1


def test_the_collector_is_left_as_it_was() -> None:
    usual, frozen = gc.get_threshold(), gc.get_freeze_count()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (usual, frozen)
