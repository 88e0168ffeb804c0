"""The dispatcher on a fleet without Ray: workers that end at chosen items or moments, and a clock that is set."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from isobudget.cluster.dispatch import (
    DEATHS,
    GONE_AFTER,
    LOOK_SECONDS,
    START_SECONDS,
    UNDER_WAY,
    Dispatch,
    Guilty,
)
from isobudget.cluster.fleet import Pulse, WorkerLostError
from isobudget.errors import ClusterError


class FakeWorker:
    """Answers what it is given with its double; ends at `poison`, and where `dies` says so."""

    def __init__(self, fleet: FakeFleet) -> None:
        self.fleet = fleet
        self.dead = self.stopped = False
        self.had: list[list[int]] = []
        self.done = 0

    def _ask(self, what: Any) -> int:
        self.fleet.number += 1
        self.fleet.asked[self.fleet.number] = (self, what)
        return self.fleet.number

    def hello(self) -> int:
        return self._ask("hello")

    def pulse(self) -> int:
        return self._ask("pulse")

    def stop(self) -> None:
        self.stopped = True

    def submit(self, items: Sequence[int]) -> int:
        self.had.append(list(items))
        assert sum(isinstance(what, list) for one, what in self.fleet.asked.values() if one is self) < UNDER_WAY
        return self._ask(list(items))

    def end(self) -> None:
        self.dead = True


class FakeFleet:
    """Workers that answer one question at a time, in random order over workers, in order within one."""

    def __init__(
        self,
        count: int,
        poison: frozenset[int] = frozenset(),
        dies: Callable[[], bool] = lambda: False,
        mute: bool = False,
        late: int = 0,
    ) -> None:
        self.count, self.poison, self.dies, self.mute, self.late = count, poison, dies, mute, late
        self.number = 0
        self.asked: dict[int, tuple[FakeWorker, Any]] = {}
        self.workers: list[FakeWorker] = []
        self.random = random.Random(0)
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def start(self) -> FakeWorker:
        self.workers.append(FakeWorker(self))
        return self.workers[-1]

    def size(self) -> int:
        return self.count

    def wait(self, refs: Sequence[int], seconds: float) -> list[int]:
        firsts = {}
        for ref in sorted(refs):
            worker, what = self.asked[ref]
            if what == "hello" and self.workers.index(worker) < self.late:
                continue
            if worker.dead or (not self.mute and what in ("hello", "pulse")):
                return [ref]
            if not self.mute:
                firsts.setdefault(id(worker), ref)
        if not firsts:
            self.seconds += seconds
            return []
        return [self.random.choice(list(firsts.values()))]

    def value(self, ref: int) -> Any:
        worker, what = self.asked.pop(ref)
        if worker.dead:
            raise WorkerLostError("it was gone")
        if what == "hello":
            return "ready"
        if what == "pulse":
            return Pulse(worker.done, 1.0, 2.0)
        if self.poison & set(what) or self.dies():
            worker.dead = True
            raise WorkerLostError("it ended")
        worker.done += len(what)
        return [2 * item for item in what]


def batches(count: int, size: int) -> Callable[[], list[int] | None]:
    pieces: Iterator[list[int]] = (list(range(at, min(at + size, count))) for at in range(0, count, size))
    return lambda: next(pieces, None)


def everything(dispatch: Dispatch[int], count: int, size: int) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for items, results in dispatch.results(batches(count, size)):
        for item, result in zip(items, results, strict=True):
            assert item not in found
            found[item] = result
    return found


@pytest.mark.parametrize(("count", "size", "workers"), [(0, 5, 2), (1, 5, 2), (100, 7, 1), (1000, 13, 8)])
def test_everything_comes_once(count: int, size: int, workers: int) -> None:
    fleet = FakeFleet(workers)
    with Dispatch[int](fleet, 60.0, now=fleet.now) as dispatch:
        assert everything(dispatch, count, size) == {item: 2 * item for item in range(count)}
        assert dispatch.lost == 0
    assert all(worker.dead for worker in fleet.workers)


@pytest.mark.parametrize("poison", [{0}, {499}, {777}, {3, 4, 900}])
def test_the_items_that_end_workers_are_found_and_the_others_come(poison: set[int]) -> None:
    fleet = FakeFleet(3, frozenset(poison))
    with Dispatch[int](fleet, 60.0, now=fleet.now) as dispatch:
        found = everything(dispatch, 1000, 100)
        assert {item for item, result in found.items() if isinstance(result, Guilty)} == poison
        assert {item: result for item, result in found.items() if item not in poison} == {
            item: 2 * item for item in range(1000) if item not in poison
        }
        assert dispatch.lost <= len(poison) * (DEATHS + 2 + (100).bit_length())
    alone = [batch for worker in fleet.workers for batch in worker.had if len(batch) == 1]
    assert {batch[0] for batch in alone} >= poison


def test_workers_that_end_at_random_change_nothing() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        fleet = FakeFleet(4, dies=lambda: chance.random() < 0.2)  # noqa: B023 - called within this turn
        with Dispatch[int](fleet, 60.0, now=fleet.now) as dispatch:
            found = everything(dispatch, 400, 10)
            assert dispatch.lost > 0
        honest = {item: result for item, result in found.items() if not isinstance(result, Guilty)}
        assert honest == {item: 2 * item for item in honest}
        assert sorted(found) == list(range(400))


def test_workers_that_end_whatever_they_are_given_are_an_error() -> None:
    fleet = FakeFleet(2, frozenset(range(10_000)))
    with (
        Dispatch[int](fleet, 60.0, now=fleet.now) as dispatch,
        pytest.raises(ClusterError, match=f"{GONE_AFTER} workers .* it ended"),
    ):
        everything(dispatch, 10_000, 1000)


@pytest.mark.parametrize("workers", [1, 2, 40])
def test_workers_that_end_together_as_a_machine_does_are_one_loss(workers: int) -> None:
    fleet = FakeFleet(workers + 1)
    with Dispatch[int](fleet, 60.0, now=fleet.now) as dispatch:
        results = dispatch.results(batches(1000, 5))
        came = [item for items, _ in (next(results), next(results)) for item in items]
        for worker in fleet.workers[:workers]:
            worker.dead = True
        came += [item for items, _ in results for item in items]
        assert sorted(came) == list(range(1000))
        assert dispatch.lost == workers


def test_machines_that_end_one_after_the_other_are_an_error() -> None:
    fleet = FakeFleet(40, frozenset(range(10_000)))
    with (
        Dispatch[int](fleet, 60.0, now=fleet.now) as dispatch,
        pytest.raises(ClusterError, match=f"{GONE_AFTER} workers .* it ended"),
    ):
        everything(dispatch, 10_000, 100)
    assert dispatch.lost <= 40 * GONE_AFTER


def test_a_worker_that_hangs_is_replaced() -> None:
    fleet = FakeFleet(1)
    with Dispatch[int](fleet, 60.0, now=fleet.now) as dispatch:
        results = dispatch.results(batches(20, 5))
        assert next(results) == ([0, 1, 2, 3, 4], [0, 2, 4, 6, 8])
        fleet.mute = True
        fleet.start, start = lambda: (setattr(fleet, "mute", False), start())[1], fleet.start  # type: ignore[method-assign,func-returns-value]
        rest = [item for items, _ in results for item in items]
        assert sorted(rest) == list(range(5, 20))
        assert dispatch.lost == 1


def test_no_worker_at_all_is_an_error_after_a_while() -> None:
    fleet = FakeFleet(2, mute=True)
    with (
        pytest.raises(ClusterError, match="no worker of the cluster was ready"),
        Dispatch[int](fleet, 60.0, now=fleet.now),
    ):
        pass
    assert START_SECONDS < fleet.seconds < START_SECONDS + 10
    assert all(worker.dead for worker in fleet.workers)


def test_work_begins_without_workers_for_which_there_is_no_room_yet() -> None:
    fleet = FakeFleet(3, late=2)
    with Dispatch[int](fleet, 60.0, now=fleet.now) as dispatch:
        assert dispatch.ready == 1
        assert len(everything(dispatch, 50, 5)) == 50


def test_the_cluster_may_grow() -> None:
    fleet = FakeFleet(1)
    with Dispatch[int](fleet, 60.0, now=fleet.now) as dispatch:
        results = dispatch.results(batches(100, 5))
        next(results)
        fleet.count, fleet.seconds = 3, fleet.seconds + 100
        assert sum(len(items) for items, _ in results) == 95
        assert dispatch.ready == 3
        assert all(worker.had for worker in fleet.workers)


def test_what_is_held_is_not_begun_and_what_was_left_belongs_to_nobody() -> None:
    fleet = FakeFleet(2)
    with Dispatch[int](fleet, 60.0, now=fleet.now) as dispatch:
        assert list(dispatch.results(batches(100, 5), hold=lambda: True)) == []
        left = dispatch.results(batches(100, 5))
        next(left)
        left.close()  # type: ignore[attr-defined]
        found = everything(dispatch, 30, 3)
        assert found == {item: 2 * item for item in range(30)}


def test_after_a_first_interrupt_what_was_begun_still_comes() -> None:
    fleet = FakeFleet(2)
    wait = fleet.wait
    turns = iter(range(10_000))

    def interrupted(refs: Sequence[int], seconds: float) -> list[int]:
        if next(turns) == 5:
            raise KeyboardInterrupt
        return wait(refs, seconds)

    fleet.wait = interrupted  # type: ignore[method-assign]
    with Dispatch[int](fleet, 60.0, now=fleet.now) as dispatch:
        came: list[int] = []
        told: list[list[int]] = []
        results = dispatch.results(batches(1000, 5), finishes=told.append)
        with pytest.raises(KeyboardInterrupt):
            came.extend(item for items, _ in results for item in items)
    (waited_for,) = told
    assert waited_for
    assert set(waited_for) <= set(came)
    given = [item for worker in fleet.workers for batch in worker.had for item in batch]
    assert sorted(came) == sorted(given)
    assert len(given) < 1000
    assert all(worker.stopped for worker in fleet.workers)


def test_a_cluster_that_goes_before_a_worker_is_ready_is_seen_soon() -> None:
    class Gone(FakeFleet):
        def size(self) -> int:
            if self.seconds > LOOK_SECONDS:
                raise ClusterError("no machine of the cluster is alive")
            return super().size()

    fleet = Gone(2, late=2)
    with pytest.raises(ClusterError, match="no machine"), Dispatch(fleet, 60.0, now=fleet.now):
        pass
    assert fleet.seconds < 3 * LOOK_SECONDS
    assert all(worker.dead for worker in fleet.workers)


def test_machines_that_join_before_a_worker_is_ready_are_used() -> None:
    class Joining(FakeFleet):
        def size(self) -> int:
            return 1 if self.seconds < LOOK_SECONDS else 2

    fleet = Joining(0, late=1)
    with Dispatch(fleet, 60.0, now=fleet.now) as dispatch:
        assert len(dispatch.seats) == 2
        assert dispatch.ready == 1
