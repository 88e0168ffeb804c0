"""Speed of a study with the embedded engine beside the engine's own; all in one run, the contestants taking turns.

    python benchmarks/embedded.py [--model smollm2-135m] [--problems 8] [--samples 16] [--slots SLOTS] [--json]

Contestants draw as many samples of the same prompts, with the same sampling, slots (by default the engine's own number)
and threads:

- study: `isobudget.pipeline.generate` into a run folder, records and all.
- batch: the same samples by isobudget's engine alone, all handed over at once: no run folder, nobody waits.
- server, calls of 1, 8 and 16: llama.cpp's own server part, asked directly, with 1.5 times as many samples under way as
  it has slots; calls of n share their prompt. It draws other samples of the same distribution. Without
  log-probabilities it is faster; a study needs them.

Figures are medians over the rounds: completion tokens per second of wall time; processor milliseconds per completion
token, which other programs on the machine disturb less; prompt tokens computed, where those of all problems together
are given first; and the study's rate over that of the best other contestant in the same round. Every contestant's first
turn is not timed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Self

from engine_server import EngineServer

from isobudget.backends.base import Generation, Prompt, Sampling
from isobudget.backends.engine.in_flight import Request
from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings, usable_cores
from isobudget.errors import BackendError
from isobudget.models.catalog import find_model
from isobudget.models.weights import fetch_weights
from isobudget.pipeline.generate import generate
from isobudget.study import Study
from isobudget.study.read import parse_study

TOKENS = 128
CALLS = (1, 8, 16)
STUDY = "study"

#: prompt, sampling and seed of one sample
Asked = tuple[str, Sampling, int]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one contestant did in one round."""

    tokens: int
    seconds: float
    cpu_seconds: float
    prompt_tokens: int

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds


class Kept(LlamaCpp):
    """An engine that stays loaded from one study to the next, and notes what it is asked."""

    asked: list[tuple[str, Sampling, int]]
    drawn: list[Generation]
    lengths: dict[str, int]
    begun: tuple[float, float]

    def keep(self) -> Self:
        self.asked, self.drawn, self.lengths = [], [], {}
        return super().__enter__()

    def __enter__(self) -> Self:
        self.asked, self.drawn, self.begun = [], [], clocks()
        return self

    def __exit__(self, *_: object) -> None:
        return

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        assert isinstance(prompt, str)
        self.asked += [(prompt, sampling, seed) for seed in seeds]
        found = super().generate(prompt, sampling, seeds)
        self.drawn += found
        self.lengths[prompt] = found[0].prompt_tokens
        return found


def clocks() -> tuple[float, float]:
    """Seconds of wall time and of this process's processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime


def turn(tokens: int, begun: tuple[float, float], prompt_tokens: int) -> Turn:
    wall, cpu = clocks()
    return Turn(tokens, wall - begun[0], cpu - begun[1], prompt_tokens)


def forget_prompts(engine: LlamaCpp) -> None:
    """Have the engine, which has nothing to do, keep none of the prompts of the last turn."""
    for slots in engine._slots:
        while slots.is_busy:
            time.sleep(0.001)
        slots._forget_all(BackendError("the next turn begins"))
        slots._lanes._prompts.clear()


def by_study(study: Study, engine: Kept) -> Turn:
    forget_prompts(engine)
    with tempfile.TemporaryDirectory() as folder:
        before = engine.computed_prompt_tokens
        _, done = generate(study, Path(folder) / "run", make_backend=lambda _: engine)
        tokens = sum(one.completion_tokens for one in engine.drawn)
        found = turn(tokens, engine.begun, engine.computed_prompt_tokens - before)
    if done.failures:
        raise SystemExit(f"a problem failed: {done.failures[0]}")
    return found


def grouped(asked: list[Asked], most: int) -> list[tuple[str, Sampling, list[int]]]:
    """Calls of at most so many samples, those of a prompt in sequence."""
    seeds: dict[tuple[str, Sampling], list[int]] = {}
    for prompt, sampling, seed in asked:
        seeds.setdefault((prompt, sampling), []).append(seed)
    return [
        (prompt, sampling, sorted(own)[start : start + most])
        for (prompt, sampling), own in seeds.items()
        for start in range(0, len(own), most)
    ]


def by_batch(asked: list[Asked], engine: Kept) -> Turn:
    """The engine without a study."""
    model = engine._opened()
    requests = [
        Request(
            tuple(model.tokenize_prompt(prompt)),
            sampling,
            model.end_ids | model.special_ids(sampling.stop),
            tuple(seeds),
        )
        for prompt, sampling, seeds in grouped(asked, len(asked))
    ]
    forget_prompts(engine)
    before, begun = engine.computed_prompt_tokens, clocks()
    found = engine.generate_all(requests)
    tokens = sum(one.completion_tokens for those in found for one in those)
    return turn(tokens, begun, engine.computed_prompt_tokens - before)


def by_server(asked: list[Asked], server: EngineServer, slots: int, call: int) -> Turn:
    calls, begun = grouped(asked, call), clocks()
    with ThreadPoolExecutor(max(2, slots * 3 // 2 // call)) as pool:
        found = list(pool.map(lambda one: server.complete(*one), calls))
    tokens = sum(one["tokens_predicted"] for answers in found for one in answers)
    return turn(tokens, begun, sum(answers[0]["timings"]["prompt_n"] for answers in found))


def compare(study: Study, engine: Kept, server: EngineServer, rounds: int) -> dict[str, object]:
    by_study(study, engine)
    asked, slots = list(engine.asked), engine.concurrency
    contestants: dict[str, Callable[[], Turn]] = {
        STUDY: partial(by_study, study, engine),
        "batch": partial(by_batch, asked, engine),
    }
    for call in CALLS:
        if call <= slots:
            contestants[f"server, calls of {call}"] = partial(by_server, asked, server, slots, call)
    turns: dict[str, list[Turn]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, draw in contestants.items():
            found = draw()
            if number:
                turns[name].append(found)
    others = [those for name, those in turns.items() if name != STUDY]
    best = [max(one.rate for one in same_round) for same_round in zip(*others, strict=True)]
    ratios = [mine.rate / other for mine, other in zip(turns[STUDY], best, strict=True)]
    return {
        "samples": len(asked),
        "prompt tokens, each prompt once": sum(engine.lengths.values()),
        **{name: medians(those) for name, those in turns.items()},
        "study over the best other": statistics.median(ratios),
        "study over the best other, each round": ratios,
        "turns": {name: [asdict(one) for one in those] for name, those in turns.items()},
    }


def medians(turns: list[Turn]) -> dict[str, float]:
    return {
        "tokens per second": statistics.median(one.rate for one in turns),
        "processor ms per token": statistics.median(1000 * one.cpu_seconds / one.tokens for one in turns),
        "tokens": statistics.median(one.tokens for one in turns),
        "prompt tokens computed": statistics.median(one.prompt_tokens for one in turns),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of a study with the embedded engine beside the engine's own.")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--problems", type=int, default=8)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--slots", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    path = fetch_weights(find_model(options.model))
    settings = LlamaCppSettings(model=str(path), slots=options.slots, context_tokens=512)
    study = parse_study(
        f'name = "speed"\nbenchmarks = ["quickstart"]\nproblems = {options.problems}\n'
        f"[sampling]\ntemperature = 0.8\ntop_p = 0.95\nmax_tokens = {TOKENS}\n"
        f'[[models]]\nname = "{options.model}"\nn = {options.samples}\n'
        f"slots = {settings.at_once}\ncontext_tokens = 512\n",
        "benchmarks/embedded.py",
    )
    engine = Kept(settings).keep()
    server = EngineServer(path, settings.at_once, 512, usable_cores())
    try:
        found = compare(study, engine, server, options.rounds)
    finally:
        LlamaCpp.__exit__(engine, None, None, None)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        if name != "turns":
            rows = (
                ", ".join(f"{key} {number:.4g}" for key, number in value.items()) if isinstance(value, dict) else value
            )
            print(f"{name}: {rows}")


if __name__ == "__main__":
    main()
