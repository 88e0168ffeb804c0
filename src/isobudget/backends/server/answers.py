"""Reads a server's answer. Pure: no network.

Servers differ in what they count and return. The rules are:

- **texts**: a message without `content` is an empty text. In a list of parts the texts are joined, and reasoning is
  kept separately. Half of a surrogate pair, which is not text, becomes U+FFFD.
- **faults**: a choice that cannot be read, or that the server broke off, is marked; the other choices are kept.
- **tokens**: the usage counts all choices of an answer together (llama.cpp: only one of them). The list of
  log-probabilities also counts a choice's tokens. A single choice has the larger of these two counts. Several choices
  have the counts of their lists, if these add up to the usage or if no usage is stated. If the usage is larger by one
  for every choice that stopped, the lists lack the end tokens, which are added. Otherwise the counts are unknown
  (None), and the caller requests one sample at a time. If a choice has a fault, only the lists count.
- **log-probabilities** are those of the kept text only: tokens that begin after its end (stop text, end token) are left
  out, because only some servers list them.
- **stop texts** are cut off even if they were sent to the server, because some servers accept only some of them. If the
  server has cut them off already, nothing changes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from isobudget.backends.base import FinishReason, Generation, Prompt, Sampling, texts_of
from isobudget.backends.server.faults import TransientError
from isobudget.backends.server.usage import read_usage
from isobudget.files.whole import mended

_LENGTH = frozenset(
    {"length", "max_tokens", "model_length", "max_length", "max_output_tokens", "max_new_tokens", "token_limit"}
)
_STOP = frozenset(
    {"stop", "eos", "eos_token", "stop_sequence", "stop_token", "end_turn", "end", "complete", "completed"}
)
#: finish reasons that are not the model's own end: the received text is kept, and the user is told
FILTERED = frozenset({"content_filter", "safety", "refusal", "tool_calls", "function_call"})
_BROKEN_OFF = frozenset({"abort", "aborted", "error", "cancelled", "insufficient_system_resource"})
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_PIECE_OF_CHARACTER = "\ufffd"
#: more than any model writes into one sample; a server that repeats itself would fill memory and run folder
_MOST_CHARACTERS = 2**22
#: maximum number of tokens that a server adds to a prompt
_TOKENS_BESIDE = 10_000


@dataclass(frozen=True, slots=True)
class Choice:
    """One output as returned by the server.

    Attributes:
        text: the output, which may include the stop text.
        finish: the server's finish reason in lower case, None if it gave none.
        tokens: size in bytes and log-probability of every token, None if the server gave none.
        thought: the model's reasoning, which is not part of the text.
        fault: why this is not a sample; empty if it is one.
        broken_off: whether the server ended it for its own reasons, so that it should be requested again.
        is_cut: whether text or reasoning exceeded the maximum length and was cut.
    """

    text: str
    finish: str | None
    tokens: tuple[tuple[int, float], ...] | None
    thought: str = ""
    fault: str = ""
    broken_off: bool = False
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """A server's answer: its choices, and its counts (None if not stated), see `usage.Usage`.

    Attributes:
        model: the name of the model that answered; empty if the server does not say.
        oddities: corrections made while reading the answer; one sentence each.
    """

    choices: tuple[Choice, ...]
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None = None
    model: str = ""
    oddities: tuple[str, ...] = ()


def read_answer(data: Any) -> ServerAnswer:
    """Read a decoded answer of a chat or completions call.

    Raises:
        TransientError: it holds no choices, or the server broke all of them off.
        KeyError, TypeError: it is not in the API's form.
    """
    choices = [_read_choice(one) for one in sorted(data["choices"], key=_index)]
    if not choices:
        raise TransientError("the answer has no choices", "no choices")
    if all(one.broken_off for one in choices):
        raise TransientError(choices[0].fault, "broken off")
    usage = read_usage(data.get("usage"))
    oddities = list(usage.oddities)
    if any(_PIECE_OF_CHARACTER in one.text for one in choices) and _has_surrogate(data["choices"]):
        oddities.append("unpaired surrogates in texts are recorded as U+FFFD")
    if any(_read_tokens(one.get("logprobs")) is None and one.get("logprobs") for one in _objects(data["choices"])):
        oddities.append("log-probabilities cannot be read and are recorded as unknown (NaN)")
    if any(one.is_cut for one in choices):
        oddities.append(f"texts longer than {_MOST_CHARACTERS:,} characters are cut off at this length")
    model = data.get("model")
    named = mended(model) if isinstance(model, str) else ""
    return ServerAnswer(
        tuple(choices), usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, named, tuple(oddities)
    )


def believable(answer: ServerAnswer, prompt: Prompt) -> ServerAnswer:
    """The answer without its count of prompt tokens, if this count is impossible.

    A token has at least one byte, so a prompt cannot have more tokens than bytes. `_TOKENS_BESIDE` more are allowed for
    a system prompt and the chat template's tokens, which a server may add.
    """
    size = sum(len(text.encode(errors="replace")) for text in texts_of(prompt))
    if answer.prompt_tokens == believable_count(answer.prompt_tokens, size):
        return answer
    said = "the server states more prompt tokens than the prompt can have: the number is ignored"
    return replace(answer, prompt_tokens=None, cached_tokens=None, oddities=(*answer.oddities, said))


def believable_count(prompt_tokens: int | None, prompt_bytes: int) -> int | None:
    """A count of prompt tokens; None if it exceeds what a prompt of this many bytes can have."""
    return None if prompt_tokens is None or prompt_tokens > prompt_bytes + _TOKENS_BESIDE else prompt_tokens


def _objects(choices: list[Any]) -> list[dict[str, Any]]:
    return [one for one in choices if isinstance(one, dict)]


def _index(choice: Any) -> int:
    index = choice.get("index") if isinstance(choice, dict) else None
    return index if isinstance(index, int) else 0


def _has_surrogate(choices: list[Any]) -> bool:
    return any("\ud800" <= letter <= "\udfff" for one in _objects(choices) for letter in _texts_of(one)[0])


def _read_choice(choice: Any) -> Choice:
    """Read a choice. One in an unreadable form is marked as a fault, and is not requested again."""
    try:
        text, thought = _texts_of(choice)
    except (KeyError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        return Choice("", None, None, fault=f"a sample came in a form that cannot be read ({what})")
    said = choice.get("finish_reason")
    finish = None if said is None else mended(str(said)).strip().lower().removeprefix("finish_reason_")
    if finish in _BROKEN_OFF:
        return Choice("", finish, None, fault=f"the server broke off: finish_reason {said!r}", broken_off=True)
    if max(len(text), len(thought)) > _MOST_CHARACTERS:
        text, thought = text[:_MOST_CHARACTERS], thought[:_MOST_CHARACTERS]
        return Choice(mended(text), "length", None, mended(thought), is_cut=True)
    return Choice(mended(text), finish, _read_tokens(choice.get("logprobs")), mended(thought))


def _texts_of(choice: Any) -> tuple[str, str]:
    """The text and the reasoning of a choice, from a chat or a completions call."""
    if "message" not in choice:
        return _joined(choice["text"])
    message = choice["message"] or {}
    text, thought = _joined(message.get("content"))
    apart = next((message[name] for name in _THOUGHTS if message.get(name)), None)
    return text, thought + "".join(_joined(apart))


def _joined(content: Any) -> tuple[str, str]:
    """Text and reasoning of a content: a text, nothing, or a list of parts, each a text or an object with a type."""
    if content is None or isinstance(content, str):
        return content or "", ""
    text, thought = "", ""
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            text += part
            continue
        kind = str(part.get("type", "text"))
        part_text = "".join(_joined(part.get("text", part.get(kind, part.get("content")))))
        if any(word in kind for word in ("think", "thought", "reason")):
            thought += part_text
        elif "text" in kind:
            text += part_text
    return text, thought


def _read_tokens(logprobs: Any) -> tuple[tuple[int, float], ...] | None:
    """Tokens in the form of chat (which llama.cpp also uses for completions) or of completions.

    None for other forms.
    """
    try:
        listed = logprobs.get("content")
        if listed is not None:
            return tuple((_bytes(one["token"], one.get("bytes")), _logprob(one["logprob"])) for one in listed)
        pairs = zip(logprobs["tokens"], logprobs["token_logprobs"], strict=True)
        return tuple((_bytes(token, None), _logprob(value)) for token, value in pairs)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _logprob(value: float | None) -> float:
    """A log-probability; servers write minus infinity as null, or as their lowest number."""
    return -math.inf if value is None else float(value)


def _bytes(token: str, raw: list[int] | None) -> int:
    """Size of a token in bytes; an incomplete character counts as one byte."""
    if raw is not None:
        return len(raw)
    if token.startswith("bytes:"):
        return len(re.findall(r"\\x[0-9a-f]{2}", token))
    return sum(1 if character == _PIECE_OF_CHARACTER else len(character.encode()) for character in mended(token))


def cut(text: str, stop: Sequence[str]) -> str:
    """The text before the first stop text."""
    ends = [text.find(one) for one in stop if one in text]
    return text[: min(ends)] if ends else text


def count_tokens(answer: ServerAnswer) -> list[int] | None:
    """Number of tokens that the model produced for each choice; None if they cannot be known (see the module)."""
    listed = [len(one.tokens) for one in answer.choices if one.tokens is not None]
    whole = len(listed) == len(answer.choices)
    used = answer.completion_tokens
    if any(one.fault for one in answer.choices):  # usage counts its tokens too
        readable = all(one.tokens or one.fault for one in answer.choices)
        return [len(one.tokens or ()) for one in answer.choices] if readable else None
    if len(answer.choices) == 1:
        (choice,) = answer.choices
        known = [count for count in listed if count]
        if used or (used == 0 and not choice.text and not choice.thought):  # no text comes from no tokens
            known.append(used)
        return [max(known)] if known else None
    if not whole:
        return None
    if used is None or used == sum(listed):
        return listed if all(listed) else None
    stopped = [not _is_length(one.finish) for one in answer.choices]
    if used == sum(listed) + sum(stopped):
        return [count + ended for count, ended in zip(listed, stopped, strict=True)]
    return None


def kept_logprobs(choice: Choice, text: str) -> list[float]:
    """Log-probabilities of the tokens that begin inside the kept text; empty if unknown."""
    if choice.tokens is None or choice.thought:
        return []
    if text == choice.text and _is_length(choice.finish):
        return [logprob for _, logprob in choice.tokens]
    kept, begin, end = [], 0, len(text.encode())
    for size, logprob in choice.tokens:
        if begin >= end:
            break
        kept.append(logprob)
        begin += size
    return kept


def _is_length(finish: str | None) -> bool:
    return finish in _LENGTH


def is_known(finish: str | None) -> bool:
    """Whether a finish reason is known."""
    return finish is None or finish in _LENGTH | _STOP | FILTERED


def finish_reason(choice: Choice, text: str, tokens: int, max_tokens: int) -> FinishReason:
    """Why the kept text ended.

    `STOP` if a stop text was cut off by `cut`, else what the server's finish reason means. If this reason is missing or
    unknown, `LENGTH` if the choice has `max_tokens` tokens or more, else `STOP`.
    """
    if text != choice.text:
        return FinishReason.STOP
    if choice.finish is None or not is_known(choice.finish):
        return FinishReason.LENGTH if tokens >= max_tokens else FinishReason.STOP
    return FinishReason.LENGTH if _is_length(choice.finish) else FinishReason.STOP


def generation_of(
    answer: ServerAnswer,
    choice: Choice,
    sampling: Sampling,
    *,
    prompt_tokens: int,
    completion_tokens: int,
    seconds: float,
    seed: int,
) -> Generation:
    """A choice as a sample: its text cut at a stop text, with the log-probabilities of the kept tokens."""
    text = cut(choice.text, sampling.stop)
    logprobs = kept_logprobs(choice, text)
    total = math.fsum(logprobs) if logprobs else math.nan
    return Generation(
        text=text,
        finish_reason=finish_reason(choice, text, completion_tokens, sampling.max_tokens),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        sum_logprob=total,
        mean_logprob=total / len(logprobs) if logprobs else math.nan,
        seconds=seconds,
        joules=math.nan,
        seed=seed,
        served=answer.model,
    )


def look_alike(answer: ServerAnswer, temperature: float) -> bool:
    """Whether the choices are equal although that is very unlikely by chance: one seed was probably used for all.

    "Very unlikely" means that the other choices repeat the first one with a log-probability below -60. This bound is so
    low because a temperature below 1 makes a text more likely than its log-probability says.
    """
    first = answer.choices[0]
    if len(answer.choices) < 2 or temperature < 0.5 or any(one.text != first.text for one in answer.choices):
        return False
    return math.fsum(kept_logprobs(first, first.text)) * (len(answer.choices) - 1) < -60.0
