"""Limits spending: each call's maximum cost is reserved durably before the call, then settled at its real cost.

    counted = settled + reserved, and counted + maximum cost of the next call <= budget

This holds for every budget of the key, of all keys together and of the request, so simultaneous calls cannot overspend.
All decisions are made on one event loop, on integers in memory; a thread writes the rows, all waiting ones in one
commit. If a reservation cannot be written, the call is not made. A settlement that cannot be written is kept and tried
again. Until then, and permanently after a crash, its reservation counts in full.

Not covered: an upstream that spends more than was reserved. That is recorded and logged, and closes the key.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime

from isobudget.costs.budget import enough
from isobudget.costs.cost import Unit
from isobudget.errors import StorageError
from isobudget.files.whole import mended
from isobudget.gateway.amounts import NOTHING, STEPS, Amounts
from isobudget.gateway.budgets import Period, PeriodBudget
from isobudget.gateway.faults import RefusedRequestError
from isobudget.gateway.keys import CLOSED, Account, now_us
from isobudget.gateway.store import RESERVE, SETTLE, KeyEvent, LedgerRow, Store
from isobudget.grid import with_unit
from isobudget.tasks.ledger import unknown_cost

#: maximum number of rows in one commit
_MOST_ROWS = 2000
#: how long a settlement that could not be written waits for the next try
_AGAIN_SECONDS = 1.0
#: maximum number of characters of a note
_MOST_NOTE = 300
#: how to make a call cheaper that may cost more than a whole budget: in seconds (True), and in other units
_SMALLER = {
    True: "a call may take all seconds that its request has left; limit the request with isobudget.budget, such as 30s"
}
_SMALLER |= {False: "ask for fewer tokens"}
RECOVERED = "never settled: counted at its maximum cost"

log = logging.getLogger("isobudget.gateway")


@dataclass(slots=True)
class Window:
    """Amounts that count against one budget in one period, in steps, and the reserved part of them."""

    begin: int = 0
    counted: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Budgets of one request, with its spending so far."""

    limits: tuple[tuple[PeriodBudget, Window], ...] = ()

    @classmethod
    def of(cls, budgets: Sequence[PeriodBudget]) -> RequestLimits:
        """The budgets whose period is a request."""
        return cls(tuple((one, Window()) for one in budgets if one.period is Period.REQUEST))


@dataclass(slots=True, eq=False)
class Reservation:
    """Amounts set aside for one call, and the budgets against which they count."""

    entry: LedgerRow
    account: Account
    windows: list[tuple[str, Window]]
    settled: bool = False


_Job = tuple[LedgerRow | KeyEvent, "Future[None] | None"]


@dataclass(slots=True)
class Ledger:
    """The ledger of a server. Use it on one event loop.

    Args:
        store: store of the rows.
        everybody: budgets for all keys together.
        on_settled: called with the cost of each call.
    """

    store: Store
    everybody: tuple[PeriodBudget, ...] = ()
    _windows: dict[tuple[int | None, PeriodBudget], Window] = field(default_factory=dict)
    _jobs: queue.SimpleQueue[_Job | None] = field(default_factory=queue.SimpleQueue)
    _thread: threading.Thread | None = None
    _next: int = 1
    _fails: bool = False
    _newest: int = 0
    on_settled: Callable[[Amounts], None] = lambda _: None
    open: set[Reservation] = field(default_factory=set)

    def start(self) -> int:
        """Settle open reservations at the reserved amount, and start; returns how many there were.

        Raises:
            StorageError: the store cannot be written.
        """
        left = self.store.open_reservations()
        self._next = self.store.last_id() + 1
        rows = [one._replace(id=self._number(), kind=SETTLE, of=one.id, time=now_us(), note=RECOVERED) for one in left]
        if rows:
            self.store.write(rows)
        for budget in self.everybody:
            self._window(None, budget, now_us())
        self._thread = threading.Thread(target=self._write_rows, name="ledger", daemon=True)
        self._thread.start()
        return len(rows)

    @property
    def is_writing(self) -> bool:
        """Whether the last rows could be written."""
        return self._thread is not None and self._thread.is_alive() and not self._fails

    def close(self) -> None:
        """Write waiting rows, and end. Open reservations count in full."""
        if self._thread is not None:
            for reservation in list(self.open):
                self.settle(reservation, None, note=RECOVERED)
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    async def reserve(
        self, account: Account, request: str, model: str, most: Amounts, limits: RequestLimits = RequestLimits()
    ) -> Reservation:
        """Reserve the maximum cost of a call; the reservation is on disk when this returns.

        Raises:
            RefusedRequestError: a budget does not cover it (429), the amount is not known in a budget's unit (400), or
                the row cannot be written (503).
        """
        now = now_us()
        places = [(budget, self._window(account.id, budget, now)) for budget in account.budgets if _is_periodic(budget)]
        places += [(budget, self._window(None, budget, now)) for budget in self.everybody if _is_periodic(budget)]
        places += limits.limits
        for budget, window in places:
            _check(budget, window, most, model, now)
        entry = LedgerRow(self._number(), RESERVE, None, account.id, request, model, now, most)
        reservation = Reservation(entry, account, [(budget.unit, window) for budget, window in places])
        for unit, window in reservation.windows:
            window.counted += _in(most, unit)
            window.reserved += _in(most, unit)
        self.open.add(reservation)
        written: Future[None] = Future()
        self._jobs.put((entry, written))
        try:
            await asyncio.wrap_future(written)
        except StorageError as error:
            self._release(reservation, NOTHING)
            raise RefusedRequestError(
                503, "ledger_unavailable", f"no model was called: {error}", retry_after_seconds=5.0
            ) from error
        except asyncio.CancelledError:
            # The row may be written, now or later, but no model was called.
            self.settle(reservation, NOTHING, note="not called")
            raise
        return reservation

    def settle(
        self, reservation: Reservation, amounts: Amounts | None, note: str = "", exceeded: Sequence[str] = ()
    ) -> None:
        """Settle the cost of a call; None means the reserved amount. The row is written with the next commit.

        A call closes the key if units are listed in `exceeded`, or if it cost more than was reserved in any unit but
        seconds.
        """
        if reservation.settled:
            return
        entry = reservation.entry
        came = entry.amounts if amounts is None else amounts
        if exceeded := [*exceeded, *came.exceeds(entry.amounts._replace(seconds=None))]:
            note = f"{note}; more than was reserved" if note else "more than was reserved"
            self._close_key(reservation, exceeded)
        self._release(reservation, came)
        self.on_settled(came)
        row = entry._replace(id=self._number(), kind=SETTLE, of=entry.id, time=now_us(), amounts=came, note=_text(note))
        self._jobs.put((row, None))

    def left(self, account: Account) -> dict[str, float]:
        """The remainder of each budget of a key and of all keys together, by the budget's text."""
        now = now_us()
        owners = [(account.id, one) for one in account.budgets] + [(None, one) for one in self.everybody]
        return {
            str(budget): max(0, budget.limit - self._window(owner, budget, now).counted) / STEPS[budget.unit]
            for owner, budget in owners
            if _is_periodic(budget)
        }

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _window(self, owner: int | None, budget: PeriodBudget, now: int) -> Window:
        """The window of a budget for the period that contains `now`; summed from the store when first needed."""
        begin, known = budget.begin(now), self._windows.get((owner, budget))
        if known is None:
            known = self._counted(owner, budget, begin)
        elif known.begin != begin:
            # If the clock was set back and passes the end of the period again, the new period already has rows.
            known = Window(begin) if begin > self._newest else self._counted(owner, budget, begin)
        self._newest = max(self._newest, now)
        self._windows[owner, budget] = known
        return known

    def _counted(self, owner: int | None, budget: PeriodBudget, begin: int) -> Window:
        """A window summed from the store.

        Calls in flight are included, because a key's budgets may change meanwhile.
        """
        flying = [one for one in self.open if owner in (None, one.entry.key) and one.entry.time >= begin]
        counted = self.store.spent(owner, budget.unit, begin, [one.entry.id for one in flying])
        reserved = sum(_in(one.entry.amounts, budget.unit) for one in flying)
        window = Window(begin, counted + reserved, reserved)
        for one in flying:
            one.windows.append((budget.unit, window))
        return window

    def _release(self, reservation: Reservation, came: Amounts) -> None:
        reservation.settled = True
        self.open.discard(reservation)
        for unit, window in reservation.windows:
            reserved = _in(reservation.entry.amounts, unit)
            window.counted += _in(came, unit) - reserved
            window.reserved -= reserved

    def _close_key(self, reservation: Reservation, units: Sequence[str]) -> None:
        model, key = reservation.entry.model, reservation.account
        why = f"{model} spent more {', '.join(units)} than was reserved for the call"
        then = f"the key {key.name!r} is closed" if key.id else "the request had no key, so no key is closed"
        log.error("%s; %s", why, then)
        if key.id:
            self._jobs.put((KeyEvent(key.id, now_us(), CLOSED, why), None))

    # the thread that writes -----------------------------------------------------------------------------------------

    def _write_rows(self) -> None:
        late: list[_Job] = []
        ends = False
        while not ends:
            jobs, ends = self._waiting(late)
            if not jobs:
                continue
            error = self._written([row for row, _ in jobs])
            if self._fails and error is None:
                log.warning("the ledger can be written again")
            self._fails = error is not None
            late = [job for job in jobs if job[1] is None] if error else []
            if ends and late:
                log.error(
                    "%d settlements could not be written; their calls count at maximum cost",
                    len(late),
                )
            for _, written in jobs:
                if written is not None and written.set_running_or_notify_cancel():
                    written.set_exception(error) if error else written.set_result(None)

    def _written(self, rows: list[LedgerRow | KeyEvent]) -> StorageError | None:
        """Write rows; returns any error instead of raising it, so that this thread continues."""
        try:
            self.store.write(rows)
        except Exception as error:
            if not self._fails:
                log.error("%s; no model is called until the ledger can be written", error)
            return error if isinstance(error, StorageError) else StorageError(f"the ledger cannot be written: {error}")
        return None

    def _waiting(self, late: list[_Job]) -> tuple[list[_Job], bool]:
        """The rows for the next commit, failed settlements first; and whether it is the last commit."""
        jobs = list(late)
        with contextlib.suppress(queue.Empty):
            job = self._jobs.get(timeout=_AGAIN_SECONDS if late else None)
            while job is not None and len(jobs) < _MOST_ROWS:
                jobs.append(job)
                job = self._jobs.get_nowait()
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False


def _text(note: str) -> str:
    """The note without characters that a store cannot write, since one bad row would block all others."""
    return mended(note[:_MOST_NOTE]).replace("\0", "\ufffd")


def cannot_keep(model: str, unit: str) -> str:
    """The message for a budget in a unit in which a model's cost is not known: what is missing, and what to do."""
    return f"{unknown_cost(model, unit)}, or state the budget in tokens"


def _is_periodic(budget: PeriodBudget) -> bool:
    return budget.period is not Period.REQUEST


def _in(amounts: Amounts, unit: str) -> int:
    return amounts.by_unit()[unit] or 0


def _check(budget: PeriodBudget, window: Window, most: Amounts, model: str, now: int) -> None:
    needed = most.by_unit()[budget.unit]
    if needed is None:
        raise RefusedRequestError(
            400, "cost_unknown", f"the budget is in {budget.unit}. {cannot_keep(model, budget.unit)}"
        )
    left = budget.limit - window.counted
    if needed <= left:
        return
    free = left + window.reserved
    end = budget.end(now)
    if needed > budget.limit:
        when, seconds = f"one call may cost more than the whole budget: {_SMALLER[budget.unit is Unit.SECONDS]}", None
    elif needed <= free:
        when, seconds = "the rest is set aside for calls in flight", 1.0
    elif end is None:
        when, seconds = "this budget is not renewed", None
    else:
        moment = datetime.fromtimestamp(end / 1e6, UTC)
        when, seconds = f"it is renewed at {moment:%Y-%m-%d %H:%M:%S} UTC", math.ceil((end - now) / 1e6)
    raise RefusedRequestError(
        429,
        "budget_exceeded",
        f"the budget of {budget} has {_shown(budget, left)} left, and the next call of {model} may cost "
        f"{enough(needed / STEPS[budget.unit], budget.unit)}; {when}",
        retry_after_seconds=seconds,
        details={
            "unit": str(budget.unit),
            "left": max(0, left) / STEPS[budget.unit],
            "needed": needed / STEPS[budget.unit],
            "period": str(budget.period),
            "resets_at": None if end is None else end // 1_000_000,
        },
    )


def _shown(budget: PeriodBudget, count: int) -> str:
    return with_unit(max(0, count) / STEPS[budget.unit], budget.unit)
