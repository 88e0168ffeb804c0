"""Several samples in one call of a model: what it costs, and models that refuse it or do it in ways of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest

from isobudget.policies.schedule import Schedule
from support.fake_upstream import PROMPT_TOKENS, FakeUpstream, Reply, tokens_of
from support.gateway import ASK, BAD, GOOD, TESTS, Running, serving

TEXT_TOKENS = tokens_of(GOOD, 1000)
ALL_SIX = {"isobudget": {"tests": TESTS, "samples": 6, "return": "all"}}


def ask(gateway: Running, **more: Any) -> Any:
    return gateway.client().chat.completions.create(**{"model": "m", "messages": ASK, "extra_body": ALL_SIX, **more})


def test_they_come_in_one_call_and_the_prompt_is_paid_for_once(tmp_path: Path) -> None:
    script: Any = lambda number, body: Reply(BAD if number % 3 else GOOD)  # noqa: E731
    with FakeUpstream(script) as upstream, serving(tmp_path, {"m": upstream}, budgets=("1usd/day",)) as gateway:
        for _ in range(2):
            answer = ask(gateway)
            said = answer.model_extra["isobudget"]
            assert (said["samples"], said["calls"], said["verdicts"]) == (6, 1, {"passed": 2, "failed": 4})
            assert answer.usage.completion_tokens == 6 * TEXT_TOKENS
            assert answer.usage.prompt_tokens == PROMPT_TOKENS
        assert [body["n"] for body in upstream.bodies] == [6, 6]
        # Once it was seen that usage counts all samples, log-probabilities are not asked for any more.
        assert ["logprobs" in body for body in upstream.bodies] == [True, False]
        assert [tokens for _, tokens, _ in gateway.settled()] == upstream.served
        (most, _) = gateway.rows("tokens", "reserve")
        (one,) = (gateway.rows("usd, tokens", "settle"))[:1]
        assert most[0] >= 6 * (1024 + PROMPT_TOKENS)
        assert one[0] == 1000 * (PROMPT_TOKENS + 2 * 6 * TEXT_TOKENS)


#: what a model does with a call for several, and the calls that six samples then take
ODD: dict[str, tuple[Reply, int]] = {
    "refuses it": (Reply(GOOD, fault="no n"), 6),
    "gives one": (Reply(GOOD, fault="gives one"), 6),
    "counts one": (Reply(GOOD, fault="counts one"), 1),
    "counts none": (Reply(GOOD, fault="no usage"), 1),
    "gives one text for all": (Reply(GOOD, logprob=-10.0), 6),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_model_that_does_it_otherwise(tmp_path: Path, kind: str) -> None:
    """Six samples all the same, never counted below what was served, and from then on one in a call."""
    reply, calls = ODD[kind]
    with FakeUpstream(lambda number, body: reply) as upstream, serving(tmp_path, {"m": upstream}) as gateway:
        said = ask(gateway).model_extra["isobudget"]
        assert (said["samples"], said["calls"], said["verdicts"]) == (6, calls, {"passed": 6})
        before = len(upstream.bodies)
        assert ask(gateway).model_extra["isobudget"]["calls"] == 6
        assert not any("n" in body for body in upstream.bodies[before:])
        spent = [tokens for _, tokens, _ in gateway.settled()]
        assert sum(spent) >= sum(upstream.served)
        assert all(note == "" for *_, note in gateway.settled())


def test_what_the_budget_does_not_pay_for_at_once_is_drawn_in_smaller_calls(tmp_path: Path) -> None:
    with FakeUpstream(lambda number, body: Reply(BAD)) as upstream, serving(tmp_path, {"m": upstream}) as gateway:
        answer = ask(
            gateway,
            max_tokens=1000,
            extra_body={"isobudget": {**ALL_SIX["isobudget"], "budget": "4100tokens"}},
        )
        assert answer.model_extra["isobudget"]["samples"] == 6
        assert answer.model_extra["isobudget"]["cost"]["tokens"] <= 4100
        assert max(body.get("n", 1) for body in upstream.bodies) == 3


def test_a_call_for_several_that_fails_is_made_again_for_fewer(tmp_path: Path) -> None:
    def script(number: int, body: dict[str, Any]) -> Reply:
        return Reply(GOOD, fault="400" if body.get("n", 1) > 2 else "")

    with FakeUpstream(script) as upstream, serving(tmp_path, {"m": upstream}, attempts=1) as gateway:
        assert ask(gateway).model_extra["isobudget"]["verdicts"] == {"passed": 6}
        # A refusal that may mean `n` is believed to.
        assert [body.get("n", 1) for body in upstream.bodies] == [6, 1, 1, 1, 1, 1, 1]


def test_a_pass_among_them_ends_a_batch(tmp_path: Path) -> None:
    policies = {"four": Schedule((("m", 4), ("m", 4)), batched=True)}
    with (
        FakeUpstream(lambda number, body: Reply(GOOD if number == 2 else BAD)) as upstream,
        serving(tmp_path, {"m": upstream}, policies=policies) as gateway,
    ):
        answer = ask(gateway, model="isobudget/four", extra_body={"isobudget": {"tests": TESTS}})
        assert answer.choices[0].message.content == GOOD
        assert answer.model_extra["isobudget"]["calls"] == 1
        assert answer.usage.completion_tokens == 4 * TEXT_TOKENS


def test_a_model_that_answers_nothing_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isobudget.gateway.calling.FIRST_WAIT_SECONDS", 0.01)
    with (
        FakeUpstream(lambda number, body: Reply(fault="500")) as upstream,
        serving(tmp_path, {"m": upstream}, attempts=2) as gateway,
    ):
        with pytest.raises(openai.InternalServerError) as raised:
            ask(gateway)
        assert raised.value.status_code == 502
        sizes = [body.get("n", 1) for body in upstream.bodies]
        assert sizes[:2] == [6, 6]
        assert set(sizes) <= {6, 3, 1}  # halved until nothing is left to halve
        assert len(sizes) <= 12
        assert {usd for usd, *_ in gateway.settled()} == {0}


class Continuing(FakeUpstream):
    """A model that goes on only where its prompt ends without a newline, as its settings say."""

    def settings(self, **more: Any) -> dict[str, Any]:
        return super().settings(api="completions", prompt_newline="strip", **more)


def test_a_text_to_continue_ends_by_the_models_rule_for_newlines(tmp_path: Path) -> None:
    def answer(_: int, body: dict[str, Any]) -> Reply:
        return Reply("\n    return 2 * x\n" if body["prompt"] == "def double(x):" else "\ndef nothing(): ...")

    with Continuing(answer) as upstream, serving(tmp_path, {"small": upstream}) as gateway:
        extra = {"isobudget": {"tests": TESTS, "entry_point": "double"}}
        said = gateway.client().completions.create(model="isobudget/auto", prompt="def double(x):\n", extra_body=extra)
        assert said.model_extra["isobudget"]["verified"] is True
        gateway.client().completions.create(model="small", prompt="def double(x):\n")
    assert upstream.bodies[-1]["prompt"] == "def double(x):\n"  # what is passed on stays as it is
