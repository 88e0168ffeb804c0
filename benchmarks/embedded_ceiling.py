"""The embedded engine beside its ceiling: decoding alone, with the same weights, prompts, slots and threads.

    python benchmarks/embedded_ceiling.py [--model smollm2-135m] [--slots 16 32] [--tokens 32] [--rounds 3] [--json]

In every round take turns:

- alone: steps of `llama_decode` over full slots, each behind the prompt that its sample has. No token is sampled.
- ours: `Slots`, as a study drives it, draws 16 samples of each prompt, twice as many as there are slots; temperature
  0.8, top-p 0.95. Its time is told apart: prompts; in steps with full slots decoding, sampling and the rest
  (bookkeeping: text, stop texts, records); beginning samples (copying their prompt, their first token); and the tail,
  the steps while slots were empty.

The ratio is ours in full steps, sampling and bookkeeping included, over alone in the same round, in tokens per second
of wall time; beside other work on the machine the ratio of processor times says more. The first round is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from isobudget.backends.base import Sampling
from isobudget.backends.engine.engine_clock import StepClock
from isobudget.backends.engine.in_flight import Request
from isobudget.backends.llamacpp import slots as engine
from isobudget.backends.llamacpp import usable_cores
from isobudget.backends.llamacpp.context import Context
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.errors import BackendError
from isobudget.models.catalog import find_model
from isobudget.models.weights import fetch_weights
from isobudget.problems.registry import load_benchmark

EACH = 16
CONTEXT_TOKENS = 512


@dataclass
class Spent:
    """Seconds of wall time and of processor time by what they went to, and tokens by the steps that gave them."""

    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)

    def add(self, what: str, since: tuple[float, float]) -> None:
        now = clocks()
        self.seconds[what] = self.seconds.get(what, 0.0) + now[0] - since[0]
        self.cpu_seconds[what] = self.cpu_seconds.get(what, 0.0) + now[1] - since[1]

    def rate(self, what: str) -> float:
        return self.tokens[what] / self.seconds[what]

    def cpu_ms(self, what: str) -> float:
        return 1000 * self.cpu_seconds[what] / self.tokens[what]


def clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


@contextmanager
def clocked(owner: Any, name: str, spent: Spent, what: str) -> Iterator[None]:
    """Calls of a function are timed meanwhile, in full steps and elsewhere alike."""
    original = getattr(owner, name)

    def timed(*arguments: Any) -> Any:
        since = clocks()
        try:
            return original(*arguments)
        finally:
            spent.add(what, since)

    with mock.patch.object(owner, name, timed):
        yield


def alone(context: Context, prompts: list[tuple[int, ...]], slots: int, tokens: int) -> Spent:
    """Decoding and nothing else."""
    spent = Spent()
    own = [prompts[place * len(prompts) // slots] for place in range(slots)]
    for place, prompt in enumerate(own):
        first = own.index(prompt)
        if first == place:
            context.forget(place)
            context.decode_prompt(prompt, place)
        else:
            context.copy(first, place)
    owners = [[place] for place in range(slots)]
    since = clocks()
    for step in range(tokens):
        given = [prompt[step % len(prompt)] for prompt in own]
        context.decode(given, [len(prompt) + step for prompt in own], owners, [True] * slots)
    spent.add("alone", since)
    spent.tokens["alone"] = slots * tokens
    return spent


def ours(slots: engine.Slots, requests: list[Request], places: int) -> Spent:
    """The engine's own way, by the calls of `generate_from`."""
    spent, inner = Spent(), Spent()
    slots._forget_all(BackendError("the next round begins"))
    waiting = list(requests)
    with (
        clocked(slots._context, "decode_prompt", inner, "prompts"),
        clocked(slots._context, "decode", inner, "decoding"),
        clocked(engine, "sample_token", inner, "sampling"),
    ):
        while waiting or slots.is_busy:
            since, before = clocks(), inner.seconds.get("prompts", 0.0)
            while slots.has_room and (chosen := slots.choose(waiting)):
                slots.begin(chosen)
            spent.add("beginning", since)
            spent.seconds["beginning"] -= inner.seconds.get("prompts", 0.0) - before
            inner.seconds |= {"decoding": 0.0, "sampling": 0.0}
            count, since = sum(map(bool, slots._samples)), clocks()
            if not count:
                continue
            slots.step()
            kind = "full" if count == places else "tail"
            spent.add(kind, since)
            spent.tokens[kind] = spent.tokens.get(kind, 0) + count
            for part in ("decoding", "sampling"):
                name = f"{kind}: {part}"
                spent.seconds[name] = spent.seconds.get(name, 0.0) + inner.seconds[part]
    spent.seconds["prompts"] = inner.seconds["prompts"]
    return spent


def compare(path: Path, places: int, tokens: int, rounds: int) -> dict[str, Any]:
    model = LlamaModel(path)
    texts = [problem.prompt for problem in load_benchmark("quickstart").problems]
    ids = [tuple(model.tokenize_prompt(text)) for text in texts[: 2 * max(1, places // EACH)]]
    context = Context(model, CONTEXT_TOKENS, places, max(512, places), usable_cores(), is_shared=False)
    slots = engine.Slots(model, places, CONTEXT_TOKENS, usable_cores(), StepClock())
    sampling = Sampling(0.8, 0.95, tokens)
    found: list[tuple[Spent, Spent]] = []
    for _ in range(rounds + 1):
        requests = [Request(one, sampling, model.end_ids, tuple(range(EACH))) for one in ids]
        found.append((alone(context, ids[: max(1, len(ids) // 2)], places, tokens), ours(slots, requests, places)))
    slots.close()
    context.close()
    model.close()
    del found[0]
    full = [own.seconds["full"] for _, own in found]
    parts = sorted({part for _, own in found for part in own.seconds})
    return {
        "model": path.name,
        "slots": places,
        "alone, tokens/s": statistics.median(one.rate("alone") for one, _ in found),
        "ours in full steps, tokens/s": statistics.median(own.rate("full") for _, own in found),
        "ratio of each round": [own.rate("full") / one.rate("alone") for one, own in found],
        "ratio": statistics.median(own.rate("full") / one.rate("alone") for one, own in found),
        "ratio by processor time": statistics.median(one.cpu_ms("alone") / own.cpu_ms("full") for one, own in found),
        "prompt tokens": sum(map(len, ids)),
        "seconds": {part: statistics.median(own.seconds.get(part, 0.0) for _, own in found) for part in parts},
        "full: neither decoding nor sampling": statistics.median(
            whole - own.seconds["full: decoding"] - own.seconds["full: sampling"]
            for whole, (_, own) in zip(full, found, strict=True)
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="The embedded engine beside decoding alone.")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--slots", type=int, nargs="+", default=[16, 32])
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    path = fetch_weights(find_model(options.model))
    for places in options.slots:
        found = compare(path, places, options.tokens, options.rounds)
        if options.json:
            print(json.dumps(found))
            continue
        for name, value in found.items():
            print(f"{name}: {value:.3g}" if isinstance(value, float) else f"{name}: {value}")


if __name__ == "__main__":
    main()
