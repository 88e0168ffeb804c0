"""The executor of a cluster: the pipeline's judges and models as actors on its machines.

Models behind a network address are called from this process, as without a cluster, because they do not run on the
cluster.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from isobudget.backends.llamacpp.settings import LlamaCppSettings
from isobudget.backends.settings import HubSettings
from isobudget.cluster import generating
from isobudget.cluster.actors import GenerationActor, JudgeActor
from isobudget.cluster.connect import LOCAL, Node, check_replicas, connected, own_cores, require_reachable
from isobudget.cluster.dispatch import Dispatch
from isobudget.cluster.generating import STALL_SECONDS, Described, Replicas
from isobudget.cluster.judging import ClusterJudge
from isobudget.cluster.machines import Machines
from isobudget.cluster.nodes import ActorNeeds, described, require, room
from isobudget.cluster.ray_fleet import ActorKind, RayFleet
from isobudget.errors import ClusterError, InputError
from isobudget.files.hub import may_be_repo
from isobudget.grid import counted
from isobudget.judge import Judge, Limits
from isobudget.pipeline.executor import BackendFactory, Executor, Local, OpenModel, open_model
from isobudget.pipeline.work import Feed, Result, Work
from isobudget.progress import SILENT, Progress
from isobudget.study.resolve import ResolvedModel

#: how often the speed of a model is reported
REPORT_SECONDS = 600.0


@contextlib.contextmanager
def on_cluster(address: str, replicas: int | None = None, progress: Progress = SILENT) -> Iterator[Cluster]:
    """The executor of the cluster at `address` (`local`, `auto` or HOST:PORT), with this many replicas of every model.

    Ray is started or connected on first use.

    Raises:
        InputError: the address or the number of replicas is not valid.
        MissingExtraError: Ray is not installed.
        ClusterError: the cluster does not exist.
    """
    check_replicas(address, replicas)
    require_reachable(address)
    with contextlib.ExitStack() as connection:
        reached = connected(address, note=progress.note)
        yield Cluster(lambda: connection.enter_context(reached), replicas, progress, address)


@contextlib.contextmanager
def executor_at(
    cluster: str | None, replicas: int | None, progress: Progress, make_backend: BackendFactory | None = None
) -> Iterator[Executor]:
    """The executor for a command's options. Without `cluster` it is this process, and Ray is not loaded.

    Raises:
        InputError: replicas are stated without a cluster, or `make_backend` with one.
        MissingExtraError, ClusterError: see `on_cluster`.
    """
    if cluster is None:
        check_replicas(cluster, replicas)
        yield Local(make_backend or open_model)
        return
    if make_backend is not None:
        raise InputError("make_backend cannot be used with a cluster, which opens models by their settings")
    with on_cluster(cluster, replicas, progress) as executor:
        yield executor


class Cluster:
    """An `Executor` whose workers are actors. See `on_cluster`."""

    #: the extras of backends must be installed on the cluster's machines, not necessarily here
    needs_extras = False

    def __init__(
        self,
        connect: Callable[[], Any],
        replicas: int | None,
        progress: Progress,
        address: str,
        judge_actor: type[JudgeActor] = JudgeActor,
    ) -> None:
        self._connect, self._address = connect, address
        self._replicas, self._progress, self._judge_actor = replicas, progress, judge_actor

    @cached_property
    def _ray(self) -> Any:
        how = "starting Ray on this machine" if self._address == LOCAL else "connecting"
        self._progress.note(f"cluster {self._address}: {how}")
        return self._connect()

    @cached_property
    def machines(self) -> Machines:
        """The machines of the cluster.

        Raises:
            ClusterError: the cluster does not exist, or one of its machines has another version.
        """
        begun = time.monotonic()
        machines = Machines(self._ray, self._progress.note)
        seconds = time.monotonic() - begun
        self._progress.note(f"cluster {self._address}: {described(machines.known)}; connected in {seconds:.0f} s")
        return machines

    # models ---------------------------------------------------------------------------------------------------------

    def place(self, models: Sequence[ResolvedModel]) -> list[ResolvedModel]:
        """The models, with the number of cores of each replica filled in.

        Raises:
            ClusterError: no machine can hold a replica, not enough of them fit, or a machine lacks files or packages.
        """
        placed, wanted = [], []
        for model in models:
            if model.settings.runs_elsewhere:
                placed.append(model)
                continue
            need = self._wanted(model)
            count = require(self.machines.known, need)
            wanted.append(need)
            placed.append(replace(model, settings=model.settings.on_cores(int(need.cpus))))
            self._progress.note(f"{model.name}: {counted(count, 'replica')} with {need.in_words()} each")
        if wanted:
            self.machines.require(wanted)
        return placed

    def _wanted(self, model: ResolvedModel) -> ActorNeeds:
        settings, nodes = model.settings, self.machines.known
        gpus = settings.gpus_held(any(node.gpus for node in nodes))
        cpus = 1.0
        if not gpus:  # an engine on cores has its share of a machine to itself
            each = -(-(self._replicas or 1) // len(nodes))
            threads = getattr(settings, "threads", None)
            cpus = float(threads or max(1, int(min(node.cpus for node in nodes)) // each))
        files: dict[str, int | None] = {}
        if isinstance(settings, LlamaCppSettings):
            files = {str(Path(settings.model).absolute()): Path(settings.model).stat().st_size}
        elif isinstance(settings, HubSettings) and not may_be_repo(settings.model):
            files = {str(Path(settings.model).absolute()): None}
        needs = settings.needs
        return ActorNeeds(model.name, cpus, gpus, needs.modules, needs.extra, files, self._replicas)

    @contextlib.contextmanager
    def generating(self, model: ResolvedModel, samples: int) -> Iterator[OpenModel]:
        """Open replicas of a placed model, as many as requested or as fit.

        Raises:
            BackendError: a replica cannot open the model.
            ClusterError: no replica starts, or all are lost.
        """
        if model.settings.runs_elsewhere:
            with Local().generating(model, samples) as backend:
                yield backend
            return
        need, said = self._wanted(model), Described()
        settings = model.settings
        if need.files:  # the driver's folder is not the actors'
            settings = settings.model_copy(update={"model": next(iter(need.files))})
        kind = ActorKind(GenerationActor, (settings,), need.cpus, need.gpus, 2, generating.pack)
        fleet = RayFleet(self._ray, kind, lambda: room(self.machines.now(), need))
        dispatch: Dispatch[Work] = Dispatch(fleet, STALL_SECONDS, said.ready, self._progress.note)
        begun = time.monotonic()
        with dispatch:
            there, seconds = counted(dispatch.ready, "replica"), time.monotonic() - begun
            self._progress.note(f"{model.name}: {there} ready after {seconds:.0f} s")
            replicas = Replicas(dispatch, samples, said)
            yield _Told(replicas, dispatch, model.name, need.gpus, self._progress)

    # the judge ------------------------------------------------------------------------------------------------------

    def judge(
        self,
        workers: int | None = None,
        limits: Limits | None = None,
        beside: Sequence[ResolvedModel] = (),
        **modes: Any,
    ) -> Judge:
        """A judge with as many actors as requested, or one per CPU that no model `beside` it holds.

        If models hold every CPU, one worker still judges beside them. Entering the judge starts a local cluster, and
        only then are the CPUs of `beside` requested.

        Raises:
            ClusterError: not enough actors fit.
        """
        if workers is not None:
            self._require_cpus(workers)

        def fleet(kind: ActorKind) -> RayFleet:
            held = max((self._held(model) for model in beside), default=0.0)

            def size() -> int:
                now = int(_cpus(self.machines.now()) - held)
                return max(1, now if workers is None else min(workers, now))

            free = int(_cpus(self.machines.known) - held)
            return RayFleet(self._ray, kind if free > 0 else replace(kind, cpus=0.0), size)

        return ClusterJudge(fleet, limits, note=self._progress.note, actor=self._judge_actor, **modes)

    def _require_cpus(self, workers: int) -> None:
        """Raise `ClusterError` if this many judges do not fit; a local cluster need not be started for that."""
        if self._address == LOCAL and workers > own_cores():
            has = f"--cluster {LOCAL} has the {own_cores()} that this process may use"
        elif self._address != LOCAL and workers > _cpus(self.machines.known):
            has = f"the cluster has {described(self.machines.known)}"
        else:
            return
        raise ClusterError(f"the judge needs a CPU for each of {counted(workers, 'worker')}; {has}")

    def _held(self, model: ResolvedModel) -> float:
        """CPUs that a model's replicas hold."""
        if model.settings.runs_elsewhere:
            return 0.0
        need = self._wanted(model)
        return need.cpus * require(self.machines.known, need)


def _cpus(nodes: Sequence[Node]) -> float:
    return sum(node.cpus for node in nodes)


class _Told:
    """A model on a cluster, whose speed is reported from time to time."""

    def __init__(self, replicas: Replicas, dispatch: Dispatch[Work], name: str, gpus: int, progress: Progress) -> None:
        self._replicas, self._dispatch, self._name, self._gpus = replicas, dispatch, name, gpus
        self._progress = progress
        self.describe: Callable[[], Any] = replicas.describe

    def results(self, feed: Feed, hold: Callable[[], bool]) -> Generator[Result, None, None]:
        """The replicas' results."""
        begun = told = time.monotonic()
        samples = failures = 0
        for call, result in self._replicas.results(feed, hold):
            samples += len(call.keys) if result.exception() is None else 0
            failures += result.exception() is not None
            if time.monotonic() - told > REPORT_SECONDS:
                told = time.monotonic()
                self._tell(samples, failures, told - begun)
            yield call, result
        self._tell(samples, failures, time.monotonic() - begun)

    def _tell(self, samples: int, failures: int, seconds: float) -> None:
        ready, busy = self._dispatch.ready, self._dispatch.busy_share()
        held = counted(ready, "replica") + (f" on {counted(ready * self._gpus, 'GPU')}" if self._gpus else "")
        known = "" if busy != busy else f", busy {busy:.0%} of the time"
        self._progress.note(
            f"{self._name}: {samples / max(seconds, 1e-9):.3g} samples/s by {held}{known}; "
            f"{counted(failures, 'call')} failed, {counted(self._dispatch.lost, 'worker')} lost"
        )
