"""Keeps track of a cluster's machines: changes are reported once, and new machines are checked before use.

Ray itself places workers on a machine as soon as the machine has joined. So a new machine that cannot do the work, or
that would give other results, raises an error, like such a machine at the start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from isobudget.cluster.connect import Node, head_silence, nodes_of
from isobudget.cluster.nodes import ActorNeeds, ask, ask_nodes, described, hear
from isobudget.errors import RESUME, ClusterError

#: how long a head may be gone, to allow for a restart; after 60 s without one, Ray would end this process silently
HEAD_SECONDS = 20.0


class Machines:
    """The cluster's machines that can do the work. Safe for threads: the judge and the models share one instance.

    Args:
        ray: the module `ray`, connected.
        note: called with messages about changes.

    Raises:
        ClusterError: a machine has another version of isobudget, of the judge's rules or of Python; or no machine is
            alive.
    """

    def __init__(self, ray: Any, note: Callable[[str], None]) -> None:
        self._ray, self._note = ray, note
        self._lock = threading.Lock()
        self._wanted: list[ActorNeeds] = []
        self._asked: dict[Any, Node] = {}
        self._answered_at = time.monotonic()
        self.known = nodes_of(ray)
        ask_nodes(ray, self.known, [])

    def require(self, wanted: Sequence[ActorNeeds]) -> None:
        """Require what models need of all machines, including those that join later.

        Raises:
            ClusterError: a machine lacks something.
        """
        with self._lock:
            self._wanted = list(wanted)
            if wanted:
                ask_nodes(self._ray, self.known, wanted)

    def now(self) -> list[Node]:
        """The current machines. A new machine counts once it has answered; this call does not wait for the answer.

        Raises:
            ClusterError: the head is gone, no machine is alive, or a new machine cannot do the work.
        """
        with self._lock:
            if why := head_silence(self._ray):  # to be asked, it would have to be there
                if time.monotonic() - self._answered_at > HEAD_SECONDS:
                    raise ClusterError(
                        f"the head of the cluster (its gcs_server) does not answer any more ({why}). {RESUME}"
                    )
                return list(self.known)
            self._answered_at = time.monotonic()
            alive = nodes_of(self._ray)
            names = {one.id for one in alive}
            lost = [one for one in self.known if one.id not in names]
            self.known = [one for one in self.known if one.id in names]
            met = {one.id for one in (*self.known, *self._asked.values())}
            self._asked |= ask(self._ray, [one for one in alive if one.id not in met], self._wanted)
            joined = self._answered(names)
            self.known += joined
            for what, ones in (("lost", lost), ("joined", joined)):
                for one in ones:
                    self._note(f"machine {what}: {one.address}, {one.cpus:g} CPUs; now {described(self.known)}")
            return list(self.known)

    def _answered(self, alive: set[str]) -> list[Node]:
        """New machines that have answered correctly by now."""
        if not self._asked:
            return []
        came, _ = self._ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)
        nodes = [(ref, self._asked.pop(ref)) for ref in came]
        there = [(ref, node) for ref, node in nodes if node.id in alive]
        for ref, node in there:
            hear(self._ray, ref, node, self._wanted)
        return [node for _, node in there]
