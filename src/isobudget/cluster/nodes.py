"""Checks before the start that a cluster has what a study needs; errors say what is missing."""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from isobudget.cluster.connect import ASK_SECONDS, Node
from isobudget.errors import ClusterError
from isobudget.grid import counted, short
from isobudget.judge.verdict import RULES


@dataclass(frozen=True, slots=True)
class ActorNeeds:
    """The needs of one kind of actor.

    Attributes:
        what: name of the actors in messages.
        cpus: number of CPUs that each actor holds.
        gpus: number of GPUs that each actor holds.
        modules: modules that must be installed, with the extra that installs them.
        files: files that must exist, each with its size in bytes, or None if any size is right.
        replicas: requested number of actors; None means as many as fit.
    """

    what: str
    cpus: float
    gpus: int
    modules: tuple[str, ...] = ()
    extra: str = ""
    files: Mapping[str, int | None] = field(default_factory=dict)
    replicas: int | None = None

    def in_words(self) -> str:
        """The CPUs and GPUs that each actor holds, in words."""
        return " and ".join([*[counted(self.gpus, "GPU")] * (self.gpus > 0), counted(self.cpus, "CPU")])


@dataclass(frozen=True, slots=True)
class NodeSays:
    """A machine's report: its versions, the modules that it lacks, and files that are missing or have another size."""

    versions: tuple[str, ...]
    missing: tuple[str, ...]


def own_versions() -> tuple[str, ...]:
    """The versions that must be the same on all machines: isobudget, its judge's rules, Python."""
    python = ".".join(platform.python_version_tuple()[:2])
    return f"isobudget {version('isobudget')}", f"rules of the judge {RULES}", f"Python {python}"


def look(modules: Sequence[str], files: Mapping[str, int | None]) -> NodeSays:
    """The report of the machine on which this runs."""
    missing = [f"the module {name}" for name in modules if importlib.util.find_spec(name) is None]
    for name, size in files.items():
        path = Path(name)
        if not path.exists():
            missing.append(f"the file {name}")
        elif size is not None and path.stat().st_size != size:
            missing.append(f"the file {name} with {size:,} bytes (it has {path.stat().st_size:,})")
    return NodeSays(own_versions(), tuple(missing))


def ask_nodes(ray: Any, nodes: Sequence[Node], wanted: Sequence[ActorNeeds]) -> None:
    """Check on every machine that it has what is needed.

    Raises:
        ClusterError: a machine lacks something, has another version, or does not answer.
    """
    asked = ask(ray, nodes, wanted)
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=ASK_SECONDS)
    if silent:
        names = ", ".join(asked[ref].address for ref in silent)
        raise ClusterError(f"these machines of the cluster did not answer within {ASK_SECONDS:g} s: {names}")
    for ref in answered:
        hear(ray, ref, asked[ref], wanted)


def ask(ray: Any, nodes: Sequence[Node], wanted: Sequence[ActorNeeds]) -> dict[Any, Node]:
    """Ask machines for their reports. Returns a dict from the reference to each report to the machine."""
    modules = sorted({name for one in wanted for name in one.modules})
    files = {name: size for one in wanted for name, size in one.files.items()}
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    task = ray.remote(look)
    return {
        task.options(num_cpus=0, max_retries=1, scheduling_strategy=strategy(node.id, soft=False)).remote(
            modules, files
        ): node
        for node in nodes
    }


def hear(ray: Any, ref: Any, node: Node, wanted: Sequence[ActorNeeds]) -> None:
    """Receive and check a machine's report.

    Raises:
        ClusterError: see `ask_nodes`.
    """
    try:
        says: NodeSays = ray.get(ref, timeout=ASK_SECONDS)
    except ray.exceptions.RayError as error:
        why = str(error).strip().splitlines()
        raise ClusterError(
            f"{node.address}: isobudget does not run there ({why[-1] if why else type(error).__name__}). "
            "Install the same version on every machine of the cluster"
        ) from None
    _require_same(node, says, wanted)


def _require_same(node: Node, says: NodeSays, wanted: Sequence[ActorNeeds]) -> None:
    other = [there for there, here in zip(says.versions, own_versions(), strict=True) if there != here]
    if other:
        raise ClusterError(
            f"{node.address} has {', '.join(other)}; this machine has {', '.join(own_versions())}. Install the same "
            "versions on every machine of the cluster"
        )
    if says.missing:
        extras = sorted({one.extra for one in wanted if one.extra})
        hint = f" Install the extra there: pip install 'isobudget[{','.join(extras)}]'." if extras else ""
        raise ClusterError(
            f"{node.address} lacks {', '.join(says.missing)}. Model files must be at the same path on every machine "
            f"of the cluster.{hint}"
        )


def fits(nodes: Sequence[Node], wanted: ActorNeeds) -> int:
    """How many actors fit on the machines if nothing else runs there; no actor is split between two machines."""
    each = ((wanted.cpus, "cpus"), (wanted.gpus, "gpus"))
    return sum(
        min(int(getattr(node, name) // need) for need, name in each if need) if any(need for need, _ in each) else 1
        for node in nodes
    )


def require(nodes: Sequence[Node], wanted: ActorNeeds) -> int:
    """How many actors the cluster will run.

    Raises:
        ClusterError: not enough actors fit.
    """
    most = fits(nodes, wanted)
    asks = f"{wanted.what} needs {wanted.in_words()} on one machine"
    if most == 0:
        raise ClusterError(f"{asks}, and no machine of the cluster has them: {described(nodes)}")
    if wanted.replicas is not None and wanted.replicas > most:
        raise ClusterError(
            f"{asks} for each of {wanted.replicas} replicas; the cluster has room for {most}: {described(nodes)}"
        )
    return wanted.replicas or most


def room(nodes: Sequence[Node], wanted: ActorNeeds) -> int:
    """How many of the requested actors fit now, after machines were lost or have joined.

    Raises:
        ClusterError: no remaining machine can hold one.
    """
    most = require(nodes, replace(wanted, replicas=None))
    return min(most, wanted.replicas or most)


def described(nodes: Sequence[Node]) -> str:
    """The machines' resources, in words."""
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    memory = sum(node.memory for node in nodes)
    has = ", ".join((counted(cpus, "CPU"), counted(gpus, "GPU")))
    return f"{counted(len(nodes), 'machine')} with {has} and {short(memory)}B of memory for actors"
