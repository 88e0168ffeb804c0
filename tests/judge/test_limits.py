"""Limits as they are stated."""

from __future__ import annotations

import math
from typing import Any

import pytest

from isobudget.errors import InputError
from isobudget.judge.judge import Judge
from isobudget.judge.verdict import Limits
from isobudget.rewards import Reward


def test_what_is_stated_and_what_follows() -> None:
    assert Limits.stated(None, None) is None
    assert Limits.stated(5.0, None) == Limits(5.0, 50.0)
    assert Limits.stated(None, 1_000_000) == Limits(memory_mb=1_000_000)


@pytest.mark.parametrize("memory_mb", [0, -1, 1_000_001, 99999999999999999999])
def test_memory_that_no_system_can_set(memory_mb: int) -> None:
    with pytest.raises(InputError, match=r"\(--memory-mb\) must be 1 to 1,000,000 MiB"):
        Limits.stated(None, memory_mb)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 86_401.0, float("inf"), float("nan")])
def test_seconds_that_no_timer_can_count(seconds: float) -> None:
    with pytest.raises(InputError, match="above 0 and at most 86,400 CPU seconds"):
        Limits.stated(seconds, None)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(cpu_seconds=math.nan), "cpu_seconds must be a number above 0"),
        (Limits(cpu_seconds=math.inf), "cpu_seconds must be"),
        (Limits(cpu_seconds="2"), "cpu_seconds must be"),  # type: ignore[arg-type]
        (Limits(wall_seconds=0), "wall_seconds must be"),
        (Limits(memory_mb=-1), "memory_mb must be a whole number above 0"),
        (Limits(memory_mb=64.5), "memory_mb must be a whole number"),  # type: ignore[arg-type]
        (Limits(output_kb=True), "output_kb must be"),
        (3, r"pass Limits\(\.\.\.\), not 3"),
    ],
)
def test_limits_that_are_none_are_named(limits: Any, why: str) -> None:
    with pytest.raises(InputError, match=why):
        Limits.checked(limits)
    with pytest.raises(InputError, match=why):
        Reward(limits=limits)


def test_a_judge_checks_its_limits() -> None:
    with pytest.raises(InputError, match="cpu_seconds must be"):
        Judge(1, Limits(cpu_seconds=math.nan))
    assert Limits.checked(Limits()) == Limits()
