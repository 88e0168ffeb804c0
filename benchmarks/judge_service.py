"""The judge as a service with many clients at once, beside the judge itself, and killed in the middle.

    python benchmarks/judge_service.py [--clients 200] [--each 20] [--rounds 3]

The programs are those of `rewards`. In a round, which takes both in changing
order, the judge judges all of them as one stream, and every client has its share judged by the service, which runs in a
process of its own with as many workers. Then the service is killed by SIGKILL when a quarter of the verdicts have come,
and started again at its port; every client has to get all its verdicts, the same ones.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from isobudget.errors import IsobudgetError
from isobudget.judge import Judge
from isobudget.remote import RemoteJudge
from rewards import Pair, pairs

SERVE = """
import sys
from isobudget import api
api.serve_judge(port=int(sys.argv[1]), ledger=sys.argv[2], workers=int(sys.argv[3]),
    on_ready=lambda url: print(url, flush=True))
"""


class Service:
    """The service in a process of its own, which can be killed and started again."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._arguments = str(folder / "ledger.sqlite"), str(workers)
        self.port = 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-c", SERVE, str(self.port), *self._arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        self.url = "/".join(self._process.stdout.readline().strip().split("/")[:3])
        self.port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def by_clients(url: str, shares: Sequence[Sequence[Pair]], on_verdict: Callable[[], None]) -> list[list[str]]:
    """Every client's verdicts, or what it was told."""

    def ask(share: Sequence[Pair]) -> list[str]:
        outcomes = []
        try:
            with RemoteJudge(url) as judge:
                for verdict in judge.run(share):
                    outcomes.append(verdict.outcome.value)
                    on_verdict()
        except IsobudgetError as error:
            return [*outcomes, f"error: {error}"]
        return outcomes

    with ThreadPoolExecutor(len(shares)) as pool:
        return list(pool.map(ask, shares))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    workers = len(os.sched_getaffinity(0))
    work = pairs(arguments.clients * arguments.each)
    shares = [work[at :: arguments.clients] for at in range(arguments.clients)]
    with Judge(workers=workers) as judge:
        outcomes = [verdict.outcome.value for verdict in judge.run(work)]
        expected = [outcomes[at :: arguments.clients] for at in range(arguments.clients)]
        with tempfile.TemporaryDirectory() as folder:
            service = Service(Path(folder), workers)
            ratios = []
            for number in range(arguments.rounds):
                rates = {}
                for way in ("judge", "service") if number % 2 else ("service", "judge"):
                    began = time.perf_counter()
                    if way == "judge":
                        same = [verdict.outcome.value for verdict in judge.run(work)] == outcomes
                    else:
                        same = by_clients(service.url, shares, lambda: None) == expected
                    rates[way] = len(work) / (time.perf_counter() - began)
                    print(f"{way}: {rates[way]:.0f} judged a second, the same verdicts: {same}", flush=True)
                ratios.append(rates["service"] / rates["judge"])
            print(f"ratio: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)
            _killed(service, shares, expected)
            service.kill()


def _killed(service: Service, shares: Sequence[Sequence[Pair]], expected: list[list[str]]) -> None:
    came, quarter = threading.Semaphore(0), sum(map(len, shares)) // 4

    def kill() -> None:
        for _ in range(quarter):
            came.acquire()
        service.kill()
        service.start()

    thread = threading.Thread(target=kill)
    thread.start()
    found = by_clients(service.url, shares, came.release)
    thread.join()
    told = sum(one[-1].startswith("error: ") for one in found if one)
    same = sum(one == other for one, other in zip(found, expected, strict=True))
    print(f"killed after {quarter} verdicts: {same} of {len(shares)} clients have all theirs, {told} had an error")


if __name__ == "__main__":
    main()
