"""Failures of calls to a server: which are worth a retry, how long to wait, and the message.

A server's message is shown without the key. On 401 and 403 it is not shown at all, because it often quotes a part of
the key.

If the answer may have come from a proxy, the message names the proxy.
"""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from isobudget.backends.server.keys import ApiKey
from isobudget.errors import BackendError
from isobudget.files.whole import mended

if TYPE_CHECKING:
    import openai

FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 60.0

#: kinds of failures in which no answer came; with `NOT_SENT`, no request was sent either
LOST, TIMEOUT, NOT_SENT = "lost connection", "timeout", "no connection"

#: statuses after which a request is repeated, as after all of 5xx
_REPEATED = frozenset({408, 409, 425, 429})
#: the one status 5xx that does not pass: the server lacks what was asked for
NOT_IMPLEMENTED = 501


class TransientError(BackendError):
    """A failure after which a retry may help.

    Attributes:
        kind: a few words, for counting.
        after_seconds: waiting time requested by the server, None if not stated.
    """

    def __init__(self, message: str, kind: str, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.after_seconds = after_seconds

    @property
    def is_lost(self) -> bool:
        """Whether no answer came at all."""
        return self.kind in (LOST, TIMEOUT, NOT_SENT)


class RefusedError(BackendError):
    """The server understood the request and refuses it (4xx); the same request will fail again.

    Attributes:
        status: the HTTP status.
        words: the server's message; for comparing, not for showing.
        field: the field at fault, if the server named it outside its message.
    """

    def __init__(self, message: str, status: int, words: str, field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.words = words
        self.field = field


class UnreadableError(BackendError):
    """The answer, which may have been charged, cannot be read; it is not requested again."""

    again = False


class UnsendableError(BackendError):
    """The request has half a surrogate pair or a number that JSON lacks. It cannot be encoded, so nothing was sent."""

    again = False


def check_sendable(body: Any) -> None:
    """Raise `UnsendableError` if a body cannot be encoded as JSON in UTF-8."""
    try:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise UnsendableError(f"the request holds {half!r}, half a surrogate pair, which is not valid text") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UnsendableError(f"the request cannot be written as JSON: {shortened(str(error))}") from None


def status_error(
    error: openai.APIStatusError, key: ApiKey, clean: Callable[[str], str], now: float, way: str = ""
) -> BackendError:
    """The error that an HTTP error status means.

    Args:
        error: the client's error.
        key: the API key that was sent.
        clean: removes the key from a text.
        now: time in seconds since 1970, for dates in Retry-After.
        way: the proxy that may have answered instead of the server; empty if there is none.

    Returns:
        `TransientError`, `RefusedError`, or a `BackendError` that only the user can resolve.
    """
    status, words, field = error.status_code, clean(_server_words(error)), str(error.param or "")
    if status in (401, 403):
        return RefusedError(key.refused(status), status, words if status == 403 else "", field)
    shown = f"{field!r}: {words}" if field else words
    message = f"the server answered {status}" + (f": {shortened(shown, 400)}" if words else "")
    if status == 407 or status >= 500:
        message += way
    if error.code == "insufficient_quota":
        behind = f" behind ${key.variable}" if key.variable else ""
        return BackendError(f"{message}. The account{behind} has no credit left.")
    if status in _REPEATED or (status >= 500 and status != NOT_IMPLEMENTED):
        return TransientError(message, f"status {status}", retry_after_seconds(error.response.headers, now))
    if status == 404:
        message += ". Check url (it usually ends with /v1), model and api in the study."
    return RefusedError(message, status, words, field)


def backoff_seconds(attempt: int, asked: float | None, chance: float) -> float:
    """The seconds to wait after a failed attempt.

    Args:
        attempt: number of the failed attempt, from 0.
        asked: waiting time requested by the server, in seconds; the result is never less.
        chance: uniform in [0, 1).
    """
    window = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0**attempt)
    return (asked or 0.0) + chance * (min(1.0, window) if asked is not None else window)


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """The waiting time from `Retry-After-Ms` or `Retry-After` (seconds, or a date of RFC 9110); None if not stated."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0.0 <= value < float("inf") else None


def decoded(answer: Any, clean: Callable[[str], str]) -> Any:
    """The decoded JSON of an answer, which the client returns as text if its content type is wrong.

    Raises:
        TransientError: the answer is not JSON, or reports an error (some gateways do so with status 200).
        UnreadableError: the answer is a stream.
    """
    if isinstance(answer, str) and answer.lstrip().startswith(("data:", "event:")):
        raise UnreadableError("the server streamed its answer, though no stream was requested")
    if isinstance(answer, str):
        try:
            answer = json.loads(answer)
        except ValueError:
            raise TransientError(f"the answer is not JSON: {clean(shortened(answer))!r}", "no JSON") from None
    if isinstance(answer, dict) and answer.get("error") and not answer.get("choices"):
        reason = shortened(clean(json.dumps(answer["error"])))
        raise TransientError(f"the server answered with an error: {reason}", "error answer")
    return answer


def _server_words(error: openai.APIStatusError) -> str:
    """The server's error message; for a list of faults, each one's place and message without the sent data."""
    body = error.body
    if not isinstance(body, dict):
        return str(body) if isinstance(body, str) else error.response.text
    message = next((body[name] for name in ("message", "detail", "error") if body.get(name)), None)
    if isinstance(message, list) and all(isinstance(one, dict) and "msg" in one for one in message):
        return "; ".join(f"{'.'.join(map(str, one.get('loc', ())))}: {one['msg']}" for one in message)
    return json.dumps(body) if message is None else str(message)


def shortened(text: str, most: int = 200) -> str:
    """A text on one line, shortened."""
    text = " ".join(mended(text).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def cleaner(key: str) -> Callable[[str], str]:
    """A function that removes the key from a text."""
    bearer = re.compile(r"Bearer\s+\S+")

    def clean(text: str) -> str:
        return bearer.sub("Bearer ***", text.replace(key, "***") if key else text)

    return clean
