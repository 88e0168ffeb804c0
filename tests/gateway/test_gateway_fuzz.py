"""Requests and answers of models with everything wrong that can be, by a fixed seed: no form of either is a fault.

Every place of a well-formed body takes every odd value in turn; a part of that goes over HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from isobudget.gateway.answers import as_json
from isobudget.gateway.asked import GatewayRequest, read_request
from isobudget.gateway.faults import RefusedRequestError
from isobudget.gateway.keys import Account, Keys
from isobudget.gateway.metrics import Metrics
from isobudget.gateway.responses import as_chat
from isobudget.gateway.settings import ServeSettings
from isobudget.gateway.store import SqliteStore
from isobudget.gateway.web import Web, _json, streamed_errors
from support.fake_upstream import FakeUpstream, Reply
from support.gateway import ASK, Running, listening, serving


def nested(depth: int, kind: type) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, -(2**63), 10**400, 1e308, -0.0, 0.5, 1e-320),
    *("", "x", "1", "nan", "\ud800", "\x00", "a\x00b", "\u202e", "x" * 5000),
    *([], [None], [1], ["x"], [[]], [{}], [0] * 2000, nested(30, list), nested(500, list), nested(900, list)),
    *({}, {"a": 1}, {"": ""}, {"text": None}, {"role": "user"}, {"inputs": ["1"]}, nested(300, dict)),
]
NO_NUMBERS = [float("nan"), float("inf"), -float("inf")]
ALL_FIELDS = {
    **{"model": "m", "messages": ASK, "temperature": 0.5, "top_p": 0.9, "max_tokens": 5, "max_completion_tokens": 5},
    **{"stop": ["x"], "seed": 1, "n": 1, "stream": False, "stream_options": {"include_usage": True}, "user": "u"},
    **{"metadata": {"a": "b"}, "store": False, "tools": [], "tool_choice": "auto", "logit_bias": {"1": 1}},
    **{"logprobs": True, "top_logprobs": 1, "top_k": 1, "presence_penalty": 0.1, "reasoning_effort": "low"},
    **{"response_format": {"type": "text"}, "parallel_tool_calls": False},
}
CALLS = [
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "1", "content": "3"},
]
PARTS = [{"role": "system", "content": "x"}, {"role": "user", "content": [{"type": "text", "text": "y"}]}]
TESTS: list[Any] = [
    {"tests": "assert f(2) == 4", "entry_point": "f", "budget": "1usd", "policy": "auto", "ranker": "votes"}
    | {"samples": 2, "return": "all", "require_verified": False},
    {"tests": {"inputs": ["1"], "outputs": ["1"], "checker": "def check(a, b, c):\n    return True\n"}},
    {"tests": {"arguments": [[2]], "results": [4], "tolerance": 0.1}, "entry_point": "f"},
    {"tests": {"test": "def check(c):\n    assert c(1)\n", "entry_point": "f"}},
]
BODIES: list[dict[str, Any]] = [
    ALL_FIELDS,
    {"model": "m", "messages": [*ASK, *CALLS], "tools": [{"type": "function", "function": {"name": "f"}}]},
    {"model": "m", "prompt": "def f(x):", "suffix": "x", "echo": False, "isobudget": TESTS[0]},
    *({"model": "isobudget/auto", "messages": PARTS, "isobudget": one} for one in TESTS),
]
SOURCES = [
    *("", "\x00", "assert", "assert f(", "def check(c):", "assert " + "(" * 500, "assert " + "-" * 5000 + "1"),
    *("x = " + "[" * 90 + "]" * 90, "assert f(" + "9" * 5000 + ")", "\ufeffassert f(1)", "assert f('\ud800')"),
    *("# -*- coding: foo -*-\nassert f(1)", "assert f(1)\r\n\x0c", "if 1:\n\tassert 1\n        assert 2", "{", "{}"),
    *("assert " + "f(" * 150 + ")" * 150, "assert f(1) == " + "+".join(["1"] * 3000), "[" * 3000),
]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inside = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in inside:
        yield from places(value[key], (*at, key))


def put(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    if not at:
        return new
    copy = value.copy()
    copy[at[0]] = put(value[at[0]], at[1:], new)
    return copy


def mutated(values: list[Any], odd: list[Any]) -> list[tuple[Any, Any]]:
    """(the original, with an odd value at one of its places), for all places and odd values."""
    return [(value, put(value, at, new)) for value in values for at in places(value) for new in odd]


def read(body: Any, chat: bool) -> GatewayRequest | None:
    """A request as the gateway reads it; None if it is refused as the client's mistake."""
    refusal = None
    try:
        return read_request(_json(json.dumps(body).encode()), chat=chat, settings=ServeSettings())
    except RefusedRequestError as error:
        refusal = error
    assert refusal.status == 400
    assert as_json(refusal.body())
    return None


def test_every_form_of_a_request_is_read_or_refused() -> None:
    came = [read(body, "prompt" not in original) for original, body in mutated(BODIES, ODD)]
    assert len(came) > 3000
    assert 300 < sum(one is not None for one in came) < len(came) / 2


def test_every_form_of_a_response_s_request_is_read_or_refused() -> None:
    parts = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "y"}]}]
    body = {"model": "m", "input": parts, "instructions": "x", "max_output_tokens": 5, "tools": [], "isobudget": {}}
    for _, asked in mutated([body], ODD):
        with contextlib.suppress(RefusedRequestError):
            read(as_chat(_json(json.dumps(asked).encode())), chat=True)


def test_every_form_of_tests_is_read_or_refused() -> None:
    for source in SOURCES:
        for name in ("", "f", "a.b", "\x00", "class", "f" * 300):
            read({"model": "m", "messages": ASK, "isobudget": {"tests": source, "entry_point": name}}, chat=True)
        block = [{"role": "user", "content": f"```tests\n{source}\n```"}]
        read({"model": "isobudget/auto", "messages": block}, chat=True)


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("fuzzed"), {"m": upstream}, attempts=1, samples=2) as running:
        yield running


class Client:
    """One kept connection."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(url.split("/")[2], timeout=60)

    def close(self) -> None:
        self._connection.close()

    def post(self, body: Any, path: str = "/v1/chat/completions") -> tuple[int, list[Any]]:
        """The status, and the JSON of the answer: one value, or the pieces of a stream."""
        self._connection.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        data = answer.read().decode()
        if answer.headers["content-type"].startswith("application/json"):
            return answer.status, [strict(data)]
        lines = [line.removeprefix("data: ") for line in data.splitlines() if line.startswith("data: ")]
        return answer.status, [strict(line) for line in lines if line != "[DONE]"]


def strict(text: str) -> Any:
    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=no_constant)


def error_of(values: list[Any]) -> dict[str, Any] | None:
    found: dict[str, Any] | None = values[-1].get("error")
    assert found is None or found.keys() >= {"message", "type", "param", "code"}
    return found


def test_no_form_of_a_request_is_a_fault_of_the_server(gateway: Running, caplog: pytest.LogCaptureFixture) -> None:
    chosen = random.Random(21).sample(mutated(BODIES, ODD), 120)
    statuses = set()
    with contextlib.closing(Client(gateway.url)) as client:
        for original, body in chosen:
            status, values = client.post(body, "/v1/completions" if "prompt" in original else "/v1/chat/completions")
            assert status < 500, (body, values)
            assert (status == 200) == (error_of(values) is None)
            statuses.add(status)
    assert statuses >= {200, 400}
    assert "a fault" not in caplog.text


ANSWER = {
    **{"id": "x", "object": "chat.completion", "created": 1, "model": "m"},
    "choices": [
        {
            **{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi", "reasoning": ""}},
            "logprobs": {"content": [{"token": "hi", "logprob": -0.1, "bytes": [104, 105]}]},
        }
    ],
    "usage": {
        **{"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
        "prompt_tokens_details": {"cached_tokens": 1},
    },
}
PIECES = [
    {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]},
    {"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"id": "x", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}},
]


@pytest.mark.parametrize("way", ["handed on", "drawn", "streamed"])
def test_no_answer_of_a_model_is_a_fault_of_the_server(
    gateway: Running, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    """The answer is given, or it is the model's failure; what is given is JSON."""
    original = PIECES if way == "streamed" else ANSWER
    more = {"handed on": {}, "drawn": {"isobudget": {"samples": 2}}, "streamed": {"stream": True}}[way]
    statuses = set()
    answers = [one for _, one in mutated([original], [*ODD, *NO_NUMBERS]) if way != "streamed" or type(one) is list]
    with contextlib.closing(Client(gateway.url)) as client:
        for answer in random.Random(22).sample(answers, 100):
            upstream.script = lambda number, body, answer=answer: Reply(json=answer)  # type: ignore[misc]
            status, values = client.post({"model": "m", "messages": ASK, **more})
            assert status in (200, 502), (answer, values)
            error = error_of(values)
            assert error is None or error["code"] == "upstream_failed"
            statuses.add(status)
    assert statuses == {200, 502}
    assert "a fault" not in caplog.text


def test_a_log_probability_beyond_all_floats_is_none(gateway: Running, upstream: FakeUpstream) -> None:
    answer = put(ANSWER, ("choices", 0, "logprobs", "content", 0, "logprob"), 10**400)
    upstream.script = lambda number, body: Reply(json=answer)
    with contextlib.closing(Client(gateway.url)) as client:
        status, _ = client.post({"model": "m", "messages": ASK, "isobudget": {"samples": 2}})
    assert status == 200


# what is a fault all the same ----------------------------------------------------------------------------------------


SECRET = "a piece of a body"


def stumble(body: str) -> None:
    raise KeyError(body)


def test_a_fault_is_told_in_openai_s_form_and_logged_without_what_was_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(request: Request, account: Account) -> Response:
        try:
            stumble(SECRET)
        except KeyError as error:
            raise ValueError(f"also {error}") from error
        raise AssertionError

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> Any:
        yield

    settings = ServeSettings(port=0)
    with contextlib.closing(SqliteStore(tmp_path / "ledger.sqlite")) as store:
        web = Web(settings, Keys(store, open_without=True), Metrics(), lambda: "")
        app = web.app([("POST", "/v1/x", handler)], lifespan)
        with listening(app, settings) as url, contextlib.closing(Client(url)) as client:
            caplog.set_level(logging.DEBUG)
            status, (answer,) = client.post({}, "/v1/x")
    assert status == 500
    assert answer["error"] | {"message": ""} == {"message": "", "type": "server_error", "param": None, "code": "fault"}
    assert "in stumble" in caplog.text
    assert "ValueError" in caplog.text
    assert "KeyError" in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in json.dumps(answer)


def test_a_fault_in_a_stream_is_its_last_piece(caplog: pytest.LogCaptureFixture) -> None:
    async def pieces() -> Any:
        yield b"one"
        stumble(SECRET)

    told: list[RefusedRequestError] = []

    async def all_of_them() -> list[bytes]:
        return [piece async for piece in streamed_errors(pieces(), told.append)]

    first, last = asyncio.run(all_of_them())
    assert first == b"one"
    assert json.loads(last.removeprefix(b"data: ")) == told[0].body()
    assert [one.code for one in told] == ["fault"]
    assert "in stumble" in caplog.text
    assert SECRET not in caplog.text
