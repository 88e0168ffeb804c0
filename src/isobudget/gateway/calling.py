"""Calls a model: each call is reserved, made and settled, and retried after a failure if that may help.

Every attempt has a reservation of its own. An attempt that was certainly not served is settled at zero. An
attempt that may have been served, but whose cost is not known, is settled at the reserved amount.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from isobudget.backends.server.faults import RefusedError, TransientError, UnsendableError
from isobudget.costs.cost import Unit
from isobudget.errors import BackendError
from isobudget.gateway.amounts import NOTHING, Amounts
from isobudget.gateway.faults import RefusedRequestError, bad_request
from isobudget.gateway.keys import Account
from isobudget.gateway.ledger import Ledger, RequestLimits, Reservation
from isobudget.gateway.upstream import Drawn, Upstream, may_help_again, was_not_served
from isobudget.tasks.ledger import ArmPrice

T = TypeVar("T")

#: longest wait before the second attempt, doubled before each further one; a server may ask for a longer wait
FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 8.0
#: tokens that a server may count beyond `max_tokens`: end tokens, and a stop text
MORE_TOKENS = 8


@dataclass(slots=True)
class Spent:
    """The spending of a request: settled calls, plus the maximum cost of abandoned calls."""

    amounts: Amounts = NOTHING
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0

    def add(self, amounts: Amounts, prompt_tokens: int, completion_tokens: int) -> None:
        """Add the cost of a call."""
        self.amounts = self.amounts.plus(amounts)
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        self.calls += 1


@dataclass(frozen=True, slots=True)
class Payer:
    """The account that pays for a request, and its limits.

    Attributes:
        ledger: where the cost of calls is recorded.
        account: the account that pays.
        limits: budgets of the request.
        request: the request's name in the ledger.
        deadline: time on the monotonic clock.
        attempts: maximum number of tries of a call.
        spent: spending of the request so far.
    """

    ledger: Ledger
    account: Account
    limits: RequestLimits
    request: str
    deadline: float
    attempts: int
    spent: Spent

    @property
    def left_seconds(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def most(self, amounts: Mapping[str, float]) -> Amounts:
        """The maximum cost of a call: these amounts by unit, and all seconds that remain until the deadline."""
        return Amounts.of({**amounts, Unit.SECONDS: max(0.0, self.left_seconds)})


@dataclass(frozen=True, slots=True)
class CallBill:
    """The cost of a call: amounts by unit, without seconds; and tokens of prompt and completion."""

    amounts: Mapping[str, float]
    prompt_tokens: int
    completion_tokens: int

    @classmethod
    def of_samples(cls, price: ArmPrice, count: int, *, prompt_paid: bool) -> CallBill:
        """The maximum cost of a call for `count` samples: `count` times the maximum cost of one sample.

        The prompt counts for each sample, unless `prompt_paid`.
        """
        one = price.most(prompt_paid)
        amounts = {unit: count * amount for unit, amount in one.items()}
        return cls(amounts, 0 if prompt_paid else count * price.prompt_tokens, count * price.max_tokens)

    @classmethod
    def of_drawn(cls, price: ArmPrice, came: Drawn, *, prompt_paid: bool) -> CallBill:
        """The cost of a call: every sample, and the prompt once unless `prompt_paid`."""
        prompt, known = came.prompt_tokens, [one.completion_tokens for one in came.generations]
        tokens = [*known, came.completion_tokens - sum(known)]
        parts = [price.amounts(0, prompt, count) for count in tokens if count]
        whole = price.amounts(0 if prompt_paid else prompt, prompt, 0)
        amounts = {unit: amount + sum(part[unit] for part in parts) for unit, amount in whole.items()}
        return cls(amounts, 0 if prompt_paid else prompt, came.completion_tokens)


class OpenCall:
    """One attempt of a call, which is settled exactly once, whatever happens."""

    def __init__(self, payer: Payer, reservation: Reservation, most: CallBill) -> None:
        self._payer, self._reservation, self._most = payer, reservation, most
        self._began = time.monotonic()

    def settle(self, bill: CallBill, note: str = "") -> Amounts:
        """Settle the call at this cost."""
        seconds = time.monotonic() - self._began
        amounts = Amounts.of({**bill.amounts, Unit.SECONDS: seconds})
        longer = bill.completion_tokens > self._most.completion_tokens + MORE_TOKENS
        self._book(amounts, bill.prompt_tokens, bill.completion_tokens, note, ["completion tokens"] * longer)
        return amounts

    def give_up(self, note: str) -> None:
        """Settle the call at its maximum cost, because its real cost is not known."""
        seconds = Amounts.of({Unit.SECONDS: time.monotonic() - self._began}).seconds
        amounts = self._reservation.entry.amounts._replace(seconds=seconds)
        self._book(amounts, self._most.prompt_tokens, self._most.completion_tokens, note)

    def not_served(self, note: str) -> None:
        """Settle the call at zero, because it was not served."""
        if not self._reservation.settled:
            self._payer.ledger.settle(self._reservation, NOTHING, note)

    def _book(self, amounts: Amounts, prompt: int, completion: int, note: str, exceeded: Sequence[str] = ()) -> None:
        if not self._reservation.settled:
            self._payer.ledger.settle(self._reservation, amounts, note, exceeded)
            self._payer.spent.add(amounts, prompt, completion)


@contextlib.asynccontextmanager
async def open_call(payer: Payer, upstream: Upstream, most: CallBill) -> AsyncIterator[OpenCall]:
    """Reserve a call, and ensure that it is settled.

    A call that the caller does not settle is settled at zero if it was certainly not served, else at the reserved
    amount.
    """
    async with upstream.gate.place(payer.account.id):
        reservation = await payer.ledger.reserve(
            payer.account, payer.request, upstream.name, payer.most(most.amounts), payer.limits
        )
        call = OpenCall(payer, reservation, most)
        try:
            yield call
        except BaseException as error:
            if was_not_served(error):
                call.not_served(str(error))
            else:
                call.give_up("stopped" if isinstance(error, asyncio.CancelledError) else str(error))
            raise
        else:
            call.give_up("not counted")


async def with_attempts(payer: Payer, attempt: Callable[[], Awaitable[T]]) -> T:
    """Make a call, and retry it if that may help, as long as time and budget allow.

    Raises:
        BackendError: the call failed for good.
        RefusedRequestError: a budget does not cover the call.
    """
    last: BackendError | None = None
    for number in range(payer.attempts):
        try:
            return await attempt()
        except RefusedRequestError:
            if last is None:
                raise
            break  # the earlier failure is the reason
        except BackendError as error:
            last = error
            wait = _wait_seconds(number, error)
            if not may_help_again(error) or number + 1 == payer.attempts or wait >= payer.left_seconds:
                break
            await asyncio.sleep(wait)
    assert last is not None
    raise last


def _wait_seconds(number: int, error: BackendError) -> float:
    asked = error.after_seconds if isinstance(error, TransientError) else None
    window = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * math.ldexp(1.0, number))
    return max(asked or 0.0, window * random.uniform(0.5, 1.0))


def told(error: BackendError, name: str) -> RefusedRequestError:
    """The error for the client after a failed call."""
    if isinstance(error, RefusedError) and error.status in (400, 413, 422):
        return RefusedRequestError(400, "upstream_refused", f"{name}: {error}", model=name)
    if isinstance(error, UnsendableError):
        return bad_request(f"{name}: {error}")
    again = 5.0 if may_help_again(error) else None
    return RefusedRequestError(502, "upstream_failed", f"{name}: {error}", retry_after_seconds=again, model=name)
