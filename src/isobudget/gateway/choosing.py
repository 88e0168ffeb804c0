"""Chooses the sample to return: by its tests, or by a ranker if there are no tests.

- `tests`: the first that passed; else the one that passed most tests; in a tie the earliest.
- `votes`: the program (or text) that most samples share, ignoring spaces and comments; in a tie the most likely.
- `likelihood`: the highest mean log-probability per token under its own model.
- `order`: the first.

Without tests `votes` is the default. Agreement of returned values needs inputs, and is not available here.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from isobudget.gateway.runner import RequestSample
from isobudget.syntax import parsed


class ChosenSamples(NamedTuple):
    """The chosen sample, the ranker that chose it, and all samples, best first."""

    best: RequestSample
    by: str
    ranked: tuple[RequestSample, ...]


def choose(samples: Sequence[RequestSample], ranker: str | None) -> ChosenSamples:
    """Choose among at least one sample."""
    if samples[0].verdict is not None:
        ranked = sorted(samples, key=_by_tests)
        return ChosenSamples(ranked[0], "tests", tuple(ranked))
    name = ranker or "votes"
    if name == "likelihood" and all(math.isnan(one.generation.mean_logprob) for one in samples):
        name = "order"  # nothing is known
    if name == "order":
        return ChosenSamples(samples[0], name, tuple(samples))
    votes = Counter(_likeness(one) for one in samples) if name == "votes" else Counter()
    ranked = sorted(samples, key=lambda one: (-votes[_likeness(one)] if votes else 0, -_likelihood(one)))
    return ChosenSamples(ranked[0], name if len(samples) > 1 else "order", tuple(ranked))


def _by_tests(sample: RequestSample) -> tuple[bool, int]:
    passed = sample.verdict.tests_passed if sample.verdict is not None else None
    return (not sample.passed, -(passed or 0))


def _likelihood(sample: RequestSample) -> float:
    mean = sample.generation.mean_logprob
    return -math.inf if math.isnan(mean) else mean


def _likeness(sample: RequestSample) -> str:
    """A form that equal answers share: the syntax tree of their code, else their words."""
    text = sample.generation.text
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.M | re.S)
    tree = parsed(blocks[-1] if blocks else text)
    return " ".join(text.split()) if tree is None else ast.dump(tree)
