"""The parts of a request that a server may refuse, and how to do without them. Pure.

If a refusal names a feature, that one is left out; otherwise one feature after another is left out until the server
accepts. A feature that was accepted once is never left out later. Temperature and top-p are left out only where leaving
them out means the same: at 1, or top-p in greedy decoding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from isobudget.backends.server.faults import NOT_IMPLEMENTED, RefusedError

#: number of stop texts that the OpenAI API accepts
FEWEST_STOPS = 4
#: statuses of a refusal that may be about a feature that it names, and about a feature that it does not name
_MAY_NAME, _MAY_MEAN = frozenset({400, 403, 422, NOT_IMPLEMENTED}), frozenset({400, 422, NOT_IMPLEMENTED})
_TOO_LONG = re.compile(r"context.?(?:length|size|window)|prompt[^.]*too long|too many tokens", re.IGNORECASE)
_FIXED = re.compile(r"\btemperature\b|\btop_?p\b", re.IGNORECASE)


class Feature(StrEnum):
    """Features that a server may refuse, in the order in which they are left out."""

    SAMPLES = "several samples per request"
    LOGPROBS = "log-probabilities"
    SEED = "a seed"
    NEUTRAL = "fields that switch off the server's own additions"
    MORE_STOPS = "more than four stop texts"
    STOPS = "stop texts"
    TOP_P = "top_p"
    TEMPERATURE = "temperature"
    MAX_TOKENS = "max_tokens"


_ONE_BY_ONE = ": samples are requested one at a time"
#: why several samples are not requested again, for `Feature.SAMPLES`
UNCOUNTED = f"does not count the tokens of several samples separately{_ONE_BY_ONE}"
ALIKE = f"gave one text for several samples{_ONE_BY_ONE}"


def wrong_number(given: int, requested: int) -> str:
    """Why several samples are not requested again: the answer has another number of samples."""
    return f"gave {given} of {requested} requested samples{_ONE_BY_ONE}"


@dataclass(frozen=True, slots=True)
class _Refusable:
    named: re.Pattern[str]
    without: str


def _refusable(named: str, without: str) -> _Refusable:
    return _Refusable(re.compile(named, re.IGNORECASE), without)


_REFUSABLE: Mapping[Feature, _Refusable] = {
    Feature.MAX_TOKENS: _refusable("max_completion_tokens", "wants max_completion_tokens instead of max_tokens"),
    Feature.LOGPROBS: _refusable(r"log_?probs?\b", "refuses log-probabilities: they are unknown (NaN)"),
    Feature.SEED: _refusable(r"\bseed\b", "refuses seeds: samples cannot be repeated"),
    Feature.NEUTRAL: _refusable(
        r"\b(?:top_k|min_p|samplers|repeat_penalty|(?:repetition|presence|frequency)_penalty)\b",
        "refuses the fields that switch off its own additions: whether it adds top-k, min-p or penalties is not known",
    ),
    Feature.MORE_STOPS: _refusable(
        r"\bstop\b",
        "takes only four stop texts: isobudget cuts samples at the others, and the tokens after them were paid for",
    ),
    Feature.STOPS: _refusable(
        r"\bstop\b", "refuses stop texts: isobudget cuts samples at them, and the tokens after them were paid for"
    ),
    Feature.TOP_P: _refusable(r"\btop_?p\b", "refuses top_p: it is left out where it changes nothing"),
    Feature.TEMPERATURE: _refusable(r"\btemperature\b", "refuses temperature: it is left out where it is 1"),
    Feature.SAMPLES: _refusable(
        r"""['"`]n['"`]|\bn\s*(?:[<>=!]|must|should|is|cannot|greater)|best_of|n_cmpl"""
        r"""|\b(?:completion|multiple|several)\s+(?:choice|completion|sample)""",
        "takes one sample per request: samples are requested one at a time",
    ),
}
#: features that are left out only where a refusal names them
_NEVER_SUSPECT = frozenset({Feature.MAX_TOKENS})


@dataclass(frozen=True, slots=True)
class Fallback:
    """A feature to leave out after a refusal, and whether the refusal named it."""

    feature: Feature
    named: bool


def without(feature: Feature) -> str:
    """A phrase, to follow "the server", about a refused feature: what the server refuses, and the consequence."""
    return _REFUSABLE[feature].without


def features_of(body: Mapping[str, Any], neutral: Mapping[str, Any]) -> set[Feature]:
    """The features of this request that a server may refuse and that can be left out."""
    held = {
        Feature.SAMPLES: "n" in body,
        Feature.LOGPROBS: "logprobs" in body,
        Feature.SEED: "seed" in body,
        Feature.NEUTRAL: any(name in body for name in neutral),
        Feature.MORE_STOPS: len(body.get("stop", ())) > FEWEST_STOPS,
        Feature.STOPS: "stop" in body,
        Feature.TOP_P: "top_p" in body and (body["top_p"] == 1 or body.get("temperature") == 0),
        Feature.TEMPERATURE: body.get("temperature") == 1,
        Feature.MAX_TOKENS: "max_tokens" in body,
    }
    return {feature for feature, is_held in held.items() if is_held}


def fallback(refusal: RefusedError, held: set[Feature], accepted: set[Feature]) -> Fallback | None:
    """The feature to leave out next after a refusal; None if leaving one out cannot help.

    Args:
        refusal: the server's refusal.
        held: features of the refused request.
        accepted: features that the server accepted at least once.
    """
    if refusal.status not in _MAY_NAME or _TOO_LONG.search(refusal.words):
        return None
    for words in (
        repr(refusal.field),
        refusal.words,
    ):  # a field that is named outside the message is at fault, whatever else the message quotes
        named = next((one for one, known in _REFUSABLE.items() if one in held and known.named.search(words)), None)
        if named is not None:
            return Fallback(named, named=True)
    if refusal.status not in _MAY_MEAN or refusal.field or _FIXED.search(refusal.words):
        return None
    suspects = (one for one in Feature if one in held - accepted - _NEVER_SUSPECT)
    return next((Fallback(one, named=False) for one in suspects), None)


def remedy(refusal: RefusedError, body: Mapping[str, Any]) -> str:
    """What the user can do about a refusal for which no feature was left out; empty if nothing is known."""
    if refusal.status in _MAY_MEAN and _FIXED.search(refusal.field or refusal.words):
        asked = f"temperature {body.get('temperature', 1)} and top_p {body.get('top_p', 1)}"
        return f" The study asks for {asked}; if only 1 is taken, set temperature = 1.0 and top_p = 1.0 in [sampling]."
    return ""
