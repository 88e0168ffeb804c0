"""The engine's time, shared among samples in flight."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from isobudget.backends.energy import PackageEnergy
from isobudget.backends.engine_clock import EngineClock, share_by_tokens


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_group_alone_gets_all_of_the_time() -> None:
    time = Clock()
    clock = EngineClock(time)
    time.now = 5.0  # idle before: nobody is charged for it
    ticket = clock.start(3)
    time.now = 7.0
    clock.stop(ticket)
    assert ticket.seconds == 2.0
    assert math.isnan(ticket.joules)


def test_overlapping_groups_share_by_size_and_add_up_to_the_busy_time() -> None:
    time = Clock()
    clock = EngineClock(time)
    one = clock.start(1)
    time.now = 1.0
    three = clock.start(3)
    time.now = 5.0
    clock.stop(one)
    time.now = 6.0
    clock.stop(three)
    assert one.seconds == 1.0 + 4.0 / 4
    assert three.seconds == 4.0 * 3 / 4 + 1.0
    assert one.seconds + three.seconds == 6.0


def test_groups_of_equal_size_are_told_apart() -> None:
    time = Clock()
    clock = EngineClock(time)
    first, second = clock.start(2), clock.start(2)
    time.now = 4.0
    clock.stop(second)
    time.now = 5.0
    clock.stop(first)
    assert (first.seconds, second.seconds) == (3.0, 2.0)


@pytest.mark.parametrize("tokens", [[10, 30], [0, 0], [5], [1, 0, 7]])
def test_shares_of_a_group_add_up(tokens: list[int]) -> None:
    shares = share_by_tokens(8.0, tokens)
    assert sum(shares) == pytest.approx(8.0)
    if sum(tokens):
        assert shares == [pytest.approx(8.0 * count / sum(tokens)) for count in tokens]


def counter(root: Path, name: str, microjoules: int, whole: int = 999_999) -> Path:
    (root / name).mkdir(parents=True, exist_ok=True)
    (root / name / "max_energy_range_uj").write_text(f"{whole}\n")
    (root / name / "energy_uj").write_text(f"{microjoules}\n")
    return root / name / "energy_uj"


def test_energy_of_all_packages_is_added_and_wraps_around(tmp_path: Path) -> None:
    first, second = counter(tmp_path, "intel-rapl:0", 100), counter(tmp_path, "intel-rapl:1", 999_000)
    counter(tmp_path, "intel-rapl:0:0", 5)  # a part of a package, counted in it already
    meter = PackageEnergy(tmp_path)
    first.write_text("250100\n")
    second.write_text("49000\n")
    assert meter() == pytest.approx(0.25 + 0.05)
    assert meter() == pytest.approx(0.3)


@pytest.mark.parametrize("content", ["", "many\n"])
def test_counters_that_cannot_be_read_are_no_meter(tmp_path: Path, content: str) -> None:
    with pytest.raises(LookupError, match="no energy counters"):
        PackageEnergy(tmp_path)
    counter(tmp_path, "intel-rapl:0", 1).write_text(content)
    with pytest.raises(LookupError, match="cannot be read"):
        PackageEnergy(tmp_path)


def test_energy_is_shared_like_time() -> None:
    time, used = Clock(), Clock()
    clock = EngineClock(time, used)
    one, three = clock.start(1), clock.start(3)
    time.now, used.now = 2.0, 40.0
    clock.stop(three)
    time.now, used.now = 3.0, 50.0
    clock.stop(one)
    assert (one.joules, three.joules) == (20.0, 30.0)
