"""Judging on a Ray cluster that gains and loses machines: run as a program, it prints what came of it as JSON.

    python ray_machines.py SAMPLES

The machines are raylets on this one, each with a CPU. The same programs are judged without Ray; then on two of them,
over and over, until a third has joined and works, and until one that was there from the start was killed and is missed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from ray.cluster_utils import Cluster as Raylets

from isobudget.cluster.connect import STARTS, connected
from isobudget.cluster.executor import Cluster
from isobudget.cluster.judging import ClusterJudge
from isobudget.judge import Judge
from isobudget.progress import Silent
from support.ray_judging import pairs, plain

#: of the object store of each
BYTES = 80 * 2**20


def two_machines() -> tuple[Raylets, Any]:
    """A cluster, and its second machine. Ray gives each 30 s to start, which a busy one does not always keep."""
    raylets = Raylets()
    for left in reversed(range(STARTS)):
        try:
            raylets.add_node(num_cpus=1, include_dashboard=False, object_store_memory=BYTES)
            return raylets, raylets.add_node(num_cpus=1, object_store_memory=BYTES)
        except Exception:
            raylets.shutdown()
            if not left:
                raise
    raise AssertionError


class Notes(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def said(self, what: str) -> list[str]:
        """The lines with this."""
        return [line for line in self.lines if what in line]


def disturbed(judge: Judge, work: list[Any], disturb: Callable[[], Any], seen: Callable[[], Any]) -> list[list[Any]]:
    """The verdicts of one run after another, in the first of which it is disturbed, until that has been seen."""
    rounds = []
    while not rounds or not seen():
        verdicts = []
        for verdict in judge.run(work):
            if not rounds and not verdicts:
                disturb()
            verdicts.append(verdict)
        rounds.append(plain(verdicts))
    return rounds


def main(count: int) -> dict[str, Any]:
    work = pairs(count)
    with Judge(2) as judge:
        expected = plain(list(judge.run(work)))
    raylets, second = two_machines()
    notes = Notes()
    with connected(raylets.address) as ray:
        judge = Cluster(lambda: ray, None, notes, raylets.address).judge()
        assert isinstance(judge, ClusterJudge)
        report: dict[str, Any] = {"workers": judge.workers}
        with judge:
            joined = disturbed(
                judge,
                work,
                lambda: raylets.add_node(num_cpus=1, object_store_memory=BYTES),
                lambda: notes.said("machine joined") and judge._dispatch.ready == 3,
            )
            report["same_joined"] = all(verdicts == expected for verdicts in joined)
            lost = disturbed(
                judge,
                work,
                lambda: raylets.remove_node(second, allow_graceful=False),
                lambda: notes.said("machine lost"),
            )
            report["same_lost"] = all(verdicts == expected for verdicts in lost)
            report["ready"] = judge._dispatch.ready
    raylets.shutdown()
    return report | {"joined": notes.said("machine joined"), "lost": notes.said("machine lost")}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
