"""Calls to a server over HTTP: retried if that helps, and rate-limited. Failures are interpreted in `faults`.

A call is retried after 408, 409, 425, 429, 5xx, a timeout, a lost connection, and an answer without JSON or choices, up
to `attempts` tries in all. An answer in an unreadable form is not requested again. After failed attempt i (from 0) a
call waits a random time, uniform from 0 to ``2^i x 2 s`` and at most 60 s ("full jitter"), and never less than the
server's Retry-After, which delays all other calls as well. Any other 4xx is final. The official client does the
transport, on the route that `proxies` chooses. The client's own silent retries are switched off.

The key is only sent to the server, and is removed from every message.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from isobudget.backends.engine.engine_clock import EngineClock
from isobudget.backends.server.apart import iterate_apart, run_apart
from isobudget.backends.server.faults import (
    LOST,
    NOT_SENT,
    TIMEOUT,
    TransientError,
    UnsendableError,
    backoff_seconds,
    check_sendable,
    cleaner,
    decoded,
    shortened,
    status_error,
)
from isobudget.backends.server.keys import ApiKey, foreign_headers
from isobudget.backends.server.proxies import find_proxy, open_client
from isobudget.backends.server.settings import ServerSettings
from isobudget.errors import BackendError, first_line

T = TypeVar("T")
Wait = Callable[[float], Awaitable[None]]

_LONGEST_RETRY_AFTER_SECONDS = 900.0
_CONNECT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """The result of one call: the answer, its share of busy time, and the time from request to answer."""

    value: T
    seconds: float
    latency_seconds: float


def _client(openai: Any, *, base_url: str, **given: Any) -> Any:
    """A client of the server at this URL.

    Raises:
        BackendError: the URL is not valid: its host is not a name, or the URL is too long.
    """
    try:
        return openai.AsyncOpenAI(base_url=base_url, **given)
    except Exception as error:  # its HTTP library depends on the version, and so does the error's class
        if type(error).__name__ != "InvalidURL":
            raise
        raise BackendError(f"{base_url[:200]}: not the URL of a server: {first_line(error)}") from None


class Calls:
    """Calls to one server. Create, use and close it on one event loop.

    Args:
        settings: settings of the server; paths are relative to their `base_url`.
        key: the API key, see `keys.find_key`.
        wait: called with the seconds to wait.
    """

    def __init__(self, settings: ServerSettings, key: ApiKey, wait: Wait = asyncio.sleep) -> None:
        self.repeats: Counter[str] = Counter()
        self._openai = _import_client()
        self._key = key
        self._clean = cleaner(key.secret)
        self._settings = settings
        self._wait = wait
        self._busy = EngineClock()
        self._places = asyncio.Semaphore(settings.concurrency)
        self._not_before = 0.0
        seconds = settings.timeout_seconds
        proxy = find_proxy(settings.base_url)
        self._way = f" ({proxy.label})" if proxy else ""
        self._client = _client(
            self._openai,
            base_url=settings.base_url,
            api_key=key.secret or "none",
            http_client=open_client(self._openai, proxy, settings.concurrency),
            max_retries=0,
            timeout=self._openai.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds)),
        )
        # set explicitly, so that nothing else in the environment is sent instead of the key or beside it
        foreign = foreign_headers(settings.base_url, os.environ)
        self._headers: Mapping[str, Any] = dict.fromkeys(foreign, self._openai.Omit()) | {
            "Authorization": f"Bearer {key.secret}" if key.secret else self._openai.Omit()
        }

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def call(
        self,
        path: str,
        body: dict[str, Any] | None,
        read: Callable[[Any], T],
        *,
        size: int = 1,
        attempts: int | None = None,
        lost_only: bool = False,
    ) -> Reply[T]:
        """POST the body (GET if it is None) and read the JSON answer.

        Args:
            path: relative to the base URL, or a whole URL on the same server.
            body: JSON.
            read: turns the decoded answer into the result; raises `TransientError`, or KeyError, TypeError, ValueError,
                if the answer is invalid.
            size: number of requested samples, for sharing busy time.
            attempts: maximum number of tries, instead of the settings' number.
            lost_only: whether to retry only if no answer came.

        Raises:
            RefusedError: the server refuses.
            UnreadableError: the answer cannot be read.
            UnsendableError: the body cannot be written; nothing was sent.
            TransientError: the server could not be reached or did not answer properly, in all attempts.
        """
        check_sendable(body)
        most = attempts or self._settings.attempts
        for attempt in range(most):
            try:
                return await self._attempt(path, body, read, size)
            except TransientError as error:
                last = error
                if lost_only and not error.is_lost:
                    raise
                if attempt + 1 < most:
                    self.repeats[error.kind] += 1
                    await self._hold(attempt, error)
        raise TransientError(f"{last}; gave up after {most} attempts" if most > 1 else str(last), last.kind)

    async def _hold(self, attempt: int, error: TransientError) -> None:
        asked = error.after_seconds
        if asked is not None and asked > _LONGEST_RETRY_AFTER_SECONDS:
            raise BackendError(f"{error}; the server asks to wait {asked:.0f} s, which is too long. Try again later.")
        if asked is not None:
            self._not_before = max(self._not_before, time.monotonic() + asked)
        await self._wait(backoff_seconds(attempt, asked, random.random()))

    async def _attempt(self, path: str, body: dict[str, Any] | None, read: Callable[[Any], T], size: int) -> Reply[T]:
        async with self._places:
            await self._pace()
            began = time.perf_counter()
            ticket = self._busy.start(size)
            try:
                answer = await self._send(path, body)
            finally:
                self._busy.stop(ticket)
            latency = time.perf_counter() - began
        try:
            return Reply(read(decoded(answer, self._clean)), ticket.seconds, latency)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            shown = self._clean(shortened(answer if isinstance(answer, str) else json.dumps(answer)))
            raise TransientError(f"the answer cannot be read ({what}): {shown!r}", "unreadable answer") from None

    async def _pace(self) -> None:
        """Wait until a request may be sent: after the server's Retry-After, and within the rate in the settings."""
        now = time.monotonic()
        start = max(now, self._not_before)
        if self._settings.requests_per_minute:
            self._not_before = start + 60.0 / self._settings.requests_per_minute
        if start > now:
            await self._wait(start - now)

    async def stream(self, path: str, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """POST the body and yield the objects of the streamed answer. Nothing is retried.

        Raises:
            RefusedError: the server refuses.
            UnsendableError: the body cannot be written; nothing was sent.
            TransientError: the server could not be reached, did not answer properly, or broke off.
        """
        check_sendable(body)
        async with self._places:
            await self._pace()
            with self._translated_errors():
                pieces = iterate_apart(lambda: self._pieces(path, body))
                async with contextlib.aclosing(pieces):  # type: ignore[type-var]
                    async for one in pieces:
                        if isinstance(one, dict):
                            yield one

    async def _pieces(self, path: str, body: dict[str, Any]) -> AsyncIterator[object]:
        kind = self._openai.AsyncStream[object]
        stream = await self._client.post(
            path, cast_to=object, body=body, options={"headers": self._headers}, stream=True, stream_cls=kind
        )
        try:
            async for one in stream:
                yield one
        finally:
            await stream.close()

    async def _send(self, path: str, body: dict[str, Any] | None) -> Any:
        client, options = self._client, {"headers": self._headers}
        with self._translated_errors():
            async with asyncio.timeout(self._settings.timeout_seconds):
                if body is None:
                    return await run_apart(lambda: client.get(path, cast_to=object, options=options))
                return await run_apart(lambda: client.post(path, cast_to=object, body=body, options=options))

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Translate the client's errors into ours."""
        try:
            yield
        except (TimeoutError, self._openai.APITimeoutError) as error:
            sent = type(error.__cause__).__name__ != "ConnectTimeout"
            after = f"{self._settings.timeout_seconds:g} s (timeout_seconds)"
            kind = TIMEOUT if sent else NOT_SENT
            raise TransientError(f"no complete answer within {after}{self._way}", kind) from None
        except self._openai.APIStatusError as error:
            raise status_error(error, self._key, self._clean, time.time(), self._way) from None
        except self._openai.APIConnectionError as error:
            cause = error.__cause__ or error
            if isinstance(cause, BackendError):
                raise cause from None
            reason = self._clean(str(cause)) or type(cause).__name__
            kind = NOT_SENT if type(cause).__name__ == "ConnectError" else LOST
            raise TransientError(f"the connection failed or was lost{self._way}: {shortened(reason)}", kind) from None
        except UnicodeEncodeError as error:  # of a header or the URL: answers are decoded
            said = self._clean(f"{error.object[error.start : error.end]!r} is not valid {error.encoding}")
            raise UnsendableError(f"the request cannot be written: {shortened(said)}") from None
        except (self._openai.APIError, ValueError, RecursionError) as error:
            # an error that is reported inside a stream is of this class itself, not of a subclass
            reported = type(error) is self._openai.APIError
            what = "the server reports an error" if reported else "the answer is not JSON"
            kind = "reported error" if reported else "broken JSON"
            raise TransientError(f"{what}: {shortened(self._clean(str(error)))}", kind) from None


def _import_client() -> Any:
    try:
        import openai
    except ModuleNotFoundError:
        raise ServerSettings.needs.error() from None
    return openai
