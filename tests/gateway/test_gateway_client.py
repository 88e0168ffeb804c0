"""The gateway by the official client, on a real uvicorn, with a fake model server behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from isobudget.policies.schedule import Schedule
from support.fake_upstream import PROMPT_TOKENS, FakeUpstream, Reply, tokens_of
from support.gateway import ASK, BAD, GOOD, TESTS, Running, serving, until

ONE = PROMPT_TOKENS + tokens_of(GOOD, 1000)
assert tokens_of(GOOD, 1000) == tokens_of(BAD, 1000)


class Script:
    """What the fake model answers; a test sets it."""

    def __init__(self) -> None:
        self.answer: Any = lambda number, body: Reply(GOOD)

    def __call__(self, number: int, body: dict[str, Any]) -> Reply:
        reply: Reply = self.answer(number, body)
        return reply


@pytest.fixture(scope="module")
def script() -> Script:
    return Script()


@pytest.fixture(scope="module")
def upstream(script: Script) -> Iterator[FakeUpstream]:
    with FakeUpstream(script) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    policies = {"both": Schedule((("small", 2), ("large", 6)), batched=True)}
    with serving(
        tmp_path_factory.mktemp("gateway"),
        {"small": upstream, "large": upstream},
        policies=policies,
        budgets=("100usd/day",),
        heartbeat_seconds=0.05,
    ) as running:
        yield running


@pytest.fixture
def client(gateway: Running, script: Script, upstream: FakeUpstream) -> openai.OpenAI:
    upstream.bodies.clear()
    upstream.asked = 0
    script.answer = lambda number, body: Reply(GOOD)
    return gateway.client()


def ours(answer: Any) -> dict[str, Any]:
    """The field `isobudget` of an answer."""
    found: dict[str, Any] = answer.model_extra["isobudget"]
    return found


def with_tests(tests: Any = TESTS, **more: Any) -> dict[str, Any]:
    return {"isobudget": {"tests": tests, **more}}


def test_models_are_listed_with_the_policies(client: openai.OpenAI) -> None:
    assert [one.id for one in client.models.list()] == ["isobudget/auto", "isobudget/both", "small", "large"]
    assert client.models.retrieve("isobudget/both").id == "isobudget/both"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("../../etc/passwd")


def test_a_plain_model_is_passed_through_and_priced(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    answer = client.chat.completions.create(model="small", messages=ASK, temperature=0.3, presence_penalty=0.5)
    assert answer.choices[0].message.content == GOOD
    assert answer.usage.total_tokens == ONE
    assert ours(answer)["cost"]["usd"] == pytest.approx((PROMPT_TOKENS + 2 * (ONE - PROMPT_TOKENS)) / 1e6)
    body = upstream.bodies[0]
    assert (body["temperature"], body["presence_penalty"], body["max_tokens"]) == (0.3, 0.5, 1024)
    assert "isobudget" not in body


def test_completions_are_served_too(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    answer = client.completions.create(model="small", prompt="def double(x):")
    assert answer.choices[0].text == GOOD
    assert upstream.bodies[0]["prompt"] == "def double(x):"


def test_the_first_sample_that_passes_is_the_answer(client: openai.OpenAI, script: Script) -> None:
    script.answer = lambda number, body: Reply(BAD if number < 3 else GOOD)
    answer = client.chat.completions.create(model="isobudget/auto", messages=ASK, extra_body=with_tests())
    said = ours(answer)
    assert answer.choices[0].message.content == GOOD
    assert said["verified"] is True
    assert said["trust"] == "split"
    assert said["verdicts"] == {"failed": 3, "passed": 1}
    assert answer.usage.total_tokens == 4 * ONE == said["cost"]["tokens"]


@pytest.mark.parametrize(
    "tests",
    [
        TESTS,
        "def check(candidate):\n    assert candidate(2) == 4\n",
        {"arguments": [[2]], "results": [4]},
    ],
)
def test_tests_of_every_kind(client: openai.OpenAI, tests: Any) -> None:
    extra = with_tests(tests, entry_point="double")
    answer = client.chat.completions.create(model="small", messages=ASK, extra_body=extra)
    assert ours(answer)["verified"] is True


def test_inputs_and_outputs_judge_whole_programs(client: openai.OpenAI, script: Script) -> None:
    script.answer = lambda number, body: Reply("```python\nprint(2 * int(input()))\n```")
    extra = with_tests({"inputs": ["2\n"], "outputs": ["4\n"]})
    answer = client.chat.completions.create(model="small", messages=ASK, extra_body=extra)
    assert ours(answer)["verified"] is True


def test_tests_in_a_fenced_block_of_the_last_message(client: openai.OpenAI) -> None:
    text = f"Write double(x).\n\n```tests\n{TESTS}```\n"
    answer = client.chat.completions.create(model="isobudget/auto", messages=[{"role": "user", "content": text}])
    assert ours(answer)["verdict"]["tests_passed"] == 2


def test_what_does_not_pass_is_said_and_the_best_is_given(client: openai.OpenAI, script: Script) -> None:
    half = BAD.replace("3 * x", "4")  # right for 2, wrong for 5
    script.answer = lambda number, body: Reply(half if number == 2 else BAD)
    extra = with_tests(samples=4)
    answer = client.chat.completions.create(model="isobudget/auto", messages=ASK, extra_body=extra)
    said = ours(answer)
    assert answer.choices[0].message.content == half
    assert said["verified"] is False
    assert said["verdict"]["tests_passed"] == 1
    assert (said["samples"], said["ending"]) == (4, "the most samples allowed were drawn")
    with pytest.raises(openai.UnprocessableEntityError, match="no sample passed"):
        client.chat.completions.create(
            model="isobudget/auto", messages=ASK, extra_body=with_tests(samples=2, require_verified=True)
        )


def test_all_samples_can_be_had(client: openai.OpenAI, script: Script) -> None:
    script.answer = lambda number, body: Reply(GOOD if number % 2 else BAD)
    extra = with_tests(samples=6, **{"return": "all"})
    answer = client.chat.completions.create(model="isobudget/auto", messages=ASK, extra_body=extra)
    assert [one.message.content for one in answer.choices] == [GOOD] * 3 + [BAD] * 3
    assert ours(answer)["verdicts"] == {"failed": 3, "passed": 3}


def test_without_tests_the_most_frequent_answer_wins(client: openai.OpenAI, script: Script) -> None:
    spaced = GOOD.replace("2 * x", "2*x  # twice")
    script.answer = lambda number, body: Reply([BAD, GOOD, spaced, BAD.replace("3", "5")][number])
    answer = client.chat.completions.create(model="isobudget/auto", messages=ASK)
    said = ours(answer)
    assert answer.choices[0].message.content in (GOOD, spaced)
    assert (said["chosen_by"], said["verified"], said["samples"]) == ("votes", False, 4)


def test_a_pass_stops_what_is_in_flight(tmp_path: Path) -> None:
    seconds = 0.0
    script: Any = lambda number, body: Reply(GOOD, fault="no n", seconds=seconds * (number % 2))  # noqa: E731
    policies = {"both": Schedule((("m", 2),), batched=True)}
    with FakeUpstream(script) as upstream, serving(tmp_path, {"m": upstream}, policies=policies) as gateway:

        def ask() -> Any:
            return gateway.client().chat.completions.create(
                model="isobudget/both", messages=ASK, extra_body=with_tests()
            )

        ask()  # now it is known to give one sample a call
        seconds, upstream.asked = 3600.0, 0
        answer = ask()
        assert ours(answer)["verified"] is True
        until(lambda: upstream.cancelled == 1 and upstream.in_flight == 0)
        assert not gateway.gateway.ledger.open
        # What was stopped counts at its most.
        assert ours(answer)["calls"] == 2
        assert answer.usage.completion_tokens > 1024


def test_a_stream_begins_at_once_and_ends_with_answer_cost_and_usage(client: openai.OpenAI, script: Script) -> None:
    script.answer = lambda number, body: Reply(BAD if number < 1 else GOOD, seconds=0.2)
    raw = client.chat.completions.with_raw_response.create(
        model="isobudget/auto",
        messages=ASK,
        stream=True,
        stream_options={"include_usage": True},
        extra_body=with_tests(),
    )
    text = raw.http_response.read().decode()
    assert ": waiting\n\n" in text
    assert text.index('"role":"assistant"') < text.index(": waiting")
    pieces = list(
        client.chat.completions.create(
            model="isobudget/auto",
            messages=ASK,
            stream=True,
            stream_options={"include_usage": True},
            extra_body=with_tests(),
        )
    )
    assert pieces[0].choices[0].delta.role == "assistant"
    assert "".join(one.choices[0].delta.content or "" for one in pieces if one.choices) == GOOD
    finish = next(one for one in pieces if one.choices and one.choices[0].finish_reason)
    assert finish.choices[0].finish_reason == "stop"
    assert ours(finish)["verified"] is True
    assert pieces[-1].usage.total_tokens == ONE
    assert pieces[-1].choices == []


def test_a_stream_of_a_plain_model_is_passed_on_piece_by_piece(client: openai.OpenAI) -> None:
    pieces = list(client.chat.completions.create(model="small", messages=ASK, stream=True))
    assert len([one for one in pieces if one.choices and one.choices[0].delta.content]) == len(GOOD.split())
    assert ours(pieces[-1])["cost"]["tokens"] == ONE
    assert pieces[-1].usage is None


def test_a_stream_without_a_finish_reason_says_what_it_cost_all_the_same(client: openai.OpenAI, script: Script) -> None:
    choice = {"index": 0, "delta": {"content": "cut"}, "finish_reason": None}
    script.answer = lambda number, body: Reply(
        json=[{"id": "x", "object": "chat.completion.chunk", "choices": [choice]}]
    )
    told, last = client.chat.completions.create(model="small", messages=ASK, stream=True)
    assert told.choices[0].delta.content == "cut"
    assert (last.choices, last.usage) == ([], None)
    assert ours(last)["cost"]["tokens"] > 0


def test_tools_go_to_a_single_model_and_not_to_a_policy(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    client.chat.completions.create(model="small", messages=ASK, tools=[tool])
    assert upstream.bodies[0]["tools"] == [tool]
    with pytest.raises(openai.BadRequestError, match="single model"):
        client.chat.completions.create(model="isobudget/auto", messages=ASK, tools=[tool])


def test_what_an_answer_held_may_be_sent_back(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    empty = {"refusal": None, "audio": None, "annotations": [], "images": [], "reasoning_content": "I thought."}
    parts = {"role": "user", "content": [{"type": "text", "text": "Again."}]}
    messages: list[Any] = [*ASK, {"role": "assistant", "content": "Hello."} | empty, parts]
    client.chat.completions.create(model="small", messages=messages)
    assert upstream.bodies[0]["messages"] == messages


def test_what_cannot_be_bounded_is_refused(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,xx"}}
    with pytest.raises(openai.BadRequestError, match="only text"):
        client.chat.completions.create(model="small", messages=[{"role": "user", "content": [image]}])
    hidden: list[tuple[Any, str]] = [
        ({"role": "user", "content": [image | {"text": "a text beside it"}]}, "only text"),
        (
            {"role": "user", "content": [{"type": "text", "text": "x", "image_url": {"url": "x"}}]},
            "messages.1.image_url",
        ),
        ({"role": "user", "content": "x", "images": ["x"]}, "messages.1.images"),
        ({"role": "assistant", "content": "x", "audio": {"id": "x"}}, "messages.1.audio"),
    ]
    for message, said in hidden:
        with pytest.raises(openai.BadRequestError, match=said):
            client.chat.completions.create(model="small", messages=[*ASK, message])
    for tools in ([{"type": "web_search_preview"}], {"type": "function"}, ["function"], "function"):
        with pytest.raises(openai.BadRequestError, match="tools must be"):
            client.chat.completions.create(model="small", messages=ASK, extra_body={"tools": tools})
    with pytest.raises(openai.BadRequestError, match="web_search_options"):
        client.chat.completions.create(model="small", messages=ASK, extra_body={"web_search_options": {}})
    assert upstream.bodies == []


MISTAKES: dict[str, dict[str, Any]] = {
    "messages": {"messages": []},
    "max_tokens": {"max_tokens": 10**9},
    "temperature": {"temperature": -1},
    "n": {"n": 2},
    "isobudget.samples": {"extra_body": {"isobudget": {"samples": 10**6}}},
    "isobudget.budget": {"extra_body": {"isobudget": {"budget": "lots"}}},
    "isobudget.tests": {"extra_body": {"isobudget": {"tests": "x = 1\n"}}},
    "isobudget.nothing": {"extra_body": {"isobudget": {"nothing": 1}}},
    "model": {"model": "isobudget/none"},
    "stop": {"model": "small", "extra_body": {"stop": 0}},
    "tools": {"model": "small", "extra_body": {"tools": 0}},
}


@pytest.mark.parametrize("field", MISTAKES)
def test_mistakes_are_named_in_openai_s_form(client: openai.OpenAI, upstream: FakeUpstream, field: str) -> None:
    asked = {"model": "isobudget/auto", "messages": ASK, **MISTAKES[field]}
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(**asked)
    assert raised.value.status_code in (400, 404)
    assert raised.value.param == field
    assert upstream.bodies == []


def test_tests_that_do_not_run_are_a_mistake_of_the_client(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="cannot be used"):
        client.chat.completions.create(
            model="small",
            messages=ASK,
            extra_body=with_tests(
                {"inputs": ["1"], "outputs": ["1"], "checker": "raise ValueError\ndef check(a, b, c):\n    pass\n"}
            ),
        )


def test_a_bad_key_is_refused_before_anything(gateway: Running, upstream: FakeUpstream) -> None:
    upstream.bodies.clear()
    with pytest.raises(openai.AuthenticationError, match="serve key new"):
        gateway.client("isb-wrong").chat.completions.create(model="small", messages=ASK)
    with pytest.raises(openai.AuthenticationError):
        list(gateway.client("x").chat.completions.create(model="small", messages=ASK, stream=True))
    assert upstream.bodies == []


def test_fifty_at_once(gateway: Running, script: Script, upstream: FakeUpstream) -> None:
    script.answer = lambda number, body: Reply(GOOD, seconds=0.2)
    before = len(gateway.settled())

    async def all_of_them() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
            return await asyncio.gather(
                *(client.chat.completions.create(model="small", messages=ASK) for _ in range(50))
            )

    answers = asyncio.run(all_of_them())
    assert {one.choices[0].message.content for one in answers} == {GOOD}
    assert len(gateway.settled()) - before == 50
    assert len({ours(one)["ledger_id"] for one in answers}) == 50


def test_hanging_up_in_the_middle_of_a_stream_stops_the_spending(
    client: openai.OpenAI, script: Script, upstream: FakeUpstream, gateway: Running
) -> None:
    script.answer = lambda number, body: Reply(BAD, seconds=3600.0 if number else 0.0)
    stream = client.chat.completions.create(model="isobudget/auto", messages=ASK, stream=True, extra_body=with_tests())
    assert next(iter(stream)).choices[0].delta.role == "assistant"
    until(lambda: upstream.in_flight == 1)
    stream.close()
    until(lambda: upstream.in_flight == 0 and not gateway.gateway.ledger.open)
    assert gateway.settled()[-1][2] == "stopped"


def test_hanging_up_without_a_stream_stops_it_too(
    client: openai.OpenAI, script: Script, upstream: FakeUpstream, gateway: Running
) -> None:
    script.answer = lambda number, body: Reply(BAD, seconds=3600.0)
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).chat.completions.create(model="small", messages=ASK)
    until(lambda: upstream.in_flight == 0 and not gateway.gateway.ledger.open)


def test_health_and_metrics(client: openai.OpenAI, gateway: Running) -> None:
    client.chat.completions.create(model="isobudget/auto", messages=ASK, extra_body=with_tests())
    root = gateway.url.removesuffix("/v1")
    assert client.get(f"{root}/healthz", cast_to=str) == "ok\n"
    assert client.get(f"{root}/readyz", cast_to=str) == "ready\n"
    text = client.get(f"{root}/metrics", cast_to=str)
    assert 'isobudget_samples_total{model="small",verdict="passed"}' in text
    assert "isobudget_open_reservations 0" in text
    assert gateway.key not in text


def test_budget_of_a_request_is_kept(client: openai.OpenAI, script: Script) -> None:
    script.answer = lambda number, body: Reply(BAD)
    extra = with_tests(budget="1500tokens")
    answer = client.chat.completions.create(model="small", messages=ASK, max_tokens=1000, extra_body=extra)
    said = ours(answer)
    assert said["ending"] == "the budget does not pay for the next draw"
    assert said["cost"]["tokens"] <= 1500
    assert 5 < said["samples"] < 60  # settled to what they came to, far below their most


def test_gone_budget_is_said_with_what_is_left(upstream: FakeUpstream, script: Script, tmp_path: Path) -> None:
    script.answer = lambda number, body: Reply(GOOD)
    with serving(tmp_path, {"m": upstream}, budgets=("0.0025usd/day",)) as gateway:
        client = gateway.client()
        with pytest.raises(openai.RateLimitError, match="it is renewed at") as raised:
            [client.chat.completions.create(model="m", messages=ASK) for _ in range(200)]
        assert raised.value.code == "budget_exceeded"
        assert int(raised.value.response.headers["retry-after"]) <= 86_400
        spent = sum(usd for usd, *_ in gateway.settled())
        assert 0 < spent <= 2_500_000
