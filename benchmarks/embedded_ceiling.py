"""The embedded engine beside its ceiling: decoding alone, with the same weights, prompts, slots and threads.

    python benchmarks/embedded_ceiling.py [--model smollm2-135m] [--slots 16 32] [--tokens 32] [--rounds 3] [--json]

In every round take turns:

- whole: steps of `llama_decode` over full slots of one context that has all threads, each behind the prompt that its
  sample has. No token is sampled.
- alone: the same in lanes, as the engine divides so many slots, each with a context and threads of its own.
- ours: `Slots` in these lanes, as a study drives them, draw 16 samples of each prompt, twice as many as there are
  slots; temperature 0.8, top-p 0.95. A lane's time is told apart: prompts (computing or waiting for them); in steps
  with its slots full decoding, sampling and the rest (bookkeeping: text, stop texts, records); beginning samples
  (copying their prompt, their first token); and the tail, the steps while slots of it were empty.

Rates are sums over lanes, seconds of parts as well. The ratio is ours in full steps, sampling and bookkeeping included,
over alone in the same round, in tokens per second of wall time; beside other work on the machine the ratio of processor
times, which are those of the lanes' own threads and so are not told where a lane has several, says more. The first
round is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from isobudget.backends.base import Sampling
from isobudget.backends.engine.engine_clock import StepClock
from isobudget.backends.engine.in_flight import Request
from isobudget.backends.engine.inbox import Inbox
from isobudget.backends.llamacpp import LlamaCppSettings, usable_cores
from isobudget.backends.llamacpp import slots as engine
from isobudget.backends.llamacpp.context import Context
from isobudget.backends.llamacpp.lanes import Lanes
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.backends.llamacpp.settings import KEPT_PROMPTS
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


def clocks() -> tuple[float, float]:
    return time.perf_counter(), time.thread_time()


#: what each lane's thread has spent in the functions that are clocked
inner = threading.local()


@contextmanager
def clocked(owner: Any, name: str, what: str) -> Iterator[None]:
    """Calls of a function are timed meanwhile, in full steps and elsewhere alike."""
    original = getattr(owner, name)

    def timed(*arguments: Any) -> Any:
        since = clocks()
        try:
            return original(*arguments)
        finally:
            inner.spent.add(what, since)

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


def ours(slots: engine.Slots, inbox: Inbox[Request], lanes: Lanes) -> Spent:
    """The engine's own way, by the calls of `generate_from`."""
    spent = Spent()
    inner.spent = within = Spent()
    with (
        lanes.at_work(),
        clocked(slots, "_computed", "prompts"),
        clocked(slots._context, "decode", "decoding"),
    ):
        while inbox.take(len) or slots.is_busy:
            since, before = clocks(), within.seconds.get("prompts", 0.0)
            while slots.has_room and (chosen := inbox.take(slots.choose)):
                slots.begin(chosen)
            spent.add("beginning", since)
            spent.seconds["beginning"] -= within.seconds.get("prompts", 0.0) - before
            within.seconds |= {"decoding": 0.0, "sampling": 0.0}
            count, since = sum(map(bool, slots._samples)), clocks()
            if not count:
                continue
            slots.step()
            kind = "full" if count == slots._slots else "tail"
            spent.add(kind, since)
            spent.tokens[kind] = spent.tokens.get(kind, 0) + count
            for part in ("decoding", "sampling"):
                name = f"{kind}: {part}"
                spent.seconds[name] = spent.seconds.get(name, 0.0) + within.seconds[part]
    spent.seconds["prompts"] = within.seconds.get("prompts", 0.0)
    return spent


def side_by_side(work: list[Callable[[], Spent]]) -> list[Spent]:
    """What each lane's thread spends."""
    with ThreadPoolExecutor(len(work)) as pool:
        return [one.result() for one in [pool.submit(each) for each in work]]


def rate(lanes: list[Spent], what: str) -> float:
    return sum(one.rate(what) for one in lanes if what in one.tokens)


def cpu_ms(lanes: list[Spent], what: str) -> float:
    return sum(1000 * one.cpu_seconds[what] for one in lanes) / sum(one.tokens[what] for one in lanes)


def compare(path: Path, places: int, tokens: int, rounds: int) -> dict[str, Any]:
    model, cores = LlamaModel(path), usable_cores()
    texts = [problem.prompt for problem in load_benchmark("quickstart").problems]
    ids = [tuple(model.tokenize_prompt(text)) for text in texts[: 2 * max(1, places // EACH)]]
    own = ids[: max(1, len(ids) // 2)]
    count = LlamaCppSettings(model=str(path), slots=places).lanes
    each, threads, lanes = places // count, cores // count, Lanes(count, places // count, KEPT_PROMPTS)
    whole = Context(model, CONTEXT_TOKENS, places, max(512, places), cores, is_shared=False)
    contexts = [Context(model, CONTEXT_TOKENS, each, max(512, each), threads, is_shared=False) for _ in range(count)]
    slots = [
        engine.Slots(model, each, CONTEXT_TOKENS, threads, StepClock(lanes.seconds, lanes.joules), lanes)
        for _ in range(count)
    ]
    found: list[tuple[list[Spent], list[Spent], list[Spent]]] = []
    for _ in range(rounds + 1):
        inbox: Inbox[Request] = Inbox()
        for one in ids:
            inbox.put(Request(one, Sampling(0.8, 0.95, tokens), model.end_ids, tuple(range(EACH))))
        for lane in slots:
            lane._forget_all(BackendError("the next round begins"))
        lanes._prompts.clear()
        together = [alone(whole, own, places, tokens)]
        apart = side_by_side([partial(alone, context, own, each, tokens) for context in contexts])
        with clocked(engine, "sample_token", "sampling"):
            mine = side_by_side([partial(ours, lane, inbox, lanes) for lane in slots])
        found.append((together, apart, mine))
    opened: list[engine.Slots | Context | LlamaModel] = [*slots, *contexts, whole, model]
    for one_opened in opened:
        one_opened.close()
    return {"model": path.name, "slots": places, "lanes": count, "prompt tokens": sum(map(len, ids)), **told(found[1:])}


def told(found: list[tuple[list[Spent], list[Spent], list[Spent]]]) -> dict[str, Any]:
    """Medians over the rounds."""
    ratios = [rate(mine, "full") / rate(apart, "alone") for _, apart, mine in found]
    parts = sorted({part for *_, mine in found for lane in mine for part in lane.seconds})
    return {
        "whole, tokens/s": statistics.median(rate(whole, "alone") for whole, *_ in found),
        "alone, tokens/s": statistics.median(rate(apart, "alone") for _, apart, _ in found),
        "ours in full steps, tokens/s": statistics.median(rate(mine, "full") for *_, mine in found),
        "alone over whole, each round": [rate(apart, "alone") / rate(whole, "alone") for whole, apart, _ in found],
        "ratio of each round": ratios,
        "ratio": statistics.median(ratios),
        "ratio by processor time": statistics.median(
            cpu_ms(apart, "alone") / cpu_ms(mine, "full") for _, apart, mine in found
        ),
        "seconds": {
            part: statistics.median(sum(lane.seconds.get(part, 0.0) for lane in mine) for *_, mine in found)
            for part in parts
        },
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
