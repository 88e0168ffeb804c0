"""A model on a cluster: replicas of the model, each an actor with one backend and with GPUs or cores of its own.

A batch consists of the samples of whole problems, so that a prompt is computed only once, by one actor. A sample does
not depend on the actor that generates it, only on its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from isobudget.backends.base import Description, Generation, PartlyAnsweredError
from isobudget.cluster.actors import NOT_BEGUN, CallAnswer, Hello, PromptCall
from isobudget.cluster.dispatch import Dispatch, Guilty
from isobudget.errors import BackendError
from isobudget.grid import counted
from isobudget.pipeline.work import Feed, Result, Work

#: bounds on the samples of a batch; a problem with more samples than the upper bound is divided
FEWEST_SAMPLES, MOST_SAMPLES = 16, 1000
#: minimum number of batches for each replica, so that all replicas finish at about the same time
_SHARES = 8
#: a replica that has made no progress for this long counts as lost
STALL_SECONDS = 3600.0


class Replicas:
    """A model that generates on actors that have been started."""

    def __init__(self, dispatch: Dispatch[Work], samples: int, describe: Callable[[], Description]) -> None:
        self._dispatch = dispatch
        shares = max(1, len(dispatch.seats)) * _SHARES
        self._size = min(MOST_SAMPLES // 2, max(FEWEST_SAMPLES, samples // shares))
        self.describe = describe

    def results(self, feed: Feed, hold: Callable[[], bool]) -> Generator[Result, None, None]:
        """Finished calls with their results, as the actors answer.

        After a first Ctrl-C no new call is started. Running calls still finish, and then the interrupt is raised.
        """
        batches = self._dispatch.results(
            lambda: next_batch(feed, self._size),
            hold,
            finishes=lambda calls: feed.interrupted(sum(len(call.keys) for call in calls)),
        )
        for calls, answers in batches:
            for call, answer in zip(calls, answers, strict=True):
                if isinstance(answer, Guilty) or answer.error != NOT_BEGUN:
                    yield call, result_of(call, answer)


def next_batch(feed: Feed, size: int) -> list[Work]:
    """The next calls, with about `size` samples. A problem that is not too large is kept whole."""
    batch: list[Work] = []
    samples = 0

    def fits(call: Work) -> bool:
        if not batch:
            return True
        same = call.keys[0][:3] == batch[-1].keys[0][:3]
        return (same or samples < size) and samples + len(call.keys) <= MOST_SAMPLES

    while call := feed.next(fits):
        batch.append(call)
        samples += len(call.keys)
    return batch


def result_of(call: Work, answer: CallAnswer | Guilty[Work]) -> Future[list[Generation]]:
    """An actor's answer as a future, in the form of the local engine."""
    future: Future[list[Generation]] = Future()
    if isinstance(answer, Guilty):
        error = BackendError(
            "the engine crashed every time on this request, even on its own "
            f"({counted(len(call.keys), 'sample')} of one prompt): {answer.reason}"
        )
        error.again = False
        future.set_exception(error)
    elif not answer.error:
        future.set_result([one for one in answer.generations if one is not None])
    elif any(answer.generations):
        future.set_exception(PartlyAnsweredError(answer.error, answer.generations, answer.again))
    else:
        error = BackendError(answer.error)
        error.again = answer.again
        future.set_exception(error)
    return future


def pack(calls: Any) -> tuple[list[PromptCall]]:
    """The part of the calls that an actor needs, without the problems' tests."""
    return ([PromptCall(one.prompt, one.sampling, one.seeds) for one in calls],)


class Described:
    """The descriptions of all replicas, merged into one."""

    def __init__(self) -> None:
        self._said: Description | None = None

    def ready(self, hello: Hello) -> None:
        """Record a replica's description.

        Raises:
            BackendError: the replica cannot open the model.
        """
        if hello.error or hello.description is None:
            raise BackendError(f"a replica on the cluster cannot open the model: {hello.error}")
        notes = dict.fromkeys((*(self._said.notes if self._said else ()), *hello.description.notes))
        self._said = replace(hello.description, notes=tuple(notes))

    def __call__(self) -> Description:
        """The merged description."""
        if self._said is None:
            raise BackendError("no replica of the model is ready")
        return self._said
