"""Speed of scoring given texts beside generating the same tokens, by the embedded engine, in one run.

    python benchmarks/scoring.py [--model smollm2-135m] [--problems 4] [--samples 16] [--rounds 3] [--json]

In each round the engine draws samples of the quickstart problems, `--samples` of each at once, and then scores the very
tokens it drew: all of a prompt's samples in one call. Both go through the backend, prompts are computed in both. A
second contestant draws one sample at a time. Figures are medians over the rounds, in tokens of samples per second of
wall time and in processor milliseconds per token; the ratio is taken within each round.

On a processor, drawing many samples at once keeps the arithmetic as busy as scoring does, so scoring gains by what it
does not do: choosing tokens, and computing again what samples have in common. On a device whose memory is the limit, or
beside one sample at a time, it gains more.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from pathlib import Path

import numpy as np

from isobudget.backends.base import Generation, Sampling
from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings
from isobudget.models.catalog import find_model
from isobudget.models.weights import fetch_weights
from isobudget.problems import load_benchmark

TOKENS = 128

Clocks = tuple[float, float]
Drawn = dict[str, list[Generation]]


def clocks() -> Clocks:
    """Seconds of wall time and of this process's processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime


def since(begun: Clocks) -> Clocks:
    now = clocks()
    return now[0] - begun[0], now[1] - begun[1]


def draw(engine: LlamaCpp, prompts: list[str], sampling: Sampling, samples: int, seed: int) -> tuple[Drawn, Clocks]:
    begun = clocks()
    drawn = {prompt: engine.generate(prompt, sampling, list(range(seed, seed + samples))) for prompt in prompts}
    return drawn, since(begun)


def score(engine: LlamaCpp, drawn: Drawn) -> tuple[list[float], Clocks]:
    """Differences of each sample's mean log-probability from the one recorded when it was drawn, and the time."""
    begun = clocks()
    scores = {
        prompt: engine.score(prompt, [one.text for one in those], [one.token_ids for one in those])
        for prompt, those in drawn.items()
    }
    used = since(begun)
    return [
        found.mean_logprob - one.mean_logprob
        for prompt, those in drawn.items()
        for found, one in zip(scores[prompt], those, strict=True)
        if one.token_ids
    ], used


def compare(path: Path, options: argparse.Namespace) -> dict[str, float]:
    benchmark = load_benchmark("quickstart")
    strip = find_model(options.model).prompt_newline == "strip"
    given = [problem.prompt for problem in benchmark.problems[: options.problems]]
    prompts = [prompt.rstrip("\n") if strip else prompt for prompt in given]
    sampling = Sampling(temperature=0.8, top_p=0.95, max_tokens=TOKENS, stop=benchmark.stop)
    rows: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        rows.setdefault(name, []).append(value)

    with (
        LlamaCpp(LlamaCppSettings(model=str(path), slots=options.samples, context_tokens=512)) as many,
        LlamaCpp(LlamaCppSettings(model=str(path), slots=1, context_tokens=512)) as single,
    ):
        for engine in (many, single):
            engine.generate(prompts[0], sampling, [0])
        many.score(prompts[0], ["pass"])
        for number in range(options.rounds):
            drawn, generating = draw(many, prompts, sampling, options.samples, 1000 * number)
            differences, scoring = score(many, drawn)
            alone, one_by_one = draw(single, prompts, sampling, 2, 1000 * number)
            tokens = sum(len(one.token_ids) for those in drawn.values() for one in those)
            few = sum(len(one.token_ids) for those in alone.values() for one in those)
            for name, count, (wall, cpu) in (
                (f"drawing {options.samples} at once", tokens, generating),
                ("drawing one at a time", few, one_by_one),
                ("scoring", tokens, scoring),
            ):
                note(f"{name}: tokens per second", count / wall)
                note(f"{name}: processor ms per token", 1000 * cpu / count)
            note(f"scoring over drawing {options.samples} at once", generating[0] / scoring[0])
            note("scoring over drawing one at a time", one_by_one[0] / few * tokens / scoring[0])
            note("recorded mean log-probability, largest difference", float(np.nanmax(np.abs(differences))))
            note("recorded mean log-probability, mean difference", float(np.nanmean(np.abs(differences))))
    return {name: statistics.median(values) for name, values in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of scoring given texts beside generating the same tokens.")
    parser.add_argument("--model", default="smollm2-135m", help="name or path of a GGUF model")
    parser.add_argument("--problems", type=int, default=4)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = compare(fetch_weights(find_model(options.model)), options)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name}: {value:.3g}")


if __name__ == "__main__":
    main()
