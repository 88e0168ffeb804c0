"""A server's statement of the tokens that a request used. Pure.

- **0 completion tokens** is a valid count: an answer may be empty. **0 prompt tokens** is not: Ollama leaves out cached
  tokens, and no request is without a prompt.
- **Reasoning tokens** are part of `completion_tokens` in OpenAI's form. Some servers leave them
  out there, and `total_tokens` is then the sum of prompt, completion and reasoning. In this case the reasoning tokens
  are added, because the model produced them and they are billed.
- **Cached tokens** are the part of the prompt tokens billed at a lower price.
- Numbers that no request can have (fractions, negative ones, 2^31 and more) count as not stated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_MOST = 2**31 - 1
_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one request used, for all its choices together; None if not stated.

    Attributes:
        prompt_tokens: tokens of the prompt, at least 1.
        completion_tokens: produced tokens, including reasoning.
        cached_tokens: prompt tokens that came from a cache.
        oddities: remarks on these numbers; one sentence each.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    oddities: tuple[str, ...] = ()


def read_usage(stated: Any) -> Usage:
    """Read the `usage` of an answer; it may be any value."""
    if not isinstance(stated, dict):
        return Usage()
    oddities = [
        f"the server's usage states an impossible {name}: the number is ignored"
        for name in ("prompt_tokens", "completion_tokens")
        if stated.get(name) is not None and _count(stated[name]) is None
    ]
    prompt, completion = _count(stated.get("prompt_tokens")), _count(stated.get("completion_tokens"))
    if outside := _reasoning_outside(stated, prompt, completion):
        completion = (completion or 0) + outside
        oddities.append(
            "the server's completion_tokens leave out reasoning tokens: they are added, since its total includes them"
        )
    cached = _cached(stated)
    if cached is not None and prompt and cached > prompt:
        cached = None
    return Usage(prompt or None, completion, cached, tuple(oddities))


def _count(value: Any) -> int | None:
    """An integer number of tokens, even if written as 20.0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST or value != int(value):
        return None
    return int(value)


def _nested(stated: dict[str, Any], outer: str, inner: str) -> Any:
    details = stated.get(outer)
    return details.get(inner) if isinstance(details, dict) else None


def _reasoning_outside(stated: dict[str, Any], prompt: int | None, completion: int | None) -> int:
    """Reasoning tokens that `completion_tokens` leaves out, judging by the total; 0 if unknown."""
    total = _count(stated.get("total_tokens"))
    if total is None or not prompt or completion is None:
        return 0
    nested = _nested(stated, "completion_tokens_details", "reasoning_tokens")
    reasoning = _count(stated.get("reasoning_tokens") if nested is None else nested)
    extra = total - prompt - completion
    return extra if extra > 0 and reasoning in (None, extra) else 0


def _cached(stated: dict[str, Any]) -> int | None:
    nested = _nested(stated, "prompt_tokens_details", "cached_tokens")
    values = (nested, *(stated.get(name) for name in _CACHED))
    return next((count for value in values if (count := _count(value)) is not None), None)
