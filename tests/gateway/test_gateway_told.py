"""What clients and operators are told: usage as it was counted, mistakes before they cost, what to do."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

from isobudget import api
from isobudget.errors import InputError, JudgeError, StorageError
from isobudget.gateway.calling import CallBill
from isobudget.gateway.judging import Judges
from isobudget.gateway.metrics import Metrics
from isobudget.gateway.serving import open_gateway
from isobudget.gateway.settings import serve_settings
from isobudget.gateway.store import SqliteStore
from isobudget.gateway.upstream import Drawn
from isobudget.gateway.web import as_refusal
from isobudget.problems.given import given_problem
from isobudget.tasks.ledger import ArmPrice
from support.fake_upstream import FakeUpstream, Reply
from support.gateway import ASK, BAD, GOOD, TESTS, Running, serving, until

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
#: usages that nothing can be counted by
NO_USAGES: list[Any] = [
    None,
    [1],
    {},
    {"prompt_tokens": "ten", "completion_tokens": "x"},
    {"prompt_tokens": -5, "completion_tokens": -20, "total_tokens": -25},
    {"prompt_tokens": 1.5, "completion_tokens": True},
    {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    {"prompt_tokens": 7, "completion_tokens": 10**30, "total_tokens": 10**30 + 7},
    {"prompt_tokens": 50_000, "completion_tokens": 1, "total_tokens": 50_001},  # of a prompt of some bytes
    {"prompt_tokens": 7, "completion_tokens": 2**31, "total_tokens": 2**31 + 7},
]


class Script:
    """What the upstream does next."""

    reply = Reply(GOOD)


@pytest.fixture(scope="module")
def script() -> Script:
    return Script()


@pytest.fixture(scope="module")
def gateway(script: Script, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("gateway")
    with (
        FakeUpstream(lambda number, body: script.reply) as upstream,
        serving(folder, {"m": upstream}, budgets=("100usd/day",)) as running,
    ):
        yield running


def whole(usage: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hello."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def pieces(usage: Any) -> list[dict[str, Any]]:
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    said = {"index": 0, "delta": {"content": "Hello."}, "finish_reason": None}
    ended = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return [head | {"choices": [said]}, head | {"choices": [ended]}, head | {"choices": [], "usage": usage}]


def asked(gateway: Running, **more: Any) -> Any:
    return gateway.client().chat.completions.create(model="m", messages=ASK, **more)  # type: ignore[call-overload]


@pytest.mark.parametrize("usage", [USAGE, *NO_USAGES])
def test_the_usage_that_is_told_is_the_one_that_was_counted(gateway: Running, script: Script, usage: Any) -> None:
    script.reply = Reply(json=whole(usage))
    answer = asked(gateway)
    assert answer.usage.total_tokens == answer.model_extra["isobudget"]["cost"]["tokens"]
    assert (answer.usage.to_dict() == USAGE) == (usage == USAGE)
    script.reply = Reply(json=pieces(usage))
    *_, last = asked(gateway, stream=True, stream_options={"include_usage": True})
    assert (last.usage.to_dict() == USAGE) == (usage == USAGE)
    assert last.usage.total_tokens == gateway.settled()[-1][1]


def test_details_of_a_usage_are_handed_on(gateway: Running, script: Script) -> None:
    script.reply = Reply(json=whole(USAGE | {"prompt_tokens_details": {"cached_tokens": 3}}))
    assert asked(gateway).usage.prompt_tokens_details.cached_tokens == 3


def test_an_error_in_a_stream_is_told_as_the_server_reports_it(gateway: Running, script: Script) -> None:
    script.reply = Reply(json=[pieces(USAGE)[0], {"error": {"message": "the GPU died"}}])
    with pytest.raises(openai.APIError, match="m: the server reports an error: the GPU died"):
        list(asked(gateway, stream=True))


@pytest.mark.parametrize("model", ["m", "isobudget/auto"])
def test_what_no_sample_can_be_is_refused_before_it_costs(gateway: Running, model: str) -> None:
    before = len(gateway.rows(kind="reserve"))
    with pytest.raises(openai.BadRequestError, match="require_verified needs tests"):
        gateway.client().chat.completions.create(
            model=model, messages=ASK, extra_body={"isobudget": {"require_verified": True}}
        )
    assert len(gateway.rows(kind="reserve")) == before


@pytest.mark.parametrize(
    "text", ["```tests\n{}```", "```tests\n{}", "~~~ python tests\n{}~~~~~  \n", "```tests\n{}````"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_block_of_tests_is_read_as_markdown_is(gateway: Running, script: Script, text: str, end: str) -> None:
    script.reply = Reply(GOOD)
    content = f"Write double(x).\n\n{text.format(TESTS)}".replace("\n", end)
    answer = gateway.client().chat.completions.create(model="m", messages=[{"role": "user", "content": content}])
    assert (answer.model_extra or {})["isobudget"]["verdict"]["tests_passed"] == 2


def test_a_budget_of_seconds_bounds_its_request(gateway: Running, script: Script) -> None:
    """The wall time of a request is 120 s, and a call may take all that is left of it."""
    script.reply = Reply(BAD)
    said = asked(gateway, extra_body={"isobudget": {"tests": TESTS, "budget": "60s", "samples": 5}}).model_extra
    assert said["isobudget"]["samples"] == 5
    assert asked(gateway, extra_body={"isobudget": {"budget": "60s"}}).choices
    script.reply = Reply(BAD, seconds=3600.0)
    with pytest.raises(openai.InternalServerError, match="the request's time limit was reached") as raised:
        asked(gateway, extra_body={"isobudget": {"budget": "0.3s"}})
    assert raised.value.status_code == 504


def test_a_key_with_seconds_is_told_how_to_ask_for_fewer(script: Script, tmp_path: Path) -> None:
    script.reply = Reply(GOOD)
    with (
        FakeUpstream(lambda number, body: script.reply) as upstream,
        serving(tmp_path, {"m": upstream}, budgets=("60seconds/hour",)) as gateway,
    ):
        with pytest.raises(openai.RateLimitError, match=r"limit the request with isobudget\.budget"):
            asked(gateway)
        assert asked(gateway, extra_body={"isobudget": {"budget": "30s"}}).choices


def test_tests_that_do_not_end_are_told_apart_from_a_model_that_does_not(gateway: Running, script: Script) -> None:
    script.reply = Reply(GOOD)
    hanging = {"tests": "import time\ntime.sleep(60)\nassert double(2) == 4\n", "samples": 1, "budget": "1.5s"}
    said = r"the tests had not finished for the samples that arrived \(1\)"
    with pytest.raises(openai.InternalServerError, match=said):
        asked(gateway, extra_body={"isobudget": hanging})


def test_what_was_spent_is_in_the_metrics_however_a_request_ends(gateway: Running, script: Script) -> None:
    def counted() -> float:
        return gateway.gateway.metrics.counts["spent_total", (("unit", "tokens"),)]

    tokens, rows = counted(), len(gateway.settled())
    script.reply = Reply(BAD, seconds=3600.0)
    for more in ({}, {"stream": True}, {"extra_body": {"isobudget": {"tests": TESTS}}}):
        with pytest.raises(openai.APITimeoutError):
            gateway.client().with_options(timeout=0.3).chat.completions.create(model="m", messages=ASK, **more)  # type: ignore[call-overload]
    gateway.settled()
    booked = sum(tokens for _, tokens, _ in gateway.settled()[rows:])
    assert counted() - tokens == booked > 0


@pytest.mark.parametrize("paid", [False, True])
def test_usage_counts_a_shared_prompt_once_as_the_cost_does(paid: bool) -> None:
    price = ArmPrice("m", 5, 20, shares_prompt=True)
    came = Drawn([], 5, 20)
    for bill in (CallBill.of_drawn(price, came, prompt_paid=paid), CallBill.of_samples(price, 1, prompt_paid=paid)):
        assert bill.prompt_tokens == (0 if paid else 5)
        assert bill.prompt_tokens + bill.completion_tokens == bill.amounts["tokens"]


def test_metrics_are_exact() -> None:
    metrics = Metrics()
    metrics.count("spent_total", 12_345_678_901, unit="tokens")
    assert 'isobudget_spent_total{unit="tokens"} 12345678901\n' in metrics.text()


def test_a_job_at_which_a_judge_fails_is_judged_again_and_then_told() -> None:
    unusable: Any = None
    problem = given_problem("assert double(2) == 4\n")

    async def check(judges: Judges) -> list[Any]:
        jobs = judges.submit(1, problem, [unusable, "def double(x):\n    return 2 * x\n"])
        found = await asyncio.gather(*jobs, return_exceptions=True)
        return [*found, *await asyncio.gather(*judges.submit(2, problem, ["def double(x):\n    return 2 * x\n"]))]

    with Judges(1) as judges:
        failed, *passed = asyncio.run(check(judges))
    assert isinstance(failed, JudgeError)
    assert "failed twice" in str(failed)
    assert as_refusal(failed).status == 503
    assert all(isinstance(one, JudgeError) or one.passed for one in passed)
    assert passed[-1].passed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('budget = "5usd/day"', "serve.toml: budget: must be a list of strings"),
        ('budget = ["5usd/day", "x"]', "serve.toml: budget: 'x' is not a budget"),
        ("max_tokens = 20000", "serve.toml: max_tokens: 20000 is more than most_tokens, 16384"),
        ("prot = 1", "serve.toml: prot: unknown key"),
    ],
)
def test_mistakes_in_a_config_file_are_told_with_their_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "serve.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        serve_settings(path)


def test_where_it_cannot_listen_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1, port {port}: Address already in use"):
            api.serve_judge(port=port, ledger=tmp_path / "ledger.sqlite", workers=1)
    api.new_key("a", ledger=tmp_path / "ledger.sqlite")
    with pytest.raises(InputError, match=r"cannot listen at 999\.1\.1\.1"):
        api.serve_judge(host="999.1.1.1", ledger=tmp_path / "ledger.sqlite", workers=1)


def test_a_budget_that_no_model_can_be_held_to_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A model whose cost is not known in a budget's unit is refused: that is told before the first request."""
    models, server = tmp_path / "isobudget" / "models.toml", 'backend = "server"\nurl = "http://127.0.0.1:9/v1"\n'
    models.parent.mkdir()
    price = 'price = { input = 1, output = 2, date = "2026-11-01", source = "list" }\n'
    models.write_text(f"[models.free]\n{server}[models.sold]\n{server}{price}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    asked = {"ledger": str(tmp_path / "ledger.sqlite"), "workers": 1}
    for amount, remedy in (("5usd", "state its price"), ("1e15flops", "state its architecture")):
        settings = serve_settings(None, {"models": ["free"], "budget": [f"{amount}/day"], **asked})
        said = rf"every request would be refused\. free: .*; {remedy} .* or state the budget in tokens"
        with pytest.raises(InputError, match=said), open_gateway(settings):
            pass
    settings = serve_settings(None, {"models": ["free", "sold"], "budget": ["5usd/day", "9tokens/day"], **asked})
    with open_gateway(settings):
        told = [one for one in caplog.messages if "requests for free are refused" in one]
    assert len(told) == 1
    assert "free: the cost of a sample in usd is not known" in told[0]
    caplog.clear()
    for name, budget in (("alice", "5usd/day"), ("bob", "9tokens/day"), ("carol", "5usd/day")):
        api.new_key(name, budget=budget, ledger=tmp_path / "ledger.sqlite")
    api.change_key("carol", "revoke", ledger=tmp_path / "ledger.sqlite")
    for offered, told_of in ((["free"], ["alice"]), (["free", "sold"], [])):
        with open_gateway(serve_settings(None, {"models": offered, **asked})):
            told = [one for one in caplog.messages if "has a budget in usd: every request with it is refused" in one]
        assert [one.split()[2] for one in told] == told_of
        caplog.clear()


def test_what_keeps_a_gateway_from_beginning_is_raised_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A ledger with calls that were left open, on a disk that takes no more rows."""
    from isobudget.gateway.amounts import NOTHING
    from isobudget.gateway.store import RESERVE, LedgerRow

    path, models = tmp_path / "ledger.sqlite", tmp_path / "isobudget" / "models.toml"
    store = SqliteStore(path)
    store.write([LedgerRow(1, RESERVE, None, 0, "r", "m", 1, NOTHING)])
    store._connection.execute("CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'no room'); END")
    store.close()
    models.parent.mkdir()
    models.write_text('[models.m]\nbackend = "server"\nurl = "http://127.0.0.1:9/v1"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(StorageError, match="no room"):
        api.serve(models="m", port=0, ledger=path, workers=1)
    assert not any("Traceback" in one for one in caplog.messages)


def test_what_became_of_a_request_is_logged_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A stream when it ends; a failure by its word and its model; a path that is not there without its name."""
    script, path = Script(), "/v1/chat/completions"
    with (
        FakeUpstream(lambda number, body: script.reply) as upstream,
        serving(tmp_path, {"m": upstream}) as gateway,
        caplog.at_level(logging.INFO, "isobudget.gateway"),
        gateway.client() as client,
    ):
        metrics, create = gateway.gateway.metrics, client.chat.completions.create

        def counted(status: int) -> bool:
            return metrics.counts["requests_total", (("path", path), ("status", str(status)))] == 1

        script.reply = Reply(json=pieces(USAGE))
        list(create(model="m", messages=ASK, stream=True))
        until(lambda: counted(200))
        script.reply = Reply(GOOD, seconds=3600.0)
        tests = {"isobudget": {"tests": TESTS}}
        stream = create(model="isobudget/auto", messages=ASK, stream=True, extra_body=tests)
        assert not counted(499)
        stream.close()
        until(lambda: counted(499))
        script.reply = Reply(fault="500")
        with pytest.raises(openai.InternalServerError):
            create(model="m", messages=ASK)
        for reply in (Reply(GOOD, fault="reset in the middle"), Reply(json=[pieces(USAGE)[0], {"error": "gone"}])):
            script.reply = reply
            with pytest.raises(openai.APIError):
                list(create(model="m", messages=ASK, stream=True))
        with pytest.raises(openai.APIError):
            list(create(model="isobudget/auto", messages=ASK, stream=True, extra_body=tests | {"max_tokens": 10}))
        until(lambda: len([one for one in caplog.messages if one.startswith("POST")]) == 6)
        with pytest.raises(openai.NotFoundError):
            client.get("/secret-of-a-client", cast_to=str)
    said = [one.rpartition(" s, key")[0].rpartition(" ")[0] for one in caplog.messages if one.startswith("POST")]
    assert said == [f"POST {path} 200", f"POST {path} 499", *[f"POST {path} 502 upstream_failed by m"] * 4]
    assert 'isobudget_requests_total{path="other",status="404"} 1' in metrics.text()
    assert "secret" not in metrics.text()


def test_an_unknown_policy_is_told_where_it_stands(gateway: Running) -> None:
    for model, own, param in (("isobudget/x", {}, "model"), ("m", {"policy": "x"}, "isobudget.policy")):
        with pytest.raises(openai.NotFoundError, match="no policy 'x'") as raised:
            gateway.client().chat.completions.create(model=model, messages=ASK, extra_body={"isobudget": own})
        assert raised.value.param == param


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_outlasts_the_server_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    """Whole, or as a stream that has begun: counted and logged as 503, without a traceback."""
    monkeypatch.setattr("isobudget.gateway.serving.GRACE_SECONDS", 0)
    tests = {"isobudget": {"tests": TESTS}}
    with (
        caplog.at_level(logging.INFO),
        ThreadPoolExecutor(1) as pool,
        FakeUpstream(lambda number, body: Reply(seconds=3600.0)) as upstream,
    ):
        with serving(tmp_path, {"m": upstream}) as gateway:
            create = gateway.client().chat.completions.create
            asking = pool.submit(
                lambda: list(create(model="isobudget/auto", messages=ASK, stream=stream, extra_body=tests))
            )
            until(lambda: upstream.in_flight)
        error = asking.exception(20)
    assert stream or (isinstance(error, openai.InternalServerError) and error.code == "stopping")
    assert error is not None
    said = [one.split(" s, key")[0] for one in caplog.messages if one.startswith("POST")]
    assert len(said) == 1
    assert said[0].startswith(f"POST /v1/chat/completions 503{'' if stream else ' stopping'} ")
    assert not [one for one in caplog.records if one.exc_info]
