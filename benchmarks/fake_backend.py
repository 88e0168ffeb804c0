"""A model for benchmarks of everything but models: it answers after a pause, the same for the same seed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from isobudget.backends.base import Generation, Prompt, Sampling

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.fakes import Fake  # type: ignore[import-not-found]


class FakeModel(Fake):  # type: ignore[misc]
    def __init__(self, answer: Callable[[int], Generation], *, concurrency: int, pause_seconds: float = 0.0) -> None:
        self.answer, self.concurrency, self.pause_seconds = answer, concurrency, pause_seconds

    def generate(self, _prompt: Prompt, _sampling: Sampling, seeds: list[int]) -> list[Generation]:
        time.sleep(self.pause_seconds)
        return [self.answer(seed) for seed in seeds]
