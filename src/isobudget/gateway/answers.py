"""The answer to the client: OpenAI's objects, complete or in chunks, with the cost and the tests' result."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from isobudget.gateway.asked import GatewayRequest
from isobudget.gateway.calling import Spent
from isobudget.gateway.choosing import ChosenSamples
from isobudget.gateway.faults import RefusedRequestError
from isobudget.gateway.runner import RequestEnding, RequestSample
from isobudget.grid import json_value

#: keeps a stream open while there is nothing to send
HEARTBEAT = b": waiting\n\n"
DONE = b"data: [DONE]\n\n"


def as_json(value: Any) -> bytes:
    """A value as JSON. NaN and infinities, which a model server may send but JSON lacks, become null.

    Raises:
        RefusedRequestError: the value is nested too deeply (502).
    """
    try:
        try:
            return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
        except ValueError:
            return json.dumps(json_value(value), separators=(",", ":"), allow_nan=False).encode()
    except RecursionError:
        raise RefusedRequestError(502, "upstream_failed", "the model's answer is nested too deeply") from None


def event(value: Any) -> bytes:
    """A value as one chunk of a stream."""
    return b"data: " + as_json(value) + b"\n\n"


def error_event(error: RefusedRequestError) -> bytes:
    """An error as a chunk, for errors after the stream has begun."""
    return event(error.body())


def usage(spent: Spent) -> dict[str, int]:
    """The tokens of all calls of a request, including those of samples that are not in the answer."""
    prompt, completion = spent.prompt_tokens, spent.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def report(
    asked: GatewayRequest,
    chosen: ChosenSamples,
    samples: Sequence[RequestSample],
    ending: RequestEnding,
    spent: Spent,
    request: str,
) -> Any:
    """The field `isobudget` of an answer."""
    shown = chosen.best
    return {
        "ledger_id": request,
        "policy": asked.policy,
        "verified": shown.passed,
        "trust": shown.verdict.trust.value if shown.verdict is not None else None,
        "chosen_by": chosen.by,
        "ending": str(ending),
        "model": shown.arm,
        "samples": len(samples),
        "calls": spent.calls,
        "models": dict(Counter(one.arm for one in samples)),
        "verdicts": dict(Counter(one.verdict.outcome.value for one in samples if one.verdict is not None)),
        "verdict": _verdict(shown),
        "cost": json_value(spent.amounts.plain()),
    }


def _verdict(sample: RequestSample) -> dict[str, Any] | None:
    """The tests' verdict on a sample."""
    verdict = sample.verdict
    if verdict is None:
        return None
    return {
        "outcome": verdict.outcome.value,
        "tests_passed": verdict.tests_passed,
        "tests_total": verdict.tests_total,
        "first_failing": verdict.first_failing,
        "detail": verdict.detail,
    }


class GatewayAnswer:
    """Builds the answer to one request.

    Args:
        asked: the request.
        request: the request's name in the ledger.
    """

    def __init__(self, asked: GatewayRequest, request: str) -> None:
        self._asked = asked
        self._head = {
            "id": ("chatcmpl-" if asked.chat else "cmpl-") + request,
            "created": int(time.time()),
            "model": asked.model,
        }

    def whole(self, samples: Sequence[RequestSample], spent: Spent, said: Any) -> dict[str, Any]:
        """The complete answer, with one choice for each of these samples."""
        kind = "chat.completion" if self._asked.chat else "text_completion"
        choices = [self._choice(at, one) for at, one in enumerate(samples)]
        return {**self._head, "object": kind, "choices": choices, "usage": usage(spent), "isobudget": said}

    def _choice(self, index: int, sample: RequestSample) -> dict[str, Any]:
        made: dict[str, Any] = {
            "index": index,
            "finish_reason": sample.generation.finish_reason.value,
            "logprobs": None,
        }
        if self._asked.chat:
            message = {"role": "assistant", "content": sample.generation.text, "refusal": None}
            return made | {"message": message}
        return made | {"text": sample.generation.text}

    def _piece(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        kind = "chat.completion.chunk" if self._asked.chat else "text_completion"
        made: dict[str, Any] = {**self._head, "object": kind, "choices": choices}
        if self._asked.include_usage:
            made["usage"] = None
        return event(made | more)

    def begin(self) -> bytes:
        """The first chunk: the role `assistant` for a chat, a heartbeat for a completion."""
        if not self._asked.chat:
            return HEARTBEAT
        delta = {"role": "assistant", "content": ""}
        return self._piece([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}])

    def end(self, samples: Sequence[RequestSample], spent: Spent, said: Any) -> list[bytes]:
        """The last chunks: the answer, why it ended, and what it cost."""
        pieces = []
        for at, one in enumerate(samples):
            text = one.generation.text
            body: dict[str, Any] = {"delta": {"content": text}} if self._asked.chat else {"text": text}
            pieces.append(self._piece([{"index": at, **body, "logprobs": None, "finish_reason": None}]))
        for at, one in enumerate(samples):
            empty: dict[str, Any] = {"delta": {}} if self._asked.chat else {"text": ""}
            ended = {"index": at, **empty, "logprobs": None, "finish_reason": one.generation.finish_reason.value}
            pieces.append(self._piece([ended], **({"isobudget": said} if at == len(samples) - 1 else {})))
        if self._asked.include_usage:
            pieces.append(self._piece([], usage=usage(spent)))
        return [*pieces, DONE]
