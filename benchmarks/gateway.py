"""What the gateway adds to a call, and how fast it judges.

    python benchmarks/gateway.py [--seconds 60] [--rate 50] [--upstream-seconds 4]

1. Open loop: so many requests a second, whatever comes back, each by turns through the gateway and straight to a fake
   model that takes some seconds. The clients are raw sockets on an event loop, the model a process of its own, the
   gateway another. What is compared is the time beyond the model's, gateway minus direct, at the same quantile.
2. Ledger: one reservation and one settlement for every request that was answered, and what was spent within the budget.
3. Judged a second: four clients with tests, twenty samples each, an instant model; against `Judge` on the same samples.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

UPSTREAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
from support.fake_upstream import FakeUpstream, Reply
seconds = float(sys.argv[2])
text = "```python\\ndef double(x):\\n    return 3 * x\\n```"
with FakeUpstream(lambda number, body: Reply(text, seconds=seconds)) as upstream:
    print(upstream.port, flush=True)
    time.sleep(3600)
"""
SERVE = """
import sys
from isobudget import api
api.serve(models="m", port=0, ledger=sys.argv[1], budget=sys.argv[2], on_ready=lambda url: print(url, flush=True))
"""
BUDGET_USD = 50.0
BODY = {"model": "m", "messages": [{"role": "user", "content": "Write double(x)."}], "max_tokens": 256}
TESTS = "assert double(2) == 4\nassert double(5) == 10\n"


@contextlib.contextmanager
def process(code: str, *arguments: str, **environment: str) -> Iterator[str]:
    """A Python process; the first line that it prints."""
    command = [sys.executable, "-c", code, *arguments]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | environment
    )
    assert child.stdout is not None
    try:
        yield child.stdout.readline().strip()
    finally:
        child.terminate()
        child.communicate(timeout=60)


@contextlib.contextmanager
def servers(folder: Path, upstream_seconds: float) -> Iterator[tuple[int, int]]:
    """Ports of a fake model and of a gateway before it."""
    with process(UPSTREAM, str(ROOT / "tests"), str(upstream_seconds)) as port:
        models = folder / "models.toml"
        models.write_text(
            f'[models.m]\nbackend = "server"\nurl = "http://127.0.0.1:{port}/v1"\napi = "chat"\nconcurrency = 1000\n'
            'price = { input = 1.0, output = 2.0, date = "2026-11-29", source = "a benchmark" }\n'
        )
        place = str(folder / "ledger.sqlite")
        with process(SERVE, place, f"{BUDGET_USD}usd/day", ISOBUDGET_MODELS_TOML=str(models)) as url:
            yield int(port), int(url.split(":")[2].split("/")[0])


class Client:
    """Connections that are kept: raw HTTP, so that the client costs little."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, body: dict[str, Any]) -> tuple[int, bytes, float]:
        """Status, body and seconds of a call."""
        data = json.dumps(body).encode()
        connection = self.free.pop() if self.free else await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = connection
        began = time.perf_counter()
        fields = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        head = f"POST /v1/chat/completions HTTP/1.1\r\n{fields}\r\n"
        writer.write(head.encode() + data)
        fields = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(fields.split("content-length:")[1].split("\r\n")[0])
        answer = await reader.readexactly(size)
        seconds = time.perf_counter() - began
        self.free.append(connection)
        return int(fields.split()[1]), answer, seconds


async def open_loop(ports: tuple[int, int], rate: float, seconds: float) -> dict[str, list[tuple[int, float]]]:
    """Requests at a rate, by turns straight and through the gateway: (status, seconds) of each."""
    clients = {"direct": Client(ports[0]), "gateway": Client(ports[1])}
    found: dict[str, list[tuple[int, float]]] = {"direct": [], "gateway": []}

    async def one(way: str) -> None:
        try:
            status, _, took = await clients[way].post(BODY)
        except (OSError, asyncio.IncompleteReadError):
            status, took = 0, float("nan")
        found[way].append((status, took))

    began, tasks = time.perf_counter(), []
    for number in range(round(2 * rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / (2 * rate) - time.perf_counter()))
        tasks.append(asyncio.create_task(one(("direct", "gateway")[number % 2])))
    await asyncio.gather(*tasks)
    return found


def ledger_of(folder: Path) -> tuple[int, int, int, float]:
    """Reservations, settlements, settlements that stand twice, and usd spent."""
    with contextlib.closing(sqlite3.connect(folder / "ledger.sqlite")) as connection:
        ask = connection.execute
        reserved = ask("SELECT count(*) FROM entries WHERE kind = 'reserve'").fetchone()[0]
        settled, spent = ask("SELECT count(*), sum(usd) / 1e9 FROM entries WHERE kind = 'settle'").fetchone()
        twice = ask(
            "SELECT count(*) FROM (SELECT of FROM entries WHERE of IS NOT NULL GROUP BY of HAVING count(*) > 1)"
        )
        return reserved, settled, twice.fetchone()[0], spent


async def judged(port: int, clients: int, samples: int, rounds: int) -> float:
    """Samples a second that clients with tests have judged, through the gateway."""
    client = Client(port)
    body = BODY | {"isobudget": {"tests": TESTS, "samples": samples, "return": "all"}}

    async def one() -> None:
        for _ in range(rounds):
            status, answer, _ = await client.post(body)
            assert status == 200, answer[:300]

    await client.post(body)  # the first of a key has a judge begin
    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(clients)))
    return clients * rounds * samples / (time.perf_counter() - began)


def judged_here(count: int) -> float:
    """Samples a second of the judge itself."""
    from isobudget.judge import Judge
    from isobudget.problems.given import given_problem

    pairs = [(given_problem(TESTS), "def double(x):\n    return 3 * x\n")] * count
    with Judge() as judge:
        list(judge.run(pairs[:50]))
        began = time.perf_counter()
        list(judge.run(pairs))
        return count / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--upstream-seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, servers(Path(name), given.upstream_seconds) as ports:
        found = asyncio.run(open_loop(ports, given.rate, given.seconds))
        time.sleep(1.0)
        for way, calls in found.items():
            failed = sum(status != 200 for status, _ in calls)
            print(f"{way}: {len(calls)} calls, {failed} failed")
        seconds = {way: np.array([took for status, took in calls if status == 200]) for way, calls in found.items()}
        for quantile in (50, 90, 99):
            direct, through = (np.percentile(seconds[way], quantile) for way in ("direct", "gateway"))
            added = 1000 * (through - direct)
            print(f"p{quantile}: direct {direct:.4f} s, gateway {through:.4f} s, added {added:.1f} ms")
        reserved, settled, twice, spent = ledger_of(Path(name))
        print(f"ledger: {reserved} reserved, {settled} settled, {twice} twice, {spent:.4f} of {BUDGET_USD:g} usd")
    with tempfile.TemporaryDirectory() as name, servers(Path(name), 0.0) as ports:
        count = 80 * given.rounds
        rates = [(asyncio.run(judged(ports[1], 4, 20, given.rounds)), judged_here(count)) for _ in range(3)]
        for through, here in rates:
            print(f"judged a second: gateway {through:.0f}, judge {here:.0f}, ratio {through / here:.2f}")


if __name__ == "__main__":
    main()
