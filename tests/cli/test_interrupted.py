"""What Ctrl-C says: how the command goes on."""

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
