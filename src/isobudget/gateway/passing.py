"""Forwards a request to one model behind a server, and adds tokens and cost to the answer.

A server's token counts are used if they are plausible; missing ones are replaced by the maximum, one token per byte.
In a stream, the chunk with the finish reason is held back until the usage arrives, so that it can contain the cost. A
stream that ends without a finish reason gets an extra chunk for the cost.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from isobudget.backends.server.answers import believable_count
from isobudget.backends.server.faults import TransientError
from isobudget.backends.server.usage import read_usage
from isobudget.errors import BackendError
from isobudget.gateway.answers import DONE, event
from isobudget.gateway.asked import GatewayRequest
from isobudget.gateway.calling import CallBill, OpenCall, Payer, open_call, told, with_attempts
from isobudget.gateway.upstream import Upstream
from isobudget.grid import json_value
from isobudget.tasks.ledger import ArmPrice


@dataclass(frozen=True, slots=True)
class Passed:
    """One request to one model.

    Attributes:
        asked: the request.
        payer: the paying account and its limits.
        upstream: the model.
        overhead: maximum number of tokens added by a template.
    """

    asked: GatewayRequest
    payer: Payer
    upstream: Upstream
    overhead: int

    @property
    def _price(self) -> ArmPrice:
        price = self.upstream.price("", self.asked.sampling.max_tokens)
        return ArmPrice(
            price.name,
            self.asked.prompt_bytes + self.overhead,
            self.asked.sampling.max_tokens * self.asked.choices,
            price.architecture,
            price.price,
        )

    def _most(self) -> CallBill:
        price = self._price
        return CallBill(price.most(prompt_paid=False), price.prompt_tokens, price.max_tokens)

    def _bill(self, stated: Any, text_bytes: int) -> CallBill:
        """The cost from the stated usage, or the maximum cost."""
        price, usage = self._price, read_usage(stated)
        prompt = believable_count(usage.prompt_tokens, self.asked.prompt_bytes) or price.prompt_tokens
        completion = usage.completion_tokens
        if completion is None or (completion == 0 and text_bytes):
            completion = min(price.max_tokens, text_bytes)
        return CallBill(price.amounts(prompt, prompt, completion), prompt, completion)

    async def whole(self) -> dict[str, Any]:
        """The complete answer."""

        async def attempt() -> dict[str, Any]:
            async with open_call(self.payer, self.upstream, self._most()) as call:
                answer = await self.upstream.forward(self.asked.chat, self.asked.body)
                size = sum(len(str(one).encode(errors="replace")) for one in answer["choices"])
                bill = self._bill(answer.get("usage"), size)
                call.settle(bill)
                return answer | {"usage": _told_usage(answer.get("usage"), bill)}

        try:
            answer = await with_attempts(self.payer, attempt)
        except BackendError as error:
            raise told(error, self.upstream.name) from error
        return {**answer, "model": self.asked.model, "isobudget": self._report()}

    async def stream(self) -> AsyncIterator[bytes]:
        """The chunks of the answer; the first is available once the model has begun to answer."""
        stack = contextlib.AsyncExitStack()
        async with stack:

            async def attempt() -> tuple[OpenCall, AsyncIterator[dict[str, Any]], dict[str, Any]]:
                async with contextlib.AsyncExitStack() as opened:
                    call = await opened.enter_async_context(open_call(self.payer, self.upstream, self._most()))
                    body = self.asked.body | {"stream": True, "stream_options": {"include_usage": True}}
                    pieces = self.upstream.stream(self.asked.chat, body)
                    await opened.enter_async_context(contextlib.aclosing(pieces))  # type: ignore[type-var]
                    if (first := await anext(pieces, None)) is None:
                        raise TransientError("the stream ended without a chunk", "no choices")
                    await stack.enter_async_context(opened.pop_all())
                    return call, pieces, first

            try:
                call, pieces, first = await with_attempts(self.payer, attempt)
                async for piece in self._relayed(call, pieces, first):
                    yield piece
            except BackendError as error:
                raise told(error, self.upstream.name) from error

    async def _relayed(
        self, call: OpenCall, pieces: AsyncIterator[dict[str, Any]], first: dict[str, Any]
    ) -> AsyncIterator[bytes]:
        held: list[dict[str, Any]] = []
        last: dict[str, Any] = {}
        usage, size = None, 0
        piece: dict[str, Any] | None = first
        while piece is not None:
            last = piece
            usage = piece.get("usage") or usage
            choices = piece.get("choices") or []
            size += sum(len(str(one.get("delta") or one.get("text") or "").encode(errors="replace")) for one in choices)
            piece = {**piece, "model": self.asked.model} | ({"usage": None} if self.asked.include_usage else {})
            if not self.asked.include_usage:
                piece.pop("usage", None)
            if any(one.get("finish_reason") for one in choices):
                held.append(piece)
            elif choices:
                yield event(piece)
            piece = await anext(pieces, None)
        bill = self._bill(usage, size)
        call.settle(bill)
        for one in held[:-1]:
            yield event(one)
        ending = held[-1] if held else {**last, "model": self.asked.model, "choices": [], "usage": None}
        yield event({**ending, "isobudget": self._report()})
        if self.asked.include_usage:
            yield event({**last, "model": self.asked.model, "choices": [], "usage": _told_usage(usage, bill)})
        yield DONE

    def _report(self) -> Any:
        spent = self.payer.spent
        return {
            "ledger_id": self.payer.request,
            "policy": None,
            "verified": False,
            "trust": None,
            "model": self.upstream.name,
            "calls": spent.calls,
            "cost": json_value(spent.amounts.plain()),
        }


def _told_usage(stated: Any, bill: CallBill) -> Any:
    """The usage as the server states it if it agrees with the bill; otherwise the tokens of the bill."""
    usage = read_usage(stated)
    if (usage.prompt_tokens, usage.completion_tokens) == (bill.prompt_tokens, bill.completion_tokens):
        return stated
    total = bill.prompt_tokens + bill.completion_tokens
    return {"prompt_tokens": bill.prompt_tokens, "completion_tokens": bill.completion_tokens, "total_tokens": total}
