"""Work on a run that is stopped at a chosen moment, as by kill -9: a process that forks for every piece of work.

A moment is the n-th change of what is stored: a file made, renamed or removed, an object put, copied or deleted. The
process stops right before it.

    {"action": "write", "place": "s3://bucket/run", "stop": 7} -> {"ended": false}
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from isobudget.judge import Judge
from isobudget.judge.verdict import Outcome, Verdict
from isobudget.problems.problem import CheckFunction, Problem
from isobudget.records.rows import SampleRow
from isobudget.records.run import Run

ACTIONS = ("write", "import", "judge", "compact")
PROBLEMS, SAMPLES = 4, 6


class Workers:
    """Does pieces of work in processes that may be stopped."""

    def __init__(self, env: dict[str, str]) -> None:
        command = [sys.executable, "-c", "from support.store_work import serve; serve()"]
        path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
        both = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, env=os.environ | env | {"PYTHONPATH": path}, text=True, **both)

    def do(self, action: str, place: str, stop: int = 0, **more: str) -> bool:
        """Do a piece of work; False if it was stopped right before its change number `stop`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"action": action, "place": place, "stop": stop} | more) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["status"] in (0, signal.SIGKILL), answer
        return bool(answer["status"] == 0)

    def close(self) -> None:
        """End."""
        self._process.communicate()


def serve() -> None:
    """Read pieces of work, and fork for each."""
    import obstore.store
    import pyarrow.dataset
    import pyarrow.parquet

    import isobudget.exchange.rejudge
    import isobudget.exchange.write_run
    import isobudget.pipeline.judging
    import isobudget.records.compact

    assert obstore.store, (pyarrow.dataset, isobudget)  # what is imported here is not imported again after each fork
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _work(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": status}), flush=True)


def _work(asked: dict[str, Any]) -> None:
    code = 1
    try:
        if asked["stop"]:
            _stop_before(asked["stop"])
        globals()[f"_{asked['action']}"](asked)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _stop_before(change: int) -> None:
    left = [change]

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        made = event == "open" and isinstance(arguments[1], str) and "w" in arguments[1]
        if made or event in ("isobudget.store", "os.rename", "os.remove", "os.mkdir"):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)


def problems() -> list[Problem]:
    """What the runs are of."""
    test = CheckFunction("def check(f):\n    assert f(1) == 1\n")
    return [Problem(f"p/{at}", "own", "def f(x):\n", "f", test) for at in range(PROBLEMS)]


def sample(task_id: str, index: int) -> SampleRow:
    """A sample whose text follows from its place."""
    return SampleRow(
        "own", "m", task_id, False, index, f"    return {index}\n", "stop", 5, 4, -1.0, -0.25, 0.5, None, index
    )


def _write(asked: dict[str, Any]) -> None:
    """As the generating stage: what is missing, every problem's samples as a part of its own."""
    run = Run.create(asked["place"], "mine")
    with run.writing():
        run.state("benchmarks", "own", {"problems": PROBLEMS, "seed": 0})
        run.state("models", "m", {"title": "m", "backend": "llama.cpp"})
        run.add_problems(problems())
        run.save_facts()
        have = run.sample_keys()
        for problem in problems():
            with run.sample_writer() as writer:
                missing = have.missing(("own", "m", problem.task_id, False), SAMPLES)
                writer.add([sample(problem.task_id, index) for index in missing])


def _import(asked: dict[str, Any]) -> None:
    from isobudget import api
    from isobudget.exchange import write_run

    write_run._ROWS_PER_PART = 5
    api.import_results(asked["source"], asked["place"])


class LengthJudge(Judge):
    """A judge whose verdicts follow from the program's length; it starts no workers."""

    def __enter__(self) -> Self:
        self.layers = frozenset()
        return self

    def run(self, pairs: Iterable[tuple[Problem, str]]) -> Iterator[Verdict]:
        """A verdict of each program."""
        for _, program in pairs:
            yield Verdict(Outcome.PASSED if len(program) % 2 else Outcome.FAILED, 0.01)


def _judge(asked: dict[str, Any]) -> None:
    from isobudget.pipeline import judging
    from isobudget.pipeline.executor import Local
    from isobudget.records import part_writer

    class ByLength(Local):
        def judge(self, *_settings: Any, **_modes: Any) -> Judge:
            return LengthJudge()

    part_writer._ROWS_PER_PART = 5
    judging.judge_run_samples(asked["place"], check=None, executor=ByLength())


def _compact(asked: dict[str, Any]) -> None:
    from isobudget.records.compact import compact

    compact(asked["place"])
