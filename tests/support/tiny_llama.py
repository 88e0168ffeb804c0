"""A tiny GGUF model of random weights for the embedded engine, and what is asked of it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from isobudget.backends.base import Generation, Sampling
from isobudget.backends.engine.in_flight import Request
from isobudget.models.architecture import Architecture
from isobudget.models.random_gguf import Quantisation, write_random_gguf

TINY = Architecture("tiny", layers=2, hidden=64, mlp_width=96, heads=4, kv_heads=2, head_size=16, vocabulary=320)
WARM = Sampling(temperature=0.8, top_p=0.95, max_tokens=24)
#: the end token, of 320: samples end at different times
ENDS = frozenset(range(0, 320, 9))
PROMPTS = [tuple(range(70 + number, 90 + 3 * number)) for number in range(5)]


def write(folder: Path, quantisation: Quantisation) -> Path:
    """The model's file; the test is skipped without the engine."""
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    path = folder / "tiny.gguf"
    write_random_gguf(path, TINY, quantisation)
    return path


def asked(prompt: tuple[int, ...], seeds: range, sampling: Sampling = WARM) -> Request:
    return Request(prompt, sampling, ENDS, tuple(seeds))


def contents(found: list[Generation]) -> list[tuple[object, ...]]:
    """What a sample is, without what it took."""
    return [(one.seed, one.text, one.token_ids, one.sum_logprob, one.finish_reason) for one in found]


def begins_alike(shared: int, own: list[int], seed: int) -> list[tuple[int, ...]]:
    """Prompts of one beginning, each with so many tokens of its own behind it."""
    numbers = Random(seed)
    beginning = numbers.choices(range(60, 320), k=shared)
    return [(*beginning, *numbers.choices(range(60, 320), k=length)) for length in own]
