"""The tester's handle on a zygote: it starts whatever number its socket has, and says what ended a sample."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from isobudget.judge.trusted.host import PEAK_SLACK_KB, ProcessEnd, ended
from isobudget.judge.untrusted import zygote
from isobudget.judge.verdict import Outcome

LAUNCH = """
import os, sys
from isobudget.judge.messages import WorkerSettings
from isobudget.judge.trusted import zygotes
from isobudget.judge.trusted.host import Host
from isobudget.judge.untrusted.zygote import CONTROL
from isobudget.judge.verdict import Limits
while os.dup(0) < CONTROL + int(sys.argv[2]):
    pass
os.close(CONTROL + int(sys.argv[2]) - 1)
os.close(CONTROL + int(sys.argv[2]))
settings = WorkerSettings(0, 0, (), (), True, Limits(), "auto", base=sys.argv[1])
started = zygotes.launch(settings)
host = Host(settings, started)
print(started.control - CONTROL, len(host.layers))
host.close()
"""


@pytest.mark.parametrize("number", [-1, 0, 1])
def test_a_zygote_starts_whatever_number_its_socket_has(tmp_path: Path, number: int) -> None:
    tmp_path.chmod(0o711)
    command = [sys.executable, "-c", LAUNCH, str(tmp_path), str(number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    # Ours is one below theirs: with 0, theirs is the number that it is moved to.
    assert int(done.stdout.split()[0]) == number - 1


@pytest.mark.parametrize(
    ("below_kb", "outcome"),
    [(1, Outcome.OUT_OF_MEMORY), (PEAK_SLACK_KB - 1, Outcome.OUT_OF_MEMORY), (PEAK_SLACK_KB, Outcome.ERROR)],
)
def test_killed_with_its_memory_full_is_out_of_memory_although_its_end_was_asked_for(
    below_kb: int, outcome: Outcome
) -> None:
    report = ProcessEnd.of(signal.SIGKILL, 0.1, (256 << 10) - below_kb, zygote.ON_REQUEST, memory_mb=256)
    assert not report.crowded
    verdict = report.onto(ended(report))
    assert verdict.outcome is outcome
    assert (verdict.peak_memory_mb == 256) == (outcome is Outcome.OUT_OF_MEMORY)


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (34, "SIGRTMIN"), (40, "signal 40"), (64, "SIGRTMAX")]
)
def test_every_signal_that_ends_a_sample_is_a_crash(number: int, name: str) -> None:
    report = ProcessEnd.of(number, 0.1, 1 << 10, stopped=0, memory_mb=256)
    verdict = ended(report)
    assert (verdict.outcome, verdict.detail) == (Outcome.CRASHED, f"killed by {name}")
