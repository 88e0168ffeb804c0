"""A gateway on a real uvicorn, on a free port of the loopback, with fake models behind it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai

from isobudget.gateway.app import Gateway
from isobudget.gateway.judging import Judges
from isobudget.gateway.keys import make_key
from isobudget.gateway.ledger import Ledger
from isobudget.gateway.metrics import Metrics
from isobudget.gateway.models import Offer
from isobudget.gateway.served import ServerUpstream
from isobudget.gateway.serving import make_server, open_ledger
from isobudget.gateway.settings import ServeSettings
from isobudget.gateway.store import SqliteStore
from isobudget.policies.schedule import Schedule
from isobudget.study.resolve import resolve_model
from isobudget.study.study import stated_model
from support.fake_upstream import FakeUpstream

#: usd per million tokens of the fake models
PRICE = {"input": 1.0, "output": 2.0, "date": "2026-11-29", "source": "a test"}
GOOD, BAD = "```python\ndef double(x):\n    return 2 * x\n```", "```python\ndef double(x):\n    return 3 * x\n```"
TESTS = "assert double(2) == 4\nassert double(5) == 10\n"
ASK = [{"role": "user", "content": "Write double(x)."}]


@dataclass
class Running:
    """A gateway that serves."""

    gateway: Gateway
    url: str
    key: str
    clients: contextlib.ExitStack

    @property
    def store(self) -> SqliteStore:
        return self.gateway.store

    def client(self, key: str | None = None, **options: Any) -> openai.OpenAI:
        """The official client, closed with the gateway."""
        key = key or self.key or "none"
        made = openai.OpenAI(base_url=self.url, api_key=key, max_retries=0, timeout=60, **options)
        return self.clients.enter_context(made)

    def rows(self, what: str = "*", kind: str | None = None) -> list[tuple[Any, ...]]:
        """The ledger's rows."""
        where = f"WHERE kind = '{kind}'" if kind else ""
        return self.store._reader.execute(f"SELECT {what} FROM entries {where} ORDER BY id").fetchall()

    def settled(self) -> list[tuple[Any, ...]]:
        """The settlements, once there is one for every reservation: (usd, tokens, note)."""
        until(lambda: len(self.rows(kind="reserve")) == len(self.rows(kind="settle")))
        return self.rows("usd, tokens, note", "settle")


def until(holds: Any, seconds: float = 20.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def server_model(name: str, upstream: FakeUpstream, **more: Any) -> ServerUpstream:
    """A model behind a fake server."""
    fields = {"name": name, "price": PRICE, **upstream.settings(), **more}
    return ServerUpstream(resolve_model(stated_model(fields, "a test")), 256)


@contextlib.contextmanager
def listening(app: Any, settings: ServeSettings) -> Iterator[str]:
    """The root URL of an application, served on a real uvicorn in a thread."""
    server = make_server(app, settings)
    socket = server.config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        assert server.started, "the server did not start"
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        socket.close()


@contextlib.contextmanager
def serving(
    folder: Path,
    models: Mapping[str, FakeUpstream],
    *,
    policies: Mapping[str, Schedule] | None = None,
    budgets: tuple[str, ...] | None = None,
    workers: int = 1,
    **settings: Any,
) -> Iterator[Running]:
    """A gateway that serves, and a key with these budgets (None: no key is needed)."""
    made = ServeSettings(port=0, ledger=str(folder / "ledger.sqlite"), workers=workers, **settings)
    upstreams = {name: server_model(name, one) for name, one in models.items()}
    auto = Schedule(tuple((name, 4) for name in upstreams))
    with open_ledger(made) as store:
        key = make_key(store, "a-key", budgets) if budgets is not None else ""
        offer = Offer(upstreams, {"auto": auto, **(policies or {})})
        gateway = Gateway(
            made, offer, store, Ledger(store, made.budgets), Judges(workers, made.limits, unsafe=made.unsafe), Metrics()
        )
        with contextlib.ExitStack() as clients, listening(gateway.app(), made) as url:
            yield Running(gateway, f"{url}/v1", key, clients)
