"""What an OpenAI-compatible server is asked, and what is read from its answer. Pure: no network.

Servers differ in what they count and give back. The rules here:

- **tokens**: usage counts all choices of an answer together (llama.cpp: only one of them). For one choice it is taken
  as it is. For several, the log-probability tokens give each choice's count, if they add up to the usage; where the
  usage is larger by one for every choice that stopped, the end tokens are missing from the list and are added.
  Otherwise the counts are unknown (None), and the caller asks for one sample at a time.
- **log-probabilities** are those of the kept text only: tokens that begin behind its end (stop text, end token) are
  left out, since some servers list them and others do not.
- **stop texts** are cut off here as well: harmless where the server did it, and needed where it takes only some.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from isobudget.backends.base import Chat, FinishReason, Prompt, Sampling
from isobudget.backends.server.faults import TransientError
from isobudget.backends.server.settings import Api

#: where each call lies, below the base URL
PATHS: dict[Api, str] = {"completions": "/completions", "chat": "/chat/completions"}
#: how many stop texts the OpenAI API takes
FEWEST_STOPS = 4
_LENGTH = frozenset({"length", "max_tokens", "model_length"})
_BROKEN_OFF = frozenset({"abort", "aborted", "error", "cancelled"})
_PIECE_OF_CHARACTER = "\ufffd"


class Ask(StrEnum):
    """What a server may refuse, and what is then done without."""

    SAMPLES = "several samples per request"
    LOGPROBS = "log-probabilities"
    SEED = "a seed"
    STOPS = "more than four stop texts"
    MAX_TOKENS = "max_tokens"


@dataclass(frozen=True, slots=True)
class Choice:
    """One output as the server gave it.

    Attributes:
        text: the output, stop text perhaps included.
        finish: the server's own word, None if it gave none.
        tokens: size in bytes and log-probability of every token, None if the server gave none.
        thought: whether the model also wrote thoughts that are not part of the text.
    """

    text: str
    finish: str | None
    tokens: tuple[tuple[int, float], ...] | None
    thought: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer: its choices, and what it counted (None: it did not say)."""

    choices: tuple[Choice, ...]
    prompt_tokens: int | None
    completion_tokens: int | None


def group_seeds(seeds: Sequence[int], most: int) -> list[list[int]]:
    """Split seeds into runs of consecutive numbers, none longer than `most`: each can be asked for in one request."""
    groups: list[list[int]] = []
    for seed in seeds:
        if groups and len(groups[-1]) < most and seed == groups[-1][-1] + 1:
            groups[-1].append(seed)
        else:
            groups.append([seed])
    return groups


def request_body(
    api: Api,
    model: str,
    prompt: Prompt,
    sampling: Sampling,
    seeds: Sequence[int],
    without: frozenset[Ask] = frozenset(),
    neutral: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The request for one sample per seed; only for the first if several samples are done without.

    Args:
        api: which call.
        model: its name at the server.
        prompt: text for completions, a conversation for chat.
        sampling: temperature, top-p, limit and stop texts.
        seeds: the first is sent.
        without: what this server refuses.
        neutral: fields that switch off what this server would add on its own.
    """
    body: dict[str, Any] = {"model": model, **(neutral or {})}
    if isinstance(prompt, Chat):
        body["messages"] = [{"role": one.role, "content": one.content} for one in prompt.messages]
    else:
        body["prompt"] = prompt
    body |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
    body["max_completion_tokens" if Ask.MAX_TOKENS in without else "max_tokens"] = sampling.max_tokens
    stop = sampling.stop[:FEWEST_STOPS] if Ask.STOPS in without else sampling.stop
    if stop:
        body["stop"] = list(stop)
    if len(seeds) > 1 and Ask.SAMPLES not in without:
        body["n"] = len(seeds)
    if Ask.SEED not in without:
        body["seed"] = seeds[0]
    if Ask.LOGPROBS not in without:
        body["logprobs"] = 1 if api == "completions" else True
    return body


def asks_of(body: dict[str, Any]) -> set[Ask]:
    """Which of the things that a server may refuse this request holds."""
    held = {
        Ask.SAMPLES: "n" in body,
        Ask.LOGPROBS: "logprobs" in body,
        Ask.SEED: "seed" in body,
        Ask.STOPS: len(body.get("stop", ())) > FEWEST_STOPS,
        Ask.MAX_TOKENS: "max_tokens" in body,
    }
    return {ask for ask, is_held in held.items() if is_held}


def read_answer(data: Any) -> Answer:
    """Read a decoded answer of either call.

    Raises:
        TransientError: it holds no choices, or the server broke off.
        KeyError, TypeError, ValueError: it is not in the API's form.
    """
    choices = [_read_choice(one) for one in sorted(data["choices"], key=_index)]
    if not choices:
        raise TransientError("the answer holds no choices", "no choices")
    broken = next((one.finish for one in choices if one.finish in _BROKEN_OFF), None)
    if broken:
        raise TransientError(f"the server broke off: finish_reason {broken!r}", "broken off")
    usage = data.get("usage") or {}
    return Answer(tuple(choices), _positive(usage.get("prompt_tokens")), _positive(usage.get("completion_tokens")))


def _index(choice: dict[str, Any]) -> int:
    return int(choice.get("index") or 0)


def _positive(count: Any) -> int | None:
    """A count that can be true: nothing was ever generated from no tokens, or with none."""
    return count if isinstance(count, int) and count > 0 else None


def _read_choice(choice: dict[str, Any]) -> Choice:
    message = choice.get("message")
    text = choice["text"] if message is None else message["content"] or ""
    if not isinstance(text, str):
        raise TypeError(f"the text is a {type(text).__name__}")
    thoughts = (message or {}).get("reasoning_content") or (message or {}).get("reasoning")
    finish = choice.get("finish_reason")
    return Choice(text, None if finish is None else str(finish), _read_tokens(choice.get("logprobs")), bool(thoughts))


def _read_tokens(logprobs: Any) -> tuple[tuple[int, float], ...] | None:
    """Tokens in the form of chat (llama.cpp uses it for completions too) or of completions."""
    if not logprobs:
        return None
    if logprobs.get("content") is not None:
        return tuple((_bytes(one["token"], one.get("bytes")), _logprob(one["logprob"])) for one in logprobs["content"])
    if logprobs.get("token_logprobs") is not None:
        pairs = zip(logprobs["tokens"], logprobs["token_logprobs"], strict=True)
        return tuple((_bytes(token, None), _logprob(value)) for token, value in pairs)
    return None


def _logprob(value: float | None) -> float:
    """Servers write minus infinity as null, or as the lowest number that they know."""
    return -math.inf if value is None else float(value)


def _bytes(token: str, raw: list[int] | None) -> int:
    """Size of a token in bytes; a piece of a character that cannot be shown counts as one byte."""
    if raw is not None:
        return len(raw)
    if token.startswith("bytes:"):
        return len(re.findall(r"\\x[0-9a-f]{2}", token))
    return sum(1 if character == _PIECE_OF_CHARACTER else len(character.encode()) for character in token)


def cut(text: str, stop: Sequence[str]) -> str:
    """The text before the first stop text."""
    ends = [text.find(one) for one in stop if one in text]
    return text[: min(ends)] if ends else text


def count_tokens(answer: Answer) -> list[int] | None:
    """Tokens that the model produced for each choice; None if they cannot be known (see above)."""
    listed = [len(one.tokens) for one in answer.choices if one.tokens is not None]
    whole = len(listed) == len(answer.choices)
    used = answer.completion_tokens
    if len(answer.choices) == 1:
        known = [*listed, *([used] if used else [])]
        return [max(known)] if any(known) else None
    if not whole:
        return None
    if used is None or used == sum(listed):
        return listed if all(listed) else None
    stopped = [one.finish not in _LENGTH for one in answer.choices]
    if used == sum(listed) + sum(stopped):
        return [count + ended for count, ended in zip(listed, stopped, strict=True)]
    return None


def kept_logprobs(choice: Choice, text: str) -> list[float]:
    """Log-probabilities of the tokens that begin inside the kept text; empty if unknown."""
    if choice.tokens is None or choice.thought:
        return []
    if text == choice.text and choice.finish in _LENGTH:
        return [logprob for _, logprob in choice.tokens]
    kept, begin, end = [], 0, len(text.encode())
    for size, logprob in choice.tokens:
        if begin >= end:
            break
        kept.append(logprob)
        begin += size
    return kept


def finish_reason(choice: Choice, text: str, tokens: int, max_tokens: int) -> FinishReason:
    """`STOP` if a stop text was cut off here; else by the server's word, else by the number of tokens."""
    if text != choice.text:
        return FinishReason.STOP
    if choice.finish is None:
        return FinishReason.LENGTH if tokens >= max_tokens else FinishReason.STOP
    return FinishReason.LENGTH if choice.finish in _LENGTH else FinishReason.STOP


def look_alike(answer: Answer, temperature: float) -> bool:
    """Whether the choices are the same text although chance would hardly give it twice: one seed used for all.

    The bound is far out (60 nats), because a temperature below 1 makes a text likelier than its log-probability says.
    """
    first = answer.choices[0]
    if len(answer.choices) < 2 or temperature < 0.5 or any(one.text != first.text for one in answer.choices):
        return False
    return math.fsum(kept_logprobs(first, first.text)) * (len(answer.choices) - 1) < -60.0
