"""What can be asked of a cluster, and what is refused, without Ray."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from pathlib import Path

import pytest

from isobudget import api
from isobudget.cluster import connect
from isobudget.cluster.connect import Node, check_address, check_replicas
from isobudget.cluster.executor import executor_at
from isobudget.cluster.nodes import ActorNeeds, described, fits, look, own_versions, require, room
from isobudget.errors import ClusterError, InputError, MissingExtraError
from isobudget.pipeline.executor import Local
from isobudget.progress import SILENT

NODES = [Node("a", "10.0.0.1", 16, 8, 64e9), Node("b", "10.0.0.2", 16, 4, 64e9), Node("c", "10.0.0.3", 4, 0, 8e9)]


@pytest.mark.parametrize("address", ["local", "auto", "10.0.0.5:6379", "head.example:1", "[::1]:6379"])
def test_addresses(address: str) -> None:
    assert check_address(address) == address


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (
            "ray://10.0.0.5:10001",
            r"done by a process on the cluster.* could neither\s+write the run folder .*10.0.0.5:6379",
        ),
        ("", "must be local, auto, or the head's HOST:PORT"),
        ("10.0.0.5", "must be local, auto"),
        ("10.0.0.5:0", "must be local, auto"),
        ("10.0.0.5:99999", "must be local, auto"),
        ("Local", "must be local, auto"),
        ("a b:6379", "must be local, auto"),
        ("http://10.0.0.5:6379", "must be local, auto"),
    ],
)
def test_what_is_no_address_is_refused(address: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        check_address(address)
    with pytest.raises(InputError, match=why):
        api.judge("samples.jsonl", "quickstart", "out.jsonl", cluster=address)


def test_replicas_belong_to_a_cluster() -> None:
    assert check_replicas(None, None) is None
    assert (check_replicas("auto", None), check_replicas("auto", 4)) == (1, 4)
    for cluster, replicas, why in ((None, 2, "without --cluster"), ("auto", 0, "at least 1")):
        with pytest.raises(InputError, match=why):
            check_replicas(cluster, replicas)
        with pytest.raises(InputError, match=why):
            api.generate("quickstart", cluster=cluster, replicas=replicas)
    with pytest.raises(InputError, match="make_backend"):
        api.generate("quickstart", cluster="auto", make_backend=lambda model: model.settings.open())


def test_without_the_option_nothing_of_ray_is_loaded(tmp_path: Path) -> None:
    with executor_at(None, None, SILENT) as executor:
        assert isinstance(executor, Local)
    assert "ray" not in sys.modules
    if importlib.util.find_spec("ray") is None:
        with pytest.raises(MissingExtraError, match=r"pip install 'isobudget\[ray\]'"):
            api.judge(tmp_path, cluster="local")


def test_a_port_where_nothing_listens_is_said_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed (make test-ray)")
    refused = pytest.raises(ClusterError, match=f"nothing answers there .* --port {port}")
    with refused, executor_at(f"127.0.0.1:{port}", None, SILENT):
        pass


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nothing that Ray goes by is set, and Ray seems to be there."""
    for name in [name for name in os.environ if name.startswith("RAY_") or name == "TMPDIR"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(connect, "lacks_ray", lambda: None)
    return monkeypatch


@pytest.mark.parametrize("token", [b"a\nb", b"\0", "ü".encode(), b"\xff"])
def test_a_token_that_would_abort_the_process_is_refused(
    alone: pytest.MonkeyPatch, tmp_path: Path, token: bytes
) -> None:
    place = tmp_path / ".ray" / "auth_token"
    place.parent.mkdir()
    place.write_bytes(token)
    with pytest.raises(ClusterError, match=f"{place}: is not a Ray token"):
        connect.require_reachable("local")
    alone.setenv("RAY_AUTH_TOKEN", "one that can be sent")
    connect.require_reachable("local")
    alone.setenv("RAY_AUTH_TOKEN", "ä")
    with pytest.raises(ClusterError, match="RAY_AUTH_TOKEN: is not a Ray token"):
        connect.require_reachable("local")
    alone.setenv("RAY_AUTH_MODE", "disabled")
    connect.require_reachable("local")


def test_a_token_may_end_its_line_or_be_missing(alone: pytest.MonkeyPatch, tmp_path: Path) -> None:
    connect.require_reachable("local")
    (tmp_path / "token").write_bytes(b"0af1\n")
    alone.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    connect.require_reachable("local")


class NoRay:
    """Says on starting what Ray says of a variable that it goes by, without its name."""

    def init(self, **_: object) -> None:
        raise ValueError("AF_UNIX path length cannot exceed 107 bytes")


def test_what_ray_goes_by_is_said_where_it_does_not_start(alone: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def said() -> str:
        with pytest.raises(ClusterError) as failed:
            connect._RayThread(NoRay(), "local", {}, tried.append).open()
        return str(failed.value)

    alone.setenv("RAY_worker_niceness", "0")  # as it is set here
    plain = said()
    assert plain.startswith("--cluster local: AF_UNIX path length cannot exceed 107 bytes (3 tries)")
    assert "RAY_" not in plain
    assert tried == [
        f"Ray did not start (AF_UNIX path length cannot exceed 107 bytes); try {number} of 3" for number in (2, 3)
    ]
    for name in ("RAY_TMPDIR", "RAY_worker_niceness", "TMPDIR"):
        alone.setenv(name, "/somewhere")
    assert said().endswith(". Variables set here that Ray follows: RAY_TMPDIR, RAY_worker_niceness, TMPDIR")


def test_no_actor_is_divided_between_machines() -> None:
    assert fits(NODES, ActorNeeds("m", 1, 1)) == 12
    assert fits(NODES, ActorNeeds("m", 1, 2)) == 6
    assert fits(NODES, ActorNeeds("m", 1, 8)) == 1
    assert fits(NODES, ActorNeeds("m", 8, 0)) == 4
    assert fits(NODES, ActorNeeds("m", 16, 4)) == 2
    assert require(NODES, ActorNeeds("m", 1, 8)) == 1
    assert require(NODES, ActorNeeds("m", 1, 2, replicas=5)) == 5


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (ActorNeeds("big", 1, 16), "big needs 16 GPUs and 1 CPU on one machine, and no machine .* 12 GPUs"),
        (
            ActorNeeds("big", 1, 8, replicas=2),
            "for each of 2 replicas; the cluster has room for 1: 3 machines with 36 CPUs",
        ),
        (ActorNeeds("wide", 64, 0), "no machine of the cluster has them"),
    ],
)
def test_what_cannot_be_is_refused(wanted: ActorNeeds, why: str) -> None:
    with pytest.raises(ClusterError, match=why):
        require(NODES, wanted)


def test_a_lost_machine_leaves_fewer_replicas_and_not_none() -> None:
    asked = ActorNeeds("m", 1, 1, replicas=10)
    assert [room(nodes, asked) for nodes in (NODES, NODES[:1], NODES[1:])] == [10, 8, 4]
    assert room(NODES, ActorNeeds("m", 1, 1)) == 12
    with pytest.raises(ClusterError, match="no machine of the cluster has them: 1 machine with 4 CPUs"):
        room(NODES[2:], asked)


def test_a_machine_says_what_it_lacks(tmp_path: Path) -> None:
    there = tmp_path / "model.gguf"
    there.write_bytes(b"12345")
    says = look(["json", "no_such_module"], {str(there): 5, str(tmp_path): None, str(tmp_path / "gone"): 1})
    assert says.missing == ("the module no_such_module", f"the file {tmp_path / 'gone'}")
    assert says.versions == own_versions()
    assert look([], {str(there): 6}).missing == (f"the file {there} with 6 bytes (it has 5)",)
    assert described(NODES[:1]) == "1 machine with 16 CPUs, 8 GPUs and 64 GB of memory for actors"


def test_a_dry_run_counts_replicas(capsys: pytest.CaptureFixture[str]) -> None:
    plan = api.dry_run("paper-code-llama", cluster="auto", replicas=2)
    seven, *_, seventy = plan.replicas
    assert (seven.model, seven.replicas, seven.gpus) == ("codellama-7b", 2, 2)
    assert (seventy.replicas, seventy.gpus) == (2, 8)
    assert seven.hours is not None
    assert seven.gpu_hours == pytest.approx(2 * seven.hours)
    assert seventy.hours is not None
    assert seventy.gpu_hours == pytest.approx(8 * seventy.hours)
    one = api.dry_run("paper-code-llama", cluster="auto")
    assert one.replicas[0].hours == pytest.approx(2 * seven.hours)
    assert one.replicas[0].usd == pytest.approx(seven.usd)
    assert any("to assume N of each: --replicas N" in note for note in one.notes)
    assert not any("--replicas N" in note for note in plan.notes)
    assert "replicas" not in api.dry_run("paper-code-llama").to_dict()
    assert plan.to_dict()["replicas"][0]["model"] == "codellama-7b"
    assert all(replica.gpu_hours is not None for replica in plan.replicas)  # what the study states fits its GPUs


@pytest.mark.parametrize("there", [True, False])
def test_a_dry_run_on_a_cluster_says_where_ray_is_missing(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    found = importlib.util.find_spec

    def find(name: str, *more: str | None) -> object:
        return (found("json") if there else None) if name == "ray" else found(name, *more)

    monkeypatch.setattr("importlib.util.find_spec", find)
    said = "work on a cluster (--cluster) needs the extra ray. Install it with: pip install 'isobudget[ray]'"
    assert (said in api.dry_run("quickstart", cluster="local").missing) is not there
    assert said not in api.dry_run("quickstart").missing
