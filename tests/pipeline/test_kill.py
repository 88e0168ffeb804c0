"""kill -9 in the middle, then the same command: the light form of benchmarks/kill.py, which kills twenty times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

KILL = Path(__file__).resolve().parents[2] / "benchmarks" / "kill.py"


def test_a_run_that_was_killed_goes_on_and_ends_as_if_it_had_not_been() -> None:
    command = [sys.executable, str(KILL), "--kills", "3", "--samples", "6", "--seed", "5", "--share", "0.9"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "samples 84 of 84, verdicts 84 of 84" in done.stdout
    assert "equal to the run that nobody killed" in done.stdout
