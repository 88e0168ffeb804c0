"""The judge on a real local Ray: verdict for verdict the local one's, whatever is killed."""

from __future__ import annotations

import json
import os

from support import ray_judging
from support.loopback import Command

#: `make soak-ray` asks for more
KILLS, SAMPLES = int(os.environ.get("RAY_KILLS", "2")), int(os.environ.get("RAY_SAMPLES", "600"))


def test_verdicts_are_the_local_ones_and_lost_workers_change_nothing(on_loopback: Command) -> None:
    done = on_loopback(ray_judging.__file__, str(KILLS), str(SAMPLES), "177")
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["outcomes"] == ["error", "failed", "passed", "syntax_error"]
    assert report["same"]
    assert report["same_killed"]
    assert report["killed"] == KILLS
    assert report["same_beside"]
    assert report["poisoned"][0] == "crashed"
    assert report["failing"] == "a worker of the cluster failed: nothing is left for 3 programs"
    assert report["left"] == 0
