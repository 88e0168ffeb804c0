"""What the tests on Ray share: it is started in a network namespace with the loopback device alone."""

from __future__ import annotations

import subprocess

import pytest

from support.loopback import SECONDS, Command, environment, loopback_python, why_no_ray


@pytest.fixture(scope="session")
def on_loopback() -> Command:
    """Runs this interpreter on arguments, where Ray may be started; the test is skipped where it cannot be."""
    if why := why_no_ray():
        pytest.skip(why)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            loopback_python(*arguments), capture_output=True, text=True, env=environment(), timeout=SECONDS, check=False
        )

    return run
