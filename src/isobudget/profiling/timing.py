"""Times an engine at exact lengths of prompts and completions.

For each number of slots s, with s prompts of P random token ids each and C completion tokens:

    T1 = seconds until every prompt is read and has its first token
    T  = seconds until every sample has its C tokens, none stopped early
    prompt tokens/s = s P / T1,  completion tokens/s = s (C - 1) / (T - T1),  seconds per sample = T / s

Each figure is the median over repeats, with minimum and maximum. Sampling is as in a study (temperature 0.8, top-p
0.95, log-probabilities recorded), because it takes time too.

Not covered: how much slower tokens are in longer contexts than those that were timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.base import Generation, Sampling
from isobudget.backends.engine.in_flight import Request
from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings
from isobudget.backends.llamacpp.settings import MOST_SLOTS
from isobudget.costs.seconds import Figure, SlotSpeed
from isobudget.errors import BackendError, InputError, ModelError
from isobudget.files.near import not_a_file
from isobudget.models.gguf import LongArray, read_gguf_header
from isobudget.progress import Progress

_TEMPERATURE, _TOP_P = 0.8, 0.95


class Engine(Protocol):
    """An engine that can be timed: it generates the samples of several requests together."""

    def generate_all(self, requests: Sequence[Request]) -> list[list[Generation]]:
        """The samples of each request."""
        ...


def parse_slots(slots: str | int | Sequence[int]) -> tuple[int, ...]:
    """Numbers of slots without duplicates, also from a text such as ``1,4,16``. Raises `InputError` for other texts."""
    if not isinstance(slots, str):
        return (slots,) if isinstance(slots, int) else tuple(dict.fromkeys(slots))
    parts = [part.strip() for part in slots.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        shown = slots if len(slots) <= 40 else slots[:40] + "..."
        raise InputError(
            f"--slots takes whole numbers of 1 or more, and at most {MOST_SLOTS}, separated by commas, such as 1,4,16; "
            f"got {shown!r}"
        )
    return tuple(dict.fromkeys(map(int, parts)))


@dataclass(frozen=True, slots=True)
class Timing:
    """The settings of a measurement.

    Attributes:
        slots: numbers of samples generated at the same time.
        prompt_tokens: tokens of each sample's prompt, at least 1; every sample has its own prompt.
        completion_tokens: tokens of each sample, at least 2.
        threads: CPU threads; None takes every core that this process may use.
        repeats: how often each number of slots is timed.
    """

    slots: tuple[int, ...] = (1, 4, 16)
    prompt_tokens: int = 128
    completion_tokens: int = 128
    threads: int | None = None
    repeats: int = 3

    def __post_init__(self) -> None:
        if not self.slots or not all(1 <= slots <= MOST_SLOTS for slots in self.slots):
            raise InputError(f"slots must be numbers from 1 to {MOST_SLOTS}, not {', '.join(map(str, self.slots))}")
        least = {"prompt_tokens": 1, "completion_tokens": 2, "repeats": 1, "threads": 1}
        for name, lowest in least.items():
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise InputError(f"{name} must be at least {lowest}, not {value}")


def time_model(path: Path, timing: Timing, name: str, progress: Progress) -> tuple[SlotSpeed, ...]:
    """Time the model of a GGUF file with each number of slots, ascending, each in a new engine.

    Raises:
        ModelError: the file cannot be loaded.
        BackendError: the engine did not generate the requested tokens, or too few of them to be timed.
    """
    vocabulary, task = _vocabulary(path), f"timing {name}"
    sizes = sorted(set(timing.slots))
    progress.start(task, len(sizes) * timing.repeats)
    return tuple(_time_slots(path, timing, slots, vocabulary, lambda: progress.advance(task, 1)) for slots in sizes)


def _time_slots(path: Path, timing: Timing, slots: int, vocabulary: int, advance: Callable[[], None]) -> SlotSpeed:
    room = max(64, timing.prompt_tokens + timing.completion_tokens + 1)
    settings = LlamaCppSettings(model=str(path), slots=slots, context_tokens=room, threads=timing.threads)
    with LlamaCpp(settings) as engine:
        return time_engine(engine, path.name, timing, slots, vocabulary, advance)


def time_engine(
    engine: Engine, name: str, timing: Timing, slots: int, vocabulary: int, advance: Callable[[], None]
) -> SlotSpeed:
    """Time an engine that generates this many samples at once; `advance` is called after each repeat.

    Raises:
        BackendError: the engine did not generate the requested tokens, or too few of them to be timed.
    """
    random = np.random.default_rng(slots)
    # new prompts for every call, so that the engine has none of them in its cache
    prompts = (random.integers(0, vocabulary, (slots, timing.prompt_tokens)) for _ in count())
    first, whole = [], []
    _time(engine, next(prompts), 2, name)  # an engine's first call is slower
    for _ in range(timing.repeats):
        first.append(_time(engine, next(prompts), 1, name))
        whole.append(_time(engine, next(prompts), timing.completion_tokens, name))
        advance()
    return _speed(slots, timing, first, whole)


def _vocabulary(path: Path) -> int:
    """How many token ids the model's tokenizer has."""
    if not path.is_file():
        raise ModelError(not_a_file(path))
    tokens = read_gguf_header(path).metadata.get("tokenizer.ggml.tokens")
    if isinstance(tokens, LongArray):
        return tokens.length
    if isinstance(tokens, tuple) and tokens:
        return len(tokens)
    raise InputError(f"{path} has no tokenizer (tokenizer.ggml.tokens); is it a language model?")


def _time(engine: Engine, prompts: NDArray[np.int64], tokens: int, name: str = "the model") -> float:
    """Seconds until every prompt, token ids of shape (slots, prompt tokens), has its completion of this many tokens."""
    sampling = Sampling(_TEMPERATURE, _TOP_P, tokens)
    requests = [
        Request(tuple(prompt), sampling, end_ids=frozenset(), seeds=(seed,))
        for seed, prompt in enumerate(prompts.tolist())
    ]
    start = time.perf_counter()
    samples = [sample for samples in engine.generate_all(requests) for sample in samples]
    seconds = time.perf_counter() - start
    generated = [(one.prompt_tokens, one.completion_tokens) for one in samples]
    wanted = [(prompts.shape[1], tokens)] * len(prompts)
    if generated != wanted:
        raise BackendError(
            f"{name}: each of {len(wanted)} slots was to process {wanted[0]} tokens (prompt, completion), but the "
            f"slots processed {generated}"
        )
    return seconds


def _speed(slots: int, timing: Timing, first: Sequence[float], whole: Sequence[float]) -> SlotSpeed:
    """Rates from the seconds to the first token and to the last, one of each per repeat."""
    decoding = [seconds - median(first) for seconds in whole]
    if min(decoding) <= 0:
        raise BackendError(
            f"with {slots} slots, {timing.completion_tokens} completion tokens took no longer than the first one. "
            "So few tokens cannot be timed on this machine: raise --completion-tokens"
        )
    return SlotSpeed(
        slots,
        _figure([slots * timing.prompt_tokens / seconds for seconds in first]),
        _figure([slots * (timing.completion_tokens - 1) / seconds for seconds in decoding]),
        _figure([seconds / slots for seconds in whole]),
    )


def _figure(values: Sequence[float]) -> Figure:
    """A figure rounded to six digits: the rest is noise."""
    return Figure.of([float(f"{value:.6g}") for value in values])
