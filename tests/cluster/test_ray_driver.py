"""The command that drives a local Ray is killed: nothing stays, and the same command resumes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.loopback import SECONDS, Command, environment, loopback_python, network_of, processes_in

#: `make soak-ray` asks for more
KILLS = int(os.environ.get("RAY_DRIVER_KILLS", "1"))
SAMPLES = int(os.environ.get("RAY_SAMPLES", "600"))
SLOW, SLOW_SAMPLES = "    import time\n    time.sleep(1)\n    return x", 100
#: the agents that Ray starts beside its workers see after a while that their raylet has gone
LEFT_SECONDS = 240.0


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a problem and samples, right ones and wrong ones."""
    problem = {"task_id": "own/1", "prompt": "def one(x):\n", "entry_point": "one", "test_list": ["assert one(1) == 1"]}
    (tmp_path / "own.jsonl").write_text(json.dumps(problem) + "\n")
    bodies = [f"    return x * {at % 3}  # {at}\n" for at in range(SAMPLES)]
    lines = [json.dumps({"task_id": "own/1", "completion": body}) + "\n" for body in bodies]
    (tmp_path / "samples.jsonl").write_text("".join(lines))
    return tmp_path


def judge_command(files: Path, output: str, *more: str) -> list[str]:
    place = [str(files / "samples.jsonl"), "--problems", str(files / "own.jsonl"), "-o", str(files / output)]
    return ["-m", "isobudget", "judge", *place, "--resume", *more]


def outcomes(path: Path) -> list[tuple[object, ...]]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [(one["task_id"], one["index"], one["verdict"], one["sha256"]) for one in records]


def waited(what: Callable[[], bool], seconds: float = SECONDS) -> bool:
    """Whether something became true in time."""
    end, never = time.monotonic() + seconds, threading.Event()
    while not what() and time.monotonic() < end:
        never.wait(0.05)
    return what()


def test_a_killed_driver_leaves_nothing_and_the_same_command_goes_on(on_loopback: Command, files: Path) -> None:
    local = on_loopback(*judge_command(files, "local.jsonl"))
    assert local.returncode == 0, local.stderr
    partial, chance = files / "ray.jsonl.partial", random.Random(7)
    command = loopback_python(*judge_command(files, "ray.jsonl", "--cluster", "local", "--workers", "2"))
    for kill in range(KILLS):
        before = partial.stat().st_size if partial.exists() else 0
        share = SAMPLES * (kill + chance.random()) / KILLS
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as driver:

            def is_at_work(least: int = before, most: float = share, driver: subprocess.Popen[bytes] = driver) -> bool:
                size = partial.stat().st_size if partial.exists() else 0
                return driver.poll() is not None or (size > least and size >= most * 100)

            assert waited(is_at_work)
            assert driver.poll() is None, driver.communicate()
            network = network_of(driver.pid)
            assert network != network_of()
            assert len(processes_in(network)) > 3
            held = os.open(f"/proc/{driver.pid}/ns/net", os.O_RDONLY)  # its number is nobody else's meanwhile
            driver.send_signal(signal.SIGKILL)
        assert waited(lambda network=network: not processes_in(network), LEFT_SECONDS), processes_in(network)  # type: ignore[misc]
        os.close(held)
        assert not (files / "ray.jsonl").exists()
    done = on_loopback(*judge_command(files, "ray.jsonl", "--cluster", "local", "--workers", "2"))
    assert done.returncode == 0, done.stderr
    assert outcomes(files / "ray.jsonl") == outcomes(files / "local.jsonl")


def named(network: str, name: bytes) -> list[int]:
    """The processes in a network namespace whose command line has a name."""
    found = []
    for process in processes_in(network):
        try:
            if name in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("process", "why"),
    [
        (b"/raylet/raylet", "no machine of the cluster is alive"),
        (b"/gcs/gcs_server", "the head of the cluster (its gcs_server) does not answer any more"),
    ],
)
def test_a_cluster_that_is_lost_is_said_soon_and_the_same_command_goes_on(
    on_loopback: Command, files: Path, process: bytes, why: str
) -> None:
    # judges go on for a while without a head: there is work for longer than it takes to be missed
    lines = [json.dumps({"task_id": "own/1", "completion": f"{SLOW}  # {at}\n"}) + "\n" for at in range(SLOW_SAMPLES)]
    (files / "samples.jsonl").write_text("".join(lines))
    command = loopback_python(*judge_command(files, "ray.jsonl", "--cluster", "local", "--workers", "2"))
    with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as driver:
        at_work = waited(lambda: bool(named(network_of(driver.pid), b"JudgeActor")) or driver.poll() is not None)
        assert at_work
        assert driver.poll() is None
        network = network_of(driver.pid)
        assert network != network_of()
        (lost,) = named(network, process)
        held = os.open(f"/proc/{driver.pid}/ns/net", os.O_RDONLY)
        os.kill(lost, signal.SIGKILL)
        said = driver.communicate(timeout=SECONDS / 2)[1].decode()
    assert driver.returncode == 2, said
    assert why in said
    assert waited(lambda: not processes_in(network), LEFT_SECONDS), processes_in(network)
    os.close(held)
    done = on_loopback(*judge_command(files, "ray.jsonl", "--cluster", "local", "--workers", "2"))
    assert done.returncode == 0, done.stderr
    assert len(outcomes(files / "ray.jsonl")) == SLOW_SAMPLES


def ray_is_running() -> bool:
    """Whether this machine has a Ray already, which `auto` would find, in whatever network namespace."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if b"gcs_server" in path.read_bytes():
                return True
    return False


no_other_ray = pytest.mark.skipif(ray_is_running(), reason="another Ray runs on this machine")


@no_other_ray
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "--cluster auto: no cluster was started on this machine"),
        ("127.0.0.1:1", "--cluster auto with RAY_ADDRESS=127.0.0.1:1: nothing answers there"),
        ("ray://127.0.0.1:1", "RAY_ADDRESS, which --cluster auto follows"),
    ],
)
def test_auto_without_a_cluster_says_so(
    on_loopback: Command, files: Path, monkeypatch: pytest.MonkeyPatch, address: str, why: str
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    done = on_loopback(*judge_command(files, "ray.jsonl", "--cluster", "auto"))
    assert done.returncode == 2
    assert why in " ".join(done.stderr.split())


@no_other_ray
def test_auto_does_not_wait_for_a_head_that_is_gone(
    on_loopback: Command, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed head wrote down is still there, and Ray itself would try it for minutes."""
    monkeypatch.setenv("RAY_ADDRESS", "")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")
    done = on_loopback(*judge_command(files, "ray.jsonl", "--cluster", "auto"))
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "--cluster auto: Ray looks for this machine's cluster at 127.0.0.1:1, but nothing" in said
    assert "ray stop" in said
