"""What the settings of all backends have in common; each backend's own are in its folder (`settings.py` there).

A backend's settings are the one place that says what a study, the user's models file and a command may state of it,
what it needs, how it is opened and kept busy, and what a run records of it. Nothing here or there imports an engine.
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
from isobudget.files.hub import commit_of, may_be_repo

#: inputs are kept out of messages: a URL may hold a secret
STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

Positive = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be installed: modules, the extra of isobudget that brings them, and for what, in words."""

    modules: tuple[str, ...] = ()
    extra: str = ""
    purpose: str = ""

    def error(self) -> MissingExtraError:
        """What to install."""
        return MissingExtraError(self.purpose, self.extra)

    def missing(self) -> MissingExtraError | None:
        """What to install, if a module is not here."""
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
    """How a backend is kept busy.

    Larger groups share the prompt's computation among more samples, smaller ones keep an engine's slots full when
    samples end at different times, since a call comes back with its last sample. How many more samples are under way
    than run at once is what a Ctrl-C has to wait for.

    Attributes:
        group: most samples of one problem in one call.
        by_calls: whether the backend's `concurrency` counts calls, each of which computes its prompt; else it counts
            samples, and those of a problem share their prompt.
        ahead: how many times its concurrency is under way, so that it need not wait for the next call.
        on_cores: whether it computes on this machine's cores, which the judge then leaves to it.
    """

    group: int
    by_calls: bool
    ahead: float
    on_cores: bool


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a model is said to run on, for estimates: the GPU's name, how many share it, samples at the same time."""

    gpu: str
    gpus: int
    batch: int


if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


class _Checked(ModelMetaclass):
    """Settings that are made by hand are checked as those of a study are, and wrong ones are reported alike."""

    def __call__(self, **fields: Any) -> Any:
        try:
            return super().__call__(**fields)
        except ValidationError as error:
            wrong = [
                f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}"
                for one in error.errors()
            ]
            raise InputError(f"{self.__name__}: {'; '.join(wrong)}") from None


class BackendSettings(BaseModel, metaclass=_Checked):
    """How one model is reached.

    Class attributes:
        needs: what must be installed.
        opens: the backend's class, ``module:name``; it takes the settings and does nothing before it is entered.
        pace: how it is kept busy, see `pacing`.
        recorded: settings that decide what is sampled; a run states them where they are given, and keeps to them.
        paid_by_token: whether it is paid per token; else by the hours of a GPU.
        runs_elsewhere: whether the model runs behind an address, wherever its backend is opened.

    Attributes:
        backend: its name in studies.
        model: what the backend calls the model.
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

    def open(self) -> Backend:
        """The backend that reaches this model; use it in a with statement.

        Raises:
            MissingExtraError: a part that it needs is not installed.
        """
        module, _, name = self.opens.partition(":")
        return cast(Backend, getattr(importlib.import_module(module), name)(self))

    def serves(self, wanted: BackendSettings) -> bool:
        """Whether a backend that was opened with these settings does what one opened with the wanted ones would."""
        return self == wanted

    def pacing(self) -> Pacing:
        """How the backend is kept busy."""
        return self.pace

    def hardware(self) -> Hardware | None:
        """What the model runs on, where that is stated."""
        return None

    @property
    def devices(self) -> int | None:
        """GPUs that the model holds, 1 on a processor; None where that is not known."""
        return 1

    def gpus_held(self, there_are: bool) -> int:  # noqa: ARG002
        """GPUs that one backend holds on a machine of a cluster that has some, or has none (`there_are`)."""
        return 0

    def on_cores(self, cores: int) -> Self:  # noqa: ARG002
        """These settings for a backend that has this many cores of its machine to itself."""
        return self

    def refuses(self, prompt: Prompt) -> str:  # noqa: ARG002
        """What is wrong with such a prompt, and what to set instead; empty if the backend takes it."""
        return ""

    def stated(self) -> dict[str, Any]:
        """The settings that were given, `backend` and `model` left out."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set - {"backend", "model"})}

    def facts(self) -> dict[str, Any]:
        """What a run records of how the model was reached. No key, and nothing of a URL that may be secret."""
        stated = self.stated()
        chosen = {name: stated[name] for name in self.recorded if name in stated}
        return {"backend": self.backend, "model": self.model} | chosen

    @classmethod
    def recorded_fields(cls, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The fields, as a study states them, that a run's facts about a model hold."""
        return {name: facts[name] for name in ("backend", "model", *cls.recorded) if name in facts}


class HubSettings(BackendSettings):
    """What backends share that load a folder, or a repository of the Hugging Face hub.

    Attributes:
        revision: branch, tag or commit of the repository; None takes its main branch.
        gpu: what it runs on, such as ``a100-80gb``: for the estimate of ``--dry-run`` alone.
    """

    recorded: ClassVar[tuple[str, ...]] = ("revision", "dtype")

    revision: Text | None = None
    gpu: Text | None = None

    def commit(self) -> str:
        """The repository's commit that the revision means now; empty for a folder.

        Raises:
            ModelError: there is no such folder, and the hub does not give it.
        """
        if not may_be_repo(self.model):
            return ""
        try:
            return commit_of(self.model, self.revision)
        except ModelError as error:
            raise ModelError(f"{self.model}: not a local folder, and not available on the hub: {error}") from error
