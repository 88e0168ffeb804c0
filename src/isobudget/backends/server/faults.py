"""What goes wrong with calls to a server: which failures are worth another try, how long to wait, what to say.

A server's words are shown without the key. On 401 and 403 they are not shown at all, for they often quote a part of it.

What may have come from a proxy names the proxy.
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

#: kinds of failures in which no answer came; of these `NOT_SENT` is one in which no request went out
LOST, TIMEOUT, NOT_SENT = "lost connection", "timeout", "no connection"

#: worth another try, like all of 5xx
_REPEATED = frozenset({408, 409, 425, 429})


class TransientError(BackendError):
    """Asking again may help.

    Attributes:
        kind: a few words, for counting.
        after_seconds: what the server asked to wait, None if it did not say.
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
    """The server understood and refuses (4xx); asking the same again does not help.

    Attributes:
        status: the HTTP status.
        words: what the server said; for comparing, not for showing.
        field: the field at fault, if the server named it apart from its words.
    """

    def __init__(self, message: str, status: int, words: str, field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.words = words
        self.field = field


class UnreadableError(BackendError):
    """An answer came, and was perhaps paid for, in a form that cannot be read; it is not asked for again."""

    again = False


class UnsendableError(BackendError):
    """A request cannot be written, so that nothing was sent: half a surrogate pair in a text, a number that is none."""

    again = False


def check_sendable(body: Any) -> None:
    """Raise `UnsendableError` if a body cannot be written as JSON in UTF-8."""
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
    """What an HTTP status that is an error means.

    Args:
        error: as the client raised it.
        key: what was sent to open the server.
        clean: takes the key out of a text.
        now: in seconds since 1970, for dates in Retry-After.
        way: the proxy that may have answered instead of the server; empty for none.

    Returns:
        `TransientError`, `RefusedError`, or a `BackendError` where nothing helps but the user.
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
    if status in _REPEATED or status >= 500:
        return TransientError(message, f"status {status}", retry_after_seconds(error.response.headers, now))
    if status == 404:
        message += ". Check url (it usually ends with /v1), model and api in the study."
    return RefusedError(message, status, words, field)


def backoff_seconds(attempt: int, asked: float | None, chance: float) -> float:
    """How long to wait after failed attempt number `attempt` (from 0).

    Args:
        attempt: how many attempts failed before this one.
        asked: what the server asked for, in seconds; never less than this is waited.
        chance: uniform in [0, 1).
    """
    window = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0**attempt)
    return (asked or 0.0) + chance * (min(1.0, window) if asked is not None else window)


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """What `Retry-After-Ms` or `Retry-After` (seconds, or a date of RFC 9110) says; None if nothing."""
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
    """The answer as JSON, which comes as text under a wrong content type. Some gateways put an error into a 200.

    Raises:
        TransientError: it is not JSON, or reports an error.
        UnreadableError: it is a stream.
    """
    if isinstance(answer, str) and answer.lstrip().startswith(("data:", "event:")):
        raise UnreadableError("the server streams its answers, though none was asked for as a stream")
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
    """What the server said was wrong; of a list of faults, each one's place and message without what was sent."""
    body = error.body
    if not isinstance(body, dict):
        return str(body) if isinstance(body, str) else error.response.text
    message = next((body[name] for name in ("message", "detail", "error") if body.get(name)), None)
    if isinstance(message, list) and all(isinstance(one, dict) and "msg" in one for one in message):
        return "; ".join(f"{'.'.join(map(str, one.get('loc', ())))}: {one['msg']}" for one in message)
    return json.dumps(body) if message is None else str(message)


def shortened(text: str, most: int = 200) -> str:
    """A text on one line, cut."""
    text = " ".join(mended(text).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def cleaner(key: str) -> Callable[[str], str]:
    """Takes the key out of a text."""
    bearer = re.compile(r"Bearer\s+\S+")

    def clean(text: str) -> str:
        return bearer.sub("Bearer ***", text.replace(key, "***") if key else text)

    return clean
