"""Answers in every form that servers are known to give: the right text, tokens, end and note for each, in one table.

Nothing may be selected by how it came: whatever is a sample is recorded, whether it is good or not, and asked for once.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from isobudget.backends.base import FinishReason, PartlyAnsweredError
from isobudget.backends.server import ServerBackend
from isobudget.errors import BackendError
from support.asking import CHAT, WARM, Waits, settings
from support.bad_server import BadServer, Habits
from support.odd_answers import BAD, GOOD, Mode, chat, refuse, refusing, usage

pytest.importorskip("openai")

STOP, LENGTH = FinishReason.STOP, FinishReason.LENGTH
SEEDS = [40, 42, 44, 46]  # not consecutive: one request each
AT_ONE = replace(WARM, temperature=1.0, top_p=1.0)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@dataclass(frozen=True)
class Case:
    """A form of answers, and what each of four samples is to be."""

    name: str
    mode: Mode
    text: str = GOOD
    tokens: tuple[int, int] = (50, 20)
    finish: FinishReason = STOP
    note: str = ""
    sampling: Any = WARM
    left_out: tuple[str, ...] = ()


def always(*args: Any, **kwargs: Any) -> Mode:
    return lambda number, body: chat(*args, **kwargs)


def logprobs(value: Any) -> Mode:
    answer = json.loads(chat()[2])
    answer["choices"][0]["logprobs"] = value
    return lambda number, body: (200, {}, json.dumps(answer))


CUT = "```python\ndef add(a, b):\n    return a"
PARTS = [{"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]}, {"type": "text", "text": GOOD}]
OUTSIDE = usage(50, 20, total_tokens=570, completion_tokens_details={"reasoning_tokens": 500})
INSIDE = usage(50, 520, total_tokens=570, completion_tokens_details={"reasoning_tokens": 500})
TEXTS = [
    Case("no content", always(..., finish="length", used=usage(50, 64)), "", (50, 64), LENGTH, "all 4 texts are empty"),
    Case("null content", always(None), "", note="all 4 texts are empty"),
    Case("null message", lambda n, b: (200, {}, chat()[2].replace('"message": {', '"message": null, "x": {')), ""),
    Case(
        "thought cut, no content",
        always(..., finish="length", used=usage(50, 64), reasoning="hmm"),
        "",
        (50, 64),
        LENGTH,
        "all 4 texts are empty because max_tokens ran out during reasoning",
    ),
    Case(
        "thought cut, in the text",
        always("<think>maybe " + GOOD, finish="length", used=usage(50, 64)),
        "<think>maybe " + GOOD,
        (50, 64),
        LENGTH,
        "all 4 texts break off during reasoning",
    ),
    Case("thought beside", always(reasoning_content="hmm"), note="reasoning is counted as tokens"),
    Case("thought in parts beside", always(reasoning=[{"type": "text", "text": "hmm"}]), note="reasoning is counted"),
    Case("content in parts", always(PARTS), note="reasoning is counted as tokens"),
    Case("parts of plain text", always([GOOD[:9], {"type": "output_text", "text": GOOD[9:]}])),
    Case("one part", always({"type": "text", "text": GOOD})),
    Case("half of a pair", always(GOOD + "\n# \ud83d"), GOOD + "\n# \ufffd", note="recorded as U+FFFD"),
    Case("both halves of a pair", always(GOOD + "\n# \ud83d\ude00"), GOOD + "\n# \U0001f600"),
    Case("control characters", always(GOOD + "\n\x00\x1b[31m"), GOOD + "\n\x00\x1b[31m"),
    Case("other fields", always(top={"model": "m", "service_tier": None, "system_fingerprint": 7})),
]
COUNTS = [
    Case("empty of no tokens", always("", used=usage(50, 0)), "", (50, 0), note="all 4 texts are empty"),
    Case("text of no tokens", always(used=usage(50, 0)), tokens=(50, 14), note="samples and has no /tokenize"),
    Case(
        "reasoning outside",
        always(used=OUTSIDE),
        tokens=(50, 520),
        note="they are added, since its total includes them",
    ),
    Case("reasoning inside", always(used=INSIDE), tokens=(50, 520), note="more completion tokens than max_tokens"),
    Case("reasoning only in the total", always(used=usage(50, 20, total_tokens=90)), tokens=(50, 40), note="added"),
    Case("all of it reasoning", always("", used=usage(9, 0, total_tokens=39)), "", (9, 30), note="added"),
    Case("total of another kind", always(used=OUTSIDE | {"total_tokens": 90}), tokens=(50, 20)),
    Case("total without the cached", always(used=usage(50, 20, total_tokens=20)), tokens=(50, 20)),
    Case("whole floats", always(used=usage(50.0, 20.0)), tokens=(50, 20)),
    Case("fractions", always(used=usage(50, 20.5)), tokens=(50, 14), note="impossible completion_tokens"),
    Case("beyond max_tokens", always(used=usage(50, 100_000)), tokens=(50, 100_000), note="more completion tokens"),
    Case("beyond 2^31", always(used=usage(50, 2**31)), tokens=(50, 14), note="impossible completion_tokens"),
    Case("negative", always(used=usage(50, -3)), tokens=(50, 14), note="impossible completion_tokens"),
    Case("true", always(used=usage(50, True)), tokens=(50, 14), note="impossible completion_tokens"),
    Case(
        "a prompt of too many",
        always(used=usage(10**9, 20)),
        tokens=(4, 20),
        note="more prompt tokens than the prompt",
    ),
    Case(
        "one prompt of too many",
        lambda n, b: chat(used=usage(50 if n != 2 else 10**18, 20)),
        note="the number is ignored",
    ),
    Case("a long system prompt", always(used=usage(9_000, 20)), tokens=(9_000, 20)),
    Case("no usage", always(used={}), tokens=(4, 14), note="they are estimated"),
    Case("usage of no form", always(used=["x"]), tokens=(4, 14), note="they are estimated"),
    Case("cached prompt is 0", lambda n, b: chat(used=usage(50 if n == 1 else 0, 20)), note="another sample's count"),
    Case("cached prompt is 1", lambda n, b: chat(used=usage(50 if n == 1 else 1, 20)), note="another sample's count"),
    Case("log-probabilities in no form", logprobs([-0.1, -0.2]), note="log-probabilities cannot be read"),
    Case("log-probabilities are text", logprobs("none"), note="log-probabilities cannot be read"),
    Case("half of a pair listed", logprobs({"content": [{"token": "\ud83d", "logprob": -0.5}]})),
]
ENDS = [
    Case("upper case", always(CUT, finish="MAX_TOKENS"), CUT, finish=LENGTH),
    Case("an enum's name", always(CUT, finish="FINISH_REASON_MAX_TOKENS"), CUT, finish=LENGTH),
    Case("upper case stop", always(finish="STOP", used=usage(50, 64)), tokens=(50, 64)),
    Case(
        "unknown at the limit",
        always(finish="x", used=usage(9, 64)),
        tokens=(9, 64),
        finish=LENGTH,
        note="unknown finish reason 'x'",
    ),
    Case("unknown before the limit", always(finish="x"), note="unknown finish reason 'x'"),
    Case("a number", always(finish=7), note="unknown finish reason '7'"),
    Case("filtered", always(GOOD, finish="CONTENT_FILTER"), note="samples that ended with 'content_filter'"),
]
STOPPING = replace(WARM, stop=("\nfoo", "\nclass X"))
SEED_AND_MORE = refusing("seed", then=refusing("logprobs", then=refusing("n")))
MAX_TOKENS = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)
NO_LOGPROBS = "You are not allowed to request logprobs from this model"
STRICT = "Additional properties are not allowed ('top_k', 'min_p', 'repetition_penalty' were unexpected)"
REFUSALS = [
    Case("stop", refusing("stop", then=always(GOOD + "\nfoo bar")), sampling=STOPPING, note="refuses stop texts"),
    Case("log-probabilities", refusing("logprobs", NO_LOGPROBS, 403), note="refuses log-probabilities"),
    Case("seed and more", SEED_AND_MORE, note="refuses seeds", left_out=("seed", "logprobs")),
    Case("top_p at 1", refusing("top_p"), sampling=AT_ONE, note="refuses top_p", left_out=("top_p",)),
    Case("top_p when greedy", refusing("top_p"), sampling=replace(WARM, temperature=0.0), note="refuses top_p"),
    Case("temperature at 1", refusing("temperature"), sampling=AT_ONE, note="refuses temperature"),
    Case("top_p at 1, unnamed", refusing("top_p", "bad request"), sampling=AT_ONE, note="refuses top_p"),
    Case("stop, unnamed", refusing("stop", "bad request"), sampling=STOPPING, note="refuses stop texts"),
    Case(
        "o-series",
        refusing("max_tokens", MAX_TOKENS, then=refusing("logprobs", NO_LOGPROBS, 403, then=refusing("top_p"))),
        sampling=AT_ONE,
        note="wants max_completion_tokens",
        left_out=("max_tokens", "logprobs", "top_p"),
    ),
    Case("a list of faults", refusing("seed", "x"), note="refuses seeds"),
]


@pytest.mark.parametrize("case", [*TEXTS, *COUNTS, *ENDS, *REFUSALS], ids=lambda case: case.name)
def test_every_form_gives_its_samples(case: Case) -> None:
    with BadServer(script=case.mode) as server, ServerBackend(settings(server, api="chat"), Waits()) as backend:
        generations = backend.generate(CHAT, case.sampling, SEEDS)
        notes, last = backend.describe().notes, server.requests[-1]
        taken = len(server.requests)
        backend.generate(CHAT, case.sampling, [48])
        assert len(server.requests) == taken + 1, "what is known of the server is not asked for again"
    assert [one.seed for one in generations] == SEEDS
    assert {(one.text, one.finish_reason) for one in generations} == {(case.text, case.finish)}
    assert {(one.prompt_tokens, one.completion_tokens) for one in generations} == {case.tokens}
    assert any(case.note in note for note in notes), notes
    assert not set(case.left_out) & set(last)
    if case not in REFUSALS:
        assert taken == len(SEEDS), "each sample is asked for once"
        assert all("stop" not in request and "seed" in request for request in server.requests)
    for one in generations:
        assert one.text.encode().decode() == one.text
        assert one.billed_prompt_tokens == one.prompt_tokens


def test_neutral_fields_that_a_gateway_refuses_are_left_out() -> None:
    mode = refusing("top_k", STRICT)
    with (
        BadServer(Habits(owned_by="vllm"), mode) as server,
        ServerBackend(settings(server, api="chat"), Waits()) as backend,
    ):
        assert len(backend.generate(CHAT, WARM, SEEDS)) == 4
        assert not {"top_k", "min_p", "repetition_penalty"} & set(server.requests[-1])
        assert {"seed", "logprobs", "temperature", "top_p"} <= set(server.requests[-1])
        assert any("whether it adds top-k, min-p or penalties" in note for note in backend.describe().notes)


def test_faults_in_a_list_are_read_without_what_was_sent() -> None:
    """As FastAPI says it: the whole request is quoted, one field is at fault."""

    def mode(number: int, body: dict[str, Any]) -> Any:
        if "seed" not in body:
            return chat()
        fault = {"loc": ["body", "seed"], "msg": "extra fields not permitted", "input": {"logprobs": True, "n": 1}}
        return 422, {}, json.dumps({"detail": [fault]})

    with BadServer(script=mode) as server, ServerBackend(settings(server, api="chat"), Waits()) as backend:
        assert len(backend.generate(CHAT, WARM, SEEDS)) == 4
        assert "logprobs" in server.requests[-1]
        assert "no: the server refuses seeds" in backend.describe().repeatable


@pytest.mark.parametrize("words", ["logprobs are not implemented", "Not Implemented"])
def test_what_a_server_has_not_implemented_is_left_out_and_not_asked_for_again(words: str) -> None:
    def mode(number: int, body: dict[str, Any]) -> Any:
        return (501, {}, json.dumps({"error": {"message": words}})) if "logprobs" in body else chat()

    with BadServer(script=mode) as server, ServerBackend(settings(server, api="chat"), Waits()) as backend:
        assert len(backend.generate(CHAT, WARM, SEEDS)) == 4
        assert "logprobs" not in server.requests[-1]
        assert sum("logprobs" in request for request in server.requests) <= len(SEEDS)
        assert not any("tried again" in note or "retried" in note for note in backend.describe().notes)


@pytest.mark.parametrize("field", ["temperature", "top_p"])
def test_a_temperature_that_matters_is_not_left_out(field: str) -> None:
    with BadServer(script=refusing(field)) as server, ServerBackend(settings(server, api="chat"), Waits()) as backend:
        with pytest.raises(BackendError, match=r"temperature 0\.8 and top_p 0\.95.*\[sampling\]"):
            backend.generate(CHAT, WARM, [1])
        assert len(server.requests) == 1


def test_the_last_refusal_is_the_one_shown() -> None:
    mode = refusing("seed", then=lambda number, body: refuse("no such model"))
    with BadServer(script=mode) as server, ServerBackend(settings(server, api="chat"), Waits()) as backend:
        with pytest.raises(BackendError, match="no such model") as caught:
            backend.generate(CHAT, WARM, [1])
        assert "seed" not in str(caught.value)


@pytest.mark.parametrize(
    "models",
    [
        (200, {"Content-Type": "text/html"}, "<!doctype html><html>Web UI</html>"),
        (500, {}, '{"error": {"message": "Internal Server Error"}}'),
        (200, {}, '{"data": ["m1", "m2"]}'),
        (200, {}, '{"data": {"m": 1}}'),
        (200, {}, "[]"),
        (200, {}, "data: {}"),
        (200, {}, "null"),
        (404, {}, ""),
    ],
)
def test_a_list_of_models_that_is_none_means_unknown(models: tuple[int, dict[str, str], str]) -> None:
    waits = Waits()
    with (
        BadServer(Habits(models=models), lambda n, b: chat()) as server,
        ServerBackend(settings(server, api="chat"), waits) as backend,
    ):
        assert len(backend.generate(CHAT, WARM, SEEDS)) == 4
        assert "OpenAI-compatible server" in backend.describe().engine
    assert waits.seconds == []


def test_one_bad_answer_costs_no_other_and_is_not_asked_for_again() -> None:
    def mode(number: int, body: dict[str, Any]) -> Any:
        return chat(7) if body["seed"] == 42 else chat()

    with BadServer(script=mode) as server, ServerBackend(settings(server, api="chat"), Waits()) as backend:
        with pytest.raises(PartlyAnsweredError, match="a form that cannot be read") as caught:
            backend.generate(CHAT, WARM, SEEDS)
        assert len(server.requests) == 4
    assert [one.seed if one else None for one in caught.value.generations] == [40, None, 44, 46]
    assert not caught.value.again


def test_one_bad_choice_of_several_costs_no_other() -> None:
    """Of three samples in one request, one is of no form and one was broken off, which alone is asked for again."""

    def mode(number: int, body: dict[str, Any]) -> Any:
        whole = json.loads(chat()[2])
        if number:
            return 200, {}, json.dumps(whole)
        listed = {"content": [{"token": GOOD, "logprob": -1.0}]}
        choice = whole["choices"][0] | {"logprobs": listed}
        broken = {"index": 2, "finish_reason": "error", "message": {"role": "assistant", "content": "x"}}
        return 200, {}, json.dumps(whole | {"choices": [choice, {"index": 1, "message": 5}, broken]})

    with BadServer(script=mode) as server, ServerBackend(settings(server, api="chat"), Waits()) as backend:
        with pytest.raises(PartlyAnsweredError) as caught:
            backend.generate(CHAT, WARM, [40, 41, 42])
        assert [request.get("n", 1) for request in server.requests] == [3, 1]
    assert [one.seed if one else None for one in caught.value.generations] == [40, None, 42]


def test_a_stream_is_told_and_not_asked_for_again() -> None:
    stream = 'data: {"choices": [{"index": 0, "delta": {"content": "hi"}}]}\n\ndata: [DONE]\n\n'
    with (
        BadServer(script=lambda n, b: (200, {"Content-Type": "text/event-stream"}, stream)) as server,
        ServerBackend(settings(server, api="chat"), Waits()) as backend,
    ):
        with pytest.raises(BackendError, match="streamed its answer"):
            backend.generate(CHAT, WARM, [1])
        assert len(server.requests) == 1


def test_what_the_server_lacked_resources_for_is_asked_for_again() -> None:
    def mode(number: int, body: dict[str, Any]) -> Any:
        return chat(CUT, finish="insufficient_system_resource") if number == 0 else chat()

    with BadServer(script=mode) as server, ServerBackend(settings(server, api="chat"), Waits()) as backend:
        assert [one.text for one in backend.generate(CHAT, WARM, [1])] == [GOOD]


def test_cached_tokens_are_kept_as_they_are_billed() -> None:
    def mode(number: int, body: dict[str, Any]) -> Any:
        details = {"cached_tokens": 1920 if number else 0}
        return chat(used=usage(2000, 20, prompt_tokens_details=details))

    with (
        BadServer(script=mode) as server,
        ServerBackend(settings(server, api="chat", concurrency=1), Waits()) as backend,
    ):
        generations = backend.generate(CHAT, WARM, SEEDS)
    assert sorted(one.cached_tokens or 0 for one in generations) == [0, 1920, 1920, 1920]
    assert {one.billed_prompt_tokens for one in generations} == {2000}


def test_a_prompt_is_billed_once_a_request() -> None:
    with BadServer() as server, ServerBackend(settings(server), Waits()) as backend:
        generations = backend.generate("hello", WARM, [40, 41, 42])
    assert [one.billed_prompt_tokens for one in generations] == [7, 0, 0]
    assert [one.prompt_tokens for one in generations] == [7, 7, 7]
    assert {one.cached_tokens for one in generations} == {None}


def test_who_answered_is_kept_and_another_name_is_told() -> None:
    with (
        BadServer(script=always(top={"model": "tiny\ud83d"})) as server,
        ServerBackend(settings(server, api="chat"), Waits()) as backend,
    ):
        assert backend.describe().model == "m"
        assert {one.served for one in backend.generate(CHAT, WARM, SEEDS)} == {"tiny\ufffd"}
        described = backend.describe()
    assert described.model == "tiny\ufffd"
    assert "asked for the model 'm', but 'tiny\ufffd' answered" in described.notes


@pytest.mark.parametrize(("temperature", "texts", "is_told"), [(0.8, 1, True), (0.0, 1, False), (0.8, 2, False)])
def test_equal_answers_are_noticed(temperature: float, texts: int, is_told: bool) -> None:
    mode: Mode = lambda number, body: chat((GOOD, BAD)[number % texts])  # noqa: E731
    with BadServer(script=mode) as server, ServerBackend(settings(server, api="chat"), Waits()) as backend:
        backend.generate(CHAT, replace(WARM, temperature=temperature), SEEDS)
        notes = backend.describe().notes
    assert any("n identical samples are worth only one" in note for note in notes) == is_told


def test_the_thought_has_no_part_in_the_likelihood() -> None:
    listed = {"content": [{"token": "hmm", "logprob": -1.0}, {"token": "x", "logprob": -1.0}]}
    answer = json.loads(chat(reasoning="hmm")[2])
    answer["choices"][0]["logprobs"] = listed
    with (
        BadServer(script=lambda n, b: (200, {}, json.dumps(answer))) as server,
        ServerBackend(settings(server, api="chat"), Waits()) as backend,
    ):
        assert math.isnan(backend.generate(CHAT, WARM, [1])[0].mean_logprob)
