"""Machines that join a Ray cluster and that are lost, as raylets on this one: verdicts stay the local judge's."""

from __future__ import annotations

import json
from pathlib import Path

import support
from support.loopback import Command

PROGRAM = Path(support.__file__).with_name("ray_machines.py")


def test_a_machine_that_joins_is_used_and_one_that_is_lost_changes_nothing(on_loopback: Command) -> None:
    done = on_loopback(str(PROGRAM), "300")
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["workers"] == 2
    assert report["same_joined"]
    assert report["same_lost"]
    assert report["ready"] == 2
    (joined,), (lost,) = report["joined"], report["lost"]
    assert "1 CPUs; now 3 machines with 3 CPUs" in joined
    assert "1 CPUs; now 2 machines with 2 CPUs" in lost
