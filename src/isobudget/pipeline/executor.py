"""Where a run's work is executed: the interface between the pipeline and its executors.

`Local` is this process and its children. `isobudget.cluster` has another executor, whose workers are actors on the
machines of a cluster. The pipeline is the same, and so are the samples (because of their seeds) and the verdicts.
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
    """A model that is ready to generate, wherever it runs."""

    def describe(self) -> Description:
        """The model's description and what it has noticed so far; see `Backend.describe`."""
        ...

    def results(self, feed: Feed, hold: Callable[[], bool]) -> Generator[Result, None, None]:
        """Finished calls with their results, in the order in which they finish; see `in_parallel`."""
        ...


class Executor(Protocol):
    """Interface of executors, which do the work."""

    @property
    def needs_extras(self) -> bool:
        """Whether the optional packages of the models' backends must be installed in this process's environment."""
        ...

    def place(self, models: Sequence[ResolvedModel]) -> list[ResolvedModel]:
        """The models as they will run, with settings that depend on the machines filled in.

        Raises:
            ClusterError: the models cannot run on the cluster.
        """
        ...

    def generating(self, model: ResolvedModel, samples: int) -> contextlib.AbstractContextManager[OpenModel]:
        """Open a model that has been assigned to devices, to generate this many samples with it."""
        ...

    def judge(
        self,
        workers: int | None = None,
        limits: Limits | None = None,
        beside: Sequence[ResolvedModel] = (),
        **modes: Any,
    ) -> Judge:
        """A judge, not yet entered.

        `beside` are the models that generate meanwhile. The other arguments are those of `Judge`; an executor may
        refuse some of them.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model whose backend is open in this process."""

    backend: Backend
    pace: Pacing

    def describe(self) -> Description:
        """The backend's description."""
        return self.backend.describe()

    def results(self, feed: Feed, hold: Callable[[], bool]) -> Generator[Result, None, None]:
        """Results from the backend's threads."""
        return in_parallel(self.backend, feed, self.pace, hold)


@dataclass(frozen=True, slots=True)
class Local:
    """Executes in this process and its children. `make_backend` makes the backend of a prepared model."""

    make_backend: BackendFactory = open_model

    @property
    def needs_extras(self) -> bool:
        """True unless `make_backend` is given."""
        return self.make_backend is open_model

    def place(self, models: Sequence[ResolvedModel]) -> list[ResolvedModel]:
        """The models unchanged."""
        return list(models)

    @contextlib.contextmanager
    def generating(self, model: ResolvedModel, samples: int) -> Iterator[OpenModel]:  # noqa: ARG002
        """Open the model's backend."""
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
