"""The engine's time, shared among samples in flight."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from isobudget.backends.engine.energy import (
    Counter,
    EnergyMeter,
    card_counters,
    find_meter,
    package_counters,
    visible_cards,
)
from isobudget.backends.engine.engine_clock import Charge, EngineClock, StepClock, share_by_tokens


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
    meter = EnergyMeter(package_counters(tmp_path))
    first.write_text("250100\n")
    second.write_text("49000\n")
    assert meter() == pytest.approx(0.25 + 0.05)
    assert meter() == pytest.approx(0.3)


@pytest.mark.parametrize("content", ["", "many\n"])
def test_counters_that_cannot_be_read_are_no_meter(tmp_path: Path, content: str) -> None:
    with pytest.raises(LookupError, match="no energy counters"):
        EnergyMeter(package_counters(tmp_path))
    counter(tmp_path, "intel-rapl:0", 1).write_text(content)
    with pytest.raises(LookupError, match="cannot be read"):
        EnergyMeter(package_counters(tmp_path))


class Cards:
    """What of `pynvml` is used, with made-up millijoules."""

    def __init__(self, *millijoules: int) -> None:
        self.millijoules = list(millijoules)
        self.broken = False

    def nvmlInit(self) -> None:  # noqa: N802
        if not self.millijoules:
            raise RuntimeError("NVML Shared Library Not Found")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.millijoules)

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        return range(len(self.millijoules))[number]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        if self.broken:
            raise RuntimeError("GPU is lost")
        return self.millijoules[handle]


def test_energy_of_the_cards_that_are_used_is_added_to_the_packages(tmp_path: Path) -> None:
    package, cards = counter(tmp_path, "intel-rapl:0", 100), Cards(5_000, 70_000, 900)
    packages = package_counters(tmp_path)
    every, used = EnergyMeter(card_counters(None, cards) + packages), EnergyMeter(card_counters([0, 2], cards))
    cards.millijoules = [6_500, 70_250, 1_000]
    package.write_text("500100\n")
    assert every() == pytest.approx(1.5 + 0.25 + 0.1 + 0.5)
    assert used() == pytest.approx(1.6)


def test_a_card_that_was_reset_or_lost_makes_the_sum_unknown() -> None:
    cards = Cards(5_000)
    reset, lost = EnergyMeter(card_counters(None, cards)), EnergyMeter(card_counters(None, cards))
    cards.millijoules = [10]
    assert math.isnan(reset())
    cards.broken = True
    assert math.isnan(lost())
    cards.broken, cards.millijoules = False, [9_000]
    assert math.isnan(lost())


@pytest.mark.parametrize("devices", [None, [1]])
def test_cards_that_tell_nothing_are_no_counters(devices: list[int] | None) -> None:
    with pytest.raises(LookupError, match="do not report energy: NVML Shared Library Not Found"):
        card_counters(devices, Cards())
    with pytest.raises(LookupError, match="do not report energy"):
        card_counters([3], Cards(1, 2))


def test_a_counter_wraps_around_at_its_range() -> None:
    readings = iter([90, 95, 5, 5])
    meter = EnergyMeter([Counter(lambda: next(readings), 2.0, 100)])
    assert [meter(), meter(), meter()] == [10.0, 30.0, 30.0]


@pytest.mark.parametrize(
    ("value", "cards"), [(None, None), ("", None), ("0,2", [0, 2]), ("GPU-1a2b", None), (" 1", [1])]
)
def test_the_cards_that_are_left_visible_are_counted(
    monkeypatch: pytest.MonkeyPatch, value: str | None, cards: list[int] | None
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if value is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert visible_cards() == cards


def test_work_on_a_card_that_is_not_there_has_no_meter() -> None:
    assert find_meter([10_000]) is None


def test_what_passed_with_room_for_more_is_told_apart() -> None:
    time = Clock()
    clock = StepClock(time)
    one, other = Charge(), Charge()
    time.now = 4.0
    clock.charge([one, other], [1, 3])
    time.now = 10.0
    clock.charge([one, other], [1, 2], idle=True)
    assert (one.seconds, one.idle_seconds, one.idle_tokens) == (3.0, 2.0, 1)
    assert (other.seconds, other.idle_seconds, other.idle_tokens) == (7.0, 4.0, 2)


def test_energy_is_shared_like_time() -> None:
    time, used = Clock(), Clock()
    clock = EngineClock(time, used)
    one, three = clock.start(1), clock.start(3)
    time.now, used.now = 2.0, 40.0
    clock.stop(three)
    time.now, used.now = 3.0, 50.0
    clock.stop(one)
    assert (one.joules, three.joules) == (20.0, 30.0)
