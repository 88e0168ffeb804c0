"""What the gateway adds to a call, and how fast it judges.

    python benchmarks/gateway.py [--seconds 60] [--rate 50] [--upstream-seconds 4] [--only load|judged]

1. Open loop: so many requests a second, whatever comes back, each by turns through the gateway and straight to a fake
   model that takes some seconds. The clients are raw sockets on an event loop, the model a process of its own, the
   gateway another. What is compared is the time beyond the model's, gateway minus direct, at the same quantile.
2. Ledger: one reservation and one settlement for every request that was answered, and what was spent within the budget.
3. Judged: four clients with tests, twenty samples each, an instant model, by turns with `Judge` on the same samples:
   samples a second, and CPU time a sample, which says more where other programs keep the cores busy. The CPU time is
   that of the process and of the judge's processes below it; the model's and the clients' are left out.
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
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

UPSTREAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
from support.fake_upstream import FakeUpstream, Reply
seconds = float(sys.argv[2])
text = "```python\\ndef double(x):\\n    return 3 * x\\n```"
fault = sys.argv[3]
with FakeUpstream(lambda number, body: Reply(text, seconds=seconds, fault=fault)) as upstream:
    print(upstream.port, flush=True)
    time.sleep(3600)
"""
SERVE = """
import os, sys
from isobudget import api
ready = lambda url: print(url, os.getpid(), flush=True)
api.serve(models="m", port=0, ledger=sys.argv[1], budget=sys.argv[2], on_ready=ready)
"""
JUDGE = """
import sys
sys.path.insert(0, sys.argv[1])
from gateway import judge_here
print(*judge_here(int(sys.argv[2])), flush=True)
"""
BUDGET_USD = 50.0
TURNS = 5
TICKS = os.sysconf("SC_CLK_TCK")
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


class Servers(NamedTuple):
    """Ports of a fake model and of a gateway before it; the gateway's process."""

    upstream: int
    gateway: int
    process: int


@contextlib.contextmanager
def servers(folder: Path, upstream_seconds: float, fault: str = "") -> Iterator[Servers]:
    """A fake model, which has a fault of `FakeUpstream`, and a gateway before it."""
    with process(UPSTREAM, str(ROOT / "tests"), str(upstream_seconds), fault) as port:
        models = folder / "models.toml"
        models.write_text(
            f'[models.m]\nbackend = "server"\nurl = "http://127.0.0.1:{port}/v1"\napi = "chat"\nconcurrency = 1000\n'
            'price = { input = 1.0, output = 2.0, date = "2026-11-29", source = "a benchmark" }\n'
        )
        place = str(folder / "ledger.sqlite")
        with process(SERVE, place, f"{BUDGET_USD}usd/day", ISOBUDGET_MODELS_TOML=str(models)) as said:
            url, number = said.split()
            yield Servers(int(port), int(url.split(":")[2].split("/")[0]), int(number))


class Client:
    """Connections that are kept: raw HTTP, so that the client costs little.

    One that the server has closed meanwhile is not used again, as with other clients.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, body: dict[str, Any]) -> tuple[int, bytes, float]:
        """Status, body and seconds of a call."""
        data = json.dumps(body).encode()
        self.free = [one for one in self.free if not one[0].at_eof()]
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


async def open_loop(ports: Servers, rate: float, seconds: float) -> dict[str, list[tuple[int, float]]]:
    """Requests at a rate, by turns straight and through the gateway: (status, seconds) of each."""
    clients = {"direct": Client(ports.upstream), "gateway": Client(ports.gateway)}
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


class Judged(NamedTuple):
    """How fast samples were judged: a second; and CPU milliseconds of a sample, of all processes and of the first."""

    rate: float
    cpu_ms: float
    own_cpu_ms: float


def cpu_seconds(process: int) -> tuple[float, float]:
    """CPU time of a process and all below it, with those of them that ended; and of itself."""
    stats = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = place.read_text().rpartition(")")[2].split()
            stats[int(place.parent.name)] = int(fields[1]), [int(one) / TICKS for one in fields[11:15]]
    own = sum(stats[process][1][:2])
    total, below = 0.0, [process]
    while below:
        parent = below.pop()
        total += sum(stats[parent][1])
        below += [number for number, (above, _) in stats.items() if above == parent]
    return total, own


@contextlib.contextmanager
def measured(process: int, count: int) -> Iterator[list[Judged]]:
    """What a process spends on so many samples while this is open."""
    found: list[Judged] = []
    (total, own), began = cpu_seconds(process), time.perf_counter()
    yield found
    seconds = time.perf_counter() - began
    after = cpu_seconds(process)
    found.append(Judged(count / seconds, 1000 * (after[0] - total) / count, 1000 * (after[1] - own) / count))


async def judged(running: Servers, clients: int, samples: int, rounds: int) -> Judged:
    """Samples that clients with tests have judged, through the gateway."""
    client = Client(running.gateway)
    body = BODY | {"isobudget": {"tests": TESTS, "samples": samples, "return": "all"}}

    async def one() -> None:
        for _ in range(rounds):
            status, answer, _ = await client.post(body)
            assert status == 200, answer[:300]
            assert json.loads(answer)["isobudget"]["samples"] == samples

    await asyncio.gather(*(client.post(body) for _ in range(clients)))  # the first of a key has a judge begin
    with measured(running.process, clients * rounds * samples) as found:
        await asyncio.gather(*(one() for _ in range(clients)))
    return found[0]


def judged_here(count: int) -> Judged:
    """The judge itself, in a process of its own."""
    with process(JUDGE, str(Path(__file__).parent), str(count)) as said:
        return Judged(*map(float, said.split()))


def judge_here(count: int) -> Judged:
    """What that process does."""
    from isobudget.judge import Judge
    from isobudget.problems.given import given_problem

    pairs = [(given_problem(TESTS), "def double(x):\n    return 3 * x\n")] * count
    with Judge() as judge:
        list(judge.run(pairs[:50]))
        with measured(os.getpid(), count) as found:
            list(judge.run(pairs))
    return found[0]


def measure_load(rate: float, seconds: float, upstream_seconds: float) -> None:
    """Parts 1 and 2."""
    with tempfile.TemporaryDirectory() as name, servers(Path(name), upstream_seconds) as ports:
        found = asyncio.run(open_loop(ports, rate, seconds))
        time.sleep(1.0)
        for way, calls in found.items():
            failed = Counter(status for status, _ in calls if status != 200)
            print(f"{way}: {len(calls)} calls, {failed.total()} failed (by status: {dict(failed)})")
        took = {way: np.array([one for status, one in calls if status == 200]) for way, calls in found.items()}
        for quantile in (50, 90, 99):
            direct, through = (np.percentile(took[way], quantile) for way in ("direct", "gateway"))
            added = 1000 * (through - direct)
            print(f"p{quantile}: direct {direct:.4f} s, gateway {through:.4f} s, added {added:.1f} ms")
        reserved, settled, twice, spent = ledger_of(Path(name))
        print(f"ledger: {reserved} reserved, {settled} settled, {twice} twice, {spent:.4f} of {BUDGET_USD:g} usd")


def measure_judged(rounds: int, fault: str) -> None:
    """Part 3, with a model that gives several samples in one call, or refuses to."""
    with tempfile.TemporaryDirectory() as name, servers(Path(name), 0.0, fault) as running:
        print("a call for one sample:" if fault else "a call for several samples:")
        ratios = []
        for _ in range(TURNS):
            through, here = asyncio.run(judged(running, 4, 20, rounds)), judged_here(80 * rounds)
            rates = f"gateway {through.rate:.0f}, judge {here.rate:.0f}: {through.rate / here.rate:.2f}"
            cpu = f"gateway {through.cpu_ms:.2f} (own process {through.own_cpu_ms:.2f})"
            cpu += f", judge {here.cpu_ms:.2f} ({here.own_cpu_ms:.2f}): {here.cpu_ms / through.cpu_ms:.2f}"
            print(f"  judged a second: {rates}; CPU ms a sample: {cpu}", flush=True)
            ratios.append(through.rate / here.rate)
        print(f"  judged a second, gateway to judge, median of {TURNS} turns: {np.median(ratios):.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--upstream-seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", choices=("load", "judged"))
    given = parser.parse_args()
    if given.only != "judged":
        measure_load(given.rate, given.seconds, given.upstream_seconds)
    if given.only != "load":
        measure_judged(given.rounds, "")
        measure_judged(given.rounds, "no n")


if __name__ == "__main__":
    main()
