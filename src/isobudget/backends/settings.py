"""The common part of all backends' settings; each backend's own settings are in its folder (`settings.py`).

A backend's settings class is the one place that defines four things: what a study, the user's models file and a command
may state about the backend; which packages the backend needs; how the backend is opened and kept busy; and what a run
records about the backend. Neither this module nor the settings of a backend import an engine.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from isobudget.backends.base import Backend, Prompt
from isobudget.errors import InputError, MissingExtraError, ModelError
from isobudget.files.field_errors import field_message
from isobudget.files.hub import commit_of, may_be_repo

#: inputs are kept out of messages: a URL may hold a secret
STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, allow_inf_nan=False)

Positive = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Needs:
    """Required modules, the isobudget extra that installs them, and their purpose in words."""

    modules: tuple[str, ...] = ()
    extra: str = ""
    purpose: str = ""

    def error(self) -> MissingExtraError:
        """The error that says what to install."""
        return MissingExtraError(self.purpose, self.extra)

    def missing(self) -> MissingExtraError | None:
        """The error that says what to install, if a module is missing; otherwise None."""
        there = all(importlib.util.find_spec(module) is not None for module in self.modules)
        return None if there else self.error()

    def load(self) -> list[Any]:
        """The modules.

        Raises:
            MissingExtraError: one of them is not installed.
        """
        try:
            return [importlib.import_module(module) for module in self.modules]
        except ModuleNotFoundError:
            raise self.error() from None


@dataclass(frozen=True, slots=True)
class Pacing:
    """How many calls and samples of a backend run at the same time.

    Larger groups share the prompt's computation among more samples. Smaller groups keep an engine's slots fuller,
    because a call returns only with its last sample. Ctrl-C has to wait for all samples in flight, including those that
    do not run yet.

    Attributes:
        group: maximum number of samples of one problem in one call.
        by_calls: whether the backend's `concurrency` counts calls, each of which computes its prompt. Otherwise it
            counts samples, and the samples of a problem share their prompt.
        ahead: number of samples or calls in flight, as a multiple of the concurrency. If it is above 1, the next calls
            are already waiting when the backend has room for them.
        on_cores: whether the backend computes on this machine's CPU cores. If so, the judge leaves these cores free.
    """

    group: int
    by_calls: bool
    ahead: float
    on_cores: bool


@dataclass(frozen=True, slots=True)
class Hardware:
    """Stated hardware of a model, for estimates.

    Attributes:
        gpu: name of the GPU.
        gpus: number of GPUs that share the model.
        batch: number of samples generated at the same time.
    """

    gpu: str
    gpus: int
    batch: int


if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


class _Checked(ModelMetaclass):
    """Metaclass that turns pydantic's errors into the messages that studies give, also for settings made in Python."""

    def __call__(self, **fields: Any) -> Any:
        try:
            return super().__call__(**fields)
        except ValidationError as error:
            wrong = [f"{'.'.join(map(str, one['loc']))}: {field_message(one)}" for one in error.errors()]
            raise InputError(f"{self.__name__}: {'; '.join(wrong)}") from None


class BackendSettings(BaseModel, metaclass=_Checked):
    """How one model is reached.

    Class attributes:
        needs: what must be installed.
        opens: the backend's class, as ``module:name``. The constructor of this class takes the settings and does no
            work.
        pace: pacing of the backend, see `pacing`.
        recorded: names of the settings that affect the samples. A run records those that are given, and they may not
            change when the run is continued.
        paid_by_token: whether the model is paid per token rather than per GPU-hour.
        runs_elsewhere: whether the model runs behind a network address, wherever its backend is opened.

    Attributes:
        backend: the backend's name in studies.
        model: the model's name for the backend.
    """

    model_config = STRICT

    needs: ClassVar[Needs] = Needs()
    opens: ClassVar[str] = ""
    pace: ClassVar[Pacing] = Pacing(16, by_calls=False, ahead=1.0, on_cores=False)
    recorded: ClassVar[tuple[str, ...]] = ()
    paid_by_token: ClassVar[bool] = False
    runs_elsewhere: ClassVar[bool] = False

    backend: str
    model: Text

    def not_running(self) -> str:
        """Why the program that serves the model does not run, as far as known without a request; or an empty string."""
        return ""

    def open(self) -> Backend:
        """The backend that reaches this model; use it as a context manager.

        Raises:
            MissingExtraError: a required package is not installed.
        """
        module, _, name = self.opens.partition(":")
        return cast(Backend, getattr(importlib.import_module(module), name)(self))

    def serves(self, wanted: BackendSettings) -> bool:
        """Whether a backend opened with these settings can replace one opened with the wanted settings."""
        return self == wanted

    def pacing(self) -> Pacing:
        """The pacing of the backend."""
        return self.pace

    def hardware(self) -> Hardware | None:
        """The hardware on which the model runs, if stated."""
        return None

    @property
    def devices(self) -> int | None:
        """Number of GPUs that the model uses, 1 for a processor; None if not known."""
        return 1

    def gpus_held(self, there_are: bool) -> int:  # noqa: ARG002
        """Number of GPUs that one backend holds on a cluster machine; `there_are` says whether the machine has GPUs."""
        return 0

    def on_cores(self, cores: int) -> Self:  # noqa: ARG002
        """These settings for a backend that has this many cores of its machine for itself."""
        return self

    def refuses(self, prompt: Prompt) -> str:  # noqa: ARG002
        """Why the backend cannot take this prompt, and what to set instead; empty if it can."""
        return ""

    def stated(self) -> dict[str, Any]:
        """The settings that were given, without `backend` and `model`."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set - {"backend", "model"})}

    def facts(self) -> dict[str, Any]:
        """What a run records about how the model was reached: no key, and no part of a URL that may be secret."""
        stated = self.stated()
        chosen = {name: stated[name] for name in self.recorded if name in stated}
        return {"backend": self.backend, "model": self.model} | chosen

    @classmethod
    def recorded_fields(cls, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The study fields that are contained in a run's facts about a model."""
        return {name: facts[name] for name in ("backend", "model", *cls.recorded) if name in facts}


class HubSettings(BackendSettings):
    """Settings shared by backends that load a folder, or a repository of the Hugging Face Hub.

    Attributes:
        revision: branch, tag or commit of the repository; None means its main branch.
        gpu: the GPU on which the model runs, such as ``a100-80gb``; only used in the estimate of ``--dry-run``.
    """

    recorded: ClassVar[tuple[str, ...]] = ("revision", "dtype")

    revision: Text | None = None
    gpu: Text | None = None

    def commit(self) -> str:
        """The commit to which the revision currently points; empty for a folder.

        Raises:
            ModelError: not a local folder, and not available on the Hub.
        """
        if not may_be_repo(self.model):
            return ""
        try:
            return commit_of(self.model, self.revision)
        except ModelError as error:
            raise ModelError(f"{self.model}: not a local folder, and not available on the hub: {error}") from error
