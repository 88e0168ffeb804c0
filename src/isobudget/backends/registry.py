"""The list of backends. A new backend needs a folder in this package, and its settings class in `Settings` below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import Field

from isobudget.backends.huggingface.settings import TransformersSettings
from isobudget.backends.llamacpp.settings import LlamaCppSettings
from isobudget.backends.server.settings import ServerSettings
from isobudget.backends.settings import BackendSettings
from isobudget.backends.vllm.settings import VllmSettings

#: the settings of every backend, distinguished by `backend`; the first backend is the default
Settings = LlamaCppSettings | ServerSettings | VllmSettings | TransformersSettings
AnySettings = Annotated[Settings, Field(discriminator="backend")]

BACKENDS: Mapping[str, type[BackendSettings]] = {one.model_fields["backend"].default: one for one in get_args(Settings)}
DEFAULT = next(iter(BACKENDS))
#: other names by which a backend may be stated, and the backend
ALIASES = {"openai": "server"}


def backends_with(field: str) -> list[str]:
    """The backends that have a setting of this name."""
    return [name for name, settings in BACKENDS.items() if field in settings.model_fields]


def recorded_fields(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The study fields that say how a run reached a model; empty for a GGUF file, which the model's name identifies."""
    return BACKENDS.get(facts.get("backend", DEFAULT), BackendSettings).recorded_fields(facts)
