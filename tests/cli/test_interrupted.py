"""How a command ends that is stopped, or that the system refuses something."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("resume", "how"), [("", "command to resume"), ("--resume", "command with --resume to resume")]
)
def test_ctrl_c_says_how_to_go_on(resume: str, how: str) -> None:
    program = (
        f"from isobudget.cli.show import interruptible\nwith interruptible({resume!r}):\n    raise KeyboardInterrupt"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == f"\nInterrupted. Finished work is saved; run the same {how}.\n"


def test_a_name_that_the_system_refuses_is_one_sentence() -> None:
    command = [sys.executable, "-m", "isobudget", "passk", "x" * 300]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: {'x' * 300}/run.toml: File name too long\n"
