"""Where a run's work is done: the seam between the pipeline and what executes it.

`Local` is this process and its children. `isobudget.cluster` has another one, whose workers are actors on the machines
of a cluster; the pipeline is the same, and so are samples (by their seeds) and verdicts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from isobudget.backends.base import Backend, Description
from isobudget.backends.settings import Pacing
from isobudget.judge import Judge, Limits
from isobudget.pipeline.work import Feed, Result, in_parallel
from isobudget.study.resolve import ResolvedModel

BackendFactory = Callable[[ResolvedModel], Backend]


def open_model(model: ResolvedModel) -> Backend:
    """The backend of a prepared model."""
    return model.settings.open()


class OpenModel(Protocol):
    """A model that generates, wherever it runs."""

    def describe(self) -> Description:
        """What it is, and what it noticed so far; see `Backend.describe`."""
        ...

    def results(self, feed: Feed, hold: Callable[[], bool]) -> Generator[Result, None, None]:
        """Calls with what came of them, as they come; see `in_parallel`."""
        ...


class Executor(Protocol):
    """What does the work."""

    @property
    def needs_extras(self) -> bool:
        """Whether the optional parts of the models' backends have to be installed in this process' environment."""
        ...

    def place(self, models: Sequence[ResolvedModel]) -> list[ResolvedModel]:
        """The models as they will run: settings that depend on the machines are filled in.

        Raises:
            ClusterError: they cannot run there.
        """
        ...

    def generating(self, model: ResolvedModel, samples: int) -> contextlib.AbstractContextManager[OpenModel]:
        """A placed model, opened to generate this many samples."""
        ...

    def judge(
        self,
        workers: int | None = None,
        limits: Limits | None = None,
        beside: Sequence[ResolvedModel] = (),
        **modes: Any,
    ) -> Judge:
        """A judge, to be entered, beside models that generate meanwhile; the other arguments are its own."""
        ...


@dataclass(frozen=True, slots=True)
class LocalModel:
    """An open backend of this process."""

    backend: Backend
    pace: Pacing

    def describe(self) -> Description:
        """What the backend says."""
        return self.backend.describe()

    def results(self, feed: Feed, hold: Callable[[], bool]) -> Generator[Result, None, None]:
        """Results by its threads."""
        return in_parallel(self.backend, feed, self.pace, hold)


@dataclass(frozen=True, slots=True)
class Local:
    """This process and its children. `make_backend` makes a prepared model's backend."""

    make_backend: BackendFactory = open_model

    @property
    def needs_extras(self) -> bool:
        """Not where backends are made otherwise than by their settings."""
        return self.make_backend is open_model

    def place(self, models: Sequence[ResolvedModel]) -> list[ResolvedModel]:
        """As they are."""
        return list(models)

    @contextlib.contextmanager
    def generating(self, model: ResolvedModel, samples: int) -> Iterator[OpenModel]:  # noqa: ARG002
        """Its backend, open."""
        with self.make_backend(model) as backend:
            yield LocalModel(backend, model.settings.pacing())

    def judge(
        self,
        workers: int | None = None,
        limits: Limits | None = None,
        beside: Sequence[ResolvedModel] = (),  # noqa: ARG002
        **modes: Any,
    ) -> Judge:
        """A judge whose workers are children of this process."""
        return Judge(workers, limits, **modes)
