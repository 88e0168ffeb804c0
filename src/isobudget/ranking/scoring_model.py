"""Models that score samples or write tests for `isobudget rank`, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from isobudget.backends.base import Backend
from isobudget.backends.llamacpp import EngineSettings
from isobudget.backends.registry import KINDS, BackendSpec, open_backend
from isobudget.errors import InputError, IsobudgetError
from isobudget.models.architecture import Architecture
from isobudget.models.catalog import find_model
from isobudget.models.named import find_named
from isobudget.models.read_architecture import from_gguf, load_architecture
from isobudget.models.weights import fetch_weights
from isobudget.pipeline.progress import Progress, fetch_progress
from isobudget.rankers.base import Pool
from isobudget.ranking.scores import Scorer, plain

#: characters of source for one token, at least
_CHARACTERS_PER_TOKEN = 2.0
_CONTEXT_STEP = 256
#: tokens that a test-writing model may add
_WRITTEN = 512


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model that scores samples or writes tests.

    Attributes:
        name: of the catalogue, a GGUF file, or what the backend calls it.
        backend: one of `backends.opening.KINDS`.
        url: of a server.
        api: of a server, `completions` or `chat`; the latter only writes tests.
        key_env: of a server, the environment variable that holds its key.
        architecture: a known name, a config.json or a GGUF file, to count flops; by default found by the model's name.
        threads: of the embedded engine.
        revision: of a hub repository.
        dtype: number format of the weights, with vLLM and transformers.
        called: what the backend calls it, if not `name`.
    """

    name: str
    backend: str = "llama.cpp"
    url: str | None = None
    api: Literal["completions", "chat"] = "completions"
    key_env: str | None = None
    architecture: str | None = None
    threads: int | None = None
    revision: str | None = None
    dtype: str | None = None
    called: str | None = None


def as_recorded(choice: ModelChoice, models: Mapping[str, Mapping[str, Any]]) -> ModelChoice:
    """The model as a run had it, if it is one of the run's: the same weights in the same number format.

    Args:
        choice: the model.
        models: what the run states of each of its models, by name.
    """
    for name, facts in models.items():
        known = facts.get("backend") == choice.backend != "llama.cpp"  # there the file tells all
        if known and choice.name in (name, facts.get("model")):
            return replace(
                choice,
                name=name,
                called=facts.get("model"),
                revision=choice.revision or facts.get("commit") or facts.get("revision"),
                dtype=choice.dtype or facts.get("dtype"),
            )
    return choice


def open_scorer(choice: ModelChoice, pools: Sequence[Pool], progress: Progress) -> Scorer:
    """The model ready to be opened; weights of the embedded engine are fetched now.

    Raises:
        InputError: the model or the backend is not known.
        ModelError: weights cannot be had.
    """
    if choice.backend not in KINDS:
        raise InputError(f"unknown backend {choice.backend!r}; backends are: {', '.join(KINDS)}")
    if choice.backend != "llama.cpp":
        spec = BackendSpec(
            kind=choice.backend,  # type: ignore[arg-type]
            model=choice.called or choice.name,
            url=choice.url,
            api=choice.api,
            key_env=choice.key_env,
            revision=choice.revision,
            dtype=choice.dtype,
        )
        open_backend(spec)  # what is missing is told before anything begins
        return Scorer(choice.name, lambda: open_backend(spec), _shape(choice))
    entry = find_model(choice.name)
    path = fetch_weights(entry, fetch_progress(entry.name, progress))
    engine = EngineSettings(slots=8, context_tokens=_context(pools), threads=choice.threads)
    spec = BackendSpec(kind="llama.cpp", model=str(path), engine=engine)

    def open_one() -> Backend:
        return open_backend(spec)

    shape = load_architecture(choice.architecture) if choice.architecture else from_gguf(Path(path), entry.name)
    return Scorer(entry.name, open_one, shape)


def _shape(choice: ModelChoice) -> Architecture | None:
    if choice.architecture:
        return load_architecture(choice.architecture)
    model = choice.called or choice.name
    try:
        return load_architecture(model) if Path(model).is_dir() else find_named(model)
    except IsobudgetError:
        return None


def _context(pools: Sequence[Pool]) -> int:
    longest = max(
        len(plain(one.prompt)) + max((len(sample.text) for sample in one.samples), default=0)
        for pool in pools
        for one in pool.problems
    )
    need = longest / _CHARACTERS_PER_TOKEN + _WRITTEN
    return int(-(-need // _CONTEXT_STEP) * _CONTEXT_STEP)
