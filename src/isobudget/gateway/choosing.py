"""Chooses the sample to return: by its tests, or by a ranker if there are no tests.

- `tests`: the first sample that passed. If no sample passed, the sample that passed most tests; in a tie the earliest.
- `votes`: the program (or text) that most samples share, ignoring spaces and comments. In a tie, the sample with the
  highest likelihood.
- `likelihood`: the sample with the highest mean log-probability per token under its own model.
- `order`: the first sample. It also takes the place of `likelihood` if no sample has log-probabilities.

Without tests `votes` is the default. The ranker `agreement` is not available, because it needs inputs for the programs.
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
    """A text that is the same for equal answers: the syntax tree of the code; if it cannot be parsed, the words."""
    text = sample.generation.text
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.M | re.S)
    tree = parsed(blocks[-1] if blocks else text)
    return " ".join(text.split()) if tree is None else ast.dump(tree)
