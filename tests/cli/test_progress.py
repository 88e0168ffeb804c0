"""Progress: rate, time left, what was spent; in lines, and in bars on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from isobudget.cli import progress as shown
from isobudget.cli.progress import Pace, TerminalProgress, rate_text


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    pace = Pace(1000, 0, "", 0.0)
    for second in range(1, 101):
        pace.advance(1 if second <= 60 else 5, float(second))
    assert pace.rate(100.0) == pytest.approx(5, rel=0.05)
    assert pace.seconds_left(100.0) == pytest.approx((1000 - 260) / 5, rel=0.05)


def test_a_long_wait_before_the_first_step_is_not_taken_for_the_rate() -> None:
    """Five seconds until processes have started, then ten steps a second, one by one: 90 s for 900 steps more."""
    pace = Pace(1000, 0, "", 0.0)
    for step in range(100):
        pace.advance(1, 5.0 + step / 10)
    assert pace.seconds_left(14.9) == pytest.approx(90.0)
    pace = Pace(1000, 0, "", 0.0)
    for step in range(20):  # until as much time has passed again, the wait counts
        pace.advance(1, 5.0 + step / 10)
    assert pace.rate(6.9) == pytest.approx(20 / 6.9)


def test_what_cannot_be_told_is_left_out() -> None:
    pace = Pace(10, 4, "", 5.0)
    assert (pace.rate(5.0), pace.seconds_left(9.0), pace.summary(9.0)) == (0.0, None, "")
    assert pace.counted() == "4 of 10"


def test_bytes_tokens_and_money() -> None:
    pace = Pace(98_000_000, 0, "B", 0.0)
    pace.advance(9_800_000, 2.0)
    assert pace.counted() == "9.8 MB of 98 MB"
    assert pace.summary(2.0) == "4.9 MB/s, 18 s left"
    pace.spent = {"tokens": 12_345.0, "usd": 0.42, "joules": 0.0}
    assert pace.spending() == "spent 12.3 k tokens, $0.42"


@pytest.mark.parametrize(("rate", "text"), [(0.0, ""), (3.21, "3.21/s"), (0.1, "6/min"), (1234.0, "1.23e+03/s")])
def test_rates(rate: float, text: str) -> None:
    assert rate_text(rate, "") == text


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 20.0, 30.0])
    monkeypatch.setattr(shown.time, "monotonic", lambda: next(clock))
    with TerminalProgress() as progress:
        progress.start("generating", 60, 20)
        progress.advance("generating", 1)
        progress.spend("generating", "tokens", 900)
        progress.advance("generating", 19)
        progress.spend("generating", "tokens", 100)
        progress.advance("generating", 20)
    assert capsys.readouterr().err.splitlines() == [
        "generating: 60 to do, 20 of them already done",
        "generating: 40 of 60, 1/s, 20 s left, spent 900 tokens",
        "generating: 60 of 60, done in 30 s, spent 1 k tokens",
    ]


def test_quiet_and_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalProgress(quiet=True) as progress:
        progress.start("a", 3)
        progress.advance("a", 3)
        progress.spend("a", "usd", 1.0)
        progress.note("b")
    assert capsys.readouterr() == ("", "")
    with TerminalProgress() as progress:
        progress.start("a", 3, 3)
    assert capsys.readouterr().err == "a: nothing left to do\n"


class Terminal(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self) -> bool:
        return True


def test_bars_fit_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with TerminalProgress() as progress:
        progress.start("fetching qwen2.5-coder-1.5b", 986_000_000, unit="B")
        progress.advance("fetching qwen2.5-coder-1.5b", 123_000_000)
        progress.spend("fetching qwen2.5-coder-1.5b", "tokens", 12)
        progress.note("a note")
    text = screen.getvalue()
    assert "123 MB of 986 MB" in text
    assert "a note" in text
