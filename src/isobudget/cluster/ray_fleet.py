"""Workers as Ray actors: the `Fleet` of `dispatch` on a real cluster.

Ray restarts neither actors nor their calls (`max_restarts` and `max_task_retries` are 0): the dispatcher counts the
workers that each batch has crashed, and starts another actor, which Ray places wherever there is room.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from isobudget.cluster.fleet import Ref, WorkerLostError
from isobudget.errors import ClusterError, IsobudgetError

#: how long the transfer of an answer may take; after that, the answer counts as lost
FETCH_SECONDS = 300.0
_CONTROL = "control"


@dataclass(frozen=True, slots=True)
class ActorKind:
    """A kind of actor.

    Attributes:
        make: class of the actors.
        arguments: arguments of its constructor.
        cpus: number of CPUs that each actor holds.
        gpus: number of GPUs that each actor holds.
        at_once: number of batches that an actor works on at the same time.
        pack: turns the items of a batch into the arguments of the class's `run`.
    """

    make: type[Any]
    arguments: tuple[Any, ...]
    cpus: float
    gpus: float
    at_once: int
    pack: Callable[[Sequence[Any]], tuple[Any, ...]]


class RayFleet:
    """Starts actors of one kind. `size` returns how many of them there should be."""

    def __init__(self, ray: Any, kind: ActorKind, size: Callable[[], int]) -> None:
        self._ray, self._kind, self.size = ray, kind, size
        self._class = ray.remote(
            num_cpus=kind.cpus,
            num_gpus=kind.gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=kind.at_once,
            concurrency_groups={_CONTROL: 2},
        )(kind.make)

    def start(self) -> _RayHandle:
        """Request a new actor, which starts as soon as the cluster has room for it."""
        return _RayHandle(self._ray, self._class.remote(*self._kind.arguments), self._kind)

    def wait(self, refs: Sequence[Ref], seconds: float) -> list[Ref]:
        """The references that are answered or lost."""
        if not refs:
            return []
        ready, rest = self._ray.wait(list(refs), num_returns=1, timeout=seconds)
        if rest:
            ready += self._ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        return list(ready)

    def value(self, ref: Ref) -> Any:
        """The answer behind a reference.

        Raises:
            WorkerLostError: the worker ended before it answered.
            ClusterError: the worker could not do the work.
        """
        errors = self._ray.exceptions
        try:
            return self._ray.get(ref, timeout=FETCH_SECONDS)
        except errors.RayTaskError as error:  # a fault of ours, or a want of memory
            if isinstance(error, errors.OutOfMemoryError):
                raise WorkerLostError(_why_lost(error)) from None
            if isinstance(error.cause, IsobudgetError | OSError):  # Ray's text of it is a traceback
                raise ClusterError(f"a worker of the cluster failed: {error.cause}") from None
            raise
        except (
            errors.RayActorError,
            errors.WorkerCrashedError,
            errors.ObjectLostError,
            errors.OutOfMemoryError,
        ) as error:
            raise WorkerLostError(_why_lost(error)) from None
        except errors.GetTimeoutError:
            raise WorkerLostError(f"an answer was not transferred within {FETCH_SECONDS:g} s.") from None


class _RayHandle:
    """One actor."""

    def __init__(self, ray: Any, actor: Any, kind: ActorKind) -> None:
        self._ray, self._actor, self._kind = ray, actor, kind

    def hello(self) -> Ref:
        """See `Handle.hello`."""
        return self._control("hello")

    def pulse(self) -> Ref:
        """See `Handle.pulse`."""
        return self._control("pulse")

    def stop(self) -> None:
        """See `Handle.stop`."""
        self._control("stop")

    def _control(self, name: str) -> Ref:
        return getattr(self._actor, name).options(concurrency_group=_CONTROL).remote()

    def submit(self, items: Sequence[Any]) -> Ref:
        """See `Handle.submit`."""
        return self._actor.run.remote(*self._kind.pack(items))

    def end(self) -> None:
        """Kill the actor."""
        with contextlib.suppress(Exception):  # Ray itself may be gone by then, and the actor with it
            self._ray.kill(self._actor)


def _why_lost(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = next((line for line in lines if line.startswith("The actor is dead")), lines[0] if lines else "")
    return last[:300] or type(error).__name__
