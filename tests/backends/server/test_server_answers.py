"""What a server is asked and what is read from its answer: counts, kept log-probabilities, refusals, waits."""

from __future__ import annotations

import email.utils
import math
from typing import Any

import pytest

from isobudget.backends.base import Chat, FinishReason, Message, Sampling
from isobudget.backends.server.answers import (
    Choice,
    ServerAnswer,
    count_tokens,
    cut,
    finish_reason,
    kept_logprobs,
    look_alike,
    read_answer,
)
from isobudget.backends.server.faults import RefusedError, TransientError, backoff_seconds, retry_after_seconds
from isobudget.backends.server.features import Fallback, Feature, fallback, features_of
from isobudget.backends.server.requests import group_seeds, request_body
from isobudget.backends.server.settings import Api, ServerSettings
from isobudget.backends.server.traits import Server, ServerKind, Traits, first_traits, repeatable, root_of

SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_tokens=64, stop=("1", "2", "3", "4", "5"))


def choice(text: str, tokens: int | None, finish: str | None = "stop") -> Choice:
    return Choice(text, finish, None if tokens is None else ((1, -0.5),) * tokens)


@pytest.mark.parametrize(
    ("seeds", "most", "groups"),
    [
        ([], 4, []),
        ([7], 4, [[7]]),
        ([1, 2, 3, 4, 5], 4, [[1, 2, 3, 4], [5]]),
        ([1, 2, 9, 10, 4], 4, [[1, 2], [9, 10], [4]]),
        ([3, 3, 4], 4, [[3], [3, 4]]),
        ([1, 2, 3], 1, [[1], [2], [3]]),
    ],
)
def test_consecutive_seeds_are_asked_for_together(seeds: list[int], most: int, groups: list[list[int]]) -> None:
    assert group_seeds(seeds, most) == groups


def test_a_request_holds_what_is_asked_and_nothing_else() -> None:
    body = request_body("completions", "m", "x =", SAMPLING, [5, 6], neutral={"top_k": -1})
    assert body == {
        "model": "m",
        "prompt": "x =",
        "temperature": 0.8,
        "top_p": 0.95,
        "max_tokens": 64,
        "stop": ["1", "2", "3", "4", "5"],
        "n": 2,
        "seed": 5,
        "logprobs": 1,
        "top_k": -1,
    }
    assert features_of(body, {"top_k": -1}) == set(Feature) - {Feature.TEMPERATURE, Feature.TOP_P}


def test_a_request_without_what_a_server_refuses() -> None:
    chat = Chat((Message("system", "Be brief."), Message("user", "x?")))
    body = request_body("chat", "m", chat, SAMPLING, [5, 6], frozenset(Feature))
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x?"}],
        "temperature": 0.8,
        "top_p": 0.95,
        "max_completion_tokens": 64,
    }
    assert features_of(body, {}) == set()
    assert request_body("chat", "m", chat, SAMPLING, [5], frozenset({Feature.MORE_STOPS}))["stop"] == [
        "1",
        "2",
        "3",
        "4",
    ]
    assert request_body("chat", "m", chat, SAMPLING, [5])["logprobs"] is True


@pytest.mark.parametrize(
    ("choices", "used", "counts"),
    [
        ([choice("ab", 2)], 3, [3]),  # the stop text's token is used and not listed
        ([choice("ab", 2)], None, [2]),
        ([choice("ab", None)], 3, [3]),
        ([choice("ab", None)], None, None),
        ([choice("", 0)], 1, [1]),
        ([choice("ab", 4)], 3, [4]),  # listed tokens were certainly drawn
        ([choice("ab", 2), choice("abc", 3)], 5, [2, 3]),
        ([choice("ab", 2), choice("abc", 3)], 7, [3, 4]),
        ([choice("ab", 2), choice("abc", 3, "length")], 6, [3, 3]),
        ([choice("ab", 2), choice("abc", 3)], 3, None),  # one choice only
        ([choice("ab", 2), choice("abc", 3)], 9, None),  # stop texts of unknown length
        ([choice("ab", 2), choice("abc", None)], 5, None),
        ([choice("ab", 2), choice("abc", 3)], None, [2, 3]),
        ([choice("ab", 2), choice("", 0)], None, None),
    ],
)
def test_counting_tokens(choices: list[Choice], used: int | None, counts: list[int] | None) -> None:
    assert count_tokens(ServerAnswer(tuple(choices), 5, used)) == counts


def test_both_forms_of_logprobs_are_read() -> None:
    # completions as vLLM answers: stop text and end token are listed; chat as llama.cpp answers: with bytes
    one = {"text": " a", "finish_reason": "stop", "index": 0}
    listed = {"tokens": [" a", "\n", "</s>"], "token_logprobs": [-1.0, -2.0, -3.0]}
    answer = read_answer(
        {"choices": [one | {"logprobs": listed}], "usage": {"prompt_tokens": 4, "completion_tokens": 3}}
    )
    assert answer.choices[0].tokens == ((2, -1.0), (1, -2.0), (4, -3.0))
    assert (answer.prompt_tokens, answer.completion_tokens) == (4, 3)
    assert kept_logprobs(answer.choices[0], " a") == [-1.0]
    content = [{"token": "?", "bytes": [226, 130], "logprob": -1.0}, {"token": "?", "bytes": [172], "logprob": None}]
    two = {"message": {"content": "€"}, "finish_reason": "length", "logprobs": {"content": content}}
    (read,) = read_answer({"choices": [two]}).choices
    assert read.text == "€"
    assert read.tokens == ((2, -1.0), (1, -math.inf))


def test_tokens_of_split_characters_are_kept() -> None:
    logprobs = {"tokens": ["\ufffd", "\ufffd", "\ufffd", "!"], "token_logprobs": [-1.0, -1.0, -1.0, -1.0]}
    one = read_answer({"choices": [{"text": "€!", "finish_reason": "stop", "logprobs": logprobs}]}).choices[0]
    assert len(kept_logprobs(one, "€!")) == 4
    logprobs = {"tokens": ["bytes:\\xe2\\x82", "bytes:\\xac", "!"], "token_logprobs": [-1.0, -1.0, -1.0]}
    one = read_answer({"choices": [{"text": "€!", "finish_reason": "stop", "logprobs": logprobs}]}).choices[0]
    assert [size for size, _ in one.tokens or ()] == [2, 1, 1]


def test_choices_come_in_the_order_of_their_index() -> None:
    data = {"choices": [{"text": "b", "index": 1}, {"text": "a", "index": 0}]}
    assert [one.text for one in read_answer(data).choices] == ["a", "b"]


@pytest.mark.parametrize(
    "data",
    [{}, {"choices": None}, {"choices": 5}, [], None],
)
def test_what_is_not_an_answer_is_an_error_that_calls_know(data: Any) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, IndexError, AttributeError)):
        read_answer(data)


@pytest.mark.parametrize("data", [{"choices": []}, {"choices": [{"text": "", "finish_reason": "abort"}]}])
def test_what_may_be_better_next_time(data: Any) -> None:
    with pytest.raises(TransientError):
        read_answer(data)


def test_a_thinking_model() -> None:
    message = {"content": None, "reasoning_content": "let me see"}
    logprobs = {"content": [{"token": "let", "logprob": -1.0}]}
    (one,) = read_answer({"choices": [{"message": message, "finish_reason": "length", "logprobs": logprobs}]}).choices
    assert (one.text, one.thought) == ("", "let me see")
    assert kept_logprobs(one, "") == []


def test_cutting_at_the_first_stop_text() -> None:
    assert cut("a\ndef b\n#", ("\n#", "\ndef")) == "a"
    assert cut("a", ("\n#",)) == "a"
    assert cut("#a", ("#",)) == ""
    assert cut("a", ()) == "a"
    one = Choice("ab", "length", ((1, -1.0), (1, -2.0)))
    assert kept_logprobs(one, "a") == [-1.0]
    assert finish_reason(one, "a", 2, 2) is FinishReason.STOP
    assert finish_reason(one, "ab", 2, 2) is FinishReason.LENGTH


def test_the_same_text_twice_is_only_told_where_chance_is_out() -> None:
    likely = Choice("return a + b", "stop", ((3, -0.1),) * 4)
    unlikely = Choice("x" * 120, "stop", ((1, -1.0),) * 120)
    assert not look_alike(ServerAnswer((likely, likely), 1, 8), 0.8)
    assert look_alike(ServerAnswer((unlikely, unlikely), 1, 240), 0.8)
    assert not look_alike(ServerAnswer((unlikely,), 1, 120), 0.8)
    assert not look_alike(ServerAnswer((unlikely, unlikely), 1, 240), 0.2)
    assert not look_alike(ServerAnswer((unlikely, Choice("y", "stop", ((1, -9.0),))), 1, 121), 0.8)
    assert not look_alike(ServerAnswer((choice("a", None),) * 3, 1, 9), 0.8)


@pytest.mark.parametrize(
    ("words", "feature"),
    [
        ("Field 'n': Value must be between 1 <= value <= 4, but got 5", Feature.SAMPLES),
        ("Only one completion choice is allowed", Feature.SAMPLES),
        ("'n': n must be 1 when best_of is not set", Feature.SAMPLES),
        ("best_of must be 1", Feature.SAMPLES),
        ("You are not allowed to request logprobs from this model", Feature.LOGPROBS),
        ("'logprobs': Unsupported parameter", Feature.LOGPROBS),
        ("Unrecognized request argument supplied: seed", Feature.SEED),
        ("'stop': array too long. Expected an array with maximum length 4", Feature.MORE_STOPS),
        ("the request exceeds the available context size. seed", None),
        ("The prompt is too long: n", None),
        ("'stop': [..] is not valid: expected at most 4 items", Feature.MORE_STOPS),
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", Feature.MAX_TOKENS),
        ("This model's maximum context length is 4096 tokens; n is 3", None),
    ],
)
def test_refusals_that_name_a_field(words: str, feature: Feature | None) -> None:
    given = fallback(RefusedError(words, 400, words), set(Feature), set())
    assert given == (None if feature is None else Fallback(feature, True))


def test_what_was_accepted_is_not_left_out_on_suspicion() -> None:
    held, refusal = {Feature.SAMPLES, Feature.SEED}, RefusedError("no", 400, "no")
    assert fallback(refusal, held, set()) == Fallback(Feature.SAMPLES, False)
    assert fallback(refusal, held, {Feature.SAMPLES}) == Fallback(Feature.SEED, False)
    assert fallback(refusal, held, held) is None
    assert fallback(RefusedError("no", 404, "n must be 1"), set(Feature), set()) is None


def test_only_the_last_of_several_suspects_is_blamed() -> None:
    traits = Traits()
    traits.learn([Fallback(Feature.SAMPLES, False), Fallback(Feature.LOGPROBS, False)], {Feature.SEED})
    assert traits.refused == {Feature.LOGPROBS}
    assert traits.most_samples > 1
    traits.refuse(Feature.SAMPLES)
    traits.refuse(Feature.SAMPLES, "said otherwise")
    assert traits.most_samples == 1
    assert len(traits.notes) == 2


@pytest.mark.parametrize("attempt", range(9))
def test_backoff(attempt: int) -> None:
    window = min(60.0, 2.0 * 2**attempt)
    assert backoff_seconds(attempt, None, 0.0) == 0.0
    assert backoff_seconds(attempt, None, 0.5) == window / 2
    assert 7.0 <= backoff_seconds(attempt, 7.0, 0.999) < 8.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": email.utils.formatdate(1_000_010, usegmt=True)}, 10.0),
        ({"retry-after": email.utils.formatdate(999_000, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, now=1_000_000.0) == seconds


def test_what_is_known_of_servers_beforehand() -> None:
    def first(kind: ServerKind, api: Api = "completions", models: tuple[str, ...] = ()) -> Traits:
        return first_traits(Server(kind, "", "h", models), ServerSettings(url="http://h/v1", model="m", api=api))

    assert Feature.MORE_STOPS in first(ServerKind.OPENAI, "chat").refused
    assert any("template" in note for note in first(ServerKind.OLLAMA).notes)
    assert not any("template" in note for note in first(ServerKind.OLLAMA, "chat").notes)
    assert any("after temperature scaling" in note for note in first(ServerKind.SGLANG).notes)
    assert not first(ServerKind.LLAMA_CPP).notes
    assert not first(ServerKind.LLAMA_CPP, models=("other", "m")).notes
    assert list(first(ServerKind.LLAMA_CPP, models=tuple("abcdefg")).notes) == [
        "the server does not list the model 'm'; it lists a, b, c, d, e and 2 more"
    ]
    without_seeds = Traits(refused={Feature.SEED})
    assert repeatable(ServerKind.VLLM, without_seeds).startswith("no")
    assert len({repeatable(kind, Traits()) for kind in ServerKind}) == 4
    assert root_of("http://h:1/v1") == "http://h:1"
    assert root_of("http://h:1/api/v3") == "http://h:1/api/v3"


@pytest.mark.parametrize("form", [{"text": "x" * 30_000_000}, {"message": {"content": "x" * 30_000_000}}])
def test_a_text_longer_than_any_sample_is_cut_and_said(form: dict[str, Any]) -> None:
    answer = read_answer({"choices": [{"index": 0, "finish_reason": "stop", **form}], "usage": {}})
    (choice,) = answer.choices
    assert (len(choice.text), choice.finish, choice.is_cut) == (2**22, "length", True)
    assert any("longer than 4,194,304 characters are cut off at this length" in one for one in answer.oddities)
