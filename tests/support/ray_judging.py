"""Judging on a local Ray cluster while its processes are killed: run as a program, it prints what came of it as JSON.

    python ray_judging.py KILLS SAMPLES SEED

The same programs are judged without Ray; then on the cluster undisturbed, then while workers of the raylet are killed
at random moments, then with one program among them that ends the actor that it is given to.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isobudget.cluster.actors import JudgeActor
from isobudget.cluster.connect import connected
from isobudget.cluster.executor import Cluster
from isobudget.errors import ClusterError, JudgeError
from isobudget.judge import Judge
from isobudget.judge.verdict import Verdict
from isobudget.problems.problem import CheckFunction, Problem
from isobudget.progress import SILENT
from support.loopback import network_of, processes_in

POISON = "# ends the actor\n"
BODIES = (
    "    return x + {at}\n",
    "    return x\n",
    "    return x +\n",
    "    raise ValueError(x)\n",
    "    import os\n    os._exit(0)\n",
)


class FragileJudge(JudgeActor):
    """An actor that ends over a program that only it minds."""

    def run(self, problems: Sequence[Problem], programs: Sequence[tuple[int, str]]) -> list[tuple[Any, ...] | None]:
        if any(POISON in program for _, program in programs):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(problems, programs)


class FailingJudge(JudgeActor):
    """An actor whose judge cannot go on."""

    def run(self, problems: Sequence[Problem], programs: Sequence[tuple[int, str]]) -> list[tuple[Any, ...]]:
        raise JudgeError(f"nothing is left for {len(programs)} programs")


def pairs(count: int) -> list[tuple[Problem, str]]:
    """Programs of several problems: right ones, wrong ones, and such as do not compile, raise or leave."""
    problems = [
        Problem(
            f"p/{at}",
            "killed",
            f"def f{at}(x):\n",
            f"f{at}",
            CheckFunction(f"def check(candidate):\n    assert candidate(1) == {at + 1}\n", split=True),
            reference=f"    return x + {at}\n",
        )
        for at in range(1, 11)
    ]
    chosen = [(problems[at * 10 // count], BODIES[at % len(BODIES)]) for at in range(count)]
    return [(one, one.program(body.format(at=one.entry_point[1:]))) for one, body in chosen]


def plain(verdicts: Sequence[Verdict]) -> list[Any]:
    """What must be the same wherever a program is judged: all but its time and memory."""
    return [one._replace(seconds=0.0, peak_memory_mb=0.0).plain() for one in verdicts]


def ray_workers() -> list[int]:
    """Processes of this session's raylet that run actors or wait for work."""
    here = processes_in(network_of())
    return [
        one for one in here if name_of(one).startswith((b"ray::Judge", b"ray::Fragile", b"ray::Failing", b"ray::IDLE"))
    ]


def name_of(process: int) -> bytes:
    """What a process is called."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def killer(kills: int, seed: int, ended: threading.Event, killed: list[int]) -> None:
    """Kill one of them after another, at random moments, while there is something to disturb."""
    chance = random.Random(seed)
    while len(killed) < kills and not ended.wait(chance.uniform(0.2, 2.0)):
        if workers := ray_workers():
            killed.append(chance.choice(workers))
            os.kill(killed[-1], signal.SIGKILL)


def main(kills: int, count: int, seed: int) -> dict[str, Any]:
    work = pairs(count)
    with Judge(2) as judge:
        expected = plain(list(judge.run(work)))
    begun = time.monotonic()
    with connected("local", cpus=2) as ray:
        report: dict[str, Any] = {"start_seconds": time.monotonic() - begun}
        report["outcomes"] = sorted({one[0] for one in expected})
        with Cluster(lambda: ray, None, SILENT, "local").judge(2) as judge:
            report["same"] = plain(list(judge.run(work))) == expected
            ended, killed = threading.Event(), list[int]()
            thread = threading.Thread(target=killer, args=(kills, seed, ended, killed))
            thread.start()
            rounds = 0
            report["same_killed"] = True
            while rounds == 0 or len(killed) < kills:
                rounds += 1
                report["same_killed"] &= plain(list(judge.run(work))) == expected
            ended.set()
            thread.join()
            report |= {"killed": len(killed), "rounds": rounds}
        fragile = Cluster(lambda: ray, None, SILENT, "local", judge_actor=FragileJudge).judge(2)
        bad = seed % len(work)
        poisoned = [(one, program + POISON * (at == bad)) for at, (one, program) in enumerate(work)]
        with fragile as judge:
            found = plain(list(judge.run(poisoned)))
        report["poisoned"] = found[bad]
        report["same_beside"] = [one for at, one in enumerate(found) if at != bad] == [
            one for at, one in enumerate(expected) if at != bad
        ]
        try:
            with Cluster(lambda: ray, None, SILENT, "local", judge_actor=FailingJudge).judge(1) as judge:
                list(judge.run(work[:3]))
        except ClusterError as error:
            report["failing"] = str(error)
    report["left"] = len(ray_workers())
    return report


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:4]))))
