"""The gateway's application: chat, completions, responses and models, over policies and single models."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from isobudget.costs.cost import Unit
from isobudget.gateway.amounts import whole_units
from isobudget.gateway.answers import GatewayAnswer, report
from isobudget.gateway.asked import GatewayRequest, read_request
from isobudget.gateway.budgets import Period
from isobudget.gateway.calling import Payer, Spent
from isobudget.gateway.choosing import choose
from isobudget.gateway.faults import RefusedRequestError, bad_request
from isobudget.gateway.judging import Judges
from isobudget.gateway.keys import Account, Keys
from isobudget.gateway.ledger import Ledger, RequestLimits
from isobudget.gateway.metrics import Metrics
from isobudget.gateway.models import Offer
from isobudget.gateway.passing import Passed
from isobudget.gateway.responses import as_chat, as_response, renamed
from isobudget.gateway.runner import Play, RequestEnding, RequestSample
from isobudget.gateway.settings import ServeSettings
from isobudget.gateway.store import SqliteStore
from isobudget.gateway.streams import until_gone
from isobudget.gateway.web import Web, answered, streamed
from isobudget.grid import counted
from isobudget.policies.schedule import Schedule, Stop

#: samples of a request without tests that states no number
UNTESTED_SAMPLES = 4
#: bodies of this many bytes or more are parsed in a thread, so that the event loop is not blocked
_SHORT = 4096
log = logging.getLogger("isobudget.gateway")


@dataclass(slots=True)
class Gateway:
    """A gateway: its parts, and its handlers of requests."""

    settings: ServeSettings
    offer: Offer
    store: SqliteStore
    ledger: Ledger
    judges: Judges
    metrics: Metrics

    def app(self) -> Starlette:
        """The ASGI application; the gateway's parts start and stop with it."""
        web = Web(self.settings, Keys(self.store, self.settings.is_local), self.metrics, self._not_ready)
        gauges = {"judge_queue": lambda: len(self.judges.jobs), "open_reservations": lambda: len(self.ledger.open)}
        self.metrics.gauges.update(gauges)
        self.ledger.on_settled = self.metrics.spent

        def served(chat: bool) -> Any:
            async def handler(request: Request, account: Account) -> Response:
                made = await self._serve(await web.body(request), request, account, chat)
                return made if isinstance(made, Response) else answered(made)

            return handler

        async def responses(request: Request, account: Account) -> Response:
            body = as_chat(await web.body(request))
            try:
                made = await self._serve(body, request, account, chat=True)
            except RefusedRequestError as error:
                raise renamed(error) from None
            assert isinstance(made, dict)  # no stream was asked for
            return answered(as_response(made))

        handlers = [
            ("POST", "/v1/chat/completions", served(chat=True)),
            ("POST", "/v1/completions", served(chat=False)),
            ("POST", "/v1/responses", responses),
            ("GET", "/v1/models", self._models),
            ("GET", "/v1/models/{name:path}", self._models),
        ]
        return web.app(handlers, self._lifespan)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        recovered = self.ledger.start()
        if recovered:
            calls = "1 call was" if recovered == 1 else f"{recovered} calls were"
            log.warning("%s in flight when the last gateway ended: charged at maximum cost", calls)
        try:
            await asyncio.to_thread(self.judges.__enter__)
            for model in self.offer.models.values():
                await model.open()
            yield
        finally:
            await self.offer.close()
            await asyncio.to_thread(self.judges.close)
            await asyncio.to_thread(self.ledger.close)

    def _not_ready(self) -> str:
        return "" if self.ledger.is_writing else "the ledger cannot be written"

    async def _models(self, request: Request, _account: Account) -> Response:
        entries = [
            {"id": name, "object": "model", "created": 0, "owned_by": "isobudget"} for name in self.offer.names()
        ]
        wanted = request.path_params.get("name")
        if wanted is None:
            return answered({"object": "list", "data": entries})
        found = next((one for one in entries if one["id"] == wanted), None)
        if found is None:
            raise self.offer.unknown_model(wanted)
        return answered(found)

    async def _serve(self, body: Any, request: Request, account: Account, chat: bool) -> dict[str, Any] | Response:
        """The answer to a request with this body: an object, or a stream if requested."""
        long = int(request.headers.get("content-length") or _SHORT) >= _SHORT
        read = partial(read_request, body, chat=chat, settings=self.settings)
        apart = long or (isinstance(body, dict) and body.get("isobudget"))
        asked = await asyncio.to_thread(read) if apart else read()
        payer = self._payer(account, asked)
        if (passed := self._passed(asked, payer)) is not None:
            return await self._pass(request, passed)
        play = self._play(asked, payer)
        if asked.stream:
            return await self._streamed(request, play)
        ending = await until_gone(request.receive, play.run())
        return await self._whole(play, ending)

    def _payer(self, account: Account, asked: GatewayRequest) -> Payer:
        own = tuple(one for one in (*account.budgets, *self.settings.budgets) if one.period is Period.REQUEST)
        limits = (*asked.limits, *own)
        # A call may take what is left of its request's seconds, so that a budget of seconds has to be their bound.
        bounds = [whole_units(one.unit, one.limit) for one in limits if one.unit is Unit.SECONDS]
        deadline = time.monotonic() + min([self.settings.wall_seconds, *bounds])
        name = secrets.token_hex(12)
        return Payer(self.ledger, account, RequestLimits.of(limits), name, deadline, self.settings.attempts, Spent())

    # a policy -------------------------------------------------------------------------------------------------------

    def _play(self, asked: GatewayRequest, payer: Payer) -> Play:
        name = asked.policy
        param = "model" if asked.options.policy is None else "isobudget.policy"
        schedule = self._of_one(asked) if name is None else self.offer.schedule(name, random.random(), param)
        if asked.prompt is None:
            raise bad_request(
                f"{asked.model} accepts only messages of text in this request. Tools, and messages without text, can "
                "be sent only to a model behind a server, in a request without tests and without isobudget.samples, "
                "isobudget.ranker and isobudget.return",
                "messages",
            )
        for arm in schedule.arms:
            if wrong := self.offer.model(arm).refuses(asked.prompt):
                raise bad_request(f"{arm}: the prompt is {wrong}", "messages" if asked.chat else "prompt")
        stated = asked.options.samples
        if stated is not None and stated > self.settings.samples:
            raise bad_request(
                f"a request may ask for at most {counted(self.settings.samples, 'sample')}", "isobudget.samples"
            )
        usual = self.settings.samples if asked.problem is not None else UNTESTED_SAMPLES
        most = stated or (asked.choices if name is None and asked.problem is None else usual)
        return Play(asked, payer, self.offer.models, schedule, self.judges, most, on_sample=self._count)

    def _of_one(self, asked: GatewayRequest) -> Schedule:
        """A policy for a single model: draw until a sample passes."""
        return Schedule(((self.offer.model(asked.model).name, self.settings.samples),), Stop.FIRST_PASS)

    def _count(self, sample: RequestSample) -> None:
        verdict = "none" if sample.verdict is None else sample.verdict.outcome.value
        self.metrics.count("samples_total", model=sample.arm, verdict=verdict)

    async def _whole(self, play: Play, ending: RequestEnding) -> dict[str, Any]:
        samples, said = await self._said(play, ending)
        return GatewayAnswer(play.asked, play.payer.request).whole(samples, play.payer.spent, said)

    async def _said(self, play: Play, ending: RequestEnding) -> tuple[list[RequestSample], Any]:
        """The samples to return, and the report on them."""
        asked, spent = play.asked, play.payer.spent
        chosen = await asyncio.to_thread(choose, play.samples, asked.options.ranker)
        said = report(asked, chosen, play.samples, ending, spent, play.payer.request)
        if asked.options.require_verified and not chosen.best.passed:
            raise RefusedRequestError(422, "not_verified", f"no sample passed: {ending}", details=said)
        every = asked.options.return_ == "all" or asked.choices > 1
        return list(chosen.ranked) if every else [chosen.best], said

    async def _streamed(self, request: Request, play: Play) -> Response:
        """The answer as a stream.

        It starts once the first sample is paid for, so that earlier errors keep their status.
        """
        task = asyncio.create_task(play.run())
        try:
            await until_gone(request.receive, _either(play.begun, task))
            if task.done() and (error := task.exception()) is not None:
                raise error
        except BaseException:
            await _ended(task)
            raise
        return streamed(self._pieces(play, task), self.settings.heartbeat_seconds)

    async def _pieces(self, play: Play, task: asyncio.Task[RequestEnding]) -> AsyncIterator[bytes]:
        answer = GatewayAnswer(play.asked, play.payer.request)
        try:
            yield answer.begin()
            ending = await task
            samples, said = await self._said(play, ending)
            for piece in answer.end(samples, play.payer.spent, said):
                yield piece
        finally:
            await _ended(task)

    # a single model -------------------------------------------------------------------------------------------------

    def _passed(self, asked: GatewayRequest, payer: Payer) -> Passed | None:
        """The request to forward to a server. None if a policy is played, or if the model runs in this process."""
        options = asked.options
        plain = options.samples is None and options.return_ == "first_pass" and options.ranker is None
        if asked.policy is not None or asked.problem is not None or not plain:
            return None
        upstream = self.offer.model(asked.model)
        return Passed(asked, payer, upstream, self.settings.overhead_tokens) if upstream.passes else None

    async def _pass(self, request: Request, passed: Passed) -> dict[str, Any] | Response:
        if not passed.asked.stream:
            async with asyncio.timeout(max(0.0, passed.payer.left_seconds)):
                return await until_gone(request.receive, passed.whole())
        pieces = passed.stream()
        # The first piece is waited for: errors before it have their status.
        async with asyncio.timeout(max(0.0, passed.payer.left_seconds)):
            first = await until_gone(request.receive, anext(pieces))
        return streamed(self._rest(passed, first, pieces), self.settings.heartbeat_seconds)

    async def _rest(self, passed: Passed, first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async with contextlib.aclosing(pieces) as following:  # type: ignore[type-var]
            yield first
            async with asyncio.timeout(max(0.0, passed.payer.left_seconds)):
                async for piece in following:
                    yield piece


async def _either(begun: asyncio.Event, task: asyncio.Task[RequestEnding]) -> None:
    waiting = asyncio.ensure_future(begun.wait())
    try:
        await asyncio.wait([waiting, task], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _ended(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
