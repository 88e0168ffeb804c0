"""What ``--dry-run`` shows: on 80 columns, with a sum, and of which rows a source of time is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from isobudget.cli.dry_run import print_dry_run
from isobudget.pipeline.dry_run import DryRun
from isobudget.pipeline.estimates import Expected

Shown = Callable[..., list[str]]

ONE = Expected(
    "a-model-of-a-long-name", "humaneval", 164, 2000, 328_000, 328_000, 23_100, 75_300, 84_000_000, 168_000_000
)
FIRST = replace(ONE, seconds=7200.0, seconds_source="by a roofline", usd=4.43, bytes=285_000_000)
OTHER = replace(FIRST, model="b", seconds=3600.0, seconds_source="by a profile", usd=1.0)


def plan(*expected: Expected) -> DryRun:
    return DryRun("mine", Path("runs/mine"), expected, (), ())


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shown:
    def on(columns: int, *expected: Expected) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        print_dry_run(plan(*expected))
        return capsys.readouterr().out.splitlines()

    return on


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_it_fits_the_terminal_and_sums(shown: Shown, columns: int) -> None:
    lines = shown(columns, FIRST, OTHER)
    assert max(map(len, lines)) <= columns
    total = next(line for line in lines if line.strip().startswith("in all"))
    assert [text in total for text in ("656,000", "168 M", "3.0 h", "$5.43", "570 MB")] == [True] * 5
    assert "time of a-model-of-a-long-name: by a roofline" in lines
    assert "time of b: by a profile" in lines
    assert "usd: not known" in lines


def test_what_is_not_known_is_no_part_of_a_sum(shown: Shown) -> None:
    lines = shown(80, FIRST, replace(FIRST, benchmark="mbpp", seconds=None, seconds_source="not known", bytes=None))
    total = next(line for line in lines if line.strip().startswith("in all"))
    assert [text in total for text in ("2.0 h + ?", "285 MB + ?")] == [True, True]
    assert "time of a-model-of-a-long-name on mbpp: not known" in lines


def test_no_line_ends_in_a_blank(shown: Shown) -> None:
    long = "2 usd per GPU-hour, 2026-01-01 (" + "a price list of a provider, " * 6 + ")"
    lines = shown(80, replace(FIRST, usd_source=long), OTHER)
    assert any(line.startswith("usd of a-model") for line in lines)
    assert [line for line in lines if line != line.rstrip()] == []


def test_one_row_has_no_sum_and_its_sources_no_names(shown: Shown) -> None:
    lines = shown(80, FIRST)
    assert not [line for line in lines if "in all" in line]
    assert "time: by a roofline" in lines
