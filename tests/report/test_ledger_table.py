"""The gateway's ledger as a table: what was spent in one column, on 80 columns, by day or by call."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from isobudget.cli import build_app
from isobudget.gateway.amounts import Amounts
from isobudget.gateway.keys import make_key
from isobudget.gateway.store import LedgerRow, SqliteStore
from isobudget.report.tables.ledger import spent

DAY = 1_800_000_000_000_000
MODEL = "bartowski/Qwen2.5-Coder-1.5B-Instruct-GGUF"
MOST = Amounts(123_456, 1_234_567_000, 98_765_432, 1_234_567, 123_456)
CAME = Amounts(31_234, 234_567_000, 8_765_432, 234_567, 1234)


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    store = SqliteStore(tmp_path / "ledger.sqlite")
    make_key(store, "alice-of-the-long-name", ["5usd/day"])
    one, other = (LedgerRow(number, "reserve", None, 1, "r", MODEL, DAY, MOST) for number in (1, 2))
    store.write([one, other, LedgerRow(3, "settle", 1, 1, "r", MODEL, DAY, CAME, "cut off by the server")])
    return str(tmp_path / "ledger.sqlite")


def shown(*words: str) -> Result:
    return CliRunner().invoke(build_app("serve"), ["serve", *words], env={"COLUMNS": "80", "TERM": "dumb"})


@pytest.mark.parametrize("more", [[], ["--request", "r"]])
def test_the_ledger_fits_80_columns(ledger: str, more: list[str]) -> None:
    found = shown("ledger", ledger, *more)
    assert found.exit_code == 0, found.output
    assert max(map(len, found.stdout.splitlines())) <= 80
    assert "…" not in found.stdout
    assert "┃" not in found.stdout
    assert "calls in flight: 1; each is counted at the most that it may cost" in found.stdout
    words = found.stdout.split()
    assert "alice-of-" in found.stdout
    assert ("2027-01-15" in words) is not bool(more)
    assert ("$0.0000312," in words) is bool(more)


def test_the_file_is_an_argument_or_an_option(ledger: str) -> None:
    assert shown("ledger", "--ledger", ledger).stdout == shown("ledger", ledger).stdout
    assert shown("ledger", ledger, "--ledger", "another").exit_code == 2


def test_keys_fit_80_columns(ledger: str) -> None:
    found = shown("key", "list", "--ledger", ledger)
    assert max(map(len, found.stdout.splitlines())) <= 80
    assert "$5 a day" in found.stdout


def test_what_is_not_known_is_left_out() -> None:
    amounts = {"usd": None, "flops": 1.5e12, "seconds": 2.0, "joules": None, "tokens": 1234.0}
    assert spent(amounts) == "1.5 Tflops, 2 s, 1.23 k tokens"
    assert spent({"usd": None}) == "-"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["key", "list", "--ledger"], "no key yet; isobudget serve key new NAME makes one\n"),
        (["ledger"], "nothing spent yet\n"),
    ],
)
def test_an_empty_list_says_what_it_is(tmp_path: Path, words: list[str], said: str) -> None:
    SqliteStore(tmp_path / "ledger.sqlite").close()
    found = shown(*words, str(tmp_path / "ledger.sqlite"))
    assert (found.exit_code, found.stdout) == (0, said)


def test_a_new_key_says_which_ledger_keeps_it(tmp_path: Path) -> None:
    place = tmp_path / "ledger.sqlite"
    made = shown("key", "new", "alice", "--ledger", str(place))
    assert made.stdout.startswith("isb-")
    assert f"the key is in {place}" in made.stderr
