"""What goes wrong around a gateway: its models, its disk, its own end. Nothing hangs, and the ledger is never too low.

`make soak-gateway` runs these longer: SOAK_KILLS ends of the gateway under load, SOAK_CALLS calls of broken models.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from isobudget.backends.server.faults import UnsendableError
from isobudget.gateway import calling
from isobudget.gateway.amounts import NOTHING
from isobudget.gateway.keys import LOCAL
from isobudget.gateway.ledger import Ledger, RequestLimits
from isobudget.gateway.served import ServerUpstream
from isobudget.gateway.store import SqliteStore
from support.fake_upstream import FakeUpstream, Reply
from support.gateway import ASK, BAD, GOOD, TESTS, server_model, serving, until

KILLS, CALLS = int(os.environ.get("SOAK_KILLS", "1")), int(os.environ.get("SOAK_CALLS", "40"))
#: most calls of the clients at the same time
AT_ONCE = 200
#: the models' hanging calls last so long
WALL_SECONDS = 6.0 if "SOAK_CALLS" in os.environ else 4.0
FAULTS = ("reset", "reset in the middle", "half", "429", "500", "503", "hang", "no usage", "", "", "")


@pytest.mark.parametrize("stream", [False, True])
def test_models_that_fail_in_every_way(tmp_path: Path, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request ends; what was served is in the ledger, or more; nothing is left open."""
    monkeypatch.setattr(calling, "FIRST_WAIT_SECONDS", 0.01)
    chance = random.Random(int(stream))
    answers = (GOOD, BAD)

    def script(number: int, body: dict[str, Any]) -> Reply:
        return Reply(chance.choice(answers), seconds=chance.random() / 50, fault=chance.choice(FAULTS))

    async def ask(client: openai.AsyncOpenAI, number: int) -> str:
        extra = {"isobudget": {"tests": TESTS, "samples": 6}} if number % 2 else {}
        try:
            answer = await client.chat.completions.create(
                model="isobudget/auto" if number % 3 else "m", messages=ASK, stream=stream, extra_body=extra
            )
            if stream:
                async for _ in answer:
                    pass
        except openai.APIStatusError as error:
            return f"refused {error.status_code}"
        except openai.APIError:
            return "broke off"
        return "answered"

    async def all_of_them(url: str, key: str) -> list[str]:
        # Clients, gateway and models share one process here: with more at once, none gets anything done in its time.
        places = asyncio.Semaphore(AT_ONCE)

        async def in_turn(number: int) -> str:
            async with places:
                return await ask(client, number)

        async with openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=60) as client:
            return await asyncio.gather(*map(in_turn, range(CALLS)))

    with (
        FakeUpstream(script) as upstream,
        serving(tmp_path, {"m": upstream}, budgets=(), wall_seconds=WALL_SECONDS) as gateway,
    ):
        came = asyncio.run(all_of_them(gateway.url, gateway.key))
        assert set(came) <= {"answered", "broke off", "refused 502", "refused 503", "refused 504"}
        assert "answered" in came
        settled = gateway.settled()
        until(lambda: upstream.in_flight == 0)
        assert not gateway.gateway.ledger.open
        assert sum(tokens for _, tokens, _ in settled) >= sum(upstream.served)
        assert len(settled) == len(gateway.rows(kind="reserve"))


def test_a_model_that_spends_more_than_it_was_asked_for(tmp_path: Path) -> None:
    with (
        FakeUpstream(lambda number, body: Reply(GOOD, fault="too much")) as upstream,
        serving(tmp_path, {"m": upstream}, budgets=("1usd/day",)) as gateway,
    ):
        client = gateway.client()
        client.chat.completions.create(model="m", messages=ASK)
        assert "more than was reserved" in gateway.settled()[0][2]
        until(lambda: gateway.store.all_keys()[0].events[-1].event == "closed")
        with pytest.raises(openai.PermissionDeniedError, match="spent more"):
            client.chat.completions.create(model="m", messages=ASK)
        assert len(upstream.bodies) == 1


def test_a_model_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "FIRST_WAIT_SECONDS", 0.01)
    with FakeUpstream() as upstream:
        pass
    with serving(tmp_path, {"m": upstream}, budgets=("1usd/day",)) as gateway:
        for model in ("m", "isobudget/auto"):
            with pytest.raises(openai.APIStatusError, match="the connection failed") as raised:
                gateway.client().chat.completions.create(model=model, messages=ASK)
            assert raised.value.status_code == 502
        assert {usd for usd, *_ in gateway.settled()} == {0}


def test_a_request_that_cannot_be_written_is_made_once_and_costs_nothing(tmp_path: Path) -> None:
    """Nothing was sent: whatever the check of bodies lets through is settled at nothing."""
    most = calling.CallBill({"usd": 1.0, "tokens": 100.0}, 90, 10)

    async def attempt(payer: calling.Payer, model: ServerUpstream, stream: bool) -> None:
        body = {"messages": [{"role": "user", "content": "\ud800"}]}
        async with calling.open_call(payer, model, most):
            if not stream:
                await model.forward(True, body)
            async for _ in model.stream(True, body):
                pass

    async def ask(store: SqliteStore, model: ServerUpstream, stream: bool) -> None:
        ledger = Ledger(store)
        ledger.start()
        spent = calling.Spent()
        payer = calling.Payer(ledger, LOCAL, RequestLimits.of(()), "r", time.monotonic() + 60, 3, spent)
        with pytest.raises(UnsendableError) as raised:
            await calling.with_attempts(payer, lambda: attempt(payer, model, stream))
        assert calling.told(raised.value, "m").status == 400
        assert (spent.calls, spent.amounts) == (0, NOTHING)
        ledger.close()
        await model.close()

    with FakeUpstream() as upstream, contextlib.closing(SqliteStore(tmp_path / "ledger.sqlite")) as store:
        for stream in (False, True):
            asyncio.run(ask(store, server_model("m", upstream), stream))
        settled = store.asked("SELECT usd, tokens FROM entries WHERE kind = 'settle'")
        assert settled == [(0, 0)] * 2
        assert upstream.bodies == []


# a gateway in a process of its own -----------------------------------------------------------------------------------

SERVE = """
import resource, sys
from isobudget import api
from isobudget.gateway import serving
port, ledger, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def ready(url):
    if size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    print(url, flush=True)
api.serve(models="m", port=port, ledger=ledger, workers=1, on_ready=ready)
"""


class Process:
    """A gateway that can be killed and started again at its port."""

    def __init__(self, folder: Path, upstream: FakeUpstream, file_bytes: int = 0) -> None:
        self.ledger = folder / "ledger.sqlite"
        self._bytes = file_bytes
        models = folder / "models.toml"
        models.write_text(
            f'[models.m]\nbackend = "server"\nurl = "{upstream.url}"\napi = "chat"\nconcurrency = 64\n'
            'price = { input = 1.0, output = 2.0, date = "2026-11-29", source = "a test" }\n'
        )
        self._environment = os.environ | {"ISOBUDGET_MODELS_TOML": str(models)}
        self.port = 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-c", SERVE, str(self.port), str(self.ledger), str(self._bytes)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=self._environment
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the gateway did not start"
        self.port = int(self.url.split(":")[2].split("/")[0])

    def end(self, how: int = signal.SIGKILL) -> None:
        os.kill(self._process.pid, how)
        self._process.communicate()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()


@contextlib.contextmanager
def process(folder: Path, upstream: FakeUpstream, file_bytes: int = 0) -> Iterator[Process]:
    running = Process(folder, upstream, file_bytes)
    try:
        yield running
    finally:
        running.end(signal.SIGTERM)


def test_killed_under_load_again_and_again(tmp_path: Path) -> None:
    """After every end: the file is whole, and what was served is in the ledger, or more, once it starts again.

    One end here, twenty in the soak.
    """
    stop, there, ending, in_flight = (threading.Event() for _ in range(4))
    tests = {"isobudget": {"tests": TESTS, "samples": 3}}

    def reply(number: int, _body: dict[str, Any]) -> Reply:
        """Before an end some calls take long, so that it comes while they are in flight."""
        if ending.is_set():
            in_flight.set()
        return Reply(BAD if number % 3 else GOOD, seconds=2.0 if ending.is_set() else 0.02)

    def load(gateway: Process) -> None:
        with openai.OpenAI(base_url=gateway.url, api_key="x", max_retries=0, timeout=5) as client:
            while not stop.is_set():
                there.wait()
                with contextlib.suppress(openai.APIError):
                    client.chat.completions.create(model="m", messages=ASK, extra_body=tests)

    with (
        FakeUpstream(reply) as upstream,
        process(tmp_path, upstream) as gateway,
    ):
        threads = [threading.Thread(target=load, args=(gateway,), daemon=True) for _ in range(6)]
        for thread in threads:
            thread.start()
        there.set()
        for _ in range(KILLS):
            served = len(upstream.served)
            until(lambda before=served: len(upstream.served) > before + 20, 60)  # type: ignore[misc]
            ending.set()
            assert in_flight.wait(60)
            gateway.end()
            for event in (there, ending, in_flight):
                event.clear()
            gateway.start()
            there.set()
        stop.set()
        for thread in threads:
            thread.join()
        kinds = "SELECT sum(kind = 'reserve') - sum(kind = 'settle') FROM entries"
        until(lambda: gateway.rows(kinds) == [(0,)])
        assert gateway.rows("PRAGMA integrity_check") == [("ok",)]
        (spent,) = gateway.rows("SELECT sum(tokens) FROM entries WHERE kind = 'settle'")[0]
        assert spent >= sum(upstream.served)
        assert gateway.rows("SELECT count(*) FROM entries WHERE note LIKE 'never settled%'")[0][0] > 0
        # Settled calls that were not cut off are there once each, to the token.
        (whole,) = gateway.rows("SELECT count(*) FROM entries WHERE kind = 'settle' AND tokens = 15")[0]
        assert whole <= len(upstream.served)


def test_a_full_disk_stops_calls_and_nothing_else(tmp_path: Path) -> None:
    """No row, no call: 503 while the ledger cannot grow, and the rows that are there stay whole."""
    with (
        FakeUpstream(lambda number, body: Reply(GOOD)) as upstream,
        process(tmp_path, upstream, 64 << 10) as gateway,
        openai.OpenAI(base_url=gateway.url, api_key="x", max_retries=0) as client,
    ):
        with pytest.raises(openai.InternalServerError, match="no model was called") as raised:
            [client.chat.completions.create(model="m", messages=ASK) for _ in range(1000)]
        assert raised.value.status_code == 503
        called = len(upstream.bodies)
        for _ in range(3):
            with pytest.raises(openai.InternalServerError):
                client.chat.completions.create(model="m", messages=ASK)
        assert len(upstream.bodies) == called
        root = gateway.url.removesuffix("/v1")
        assert client.get(f"{root}/healthz", cast_to=str) == "ok\n"
        with pytest.raises(openai.InternalServerError):
            client.get(f"{root}/readyz", cast_to=str)
        assert gateway.rows("PRAGMA integrity_check") == [("ok",)]
        (reserved,) = gateway.rows("SELECT count(*) FROM entries WHERE kind = 'reserve'")[0]
        assert reserved == called
