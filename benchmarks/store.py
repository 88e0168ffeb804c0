"""Runs of the paper's size: how fast they are written and read, in how much memory and on how much disk.

    python benchmarks/store.py                      all of it
    python benchmarks/store.py texts|verdicts|million [scale]      one of the three, `scale` of its size

`texts`: 664 problems x 4 models x 500 samples with texts of 220 characters on average, made up of lines of code as
samples of a problem are, alike but not equal. `verdicts`: 13 million samples without texts, of 5 benchmarks x 4 models.
`million`: counts of a million problems. Each step runs in a process of its own, so that its peak memory is its own; it
includes the interpreter and libraries.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODELS = {"small-0.5b": (896, 24), "medium-1.5b": (1536, 28), "large-7b": (4096, 32), "huge-34b": (8192, 48)}
SAMPLES = 500
TEXTS = {"humaneval": 164, "mbpp": 500}
VERDICTS = {"humaneval": 164, "mbpp": 500, "introductory": 1000, "interview": 3836, "competition": 1000}
#: step -> seconds and MB that it may take at full size
TARGETS: dict[str, dict[str, tuple[float, float]]] = {
    "texts": {"curves": (3, 1000), "report": (15, 1000)},
    "verdicts": {"passk": (30, 2000), "curves": (30, 2000), "plan": (30, 2000)},
    "million": {"passk": (float("inf"), 1000)},
}
ROWS_A_SECOND, SHARE_OF_JSONL = 50_000, 0.40


def chances(problems: int, model: int) -> NDArray[np.float64]:
    """Which share of a model's samples passes, by problem."""
    difficulty = np.linspace(-2, 3, problems)
    return np.asarray(1 / (1 + np.exp(1.5 * (difficulty - model + 1.0))))


def begin(run: Path, benchmarks: dict[str, int]) -> Any:
    from isobudget.judge.verdict import RULES, Limits
    from isobudget.models.architecture import Architecture
    from isobudget.problems.problem import CheckFunction, Problem
    from isobudget.records.run import Run

    made = Run.create(run, "large")
    for name, size in benchmarks.items():
        sampling = {"temperature": 0.8, "top_p": 0.95, "max_tokens": 512, "stop": ["\ndef "], "seed": 0}
        made.state("benchmarks", name, sampling | {"problems": size})
        test = CheckFunction("def check(f):\n    assert f(1) == 1\n")
        prompt = 'def solve(x):\n    """Problem {}."""\n'
        made.add_problems(Problem(f"{name}/{at}", name, prompt.format(at), "solve", test) for at in range(size))
    for model, (hidden, layers) in MODELS.items():
        shape = asdict(Architecture(model, layers, hidden, 3 * hidden, 8, 2, hidden // 8, 49152))
        shape.pop("source")
        made.state(
            "models", model, {"title": model, "engine": "made up", "prompt_newline": "keep"} | {"architecture": shape}
        )
    made.facts |= {"judge": Limits()._asdict(), "judge_rules": RULES}
    made.save_facts()
    return made


class Coder:
    """Texts of about 220 characters: most lines of a problem's samples are the problem's, some are their own."""

    NAMES = ("total", "count", "value", "result", "item", "index", "left", "right", "best", "seen", "start", "node")
    LINES = (
        "    {0} = {1} + {2}",
        "    for {0} in range({2}):",
        "        if {0} > {1}:",
        "            {1} = max({1}, {0} - {2})",
        "        {0}.append({1}[{2}])",
        "    while {0} < len({1}):",
        "        {0} += {2}",
        "    return sorted({0}, key=lambda x: x[{2}])",
        "    {0} = [{1} for {1} in {0} if {1} % {2} == 0]",
        "    # {0} of the {1} so far",
    )

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.own = [self.line() for _ in range(14)]

    def line(self) -> str:
        dice = self.dice
        return dice.choice(self.LINES).format(dice.choice(self.NAMES), dice.choice(self.NAMES), dice.randrange(100))

    def text(self) -> str:
        dice = self.dice
        lines = [dice.choice(self.own) if dice.random() < 0.6 else self.line() for _ in range(dice.randrange(4, 13))]
        return "\n".join(lines) + "\n"


def rows(benchmarks: dict[str, int]) -> Iterator[list[tuple[Any, Any]]]:
    """Samples and verdicts of a problem and model at a time."""
    from isobudget.records.rows import SampleRow, VerdictRow

    for benchmark, size in benchmarks.items():
        for at in range(size):
            coder = Coder(at)
            for number, model in enumerate(MODELS):
                chance = chances(size, number)[at]
                found = []
                for index in range(SAMPLES):
                    key = (benchmark, model, f"{benchmark}/{at}", False, index)
                    text, dice = coder.text(), coder.dice
                    tokens = max(1, len(text) // 3)
                    mean = -dice.expovariate(3)
                    known: tuple[Any, ...] = (
                        text,
                        "stop",
                        120,
                        tokens,
                        mean * tokens,
                        mean,
                        tokens * 0.02,
                        None,
                        dice.getrandbits(30),
                    )
                    passed = bool(dice.random() < chance)
                    said = ("passed" if passed else "failed", passed, dice.random() / 10, 12.0)
                    rest: tuple[Any, ...] = ("" if passed else "AssertionError", "split", None, None, "")
                    found.append((SampleRow(*key, *known), VerdictRow(*key, *said, *rest)))
                yield found


def make_texts(run: Path, scale: float) -> None:
    """Write rows as the stages do; only writing is timed."""
    benchmarks = {name: max(2, round(size * scale)) for name, size in TEXTS.items()}
    made = begin(run, benchmarks)
    seconds, cpu, number, characters, jsonl = 0.0, 0.0, 0, 0, 0
    with made.writing(), made.sample_writer() as samples, made.verdict_writer() as verdicts:
        for found in rows(benchmarks):
            own, said = [one for one, _ in found], [one for _, one in found]
            started, busy = time.perf_counter(), time.process_time()
            samples.add(own)
            seconds, cpu = seconds + time.perf_counter() - started, cpu + time.process_time() - busy
            verdicts.add(said)
            number += len(own)
            characters += sum(len(one.text) for one in own)
            jsonl += sum(len(line(*both)) + 1 for both in found)
        started, busy = time.perf_counter(), time.process_time()
        samples.flush()
        seconds, cpu = seconds + time.perf_counter() - started, cpu + time.process_time() - busy
    size = sum(path.stat().st_size for path in run.rglob("*.parquet"))
    report(
        "written", f"{number / seconds:,.0f} samples/s, {number / cpu:,.0f} a CPU s", number / seconds >= ROWS_A_SECOND
    )
    print(f"  {number:,} samples, mean {characters / number:.0f} characters")
    share = size / jsonl
    report("on disk", f"{share:.0%} of {jsonl / 1e6:,.0f} MB as JSON lines", share <= SHARE_OF_JSONL)


def line(sample: Any, verdict: Any) -> str:
    """A sample as `isobudget export --to jsonl` writes it."""
    known = {
        "benchmark": sample.benchmark,
        "model": sample.model,
        "task_id": sample.task_id,
        "index": sample.index,
        "completion": sample.text,
        "passed": verdict.passed,
        "verdict": verdict.outcome,
        "prompt_tokens": sample.prompt_tokens,
        "completion_tokens": sample.completion_tokens,
        "seconds": sample.seconds,
    }
    return json.dumps(known)


def make_verdicts(run: Path, scale: float) -> None:
    benchmarks = {name: max(2, round(size * scale)) for name, size in VERDICTS.items()}
    made = begin(run, benchmarks)
    dice = np.random.default_rng(0)
    started, number = time.perf_counter(), 0
    with made.writing(), made.sample_writer() as samples, made.verdict_writer() as verdicts:
        for benchmark, size in benchmarks.items():
            for model_number, model in enumerate(MODELS):
                passing = chances(size, model_number)
                for first in range(0, size, 128):
                    some = np.arange(first, min(first + 128, size))
                    n = len(some) * SAMPLES
                    key: dict[str, Any] = {
                        "benchmark": [benchmark] * n,
                        "model": [model] * n,
                        "task_id": np.repeat([f"{benchmark}/{at}" for at in some], SAMPLES),
                        "greedy": np.zeros(n, dtype=bool),
                        "index": np.tile(np.arange(SAMPLES), len(some)),
                    }
                    tokens = dice.integers(10, 300, n)
                    own: dict[str, Any] = {
                        "text": [""] * n,
                        "finish_reason": ["stop"] * n,
                        "prompt_tokens": np.full(n, 120),
                    }
                    own |= {"completion_tokens": tokens, "sum_logprob": -tokens * 0.3, "mean_logprob": np.full(n, -0.3)}
                    samples.add_columns(key | own | {"seconds": tokens * 0.02, "seed": np.arange(n)})
                    passed = dice.random(n) < np.repeat(passing[some], SAMPLES)
                    said: dict[str, Any] = {"outcome": np.where(passed, "passed", "failed"), "passed": passed}
                    said |= {"cpu_seconds": dice.random(n), "detail": [""] * n, "trust": ["split"] * n}
                    verdicts.add_columns(key | said | {"first_failing": [""] * n})
                    number += n
    print(f"  {number:,} verdicts made in {time.perf_counter() - started:.0f} s")


def make_million(place: Path, scale: float) -> None:
    dice = random.Random(0)
    with place.open("w") as file:
        for at in range(round(1e6 * scale)):
            file.write(json.dumps({"model": "7b", "task_id": f"t/{at}", "n": 20, "c": dice.randrange(21)}) + "\n")


def step(what: str, place: Path) -> object:
    from isobudget import api

    if what == "passk":
        return api.passk(str(place)).to_dict()
    if what == "curves":
        return [one.curves for one in api.curves(str(place), "tokens")]
    if what == "plan":
        return api.plan(str(place), unit="tokens", budget="20000", benchmark="interview").to_dict()
    return api.report(str(place), unit=("tokens",))


def report(what: str, found: str, good: bool) -> None:
    print(f"{what:10} {found:64} {'held' if good else 'MISSED'}", flush=True)


def measured(kind: str, what: str, place: Path) -> bool:
    """Run a step in a process of its own, and hold it against its target."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, "step", what, str(place)], capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        report(what, done.stderr.strip().splitlines()[-1][:200], False)
        return False
    inside, cpu, peak = (float(word) for word in done.stdout.split()[-3:])
    most_seconds, most_mb = TARGETS[kind][what]
    good = bool(inside <= most_seconds and peak <= most_mb)
    report(what, f"{inside:6.1f} s, {cpu:.1f} CPU s, {peak:,.0f} MB ({seconds:.1f} s with the start)", good)
    return good


def main() -> None:
    if sys.argv[1:2] == ["step"]:
        import isobudget.api  # what is imported counts in memory, not in time

        assert isobudget.api
        started, cpu = time.perf_counter(), time.process_time()
        step(sys.argv[2], Path(sys.argv[3]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{time.perf_counter() - started:.2f} {time.process_time() - cpu:.2f} {peak:.0f}")
        return
    make: dict[str, Callable[[Path, float], None]] = {
        "texts": make_texts,
        "verdicts": make_verdicts,
        "million": make_million,
    }
    kinds = [sys.argv[1]] if len(sys.argv) > 1 else list(TARGETS)
    scale = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    for kind in kinds:
        with tempfile.TemporaryDirectory() as scratch:
            place = Path(scratch, "counts.jsonl" if kind == "million" else "run")
            print(f"{kind}:")
            make[kind](place, scale)
            for what in TARGETS[kind]:
                measured(kind, what, place)


if __name__ == "__main__":
    main()
