"""Gives batches to workers that may be lost at any moment, and collects the results.

Every worker has up to two batches, so that it never waits for the next batch. A worker that ends, or that has made no
progress for too long, is replaced. The batches of the lost worker are given out again, each to a worker without other
batches: if that worker ends too, it is known which batch is at fault. A batch that has crashed two workers is halved
repeatedly, until the single item that crashes workers is found. The result of this item is `Guilty`. All other items
get their normal results.

This module does not depend on Ray: `Fleet` starts workers and reports on them. Every wait has a time limit.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from isobudget.cluster.fleet import Fleet, Handle, Pulse, Ref, WorkerLostError
from isobudget.errors import RESUME, ClusterError

Item = TypeVar("Item")

#: batches that a worker has at the same time
UNDER_WAY = 2
#: a batch or item counts as guilty once it has ended this many workers
DEATHS = 2
#: after this many losses in a row without a result in between, the samples are not to blame, and the work ends with an
#: error; workers that are lost together, such as those of one machine, count as one loss
GONE_AFTER = 12
#: how long the first worker may take to start, and how long work waits for the others
START_SECONDS, OTHERS_SECONDS = 1800.0, 60.0
#: time between two checks of the workers' progress and of the cluster's room
LOOK_SECONDS = 10.0
#: time limit of one wait for answers
_WAIT_SECONDS = 1.0


@dataclass(slots=True)
class _Portion(Generic[Item]):
    """Items given out together, and how many workers they have crashed."""

    items: list[Item]
    deaths: int = 0
    alone: bool = False

    def halves(self) -> list[_Portion[Item]]:
        """The two halves, each with one crash less than the whole: one more crash shows which half is at fault."""
        middle = len(self.items) // 2
        pieces = self.items[:middle], self.items[middle:]
        return [_Portion(piece, self.deaths - 1, alone=True) for piece in pieces]


@dataclass(slots=True)
class _Seat(Generic[Item]):
    """A place for a worker: a lost worker is replaced by another worker in the same seat."""

    handle: Handle
    hello: Ref | None
    news: float
    #: how many losses had been counted when its worker was started
    losses_before: int = 0
    under_way: dict[Ref, _Portion[Item] | None] = field(default_factory=dict)
    looked: Ref | None = None
    pulse: Pulse = field(default_factory=Pulse)

    def asked(self) -> list[Ref]:
        """The unanswered requests to the worker."""
        return [*self.under_way, *(one for one in (self.hello, self.looked) if one is not None)]

    @property
    def room(self) -> int:
        """How many more batches the worker can take."""
        alone = any(one is not None and one.alone for one in self.under_way.values())
        return 0 if self.hello is not None or alone else UNDER_WAY - len(self.under_way)


@dataclass(frozen=True, slots=True)
class Guilty(Generic[Item]):
    """The result of an item that crashes every worker."""

    item: Item
    reason: str


class Dispatch(Generic[Item]):
    """Keeps a fleet's workers busy. It is a context manager: entering starts the workers, leaving ends them all.

    Args:
        fleet: starts the workers.
        stall_seconds: a worker that has work and makes no progress for this long counts as lost.
        on_ready: called with the answer of each new worker that is ready. An error raised by `on_ready` ends the
            dispatch.
        note: called with messages for the user.
    """

    def __init__(
        self,
        fleet: Fleet,
        stall_seconds: float,
        on_ready: Callable[[Any], None] = lambda _: None,
        note: Callable[[str], None] = lambda _: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fleet, self.stall_seconds = fleet, stall_seconds
        self._on_ready, self._note, self._now = on_ready, note, now
        self.seats: list[_Seat[Item]] = []
        self.lost = 0
        self._again: deque[_Portion[Item]] = deque()
        self._losses = self._losses_in_a_row = 0
        self._reason = ""
        self._looked = self._ready_at = now()
        self._past: list[Pulse] = []

    # workers --------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Dispatch[Item]:
        """Start the workers. Wait until one is ready, and a little longer for the others.

        Raises:
            ClusterError: no worker becomes ready, or the cluster is gone.
        """
        self._ready_at = begun = self._now()
        try:
            self._grow()
            while any(seat.hello is not None for seat in self.seats):
                self._hear([ref for seat in self.seats for ref in seat.asked()])
                self._see_room()
                if any(seat.hello is None for seat in self.seats) and self._now() - begun > OTHERS_SECONDS:
                    break
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        for seat in self.seats:
            self._past.append(seat.pulse)
            seat.handle.end()
        self.seats = []

    def _grow(self) -> None:
        """Add seats up to the number for which the cluster has room now."""
        for _ in range(self.fleet.size() - len(self.seats)):
            handle = self.fleet.start()
            self.seats.append(_Seat(handle, handle.hello(), self._now(), self._losses))

    def _see_room(self) -> bool:
        """Add seats if the cluster has gained room. Returns whether the room was checked.

        The room is checked at most every `LOOK_SECONDS`. If the cluster is gone, the check raises an error.
        """
        if self._now() - self._looked < LOOK_SECONDS:
            return False
        self._looked = self._now()
        self._grow()
        return True

    def _replace(self, seat: _Seat[Item], reason: str) -> None:
        """Replace a lost worker, and give out its batches again, each to a worker without other batches."""
        self.lost += 1
        if seat.losses_before == self._losses:  # else it was there before the last one counted was lost
            self._losses += 1
            self._losses_in_a_row += 1
        self._reason = reason
        had = [batch for batch in seat.under_way.values() if batch is not None]
        for batch in had:
            self._give_again(batch, sure=len(seat.under_way) == 1)
        self._past.append(seat.pulse)
        seat.handle.end()
        seat.under_way, seat.looked, seat.pulse = {}, None, Pulse()
        seat.handle = self.fleet.start()
        seat.hello, seat.news, seat.losses_before = seat.handle.hello(), self._now(), self._losses
        if self._losses_in_a_row >= GONE_AFTER:
            raise ClusterError(
                f"{self._losses_in_a_row} workers of the cluster in a row ended without a result: {reason} {RESUME}"
            )

    def _give_again(self, batch: _Portion[Item], sure: bool) -> None:
        batch.deaths += sure
        batch.alone = True
        self._again += batch.halves() if batch.deaths >= DEATHS and len(batch.items) > 1 else [batch]

    # work -----------------------------------------------------------------------------------------------------------

    def add_alone(self, items: Sequence[Item]) -> None:
        """Add items for workers that have no other work, while `results` runs."""
        self._again.append(_Portion(list(items), alone=True))

    def results(
        self,
        next_batch: Callable[[], list[Item] | None],
        hold: Callable[[], bool] = lambda: False,
        finishes: Callable[[list[Item]], None] | None = None,
    ) -> Iterator[tuple[list[Item], list[Any]]]:
        """Batches with their results, as they finish. The result of an item that crashes workers is `Guilty`.

        Args:
            next_batch: returns the next batch; empty or None if there is none.
            hold: while it returns true, no new batch is started, so that the iteration ends once all running batches
                have finished.
            finishes: called with the running items at a first Ctrl-C. These items still finish, and then the interrupt
                is raised. Without `finishes`, the interrupt is raised at once.

        Raises:
            ClusterError: workers crash whatever the batch, or no new worker starts.
        """
        interrupted: KeyboardInterrupt | None = None
        try:
            while interrupted is None or self._has_work():
                came: list[tuple[list[Item], list[Any]]] = []
                try:
                    if interrupted is None:
                        came += self._guilty()
                        self._feed(next_batch, hold)
                    if not came and not self._has_work() and not self._again:
                        return
                    came += self._hear([ref for seat in self.seats for ref in seat.asked()])
                    self._look()
                except KeyboardInterrupt as error:
                    if finishes is None or interrupted is not None:
                        raise
                    interrupted = error
                    under_way = [one for seat in self.seats for one in seat.under_way.values() if one is not None]
                    finishes([item for one in under_way for item in one.items])
                    for seat in self.seats:
                        seat.handle.stop()
                yield from came
            raise interrupted
        finally:
            for seat in self.seats:  # what is still under way belongs to nobody any more
                seat.under_way = dict.fromkeys(seat.under_way)
            self._again.clear()

    def _has_work(self) -> bool:
        return any(one is not None for seat in self.seats for one in seat.under_way.values())

    def _guilty(self) -> list[tuple[list[Item], list[Any]]]:
        """The single items found guilty so far."""
        found = [one for one in self._again if one.deaths >= DEATHS and len(one.items) == 1]
        self._again = deque(one for one in self._again if one not in found)
        return [(one.items, [Guilty(one.items[0], self._reason)]) for one in found]

    def _feed(self, next_batch: Callable[[], list[Item] | None], hold: Callable[[], bool]) -> None:
        """Give isolated portions to idle workers, and new batches to the others."""
        idle = [seat for seat in self.seats if seat.room == UNDER_WAY]
        while self._again and idle:
            self._submit(idle.pop(), self._again.popleft())
        wanted = len(self._again)  # this many workers first finish what they have
        by_load = sorted(self.seats, key=lambda seat: len(seat.under_way))
        kept = list(itertools.islice((seat for seat in by_load if seat.room), wanted))
        for turn in range(UNDER_WAY):
            for seat in self.seats:
                if seat in kept or seat.room < UNDER_WAY - turn:
                    continue
                if hold() or not (items := next_batch()):
                    return
                self._submit(seat, _Portion(list(items)))

    def _submit(self, seat: _Seat[Item], batch: _Portion[Item]) -> None:
        if not any(one is not None for one in seat.under_way.values()):
            seat.news = self._now()
        seat.under_way[seat.handle.submit(batch.items)] = batch

    def _hear(self, refs: Sequence[Ref]) -> list[tuple[list[Item], list[Any]]]:
        """The results that have arrived."""
        came = set(self.fleet.wait(refs, _WAIT_SECONDS))
        results = []
        for seat in self.seats:
            for ref in [one for one in seat.asked() if one in came]:
                try:
                    answer = self.fleet.value(ref)
                except WorkerLostError as error:
                    self._replace(seat, str(error))
                    break
                results += self._take(seat, ref, answer)
        if not any(seat.hello is None for seat in self.seats) and self._now() - self._ready_at > START_SECONDS:
            raise ClusterError(
                f"no worker of the cluster was ready within {START_SECONDS:g} s. {self._reason}".rstrip()
            )
        return results

    def _take(self, seat: _Seat[Item], ref: Ref, answer: Any) -> list[tuple[list[Item], list[Any]]]:
        if ref == seat.hello:
            seat.hello, seat.news = None, self._now()
            self._on_ready(answer)
        elif ref == seat.looked:
            seat.looked = None
            if answer.done != seat.pulse.done:
                seat.news = self._now()
            seat.pulse = answer
        else:
            batch = seat.under_way.pop(ref)
            seat.news = self._ready_at = self._now()
            self._losses_in_a_row = 0
            if batch is not None:
                return [(batch.items, answer)]
        return []

    def _look(self) -> None:
        """Check the workers' progress, replace stuck ones, and see whether there is room for more."""
        now = self._now()
        if any(seat.hello is None for seat in self.seats):
            self._ready_at = now
        for seat in self.seats:
            if seat.under_way and now - seat.news > self.stall_seconds:
                self._replace(seat, f"a worker made no progress for {self.stall_seconds:g} s.")
        if not self._see_room():
            return
        for seat in self.seats:
            if seat.looked is None and seat.hello is None:
                seat.looked = seat.handle.pulse()

    def busy_share(self) -> float:
        """The share of time in which workers were busy, in [0, 1]; NaN if not measured yet."""
        pulses = [*self._past, *(seat.pulse for seat in self.seats)]
        held = sum(one.seconds for one in pulses)
        return sum(one.busy_seconds for one in pulses) / held if held else float("nan")

    @property
    def ready(self) -> int:
        """Number of workers that are ready."""
        return sum(seat.hello is None for seat in self.seats)
