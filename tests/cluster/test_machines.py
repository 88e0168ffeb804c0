"""What is said and refused as machines come and go, on a small stand-in for Ray; and what is known before it starts."""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from isobudget.cluster.connect import connected, head_silence, own_cores
from isobudget.cluster.executor import Cluster, executor_at
from isobudget.cluster.machines import HEAD_SECONDS, Machines
from isobudget.cluster.nodes import ActorNeeds
from isobudget.errors import ClusterError
from isobudget.progress import SILENT


class FakeRay:
    """Machines with names and CPUs, each of which answers at once, or when `silent` no longer has it."""

    def __init__(self, **cpus: float) -> None:
        self.cpus, self.silent, self.broken = dict(cpus), set[str](), set[str]()
        self.exceptions = SimpleNamespace(RayError=RuntimeError)
        affinity = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: node)
        self.util = SimpleNamespace(scheduling_strategies=affinity)
        self.head_silence = ""

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"Alive": True, "NodeID": name, "NodeManagerAddress": name, "Resources": {"CPU": cpus}}
            for name, cpus in self.cpus.items()
        ]

    def remote(self, function: Callable[..., Any]) -> Any:
        def options(scheduling_strategy: str, **_: Any) -> Any:
            return SimpleNamespace(remote=lambda *given: (scheduling_strategy, lambda: function(*map(freeze, given))))

        return SimpleNamespace(options=options)

    def wait(self, refs: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        assert num_returns == len(refs)
        assert timeout >= 0
        return [one for one in refs if one[0] not in self.silent], [one for one in refs if one[0] in self.silent]

    def get(self, ref: Any, timeout: float) -> Any:
        assert timeout > 0
        if ref[0] in self.broken:
            raise RuntimeError("ModuleNotFoundError: No module named 'isobudget'")
        return ref[1]()


@pytest.fixture(autouse=True)
def heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads of stand-ins answer as these say."""
    monkeypatch.setattr("isobudget.cluster.machines.head_silence", lambda ray: ray.head_silence)


def freeze(given: Any) -> Any:
    """What is given over is a copy."""
    return dict(given) if isinstance(given, dict) else list(given)


def names(machines: Machines) -> list[str]:
    return [one.id for one in machines.now()]


def test_what_joins_counts_when_it_has_answered_and_what_is_lost_no_longer() -> None:
    ray, said = FakeRay(a=2, b=4), list[str]()
    machines = Machines(ray, said.append)
    assert (names(machines), said) == (["a", "b"], [])
    ray.cpus["c"] = 8
    ray.silent.add("c")
    assert (names(machines), names(machines), said) == (["a", "b"], ["a", "b"], [])
    ray.silent.clear()
    assert names(machines) == ["a", "b", "c"]
    del ray.cpus["a"]
    assert (names(machines), names(machines)) == (["b", "c"], ["b", "c"])
    assert said == [
        "machine joined: c, 8 CPUs; now 3 machines with 14 CPUs, 0 GPUs and 0B of memory for actors",
        "machine lost: a, 2 CPUs; now 2 machines with 12 CPUs, 0 GPUs and 0B of memory for actors",
    ]


def test_one_that_is_gone_before_it_answers_was_never_there() -> None:
    ray, said = FakeRay(a=2), list[str]()
    machines = Machines(ray, said.append)
    ray.cpus["b"] = 2
    ray.silent.add("b")
    names(machines)
    del ray.cpus["b"]
    ray.silent.clear()
    ray.broken.add("b")
    assert (names(machines), said) == (["a"], [])


def test_what_joins_without_what_is_needed_is_an_error(tmp_path: Path) -> None:
    ray = FakeRay(a=2)
    machines = Machines(ray, lambda _: None)
    weights = tmp_path / "model.gguf"
    weights.write_bytes(b"12345")
    machines.require([ActorNeeds("m", 1, 0, files={str(weights): 5})])
    weights.unlink()
    ray.cpus["b"] = 2
    with pytest.raises(ClusterError, match=r"b lacks the file .*model\.gguf"):
        names(machines)
    ray.cpus["c"] = 2
    ray.broken.add("c")
    del ray.cpus["b"]
    with pytest.raises(ClusterError, match=r"c: isobudget does not run there .*No module"):
        names(machines)


def test_a_head_that_is_gone_is_said_and_one_that_comes_back_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("isobudget.cluster.machines.time.monotonic", lambda: now[0])
    ray = FakeRay(a=2)
    machines = Machines(ray, lambda _: None)
    ray.head_silence = "Connection refused"
    ray.cpus.clear()  # Ray itself would wait for an answer
    assert names(machines) == ["a"]
    now[0] = HEAD_SECONDS
    assert names(machines) == ["a"]
    ray.head_silence, ray.cpus["a"] = "", 2
    now[0] = 2 * HEAD_SECONDS
    assert names(machines) == ["a"]
    ray.head_silence = "Connection refused"
    assert names(machines) == ["a"]
    now[0] += HEAD_SECONDS + 1
    with pytest.raises(ClusterError, match=r"gcs_server\) does not answer any more .*same command to resume"):
        machines.now()


def test_whether_a_head_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        ray = SimpleNamespace(get_runtime_context=lambda: SimpleNamespace(gcs_address=address))
        assert head_silence(ray) == ""
    assert head_silence(ray) == "Connection refused"


def test_more_judges_than_a_local_cluster_has_cores_are_refused_before_it_starts() -> None:
    cluster = Cluster(lambda: pytest.fail("Ray was started"), None, SILENT, "local")
    with pytest.raises(
        ClusterError, match=f"the judge needs a CPU for each of {own_cores() + 1} workers; --cluster local has"
    ):
        cluster.judge(own_cores() + 1)
    ray = FakeRay(a=2, b=1)
    with pytest.raises(ClusterError, match=r"4 workers; the cluster has 2 machines with 3 CPUs"):
        Cluster(lambda: ray, None, SILENT, "auto").judge(4)


def test_ray_is_not_loaded_before_something_needs_it() -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed (make test-ray)")
    with executor_at("local", None, SILENT):
        assert "ray" not in sys.modules


#: how servers of gRPC begin: with their settings, here none
SETTINGS = b"\0\0\0\4\0\0\0\0\0"


@contextlib.contextmanager
def listener(answer: bytes | None) -> Iterator[str]:
    """An address where something listens that gives one client an answer and hangs up, or, for None, says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                if answer is not None:
                    connection.recv(1000)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        if answer is not None:
            thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        if answer is not None:
            thread.join(60)


@pytest.fixture
def listening() -> Iterator[str]:
    """An address where a head seems to listen."""
    with listener(SETTINGS) as address:
        yield address


@pytest.fixture
def ray_installed(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for Ray that can be loaded, and whose `init` must not be called."""
    ray = ModuleType("ray")
    ray.__spec__ = importlib.machinery.ModuleSpec("ray", None)
    ray.init = lambda **_: pytest.fail("Ray was started")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "RAY_worker_niceness"):
        monkeypatch.setenv(name, "0")
    return ray


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\0\0", None])
def test_what_listens_and_is_no_head_is_said_at_once(
    answer: bytes | None, ray_installed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isobudget.cluster.connect.ANSWER_SECONDS", 60.0 if answer is not None else 0.2)
    monkeypatch.delenv("RAY_USE_TLS", raising=False)
    refused = pytest.raises(ClusterError, match=r"what listens there is not a Ray head\. Start the head with")
    with listener(answer) as address, refused, executor_at(address, None, SILENT):
        pass


def test_a_head_that_speaks_tls_is_left_to_ray(ray_installed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USE_TLS", "1")
    with listener(None) as address, executor_at(address, None, SILENT):
        pass


@pytest.mark.parametrize(("mode", "hinted"), [("", True), ("disabled", True), ("token", False)])
def test_who_is_not_let_in_is_told_of_the_token(
    mode: str, hinted: bool, listening: str, ray_installed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**_: Any) -> None:
        raise ConnectionError(f"Failed to connect to Ray cluster at {listening}")

    ray_installed.init = init  # type: ignore[attr-defined]
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    monkeypatch.delenv("RAY_USE_TLS", raising=False)
    with pytest.raises(ClusterError, match=f"{listening}: Failed to connect") as refused, connected(listening):
        pass
    assert ("RAY_AUTH_MODE=token" in str(refused.value)) is hinted
