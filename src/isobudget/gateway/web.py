"""The common part of the project's servers: routes behind keys and limits, errors in OpenAI's form, health, metrics.

If a client hangs up, the work on its request is cancelled. Bodies have a limit on size and time, and are only logged if
the setting `log_bodies` is on; headers are never logged. An internal error is answered with 500. Its traceback is
logged, but not its message, which may contain part of a body.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from isobudget.errors import InputError, IsobudgetError, JudgeError, StorageError
from isobudget.gateway.answers import as_json, error_event
from isobudget.gateway.faults import RefusedRequestError, bad_request, overloaded
from isobudget.gateway.keys import Account, Keys
from isobudget.gateway.metrics import Metrics
from isobudget.gateway.settings import ServeSettings
from isobudget.gateway.streams import GONE, CountedStream, Stream

#: how long a whole body may take to arrive
BODY_SECONDS = 30.0
#: maximum number of tracebacks that are logged for an error: its own and those of its causes
_MOST_CAUSES = 8
log = logging.getLogger("isobudget.gateway")

Handler = Callable[[Request, Account], Awaitable[Response]]
Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


@dataclass(slots=True)
class Web:
    """The routes of a server, with keys, limits and metrics.

    Attributes:
        settings: settings of the server.
        keys: finds the account of a request.
        metrics: counters of the server.
        ready: returns why the server is not ready; an empty text if it is ready.
    """

    settings: ServeSettings
    keys: Keys
    metrics: Metrics
    ready: Callable[[], str]
    _serving: int = 0
    _by_key: dict[int, int] = field(default_factory=dict)

    def app(
        self,
        handlers: Sequence[tuple[str, str, Handler]],
        lifespan: Lifespan,
    ) -> Starlette:
        """The application with these handlers (method, path, handler), and the routes that all servers have."""
        routes = [Route(path, self._endpoint(path, handler), methods=[method]) for method, path, handler in handlers]
        routes += [
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/metrics", self._endpoint("/metrics", self._metrics)),
        ]
        known = ", ".join(f"{method} {path.replace('{name:path}', 'NAME')}" for method, path, _ in handlers)
        handled: dict[Any, Any] = {HTTPException: partial(self._not_served, known), Exception: _fault}
        self.metrics.gauges["requests_in_flight"] = lambda: self._serving
        app = Starlette(routes=routes, lifespan=_noting_failure(lifespan), exception_handlers=handled)
        app.router.redirect_slashes = False  # a redirect would go to an address from the client's header Host
        return app

    def _endpoint(self, path: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            began = time.monotonic()
            account = Account(0, "?")

            def note(status: int, refusal: RefusedRequestError | None = None) -> None:
                self.metrics.count("requests_total", path=path, status=str(status))
                took = time.monotonic() - began
                why = "" if refusal is None else f" {refusal.code}"
                why += f" by {refusal.model}" if refusal is not None and refusal.model else ""
                log.info("%s %s %d%s %.3f s, key %s", request.method, path, status, why, took, account.name)

            try:
                account = self.keys.account(request.headers.get("authorization"))
                response, leave = await self._admitted(request, account, handler)
            except ClientDisconnect:
                response, leave = Response(status_code=GONE), _nothing
            except (Exception, asyncio.CancelledError) as error:
                refusal = as_refusal(error)
                note(refusal.status, refusal)
                return refused(refusal)
            if isinstance(response, Stream):
                return CountedStream(response, leave, note)
            leave()
            note(response.status_code)
            return response

        return endpoint

    async def _admitted(
        self, request: Request, account: Account, handler: Handler
    ) -> tuple[Response, Callable[[], None]]:
        """Serve a request, if there is room; places are shared among the keys.

        Returns:
            The answer, and a function to call after it has been sent.
        """
        mine = self._by_key.get(account.id, 0)
        # While other keys have requests in flight, a key may have half of the places.
        share = self.settings.requests if len(self._by_key.keys() - {account.id}) == 0 else self.settings.requests // 2
        if self._serving >= self.settings.requests or mine >= max(1, share):
            raise overloaded("the server is at its limit of requests; try again later")
        self._serving += 1
        self._by_key[account.id] = mine + 1
        try:
            return await handler(request, account), partial(self._left, account.id)
        except BaseException:
            self._left(account.id)
            raise

    def _left(self, key: int) -> None:
        self._serving -= 1
        self._by_key[key] -= 1
        if not self._by_key[key]:
            del self._by_key[key]

    async def _healthz(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _readyz(self, _: Request) -> Response:
        why = self.ready()
        return PlainTextResponse(f"{why or 'ready'}\n", status_code=503 if why else 200)

    async def _metrics(self, _request: Request, _account: Account) -> Response:
        return PlainTextResponse(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def _not_served(self, known: str, request: Request, error: HTTPException) -> Response:
        """The answer to an unknown path or method, which lists the known ones."""
        self.metrics.count("requests_total", path="other", status=str(error.status_code))
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code)
        if code is None:
            return refused(RefusedRequestError(error.status_code, "http_error", str(error.detail)))
        asked = f"{request.method} {request.url.path[:80]}"
        return refused(RefusedRequestError(error.status_code, code, f"{asked} is not served here; endpoints: {known}"))

    async def body(self, request: Request) -> Any:
        """A request's body as JSON.

        Raises:
            RefusedRequestError: the body is too long, too slow, or not JSON.
        """
        most = self.settings.body_kb << 10
        too_long = RefusedRequestError(413, "body_too_long", f"a body may have at most {self.settings.body_kb} kB")
        stated = request.headers.get("content-length", "0")
        if not stated.isascii() or not stated.isdigit() or int(stated[:20]) > most:
            raise too_long
        data = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS), asyncio.timeout(self.settings.body_seconds) as silence:
                async for piece in request.stream():
                    silence.reschedule(asyncio.get_running_loop().time() + self.settings.body_seconds)
                    data += piece
                    if len(data) > most:
                        raise too_long
        except TimeoutError:
            limits = f"{self.settings.body_seconds:g} s without a byte, {BODY_SECONDS:g} s in all"
            raise RefusedRequestError(408, "body_too_slow", f"the body did not arrive in time: {limits}") from None
        if self.settings.log_bodies:
            log.info("body: %r", bytes(data))
        return _json(bytes(data))


def _noting_failure(lifespan: Lifespan) -> Lifespan:
    """The same lifespan; an error that prevents the start is stored in the application's state as `failure`."""

    @contextlib.asynccontextmanager
    async def noting(app: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(lifespan(app))
            except IsobudgetError as error:
                app.state.failure = error
                raise
            yield

    return noting


def _json(data: bytes) -> Any:
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is not JSON: {str(error)[:200]}", code="invalid_json") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _nothing() -> None:
    """Do nothing."""


def answered(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(as_json(value), status, headers, "application/json")


def refused(error: RefusedRequestError) -> Response:
    """An error as an answer. If the body was not read completely, the connection is closed afterwards."""
    headers = error.headers() | ({"connection": "close"} if error.status in (408, 413) else {})
    return answered(error.body(), error.status, headers)


def as_refusal(error: BaseException) -> RefusedRequestError:
    """Any error as a refusal for the client; unexpected errors are logged."""
    if isinstance(error, RefusedRequestError):
        return error
    if isinstance(error, asyncio.CancelledError):  # the request did not end in the time that a stopping server gives
        return RefusedRequestError(503, "stopping", "the server was stopped", retry_after_seconds=5.0)
    if isinstance(error, TimeoutError):
        return RefusedRequestError(504, "timeout", "the request's time limit was reached", retry_after_seconds=5.0)
    if isinstance(error, StorageError):
        return RefusedRequestError(503, "storage", str(error), retry_after_seconds=5.0)
    if isinstance(error, InputError):
        return bad_request(str(error))
    if isinstance(error, JudgeError):
        log.error("%s", error)
        return RefusedRequestError(503, "judge_unavailable", str(error), retry_after_seconds=5.0)
    if isinstance(error, IsobudgetError):
        log.error("%s", error)
        return RefusedRequestError(500, "failed", str(error))
    log.error("internal error: %s", came_from(error))
    return RefusedRequestError(500, "fault", "an internal error of the server; see its log")


def came_from(error: BaseException) -> str:
    """The traceback of an error and of its causes, without their messages."""
    told: list[str] = []
    following: BaseException | None = error
    while following is not None and len(told) < _MOST_CAUSES:
        where = "".join(traceback.format_tb(following.__traceback__))
        told.append(f"{type(following).__name__}\n{where}")
        following = following.__cause__ or following.__context__
    return "".join(told)


def streamed(pieces: AsyncIterator[bytes], heartbeat_seconds: float) -> Stream:
    """A stream of the chunks; an error after its beginning becomes its last chunk and its outcome."""

    def on_error(refusal: RefusedRequestError) -> None:
        stream.refusal = refusal

    stream = Stream(streamed_errors(pieces, on_error), heartbeat_seconds)
    return stream


async def streamed_errors(
    pieces: AsyncIterator[bytes], on_error: Callable[[RefusedRequestError], None]
) -> AsyncIterator[bytes]:
    """The chunks; an error becomes the last chunk, and is reported to `on_error`."""
    try:
        async with contextlib.aclosing(pieces) as open_pieces:  # type: ignore[type-var]
            async for piece in open_pieces:
                yield piece
    except Exception as error:
        refusal = as_refusal(error)
        on_error(refusal)
        yield error_event(refusal)


async def _fault(_: Request, error: Exception) -> Response:
    return refused(as_refusal(error))
