"""Resumption: kill -9 at random moments, then the same command again; nothing may be lost or doubled.

A study is generated and judged in a process of its own, as `isobudget run` does it: samples, and meanwhile verdicts by
the real judge. The model is a fake that answers after a pause; parts are written every tenth of a second, so that
moments of writing are hit too. The process is killed at random moments and started again. In the end, samples and
verdicts are compared with those of a run that nobody killed: the same keys, texts and outcomes, no key twice.

    python benchmarks/kill.py [--kills 20] [--seed 0] [--samples 400] [--share 0.25]
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fake_backend import FakeModel

from isobudget.backends.base import FinishReason, Generation

PROBLEMS = 12
PAUSE_SECONDS = 0.25


def answer(seed: int) -> Generation:
    text = "    return x + 1\n" if seed % 2 else "    return x\n"
    return Generation(text, FinishReason.STOP, 20, 6, -6.0, -1.0, 0.1, float("nan"), seed, 0.2, (1, 2, 3))


def work(study: Path, out: Path) -> None:
    from isobudget.pipeline.generate_and_judge import generate_and_judge
    from isobudget.records import part_writer
    from isobudget.study import load_study

    part_writer._SHORTEST_INTERVAL_SECONDS = 0.1
    generate_and_judge(
        load_study(str(study)),
        out,
        make_backend=lambda _model: FakeModel(answer, concurrency=2, pause_seconds=PAUSE_SECONDS),
    )


def write_study(folder: Path, samples: int) -> Path:
    lines = [
        {
            "task_id": f"p/{at}",
            "prompt": f"def f{at}(x):\n",
            "entry_point": f"f{at}",
            "test_list": [f"assert f{at}(1) == 2"],
        }
        for at in range(PROBLEMS)
    ]
    (folder / "own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    study = folder / "study.toml"
    study.write_text(
        f'name = "kill"\nbenchmarks = ["{folder / "own.jsonl"}"]\ngreedy = true\n[judge]\nworkers = 2\n[[models]]\n'
        f'name = "codellama-7b"\nbackend = "server"\nurl = "http://localhost:1/v1"\nn = {samples}\n'
    )
    return study


def start(study: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--work", str(study), str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(study: Path, out: Path) -> None:
    process = start(study, out)
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"the run did not end well ({process.returncode}):\n{errors}")


def kill_once(study: Path, out: Path, seconds: float) -> bool:
    """Start the study and kill it after so many seconds; whether it was still at work."""
    process = start(study, out)
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    if process.returncode:
        raise SystemExit(f"the run did not go on ({process.returncode}):\n{errors}")
    return False


def recorded(out: Path) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Samples with texts and seeds, and verdicts with outcomes, sorted by key."""
    from isobudget.records.run import load_run

    run = load_run(out)
    samples: list[tuple[object, ...]] = sorted((*row.key, row.text, row.seed) for row in run.samples())
    return samples, sorted((*row.key, row.outcome) for row in run.verdicts())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--share", type=float, default=0.25, help="of the whole run's time, before which a kill comes")
    parser.add_argument("--work", nargs=2, type=Path)
    options = parser.parse_args()
    if options.work:
        work(*options.work)
        return
    dice = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        study = write_study(folder, options.samples)
        began = time.perf_counter()
        finish(study, folder / "whole")
        seconds = time.perf_counter() - began
        print(f"without a kill: {seconds:.1f} s", flush=True)
        hits, seen = 0, []
        for _ in range(options.kills):
            hits += kill_once(study, folder / "killed", seconds * dice.uniform(0.02, options.share))
            there = (folder / "killed" / "run.toml").exists()
            seen.append(tuple(map(len, recorded(folder / "killed"))) if there else (0, 0))
        finish(study, folder / "killed")
        whole, killed = recorded(folder / "whole"), recorded(folder / "killed")
    print(f"{options.kills} starts, {hits} of them killed at work; samples and verdicts after each: {seen}")
    print(f"samples {len(killed[0])} of {len(whole[0])}, verdicts {len(killed[1])} of {len(whole[1])}")
    same = whole == killed and len(killed[0]) == len(killed[1]) == PROBLEMS * (options.samples + 1)
    print("equal to the run that nobody killed" if same else "NOT equal to the run that nobody killed")
    sys.exit(not same)


if __name__ == "__main__":
    main()
