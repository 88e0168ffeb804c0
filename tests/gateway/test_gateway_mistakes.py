"""What a newcomer gets wrong: every error says what may be there instead."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from isobudget.errors import InputError, JudgeError
from isobudget.gateway.amounts import Amounts
from isobudget.gateway.budgets import parse_period_budgets
from isobudget.gateway.ledger import RECOVERED
from isobudget.gateway.models import make_offer
from isobudget.gateway.serving import open_gateway, open_judge_service
from isobudget.gateway.settings import ServeSettings
from isobudget.gateway.store import LedgerRow, SqliteStore
from isobudget.judge.verdict import Limits
from isobudget.remote import RemoteJudge
from support.fake_upstream import FakeUpstream, Reply
from support.gateway import ASK, GOOD, Running, listening, server_model, serving

POLICY = """format = 1
policy = "greedy"
unit = "flops"
budget = 1e12
stop = "first pass"
batched = false
last_share = 1.0
draws = [{ arm = "smollm2-135m", count = 2 }]
[[arms]]
name = "smollm2-135m"
per_sample = 1e9
per_problem = 0.0
source = "a test"
"""
OPTIONS = "tests, entry_point, budget, policy, ranker, samples, return, require_verified"


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream(lambda number, body: Reply(GOOD)) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("gateway"), {"m": upstream}) as running:
        yield running


def error_of(method: str, url: str, body: Any = None, status: int = 404) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(url, data, {"Content-Type": "application/json"}, method=method), timeout=60)
    assert caught.value.code == status
    error: dict[str, Any] = json.load(caught.value)["error"]
    return error


def refused(gateway: Running, body: Any) -> tuple[str, str | None]:
    error = error_of("POST", f"{gateway.url}/chat/completions", body, 400)
    return error["message"], error["param"]


@pytest.mark.parametrize(
    ("options", "said", "param"),
    [
        ({"smaples": 2}, f"isobudget.smaples: unknown key. Did you mean 'samples'? Known keys: {OPTIONS}", "smaples"),
        ({"tests": 5}, "isobudget.tests: must be source code as one string, or an object with fields such as", "tests"),
        ({"tests": ["assert f()"]}, "isobudget.tests: must be source code as one string, or an object", "tests"),
        ({"budget": 5}, "isobudget.budget: must be a string with an amount and its unit, such as 0.01usd", "budget"),
        ({"samples": "3"}, "isobudget.samples: must be a whole number", "samples"),
    ],
)
def test_options_say_what_they_may_be(gateway: Running, options: Any, said: str, param: str) -> None:
    message, named = refused(gateway, {"model": "m", "messages": ASK, "isobudget": options})
    assert message.startswith(said)
    assert named == f"isobudget.{param}"


@pytest.mark.parametrize("options", ["assert f()", [], 5])
def test_options_that_are_no_object_are_told_the_fields(gateway: Running, options: Any) -> None:
    said = f"isobudget: must be an object; its fields are: {OPTIONS}"
    assert refused(gateway, {"model": "m", "messages": ASK, "isobudget": options}) == (said, "isobudget")


def test_models_and_roles_are_named(gateway: Running) -> None:
    message, param = refused(gateway, {"messages": ASK})
    assert message == "model must be a non-empty string; GET /v1/models lists the models and policies"
    assert param == "model"
    message, _ = refused(gateway, {"model": "m", "messages": [{"role": "boss", "content": "x"}]})
    assert message == "messages.0.role must be one of system, developer, user, assistant, tool, function"
    error = error_of("GET", f"{gateway.url}/models/mm")
    assert error["message"] == "no model 'mm'; served: isobudget/auto, m"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/chat/completions", 404),
        ("POST", "/v1/chat/completions/", 404),
        ("POST", "/v1/embeddings", 404),
        ("GET", "/v1/judge", 404),
        ("GET", "/v1/chat/completions", 405),
    ],
)
def test_another_path_is_told_those_that_there_are(gateway: Running, method: str, path: str, status: int) -> None:
    message = error_of(method, gateway.url.removesuffix("/v1") + path, status=status)["message"]
    assert message.startswith(f"{method} {path} is not served here; endpoints: POST /v1/chat/completions, ")
    assert message.endswith("GET /v1/models, GET /v1/models/NAME")


def test_a_gateway_in_place_of_a_judge_is_told(gateway: Running) -> None:
    root = gateway.url.removesuffix("/v1")
    with (
        pytest.raises(JudgeError, match=r"is not a judge's service; .* \(GET /v1/judge is not"),
        RemoteJudge(root, key=""),
    ):
        pass


def test_an_empty_variable_of_a_key_is_told_at_the_start(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def told(**more: Any) -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.WARNING, "isobudget.gateway"):
            asyncio.run(server_model("m", upstream, **more).open())
        return caplog.messages

    monkeypatch.delenv("A_KEY", raising=False)
    assert told(key_env="A_KEY") == ["m: the environment variable A_KEY is empty, so no key is sent"]
    assert told(key_env="") == []
    monkeypatch.setenv("A_KEY", "sk-1")
    assert told(key_env="A_KEY") == []


def test_budgets_are_shown_in_english() -> None:
    shown = [str(one) for one in parse_period_budgets(("5usd/day", "10tokens/hour", "1usd/request", "20usd"))]
    assert shown == ["$5 a day", "10 tokens an hour", "$1 a request", "$20 in all"]


@pytest.mark.parametrize(("count", "said"), [(1, "1 call was in flight"), (2, "2 calls were in flight")])
def test_calls_that_a_crash_left_open_are_counted(
    upstream: FakeUpstream, tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int, said: str
) -> None:
    most = Amounts(1000, None, 1000, None, 10)
    with contextlib.closing(SqliteStore(tmp_path / "ledger.sqlite")) as store:
        store.write(
            [LedgerRow(at, "reserve", None, 1, "r", "m", 1_800_000_000_000_000, most) for at in range(1, count + 1)]
        )
    with caplog.at_level(logging.WARNING, "isobudget.gateway"), serving(tmp_path, {"m": upstream}) as running:
        assert running.settled() == [(1000, 10, RECOVERED)] * count
    assert [one for one in caplog.messages if said in one] == caplog.messages


def test_a_missing_policy_is_told_before_the_ledger_is_touched(tmp_path: Path) -> None:
    ledger = tmp_path / "state" / "ledger.sqlite"
    settings = ServeSettings(policies=(str(tmp_path / "nowhere.toml"),), ledger=str(ledger))
    with pytest.raises(InputError, match=r"nowhere\.toml: cannot be read"), open_gateway(settings):
        pass
    assert not ledger.parent.exists()


def test_a_budget_without_a_period_is_offered_as_it_is_read() -> None:
    with pytest.raises(InputError, match="in all or in a period, such as 20usd, 5usd/day") as caught:
        parse_period_budgets(("20",))
    offered = str(caught.value).partition("such as ")[2].replace(" or ", ", ").split(", ")
    assert [str(one) for one in parse_period_budgets(offered)][:2] == ["$20 in all", "$5 a day"]


def test_a_policy_s_model_that_is_not_served_is_named_with_a_remedy(tmp_path: Path) -> None:
    policy = tmp_path / "cheap.toml"
    policy.write_text(POLICY)
    settings = ServeSettings(policies=(str(policy),), models=("qwen2.5-coder-1.5b",))
    said = "the policy 'cheap' draws from 'smollm2-135m', which is not served; .*Add it to --models, or leave"
    with pytest.raises(InputError, match=said):
        make_offer(settings)


def test_limits_that_differ_are_told_in_words(tmp_path: Path) -> None:
    settings = ServeSettings(port=0, ledger=str(tmp_path / "ledger.sqlite"), workers=1)
    with open_judge_service(settings) as service, listening(service.app(), settings) as url:
        said = "judges with cpu_seconds 3, wall_seconds 30, .*, but cpu_seconds 9, .*with the requested limits"
        with pytest.raises(JudgeError, match=said), RemoteJudge(url, Limits(9.0), key=""):
            pass
