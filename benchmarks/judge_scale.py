"""Many samples through the judge, killed twice on the way: nothing lost, nothing judged twice, memory flat.

    python benchmarks/judge_scale.py [--samples 1000000] [--keep FOLDER]

Writes synthetic samples (a third right, a third wrong, a third raising) for ten small problems, judges them with
`isobudget judge`, kills the command with SIGKILL after a third and after two thirds, continues it with
`--resume`, and checks every line of the verdicts. Prints seconds, samples per second and the largest resident memory of
the command and of its workers.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROBLEMS = 10
PROGRAMS = (
    ("    return x * {n} + {i} * 0\n", "passed"),
    ("    return x * {n} + {i}\n", "failed"),
    ("    return x[{i}]\n", "error"),
)


def write_problems(path: Path) -> None:
    """Problems that ask for a multiple of a number."""
    with path.open("w") as out:
        for number in range(PROBLEMS):
            name = f"times_{number}"
            test = f"def check(f):\n    assert f(3) == {3 * number}\n    assert f(-1) == {-number}\n"
            prompt = f'def {name}(x):\n    """Return {number} times x."""\n'
            record = {"task_id": f"Scale/{number}", "prompt": prompt, "entry_point": name, "test": test}
            out.write(json.dumps(record) + "\n")


def write_samples(path: Path, count: int) -> None:
    """Samples in turn right, wrong and raising."""
    with path.open("w") as out:
        for index in range(count):
            number = index % PROBLEMS
            text = PROGRAMS[index % len(PROGRAMS)][0].format(n=number, i=index + 1)
            out.write(json.dumps({"task_id": f"Scale/{number}", "completion": text}) + "\n")


def lines(path: Path) -> int:
    """Lines of a file, 0 if it is not there."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def memory_mb(pid: int) -> tuple[float, float]:
    """Largest resident memory so far: of a process, and of the largest of its descendants."""
    own, below = 0.0, 0.0
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                own = int(line.split()[1]) / 1024
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        below = max((max(memory_mb(int(child))) for child in children), default=0.0)
    except OSError:
        pass
    return own, below


def run(folder: Path, stop_at: int | None) -> tuple[float, float]:
    """Judge, up to a number of verdicts if one is given; returns the largest resident memories."""
    verdicts = folder / "verdicts.jsonl"
    command = [sys.executable, "-m", "isobudget", "judge", str(folder / "samples.jsonl"), "--resume"]
    command += ["--problems", str(folder / "problems.jsonl"), "-o", str(verdicts)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    own = below = 0.0
    partial = verdicts.with_name(verdicts.name + ".partial")
    while process.poll() is None:
        now = memory_mb(process.pid)
        own, below = max(own, now[0]), max(below, now[1])
        if stop_at is not None and lines(partial) >= stop_at:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return own, below
        time.sleep(0.5)
    if process.returncode != 0:
        raise SystemExit(f"the judge ended with {process.returncode}")
    return own, below


def check(folder: Path, count: int) -> None:
    """Every sample has one verdict, in order, and the right one."""
    total = 0
    with (folder / "verdicts.jsonl").open() as file:
        for index, line in enumerate(file):
            record = json.loads(line)
            found = record["task_id"], record["index"], record["verdict"]
            number = index % PROBLEMS
            wanted = f"Scale/{number}", index // PROBLEMS, PROGRAMS[index % len(PROGRAMS)][1]
            if found != wanted:
                raise SystemExit(f"verdict {index + 1} is {found}, not {wanted}")
            total += 1
    if total != count:
        raise SystemExit(f"{total} verdicts for {count} samples")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="a folder for the files, kept afterwards")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        write_problems(folder / "problems.jsonl")
        write_samples(folder / "samples.jsonl", given.samples)
        start = time.perf_counter()
        peaks = [run(folder, stop) for stop in (given.samples // 3, 2 * given.samples // 3, None)]
        seconds = time.perf_counter() - start
        check(folder, given.samples)
    print(f"{given.samples:,} samples in {seconds:.0f} s on {len(os.sched_getaffinity(0))} cores: ", end="")
    print(f"{given.samples / seconds:.0f} per second, killed twice, every verdict there once and right")
    print("largest resident memory, MiB, per start: ", end="")
    print(", ".join(f"command {own:.0f}, worker {below:.0f}" for own, below in peaks))


if __name__ == "__main__":
    main()
