"""Whether a sample's price depends on how many samples of its prompt were generated; it should not.

    python benchmarks/sample_seconds.py [--model smollm2-135m] [--rounds 8] [--clock wall|cpu] [--json]

Sixteen samples are in flight in every case: 16 problems x 1, 4 x 4 and 1 x 16, with prompts and completions of the same
lengths. The cases take turns within a round. A sample's price is what a run records: `prompt_seconds` + `seconds`; its
`seconds` alone are what a further sample costs. "Shared out" is what dividing all time among the samples would give, as
runs of the first format do. With ``--clock cpu`` the engine's clock counts this process's processor time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from functools import partial

from isobudget.backends.base import Generation, Sampling
from isobudget.backends.engine.engine_clock import StepClock
from isobudget.backends.engine.in_flight import Request
from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings
from isobudget.backends.llamacpp.settings import KEPT_PROMPTS
from isobudget.models.catalog import find_model
from isobudget.models.weights import fetch_weights

PROMPT_TOKENS, COMPLETION_TOKENS, SLOTS = 90, 46, 16
CASES = ((16, 1), (4, 4), (1, 16))


def generate(engine: LlamaCpp, problems: int, samples: int, round_number: int) -> list[list[Generation]]:
    """Samples of prompts that the engine has not seen; no token ends one early."""
    forget = [Request((number,), Sampling(0, 1, 1), frozenset(), (0,)) for number in range(KEPT_PROMPTS)]
    engine.generate_all(forget)
    sampling = Sampling(0.8, 0.95, COMPLETION_TOKENS)
    start = 1000 + 17 * round_number
    requests = [
        Request(
            tuple(start + (7 + problem) * place % 20_000 for place in range(PROMPT_TOKENS)),
            sampling,
            frozenset(),
            tuple(range(samples)),
        )
        for problem in range(problems)
    ]
    return engine.generate_all(requests)


def prices(those: list[list[Generation]]) -> dict[str, float]:
    """Mean seconds of a sample with its prompt, of a further one, and of an equal share of everything."""
    every = [one for group in those for one in group]
    if {one.completion_tokens for one in every} != {COMPLETION_TOKENS}:
        raise SystemExit("a sample has another length: the cases cannot be compared")
    prompts = sum(group[0].prompt_seconds for group in those)
    further = sum(one.seconds for one in every)
    return {
        "with its prompt": prompts / len(those) + further / len(every),
        "a further one": further / len(every),
        "shared out": (prompts + further) / len(every),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.clock == "cpu":
        StepClock.__init__.__defaults__ = (time.process_time, None)
    path = fetch_weights(find_model(given.model))
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=SLOTS, context_tokens=512)) as engine:
        ask = partial(generate, engine)
        rounds = [[prices(ask(*case, number)) for case in CASES] for number in range(given.rounds + 1)][1:]
    rows = {
        name: [statistics.median(one[case][name] for one in rounds) for case in range(len(CASES))]
        for name in rounds[0][0]
    }
    if given.json:
        print(json.dumps({"clock": given.clock, "cases": CASES, "medians": rows, "rounds": rounds}, indent=2))
        return
    print(f"{given.clock} seconds, medians of {given.rounds} rounds: " + ", ".join(f"{a} x {b}" for a, b in CASES))
    for name, values in rows.items():
        spread = max(values) / min(values)
        print(f"  {name:16}" + "".join(f"{value:8.3f}" for value in values) + f"   largest / least {spread:.2f}")


if __name__ == "__main__":
    main()
