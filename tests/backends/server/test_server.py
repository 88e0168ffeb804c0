"""The server backend against a scripted bad server over real sockets: what it asks, records, notices and says."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isobudget.backends.base import FinishReason
from isobudget.backends.server import ServerBackend, ServerSettings
from isobudget.errors import BackendError, InputError
from isobudget.study import stated_model
from support.asking import CHAT, WARM, Waits, assert_right, draw, settings
from support.bad_server import BadServer, Habits, text_of, tokens_of

pytest.importorskip("openai")

KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))  # no TLS here, and reading all certificates takes most of a test
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_a_good_server_is_asked_once(api: str) -> None:
    generations, server, notes = draw(api=api)
    assert_right(generations)
    (request,) = server.requests
    assert (request["n"], request["seed"], request["max_tokens"]) == (5, 40, 64)
    assert (request["temperature"], request["top_p"], request["model"]) == (0.8, 0.95, "m")
    assert "stop" not in request
    first = generations[0]
    values = [-0.125 * (1 + place) for place in range(first.completion_tokens)]
    assert first.sum_logprob == pytest.approx(sum(values))
    assert first.mean_logprob == pytest.approx(sum(values) / len(values))
    assert first.finish_reason is FinishReason.STOP
    assert math.isnan(first.joules)
    assert first.token_ids == ()
    assert 0 < sum(one.seconds for one in generations) == pytest.approx(first.latency_seconds, rel=0.5)
    assert not any("one at a time" in note for note in notes)


def test_greedy_samples_are_drawn_one_at_a_time() -> None:
    generations, server, _ = draw(sampling=replace(WARM, temperature=0.0))
    assert_right(generations)
    assert all("n" not in request for request in server.requests)


def test_seeds_that_do_not_follow_each_other_are_asked_for_apart() -> None:
    seeds = (3, 4, 9, 20, 21)
    generations, server, _ = draw(seeds=seeds)
    assert_right(generations, seeds)
    assert sorted((request["seed"], request.get("n", 1)) for request in server.requests) == [(3, 2), (9, 1), (20, 2)]


@pytest.mark.parametrize("given", [1, 2])
def test_a_server_that_silently_gives_fewer_samples_is_noticed(given: int) -> None:
    generations, server, notes = draw(Habits(most_samples=given))
    assert_right(generations)
    assert [request.get("n") for request in server.requests] == [5] + [None] * (5 - given)
    assert sum(f"gave {given} of 5 requested samples" in note for note in notes) == 1


def test_what_was_noticed_is_remembered() -> None:
    with BadServer(Habits(most_samples=1)) as server, ServerBackend(settings(server), Waits()) as backend:
        backend.generate("hello", WARM, [1, 2, 3])
        before = len(server.requests)
        assert_right(backend.generate("hello", WARM, [7, 8]), (7, 8))
        assert [request.get("n") for request in server.requests[before:]] == [None, None]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("refuses", [("n",), ("logprobs",), ("seed",), ("n", "logprobs")])
def test_what_a_server_refuses_is_done_without(refuses: tuple[str, ...], named: bool) -> None:
    habits = Habits(refuses=refuses, names_the_field=named)
    with BadServer(habits) as server, ServerBackend(settings(server), Waits()) as backend:
        first = backend.generate("hello", WARM, [40, 41, 42])
        second = backend.generate("hello", WARM, [50, 51, 52])
        server.requests.clear()
        third = backend.generate("hello", WARM, [60, 61])
        notes = " ".join(backend.describe().notes)
    assert all(not any(name in request for name in refuses) for request in server.requests)
    for seeds, group in (((40, 41, 42), first), ((50, 51, 52), second), ((60, 61), third)):
        assert [one.seed for one in group] == list(seeds)
        assert all(math.isnan(one.mean_logprob) == ("logprobs" in refuses) for one in group)
        if "seed" not in refuses:
            assert_right(group, seeds)
    assert ("takes one sample per request" in notes) == ("n" in refuses)
    assert ("refuses log-probabilities" in notes) == ("logprobs" in refuses)
    assert ("refuses seeds" in notes) == ("seed" in refuses)


def test_a_refusal_that_nothing_helps_against_is_told() -> None:
    with BadServer(script=lambda number, body: (400, {}, '{"error": {"message": "no such thing"}}')) as server:
        with ServerBackend(settings(server), Waits()) as backend, pytest.raises(BackendError) as caught:
            backend.generate("hello", WARM, [1, 2])
        assert len(server.requests) <= 5
    assert "answered 400: no such thing" in str(caught.value)
    assert server.url.removeprefix("http://").removesuffix("/v1") in str(caught.value)


def test_a_prompt_that_is_too_long_is_refused_once() -> None:
    said = '{"error": {"message": "This model\'s maximum context length is 10 tokens, n is 5, logprobs is 1"}}'
    with BadServer(script=lambda number, body: (400, {}, said)) as server:
        with ServerBackend(settings(server), Waits()) as backend, pytest.raises(BackendError, match="context length"):
            backend.generate("hello", WARM, [1, 2])
        assert len(server.requests) == 1


@pytest.mark.parametrize("usage", ["sum", "ends"])
def test_tokens_of_several_samples_are_counted_apart(usage: str) -> None:
    generations, server, _ = draw(Habits(usage=usage))
    assert len(server.requests) == 1
    for one in generations:
        assert one.completion_tokens == len(tokens_of(text_of("hello", one.seed))) + (usage == "ends")


def test_a_server_that_counts_one_of_several_samples_is_noticed() -> None:
    generations, server, notes = draw(Habits(usage="first"))
    assert [request.get("n") for request in server.requests] == [5] + [None] * 5
    assert [one.text for one in generations] == [text_of("hello", seed) for seed in range(40, 45)]
    assert all(one.completion_tokens == len(tokens_of(one.text)) + 1 for one in generations)
    assert any("does not count" in note for note in notes)


def test_without_logprobs_samples_are_drawn_one_at_a_time_and_counted_by_usage() -> None:
    generations, server, notes = draw(Habits(logprobs=False))
    assert_right(generations)
    assert len(server.requests) == 6
    assert all(math.isnan(one.sum_logprob) for one in generations)
    assert any("without log-probabilities" in note for note in notes)


def test_without_usage_tokens_are_counted_by_logprobs_and_the_prompt_by_the_server() -> None:
    generations, _, notes = draw(Habits(usage="none", tokenize=True))
    assert [one.completion_tokens for one in generations] == [len(tokens_of(one.text)) for one in generations]
    assert {one.prompt_tokens for one in generations} == {len("hello") + 1}
    assert any("states no usage" in note for note in notes)


@pytest.mark.parametrize(
    ("habits", "estimated"),
    [(Habits(usage="none"), ["prompts"]), (Habits(usage="none", logprobs=False), ["samples", "prompts"])],
)
def test_tokens_that_nothing_counts_are_estimated_and_labelled(habits: Habits, estimated: list[str]) -> None:
    generations, _, notes = draw(habits)
    said = [note for note in notes if "estimated, one for every 3.2 characters" in note]
    assert [note.split(" tokens of ")[1].split()[0] for note in said] == estimated
    assert {one.prompt_tokens for one in generations} == {round(len("hello") / 3.2)}
    for one in generations:
        listed = len(tokens_of(one.text))
        assert one.completion_tokens == (listed if habits.logprobs else round(len(one.text) / 3.2))


def test_one_text_for_several_samples_is_noticed() -> None:
    long = "hello " + "x " * 40  # likely enough to tell chance from one seed for all
    with BadServer(Habits(one_seed_for_all=True)) as server, ServerBackend(settings(server), Waits()) as backend:
        generations = backend.generate(long, WARM, list(range(40, 52)))
        notes = backend.describe().notes
    assert [one.text for one in generations] == [text_of(long, seed) for seed in range(40, 52)]
    assert any("one text for several samples" in note for note in notes)


def test_stop_texts_beyond_four_are_cut_here() -> None:
    stop = ("never1", "never2", "never3", "never4", " <")
    generations, server, notes = draw(Habits(refuses=("stop",)), sampling=replace(WARM, stop=stop))
    assert server.requests[-1]["stop"] == list(stop[:4])
    for one in generations:
        whole = text_of("hello", one.seed)
        assert one.text == whole[: whole.index(" <")]
        assert one.finish_reason is FinishReason.STOP
        kept = len(tokens_of(one.text))
        assert one.completion_tokens == len(tokens_of(whole)) == kept + 1, "what was drawn was paid for"
        assert one.mean_logprob == pytest.approx(-0.125 * (kept + 1) / 2), "log-probability of the kept text only"
    assert any("four stop texts" in note for note in notes)


@pytest.mark.parametrize(
    ("finish", "max_tokens", "reason"),
    [
        ("stop", 4, FinishReason.STOP),
        ("length", 400, FinishReason.LENGTH),
        ("eos_token", 400, FinishReason.STOP),
        ("content_filter", 400, FinishReason.STOP),
        (None, 400, FinishReason.STOP),
        (None, 4, FinishReason.LENGTH),
    ],
)
def test_finish_reasons(finish: str | None, max_tokens: int, reason: FinishReason) -> None:
    generations, _, notes = draw(Habits(finish=finish), sampling=replace(WARM, max_tokens=max_tokens))
    assert {one.finish_reason for one in generations} == {reason}
    assert any("content_filter" in note for note in notes) == (finish == "content_filter")


def test_the_right_key_opens_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    said = f'{{"error": {{"message": "no more for {KEY}", "code": "insufficient_quota"}}}}'
    with BadServer(Habits(key=KEY), lambda number, body: (429, {}, said) if number else None) as server:
        backend = ServerBackend(settings(server, key_env="MY_KEY"), Waits())
        with backend:
            assert_right(backend.generate("hello", WARM, [40]), (40,))
            with pytest.raises(BackendError) as caught:
                backend.generate("hello", WARM, [41])
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    shown = " ".join([str(caught.value), repr(backend), repr(backend.settings), str(backend.settings.model_dump())])
    assert "no more for ***" in shown
    assert KEY not in shown
    assert "MY_KEY" in shown


def test_a_wrong_key_names_the_variable_and_not_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-wrong-987")
    with BadServer(Habits(key=KEY)) as server, pytest.raises(BackendError, match="MY_KEY") as caught:
        ServerBackend(settings(server, key_env="MY_KEY"), Waits()).__enter__()
    assert "sk-wrong" not in str(caught.value)


def test_a_missing_key_names_the_variable() -> None:
    with BadServer(Habits(key=KEY)) as server:
        with pytest.raises(BackendError, match="put it into the environment variable MY_KEY"):
            ServerBackend(settings(server, key_env="MY_KEY"), Waits()).__enter__()
        with pytest.raises(BackendError, match=r"key_env\. OPENAI_API_KEY is sent to api\.openai\.com alone"):
            ServerBackend(settings(server), Waits()).__enter__()
        with pytest.raises(BackendError, match=r"environment variable, and name the variable in key_env$"):
            ServerBackend(settings(server, key_env=""), Waits()).__enter__()


def test_no_other_key_takes_the_place_of_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    _, server, _ = draw(key_env="ANOTHER_KEY_THAT_IS_NOT_SET")
    assert server.headers
    assert all("authorization" not in headers for headers in server.headers)


@pytest.mark.parametrize(("owner", "field"), [("llamacpp", "samplers"), ("vllm", "repetition_penalty"), ("me", None)])
def test_servers_that_say_who_they_are_are_told_to_add_nothing(owner: str, field: str | None) -> None:
    with BadServer(Habits(owned_by=owner)) as server, ServerBackend(settings(server), Waits()) as backend:
        backend.generate("hello", WARM, [1])
        described = backend.describe()
    extra = set(server.requests[0]) - {"model", "prompt", "temperature", "top_p", "max_tokens", "seed", "logprobs"}
    assert (field in extra) if field else not extra
    assert ("it is not known whether" in " ".join(described.notes)) == (field is None)
    assert ("vLLM server 9.9" in described.engine) == (owner == "vllm")
    assert "waiting time" in described.engine


def test_scoring_by_echo() -> None:
    habits = Habits(tokenize=True, echo=True, owned_by="vllm")
    with BadServer(habits) as server, ServerBackend(settings(server), Waits()) as backend:
        assert backend.describe().can_score
        by_text, empty, by_ids = backend.score("ab", ["cd", "", "x"], [(), (), (50, 60)])
    assert by_text.logprobs == pytest.approx((-0.99, -1.0))
    assert by_text.prompt_tokens == 3
    assert math.isnan(empty.sum_logprob)
    assert by_ids.logprobs == pytest.approx((-0.5, -0.6))


@pytest.mark.parametrize("habits", [Habits(), Habits(tokenize=True), Habits(echo=True)])
def test_a_server_that_cannot_score_says_so(habits: Habits) -> None:
    with BadServer(habits) as server, ServerBackend(settings(server), Waits()) as backend:
        assert not backend.describe().can_score
        with pytest.raises(BackendError, match="cannot score"):
            backend.score("ab", ["cd"])


def test_a_prompt_of_the_wrong_form_is_refused_with_what_to_set() -> None:
    with BadServer() as server:
        with pytest.raises(BackendError, match='Set api = "chat"'):
            ServerBackend(settings(server)).generate(CHAT, WARM, [1])
        with pytest.raises(BackendError, match='api = "completions"'):
            ServerBackend(settings(server, api="chat")).generate("text", WARM, [1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "localhost:8000"}, "http://"),
        ({"url": "http://user:word@host/v1"}, "key_env"),
        ({"url": "https://host/v1?api-key=3"}, "key_env"),
        ({"url": "http://host:99999999/v1"}, "must be like"),
        ({"url": "http://host/v1\x1b[31m"}, "must be like"),
        ({"url": "http://host/v1\u202e"}, "must be like"),
        ({"api": "responses"}, "chat"),
        ({"model": ""}, "model: must not be empty"),
        ({"concurrency": 0}, "concurrency"),
        ({"attempts": 0}, "attempts"),
        ({"timeout_seconds": math.inf}, "timeout_seconds"),
        ({"requests_per_minute": -1.0}, "requests_per_minute"),
    ],
)
def test_settings_that_cannot_be(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        stated_model({"name": "m", "backend": "server", "url": "http://127.0.0.1:1/v1", **change}, "here")


@pytest.mark.parametrize("url", ["http://\N{SNOWMAN}.net/v1", "http://host" + "/v" * 40_000])
def test_a_url_that_no_client_can_ask_is_an_error(url: str) -> None:
    with (
        pytest.raises(BackendError, match="not the URL of a server: "),
        ServerBackend(ServerSettings(url=url, model="m")),
    ):
        pass


def test_a_url_without_a_path_gets_v1() -> None:
    assert ServerSettings(url="http://127.0.0.1:8000/", model="m").base_url == "http://127.0.0.1:8000/v1"
    assert ServerSettings(url="https://host/api/v3/", model="m").base_url == "https://host/api/v3"
