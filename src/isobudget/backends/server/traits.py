"""What kind of server answers, and what was noticed of it.

Servers that speak the OpenAI API differ in what they honour. Nothing is assumed: a request asks for everything, and
what a server refuses (400, 422) or silently leaves out is remembered, stated once in the description, and from then on
done without. A refusal that names the field at fault is believed; else one thing after another is left out until the
server accepts. What it once accepted is not left out later.

Sampling is to be temperature and top-p alone. Fields that switch off a server's own additions are sent to servers that
identify themselves; facts and sources are in docs/backends-server.md.
"""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from isobudget.backends.server.answers import Ask
from isobudget.backends.server.calls import Calls
from isobudget.backends.server.faults import RefusedError
from isobudget.backends.server.settings import Api
from isobudget.errors import BackendError

#: most samples in one request: below the limit of 128 that the OpenAI API has
MOST_SAMPLES = 64

_PENALTIES = {"presence_penalty": 0.0, "frequency_penalty": 0.0}


class Kind(StrEnum):
    """Servers that can be told apart."""

    LLAMA_CPP = "llama.cpp server"
    VLLM = "vLLM server"
    SGLANG = "SGLang server"
    OLLAMA = "Ollama"
    OPENAI = "OpenAI"
    UNKNOWN = "OpenAI-compatible server"


_OWNERS = {"llamacpp": Kind.LLAMA_CPP, "vllm": Kind.VLLM, "sglang": Kind.SGLANG, "library": Kind.OLLAMA}
_VERSIONS = {
    Kind.LLAMA_CPP: ("/props", "build_info"),
    Kind.VLLM: ("/version", "version"),
    Kind.OLLAMA: ("/api/version", "version"),
}
_NEUTRAL: dict[Kind, dict[str, Any]] = {
    # the order of the paper: the temperature first, then top-p; the server's own is the other way round
    Kind.LLAMA_CPP: {"samplers": ["temperature", "top_p"], "top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0},
    Kind.VLLM: {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, **_PENALTIES},
    Kind.SGLANG: {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, **_PENALTIES},
    Kind.OLLAMA: _PENALTIES,
    Kind.OPENAI: {},
    Kind.UNKNOWN: {},
}
_REPEATABLE = {
    Kind.LLAMA_CPP: "the same seed gives the same sample on the same build and machine, except where another batch "
    "rounds differently",
    Kind.VLLM: "seeds are honoured per sample; another batch, version or machine may round differently",
    Kind.OPENAI: "seeds are sent; OpenAI promises no more than an attempt to repeat",
}
_OTHERWISE_REPEATABLE = "seeds are sent; whether the server honours them is not known"

_TOO_LONG = re.compile(r"context.?(?:length|size|window)|prompt[^.]*too long|too many tokens", re.IGNORECASE)
_NAMED = {
    Ask.MAX_TOKENS: re.compile(r"max_completion_tokens"),
    Ask.LOGPROBS: re.compile(r"log_?probs?\b", re.IGNORECASE),
    Ask.SEED: re.compile(r"\bseed\b", re.IGNORECASE),
    Ask.STOPS: re.compile(r"\bstop\b", re.IGNORECASE),
    Ask.SAMPLES: re.compile(
        r"""['"`]n['"`]|\bn\s*(?:[<>=!]|must|should|is|cannot|greater)|best_of|n_cmpl"""
        r"""|\b(?:completion|multiple|several)\s+(?:choice|completion|sample)""",
        re.IGNORECASE,
    ),
}
#: tried in this order where the refusal names nothing
_UNNAMED = (Ask.SAMPLES, Ask.LOGPROBS, Ask.SEED, Ask.STOPS)
_WITHOUT = {
    Ask.SAMPLES: "takes one sample per request: asked for one at a time",
    Ask.LOGPROBS: "refuses log-probabilities: they are unknown (NaN)",
    Ask.SEED: "refuses seeds: samples cannot be repeated",
    Ask.STOPS: "takes four stop texts only: the others are cut off here, and what came after them was paid for",
    Ask.MAX_TOKENS: "wants max_completion_tokens instead of max_tokens",
}


@dataclass(frozen=True, slots=True)
class Server:
    """Who answers: its kind, its version ("" if it does not say), and where."""

    kind: Kind
    version: str
    host: str

    @property
    def label(self) -> str:
        """For the label of measured seconds."""
        return f"{' '.join(filter(None, (self.kind, self.version)))} at {self.host}"

    @property
    def neutral(self) -> dict[str, Any]:
        """Fields that switch off what it would add to temperature and top-p."""
        return _NEUTRAL[self.kind]


@dataclass(slots=True)
class Traits:
    """What was noticed of a server.

    Attributes:
        refused: done without from now on.
        accepted: what it took at least once.
        notes: a sentence for each thing noticed, in order.
    """

    refused: set[Ask] = field(default_factory=set)
    accepted: set[Ask] = field(default_factory=set)
    notes: dict[str, None] = field(default_factory=dict)

    @property
    def most_samples(self) -> int:
        """How many samples to ask for at once."""
        return 1 if Ask.SAMPLES in self.refused else MOST_SAMPLES

    def note(self, sentence: str) -> None:
        """Something to tell the user; said twice, it is told once."""
        self.notes[sentence] = None

    def refuse(self, ask: Ask, sentence: str | None = None) -> None:
        """Do without this from now on."""
        if ask not in self.refused:
            self.refused.add(ask)
            self.note(f"the server {sentence or _WITHOUT[ask]}")

    def concession(self, refusal: RefusedError, held: set[Ask]) -> tuple[Ask, bool] | None:
        """What to leave out next after a refusal, and whether the server named it; None: nothing that could help.

        Args:
            refusal: what the server said.
            held: what the refused request asked for.
        """
        if refusal.status not in (400, 422, 501) or _TOO_LONG.search(refusal.words):
            return None
        named = next((ask for ask, words in _NAMED.items() if ask in held and words.search(refusal.words)), None)
        if named is not None:
            return named, True
        unnamed = next((ask for ask in _UNNAMED if ask in held and ask not in self.accepted), None)
        return None if unnamed is None else (unnamed, False)

    def learn(self, conceded: list[tuple[Ask, bool]], held: set[Ask]) -> None:
        """A request was accepted that held `held` after these concessions.

        Those that the server named are believed. Of the others only the last is known to have been at fault.
        """
        self.accepted |= held
        for place, (ask, named) in enumerate(conceded):
            if named or place == len(conceded) - 1:
                self.refuse(ask)


def root_of(url: str) -> str:
    """Where the server's own calls lie, beside /v1."""
    return url.removesuffix("/v1")


async def identify(calls: Calls, url: str) -> Server:
    """Ask the server who it is. One that does not tell is `Kind.UNKNOWN`.

    Raises:
        BackendError: it cannot be reached, or wants another key.
    """
    host = urllib.parse.urlsplit(url).netloc
    try:
        owner = (await calls.call(f"{url}/models", None, _read_owner)).value
    except RefusedError as error:
        if error.status in (401, 403):
            raise
        owner = ""
    kind = _OWNERS.get(owner, Kind.UNKNOWN)
    if urllib.parse.urlsplit(url).hostname == "api.openai.com":
        kind = Kind.OPENAI
    return Server(kind, await _version(calls, url, kind), host)


def _read_owner(data: Any) -> str:
    models = data.get("data") if isinstance(data, dict) else None
    return str(models[0].get("owned_by", "")).lower() if models else ""


async def _version(calls: Calls, url: str, kind: Kind) -> str:
    if kind not in _VERSIONS:
        return ""
    path, name = _VERSIONS[kind]
    try:
        return (await calls.call(root_of(url) + path, None, lambda data: str(data.get(name, "")), attempts=1)).value
    except BackendError:
        return ""


def first_traits(kind: Kind, api: Api) -> Traits:
    """What is known of a kind of server before it is asked."""
    traits = Traits()
    if kind is Kind.OPENAI:
        traits.refuse(Ask.STOPS)
    if kind in (Kind.UNKNOWN, Kind.OLLAMA):
        traits.note(
            "whether the server adds top-k, min-p or penalties of its own to temperature and top-p is not known here"
        )
    if kind is Kind.OLLAMA and api == "completions":
        traits.note(
            "Ollama puts a completion's prompt into the model's template, unless the model has none (NAME:text)"
        )
    if kind is Kind.SGLANG:
        traits.note(
            "log-probabilities of SGLang are those after the temperature, "
            "unless it runs with SGLANG_RETURN_ORIGINAL_LOGPROB=1"
        )
    return traits


def repeatable(kind: Kind, traits: Traits) -> str:
    """The sentence for `Description.repeatable`."""
    if Ask.SEED in traits.refused:
        return "no: the server refuses seeds"
    return _REPEATABLE.get(kind, _OTHERWISE_REPEATABLE)
