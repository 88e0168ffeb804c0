"""Samples a CPU second of `isobudget import` from JSON lines, against reading the same lines with Python's json alone.

    python benchmarks/imports.py [SAMPLES]

Made-up samples of 220 characters each, 200 to a problem; each is timed three times, in turn, in CPU seconds, and the
fastest counts.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from isobudget.exchange.write_run import write_run
from isobudget.importers.read import read_results

CHARACTERS, PER_PROBLEM = 220, 200


def make(path: Path, samples: int) -> None:
    """The file of samples."""
    rng = random.Random(0)
    with path.open("w") as file:
        for at in range(samples):
            text = "".join(rng.choices("abcdef \n()=+", k=CHARACTERS))
            task = f"Mine/{at // PER_PROBLEM}"
            file.write(
                json.dumps({"task_id": task, "completion": text, "passed": at % 3 == 0, "result": "passed"}) + "\n"
            )


def plain(path: Path) -> None:
    """What it takes to parse the lines."""
    with path.open() as file:
        for line in file:
            json.loads(line)


def imported(path: Path) -> None:
    """What `isobudget import` does."""
    folder = path.with_name("run")
    shutil.rmtree(folder, ignore_errors=True)
    write_run(path, folder)


def counted(path: Path) -> None:
    """What `isobudget passk` does with the file itself."""
    read_results(path)


def main() -> None:
    """Time each and print samples a second."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    ways: dict[str, Callable[[Path], None]] = {"json alone": plain, "import": imported, "counts only": counted}
    best = dict.fromkeys(ways, float("inf"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.jsonl"
        make(path, samples)
        for _ in range(3):
            for name, way in ways.items():
                begin = time.process_time()
                way(path)
                best[name] = min(best[name], time.process_time() - begin)
    for name, seconds in best.items():
        print(f"{name:12} {samples / seconds:10,.0f} samples/CPU s  {seconds / best['json alone']:5.2f}x json alone")


if __name__ == "__main__":
    main()
