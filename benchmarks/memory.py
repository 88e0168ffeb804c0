"""Peak memory and time of a large run: generate, judge, compare, through a fake backend and a fake judge.

5,000 problems x 100 samples with texts of about 700 characters and 200 token ids each. The stages are the real ones;
only the model and the judge's workers are replaced, by code that answers at once. Each stage runs in a process of its
own, so that its peak is its own; what is printed is the whole process, interpreter and libraries included.

    python benchmarks/memory.py [problems] [samples]
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from fake_backend import FakeModel

from isobudget.backends.base import FinishReason, Generation
from isobudget.judge import Judge
from isobudget.judge.verdict import Outcome, Verdict
from isobudget.pipeline.executor import Local
from isobudget.problems.problem import Problem

TARGET_MB = 1000
STAGES = ("nothing", "generate", "generate again", "judge", "judge again", "compare")
LINE = "    if x > {0}: return x + {0}  # a line of code\n"


def answer(seed: int) -> Generation:
    dice = random.Random(seed)
    text = "".join(LINE.format(dice.randrange(1000)) for _ in range(14))
    ids = tuple(dice.randrange(32000) for _ in range(200))
    return Generation(text, FinishReason.STOP, 100, 200, -90.0, -0.45, 0.5, float("nan"), seed, 1.0, ids)


class InstantJudge(Judge):
    """A judge without workers, whose verdicts follow from the program's length."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def run(self, pairs: Iterable[tuple[Problem, str]]) -> Iterator[Verdict]:
        for _, program in pairs:
            yield Verdict(Outcome.PASSED if len(program) % 3 else Outcome.FAILED, 0.01)


class Instant(Local):
    """This process, with judges of that kind."""

    def judge(self, *_settings: Any, **_modes: Any) -> Judge:
        return InstantJudge()


def work(stage: str, folder: Path, samples: int) -> None:
    from isobudget.analysis.compare_run import run_comparison
    from isobudget.pipeline import judging
    from isobudget.pipeline.generate import generate
    from isobudget.study.read import parse_study

    text = (
        f'name = "large"\nbenchmarks = ["{folder / "own.jsonl"}"]\n[[models]]\nname = "codellama-7b"\nn = {samples}\n'
        'backend = "server"\nurl = "http://localhost:1/v1"\n'
    )
    if stage.startswith("generate"):
        generate(
            parse_study(text, "large"), folder / "run", make_backend=lambda _model: FakeModel(answer, concurrency=64)
        )
    elif stage.startswith("judge"):
        judging.judge_run_samples(folder / "run", check=False, executor=Instant())
    elif stage == "compare":
        run_comparison(folder / "run")


def main() -> None:
    if len(sys.argv) == 5:
        work(sys.argv[1], Path(sys.argv[2]), int(sys.argv[4]))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return
    problems, samples = (int(one) for one in (sys.argv[1:] + ["5000", "100"][len(sys.argv) - 1 :]))
    worst = 0
    with tempfile.TemporaryDirectory() as scratch:
        with Path(scratch, "own.jsonl").open("w") as file:
            for at in range(problems):
                prompt = f'def f{at}(x):\n    """Return x + {at}, as the problem of that number says."""\n'
                line = {"task_id": f"p/{at}", "prompt": prompt, "entry_point": f"f{at}"}
                file.write(json.dumps(line | {"test_list": [f"assert f{at}(1) == {1 + at}"]}) + "\n")
        for stage in STAGES:
            started = time.perf_counter()
            command = [sys.executable, __file__, stage, scratch, str(problems), str(samples)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
            peak = int(done.stdout.split()[-1])
            worst = max(worst, peak)
            print(f"{stage:16} {peak:5} MB {time.perf_counter() - started:7.1f} s", flush=True)
        size = sum(path.stat().st_size for path in Path(scratch, "run").rglob("*.parquet")) if worst else 0
    print(
        f"{problems:,} problems x {samples} samples: peak {worst} MB (target {TARGET_MB}), {size / 1e6:.0f} MB on disk"
    )
    sys.exit(worst >= TARGET_MB)


if __name__ == "__main__":
    main()
