"""Limits as they are stated."""

from __future__ import annotations

import pytest

from isobudget.errors import InputError
from isobudget.judge.verdict import Limits


def test_what_is_stated_and_what_follows() -> None:
    assert Limits.stated(None, None) is None
    assert Limits.stated(5.0, None) == Limits(5.0, 50.0)
    assert Limits.stated(None, 1_000_000) == Limits(memory_mb=1_000_000)


@pytest.mark.parametrize("memory_mb", [0, -1, 1_000_001, 99999999999999999999])
def test_memory_that_no_system_can_set(memory_mb: int) -> None:
    with pytest.raises(InputError, match=r"up to 1,000,000 MiB \(--memory-mb\)"):
        Limits.stated(None, memory_mb)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 86_401.0, float("inf"), float("nan")])
def test_seconds_that_no_timer_can_count(seconds: float) -> None:
    with pytest.raises(InputError, match="up to 86,400 CPU seconds"):
        Limits.stated(seconds, None)
