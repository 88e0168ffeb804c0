"""What kind of server answers, and what was observed about it.

Servers with the OpenAI API differ in what they support. Nothing is assumed: a request asks for everything. What a
server refuses (`features`) or silently ignores is remembered, stated once in the description, and no longer requested.

Sampling should be temperature and top-p alone. Servers that identify themselves are sent fields that switch off their
own additions; facts and sources are in docs/backends-server.md.
"""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from isobudget.backends.server.calls import Calls
from isobudget.backends.server.faults import RefusedError, TransientError, UnreadableError
from isobudget.backends.server.features import Fallback, Feature, without
from isobudget.backends.server.settings import ServerSettings
from isobudget.errors import BackendError
from isobudget.files.whole import mended

#: most samples in one request: below the limit of 128 that the OpenAI API has
MOST_SAMPLES = 64
#: maximum number of models that a note names
_LISTED = 5

_PENALTIES = {"presence_penalty": 0.0, "frequency_penalty": 0.0}


class ServerKind(StrEnum):
    """The kinds of servers that can be distinguished."""

    LLAMA_CPP = "llama.cpp server"
    VLLM = "vLLM server"
    SGLANG = "SGLang server"
    OLLAMA = "Ollama"
    OPENAI = "OpenAI"
    UNKNOWN = "OpenAI-compatible server"


_OWNERS = {
    "llamacpp": ServerKind.LLAMA_CPP,
    "vllm": ServerKind.VLLM,
    "sglang": ServerKind.SGLANG,
    "library": ServerKind.OLLAMA,
}
_VERSIONS = {
    ServerKind.LLAMA_CPP: ("/props", "build_info"),
    ServerKind.VLLM: ("/version", "version"),
    ServerKind.OLLAMA: ("/api/version", "version"),
}
_NEUTRAL: dict[ServerKind, dict[str, Any]] = {
    # the order of the paper: the temperature first, then top-p; the server's own is the other way round
    ServerKind.LLAMA_CPP: {"samplers": ["temperature", "top_p"], "top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0},
    ServerKind.VLLM: {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, **_PENALTIES},
    ServerKind.SGLANG: {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, **_PENALTIES},
    ServerKind.OLLAMA: _PENALTIES,
    ServerKind.OPENAI: {},
    ServerKind.UNKNOWN: {},
}
_REPEATABLE = {
    ServerKind.LLAMA_CPP: "the same seed gives the same sample on the same build and machine, except where another "
    "batch rounds differently",
    ServerKind.VLLM: "seeds are honoured per sample; another batch, version or machine may round differently",
    ServerKind.OPENAI: "seeds are sent; OpenAI promises no more than an attempt to repeat",
}
_OTHERWISE_REPEATABLE = "seeds are sent; whether the server honours them is not known"


@dataclass(frozen=True, slots=True)
class Server:
    """The server: its kind, its version ("" if not stated), its address, and the models that it lists, if any."""

    kind: ServerKind
    version: str
    host: str
    models: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The server's name in the label of measured seconds."""
        return f"{' '.join(filter(None, (self.kind, self.version)))} at {self.host}"

    @property
    def neutral(self) -> dict[str, Any]:
        """Fields that switch off the server's additions to temperature and top-p."""
        return _NEUTRAL[self.kind]


@dataclass(slots=True)
class Traits:
    """What was observed about a server.

    Attributes:
        refused: features no longer requested.
        accepted: features accepted at least once.
        notes: one sentence for each observation, in order.
    """

    refused: set[Feature] = field(default_factory=set)
    accepted: set[Feature] = field(default_factory=set)
    notes: dict[str, None] = field(default_factory=dict)

    @property
    def most_samples(self) -> int:
        """How many samples to request at once."""
        return 1 if Feature.SAMPLES in self.refused else MOST_SAMPLES

    def note(self, sentence: str) -> None:
        """Add a note for the user; the same note is added only once."""
        self.notes[sentence] = None

    def refuse(self, feature: Feature, sentence: str | None = None) -> None:
        """Stop requesting this feature, and note it: by default with `features.without`, else with `sentence`."""
        if feature not in self.refused:
            self.refused.add(feature)
            self.note(f"the server {sentence or without(feature)}")
        if feature is Feature.STOPS:  # all stop texts are refused, not only more than four
            self.notes.pop(f"the server {without(Feature.MORE_STOPS)}", None)

    def learn(self, left_out: list[Fallback], held: set[Feature]) -> None:
        """Note that a request with the features `held` was accepted after the features `left_out` were removed.

        Features that the server named count as refused. Of the other removed features, only the last one counts as
        refused, because only that one is known to have been at fault.
        """
        self.accepted |= held
        for place, one in enumerate(left_out):
            if one.named or place == len(left_out) - 1:
                self.refuse(one.feature)


def root_of(url: str) -> str:
    """The URL of the server's own calls, which are not below /v1."""
    return url.removesuffix("/v1")


async def identify(calls: Calls, url: str, model: str) -> Server:
    """Query the server's kind, and whether it lists the model.

    A server that does not identify itself is `ServerKind.UNKNOWN`.

    Raises:
        BackendError: the server cannot be reached, or requires another key.
    """
    parts = urllib.parse.urlsplit(url)
    listed: dict[str, str] = {}
    try:
        listed = (await calls.call(f"{url}/models", None, _read_owners, lost_only=True)).value
    except RefusedError as error:
        if error.status in (401, 403):
            raise
    except TransientError as error:
        if error.is_lost:
            raise
    except UnreadableError:
        pass
    owner = listed.get(model, next(iter(listed.values()), ""))
    kind = ServerKind.OPENAI if parts.hostname == "api.openai.com" else _OWNERS.get(owner, ServerKind.UNKNOWN)
    return Server(kind, await _version(calls, url, kind), parts.netloc, tuple(listed))


def _read_owners(data: Any) -> dict[str, str]:
    """The models that a server lists, each with its owner; empty if the form of the list is not known."""
    models = data.get("data") if isinstance(data, dict) else None
    known = [one for one in models if isinstance(one, dict)] if isinstance(models, list) else []
    return {mended(str(one.get("id", ""))): str(one.get("owned_by", "")).lower() for one in known}


async def _version(calls: Calls, url: str, kind: ServerKind) -> str:
    if kind not in _VERSIONS:
        return ""
    path, name = _VERSIONS[kind]
    try:
        return (await calls.call(root_of(url) + path, None, lambda data: str(data.get(name, "")), attempts=1)).value
    except BackendError:
        return ""


def first_traits(server: Server, settings: ServerSettings) -> Traits:
    """What is known about a server before samples are requested."""
    traits, kind, api = Traits(), server.kind, settings.api
    if server.models and settings.model not in server.models:
        more = f" and {len(server.models) - _LISTED} more" if len(server.models) > _LISTED else ""
        traits.note(
            f"the server does not list the model {settings.model!r}; it lists "
            f"{', '.join(server.models[:_LISTED])}{more}"
        )
    if kind is ServerKind.OPENAI:
        traits.refuse(Feature.MORE_STOPS)
    if kind in (ServerKind.UNKNOWN, ServerKind.OLLAMA):
        traits.note("it is not known whether this server adds top-k, min-p or penalties to temperature and top-p")
    if kind is ServerKind.OLLAMA and api == "completions":
        traits.note(
            "Ollama puts a completion's prompt into the model's template, unless the model has none (NAME:text)"
        )
    if kind is ServerKind.SGLANG:
        traits.note(
            "SGLang returns log-probabilities after temperature scaling, "
            "unless it runs with SGLANG_RETURN_ORIGINAL_LOGPROB=1"
        )
    return traits


def repeatable(kind: ServerKind, traits: Traits) -> str:
    """The sentence for `Description.repeatable`."""
    if Feature.SEED in traits.refused:
        return "no: the server refuses seeds"
    return _REPEATABLE.get(kind, _OTHERWISE_REPEATABLE)
