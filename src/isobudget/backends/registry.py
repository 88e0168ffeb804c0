"""How a model is reached, as data, and the backend that follows from it.

A `BackendSpec` holds what a study or a command says of a model; `open_backend` makes the backend, without I/O: that
begins when it is entered. Nothing heavy is imported before the backend that needs it is made. Keys are not part of
it: a server's key is read from the environment when it is needed, and recorded nowhere.
"""

from __future__ import annotations

import importlib.util
import urllib.parse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from isobudget.backends.base import Backend
from isobudget.backends.llamacpp import EngineSettings, LlamaCpp, engine_label
from isobudget.errors import InputError, MissingExtraError

Kind = Literal["llama.cpp", "server", "vllm", "transformers"]
KINDS: tuple[str, ...] = get_args(Kind)

#: the modules that each kind needs, and the extra of isobudget that brings them
_NEEDS: dict[str, tuple[tuple[str, ...], str]] = {
    "llama.cpp": (("xllamacpp", "threadpoolctl", "jinja2"), "local"),
    "server": (("openai",), "openai"),
    "vllm": (("vllm",), "vllm"),
    "transformers": (("torch", "transformers"), "transformers"),
}
_WHAT = {
    "llama.cpp": "running models inside this process",
    "server": "reaching a model through a server",
    "vllm": "running models by vLLM",
    "transformers": "running models by transformers",
}


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """How a model is reached. What does not belong to the kind is left at its default.

    Attributes:
        kind: one of `KINDS`.
        model: what the backend calls the model: the path of a GGUF file, a hub repository or folder, a served name.
        revision: of a hub repository.
        url, api, key_env: of a server; `key_env` names the environment variable that holds its key.
        requests_per_minute: most requests that a server is sent, None for no limit of ours.
        timeout_seconds: how long a server may take for one answer; None for the backend's own.
        attempts: how often a request that fails is put to a server; None for the backend's own.
        concurrency: samples or requests under way at the same time; None for the backend's own.
        tensor_parallel: GPUs that share the model (vLLM).
        context_tokens: room for prompt and completion (vLLM); None for the model's own.
        memory_fraction: of the GPU's memory (vLLM); None for the backend's own.
        dtype: number format of the weights; None for the backend's own.
        device: where transformers runs the model; None for the backend's own.
        batch: samples that transformers draws at the same time; None for the backend's own.
        engine: settings of the embedded engine.
    """

    kind: Kind
    model: str
    revision: str | None = None
    url: str | None = None
    api: Literal["completions", "chat"] = "completions"
    key_env: str | None = None
    requests_per_minute: int | None = None
    timeout_seconds: float | None = None
    attempts: int | None = None
    concurrency: int | None = None
    tensor_parallel: int | None = None
    context_tokens: int | None = None
    memory_fraction: float | None = None
    dtype: str | None = None
    device: str | None = None
    batch: int | None = None
    engine: EngineSettings | None = None


@dataclass(frozen=True, slots=True)
class Pacing:
    """How a backend is kept busy.

    Attributes:
        group: most samples of one problem that one call draws.
        by_calls: whether the backend's `concurrency` counts calls; else it counts samples.
        ahead: how many times its concurrency is under way, so that it need not wait for the next call.
        on_cores: whether it computes on this machine's cores, which the judge then leaves to it.
    """

    group: int
    by_calls: bool
    ahead: float
    on_cores: bool


#: Larger groups share the prompt's computation among more samples, smaller ones keep an engine's slots full when
#: samples end at different times, since a call comes back with its last sample. llama.cpp and vLLM find shared prompts
#: themselves, so their groups are small; and more than their concurrency is under way: they always have something to
#: put in the place of what ended. How much more is what a Ctrl-C has to wait for.
_PACING = {
    "llama.cpp": Pacing(1, by_calls=False, ahead=1.5, on_cores=True),
    "server": Pacing(16, by_calls=True, ahead=1.0, on_cores=False),
    "vllm": Pacing(16, by_calls=False, ahead=2.0, on_cores=False),
    "transformers": Pacing(16, by_calls=False, ahead=1.0, on_cores=True),
}


def pacing(spec: BackendSpec) -> Pacing:
    """How the backend of `spec` is kept busy."""
    pace = _PACING[spec.kind]
    if spec.kind != "transformers":
        return pace
    on_cores = not (spec.device or "").startswith("cuda")
    return replace(pace, group=spec.batch or pace.group, on_cores=on_cores)


def missing_extra(kind: Kind) -> MissingExtraError | None:
    """The error that says what to install, if a part that this kind of backend needs is not here."""
    modules, extra = _NEEDS[kind]
    there = all(importlib.util.find_spec(module) is not None for module in modules)
    return None if there else MissingExtraError(_WHAT[kind], extra)


def open_backend(spec: BackendSpec) -> Backend:
    """The backend that reaches this model; use it in a with statement.

    Raises:
        MissingExtraError: a part that it needs is not installed.
        InputError: the spec lacks what its kind needs.
    """
    return _OPENERS[spec.kind](spec)


def _llama_cpp(spec: BackendSpec) -> Backend:
    return LlamaCpp(Path(spec.model), spec.engine)


def _server(spec: BackendSpec) -> Backend:
    from isobudget.backends.server import ServerBackend, ServerSettings

    if not spec.url:
        raise InputError(f"the server of {spec.model!r} needs a url, such as http://localhost:8000/v1")
    stated = _given(
        key_env=spec.key_env,
        concurrency=spec.concurrency,
        requests_per_minute=spec.requests_per_minute,
        timeout_seconds=spec.timeout_seconds,
        attempts=spec.attempts,
    )
    return ServerBackend(ServerSettings(url=spec.url, model=spec.model, api=spec.api, **stated))


def _vllm(spec: BackendSpec) -> Backend:
    from isobudget.backends.vllm.backend import Vllm, VllmSettings

    stated = _given(
        revision=spec.revision,
        tensor_parallel=spec.tensor_parallel,
        dtype=spec.dtype,
        context_tokens=spec.context_tokens,
        memory_fraction=spec.memory_fraction,
        concurrency=spec.concurrency,
    )
    return Vllm(VllmSettings(model=spec.model, **stated))


def _transformers(spec: BackendSpec) -> Backend:
    from isobudget.backends.huggingface import HuggingFace, HuggingFaceSettings

    stated = _given(revision=spec.revision, device=spec.device, dtype=spec.dtype, batch=spec.batch)
    return HuggingFace(HuggingFaceSettings(model=spec.model, **stated))


_OPENERS = {"llama.cpp": _llama_cpp, "server": _server, "vllm": _vllm, "transformers": _transformers}


def _given(**fields: Any) -> dict[str, Any]:
    """What is stated; the rest is the backend's own default."""
    return {name: value for name, value in fields.items() if value is not None}


def spec_facts(spec: BackendSpec) -> dict[str, Any]:
    """What a run states of how a model was reached: no key, and of a URL neither user, password nor query."""
    if spec.kind == "llama.cpp":
        return {"backend": spec.kind, "engine": engine_label(spec.engine or EngineSettings())}
    facts = _given(revision=spec.revision, dtype=spec.dtype)
    if spec.kind == "server":
        facts = {"url": plain_url(spec.url or ""), "api": spec.api}
    return {"backend": spec.kind, "model": spec.model} | facts


def plain_url(url: str) -> str:
    """A URL without user, password, query and fragment, which may hold secrets."""
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", ""))
