"""OpenAI's responses by the official client: text in, text out, what it cost; the rest is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from isobudget.gateway.responses import as_response
from support.fake_upstream import PROMPT_TOKENS, FakeUpstream, Reply, tokens_of
from support.gateway import ASK, BAD, GOOD, TESTS, Running, serving

TEXT_TOKENS = tokens_of(GOOD, 1000)


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("responses"), {"m": upstream}, budgets=("100usd/day",)) as running:
        yield running


def test_a_text_is_answered_by_a_plain_model(gateway: Running, upstream: FakeUpstream) -> None:
    answer = gateway.client().responses.create(
        model="m", input="Write double(x).", instructions="Be brief.", max_output_tokens=50, temperature=0.3
    )
    assert answer.output_text == GOOD
    assert answer.status == "completed"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (PROMPT_TOKENS, TEXT_TOKENS)
    body = upstream.bodies[-1]
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, ASK[0]]
    assert (body["max_tokens"], body["temperature"]) == (50, 0.3)
    assert answer.model_extra["isobudget"]["cost"]["tokens"] == PROMPT_TOKENS + TEXT_TOKENS


def test_messages_with_tests_go_through_a_policy(gateway: Running, upstream: FakeUpstream) -> None:
    upstream.script, upstream.asked = (lambda number, body: Reply(GOOD if number else BAD)), 0
    parts: Any = [{"role": "user", "content": [{"type": "input_text", "text": "Write double(x)."}]}]
    answer = gateway.client().responses.create(
        model="isobudget/auto", input=parts, extra_body={"isobudget": {"tests": TESTS}}
    )
    assert answer.output_text == GOOD
    assert answer.model_extra["isobudget"]["verified"] is True


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "stream": ({"stream": True}, "stream"),
    "tools": ({"tools": [{"type": "web_search"}]}, "tools"),
    "a kept conversation": ({"previous_response_id": "resp_1"}, "previous_response_id"),
    "an image": ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "input.0"),
    "an image beside a text": (
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "x", "image_url": "x"}]}]},
        "input.0.image_url",
    ),
    "sound in a message": ({"input": [{"role": "user", "content": "x", "audio": {"id": "x"}}]}, "input.0.audio"),
    "no input": ({"input": []}, "input"),
    "an item that is not a message": ({"input": [{"type": "reasoning", "summary": []}]}, "input.0"),
    "a field under its own name": ({"max_output_tokens": 10**9}, "max_output_tokens"),
    "a message under its own name": ({"input": [{"role": "user", "content": 7}]}, "input.0.content"),
    "an unknown field": ({"extra_body": {"nothing": 1}}, "nothing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_taken_is_refused_by_its_name(gateway: Running, upstream: FakeUpstream, name: str) -> None:
    more, param = REFUSED[name]
    before = len(upstream.bodies)
    with pytest.raises(openai.BadRequestError) as raised:
        gateway.client().responses.create(**{"model": "m", "input": "x", **more})
    assert raised.value.param == param
    assert len(upstream.bodies) == before


def test_an_answer_that_was_cut_is_incomplete() -> None:
    choice = {"message": {"content": "x"}, "finish_reason": "length"}
    made = as_response({"id": "1", "choices": [choice], "usage": {}, "isobudget": {}})
    assert made["status"] == made["output"][0]["status"] == "incomplete"
    assert made["incomplete_details"] == {"reason": "max_output_tokens"}
