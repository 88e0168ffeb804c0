"""The ledger: never overspent whatever comes at once, durable before a call, whole after a crash, append-only."""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
from pathlib import Path

import pytest

from isobudget import api
from isobudget.errors import InputError, RunError, StorageError
from isobudget.gateway.amounts import NOTHING, Amounts
from isobudget.gateway.budgets import Period, parse_period_budget, parse_period_budgets
from isobudget.gateway.faults import RefusedRequestError
from isobudget.gateway.keys import Account, Keys, change_key, hashed, make_key
from isobudget.gateway.ledger import RECOVERED, Ledger, RequestLimits
from isobudget.gateway.serving import open_ledger
from isobudget.gateway.settings import ServeSettings
from isobudget.gateway.store import LedgerRow, SqliteStore, summary

MOST, CAME = Amounts(1000, 10, 5, 0, 100), Amounts(400, 4, 5, 0, 40)


def account(*budgets: str, number: int = 1) -> Account:
    return Account(number, f"key-{number}", parse_period_budgets(budgets))


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "ledger.sqlite")


def sums(store: SqliteStore) -> tuple[int, int]:
    """Usd of all reservations, and of all settlements."""
    rows = dict(store.asked("SELECT kind, sum(usd) FROM entries GROUP BY kind"))
    return rows.get("reserve", 0), rows.get("settle", 0)


@pytest.mark.parametrize("seed", range(4))
def test_random_calls_at_once_never_exceed_a_budget(store: SqliteStore, seed: int) -> None:
    """Whatever is reserved, settled, given up and cancelled at once: at no instant is more counted than the budget."""
    chance = random.Random(seed)
    limit = 20_000
    accounts = [account(f"{limit / 1e9}usd/day", number=number) for number in (1, 2, 3)]
    ledger = Ledger(store, parse_period_budgets([f"{2 * limit / 1e9}usd/day"]))
    spent = dict.fromkeys((1, 2, 3), 0)
    in_flight = dict.fromkeys((1, 2, 3), 0)

    async def call(number: int) -> None:
        most = Amounts(chance.randint(1, 3000), 1, 1, 0, 1)
        assert most.usd is not None
        reservation = await ledger.reserve(accounts[number - 1], "r", "m", most)
        in_flight[number] += most.usd
        await asyncio.sleep(chance.random() / 100)
        came = None if chance.random() < 0.2 else most._replace(usd=chance.randint(0, most.usd))
        ledger.settle(reservation, came)
        in_flight[number] -= most.usd
        spent[number] += most.usd if came is None or came.usd is None else came.usd
        assert all(spent[key] + in_flight[key] <= limit for key in spent)
        assert sum(spent.values()) + sum(in_flight.values()) <= 2 * limit

    async def all_of_them() -> list[object]:
        ledger.start()
        tasks = [asyncio.create_task(call(chance.randint(1, 3))) for _ in range(200)]
        for task in chance.sample(tasks, 20):
            asyncio.get_running_loop().call_later(chance.random() / 200, task.cancel)
        return await asyncio.gather(*tasks, return_exceptions=True)

    came = asyncio.run(all_of_them())
    refused = [one for one in came if isinstance(one, RefusedRequestError)]
    assert refused
    assert not [one for one in came if isinstance(one, Exception) and not isinstance(one, RefusedRequestError)]
    ledger.close()
    # One settlement for each reservation that is there, none twice.
    assert store.open_reservations() == []
    assert store.asked("SELECT count(*) FROM entries GROUP BY of HAVING of IS NOT NULL AND count(*) > 1") == []


def test_what_is_reserved_is_on_disk_before_it_is_told(store: SqliteStore) -> None:
    async def check() -> None:
        ledger = Ledger(store)
        ledger.start()
        await ledger.reserve(account(), "r", "m", MOST)
        with sqlite3.connect(store.path) as other:
            assert other.execute("SELECT kind, usd FROM entries").fetchall() == [("reserve", 1000)]
        ledger.close()

    asyncio.run(check())


def test_what_was_left_open_is_settled_at_its_most_by_the_next_start(store: SqliteStore) -> None:
    store.write([LedgerRow(7, "reserve", None, 1, "r", "m", 1_800_000_000_000_000, MOST)])
    ledger = Ledger(store)
    assert ledger.start() == 1
    ledger.close()
    assert store.asked("SELECT of, usd, note FROM entries WHERE kind = 'settle'") == [(7, 1000, RECOVERED)]
    assert Ledger(store).start() == 0


def test_a_new_process_goes_on_with_what_was_spent(store: SqliteStore) -> None:
    async def spend(times: int) -> int:
        ledger, done = Ledger(store), 0
        ledger.start()
        for _ in range(times):
            try:
                ledger.settle(await ledger.reserve(account("3e-6usd/day"), "r", "m", MOST), CAME)
                done += 1
            except RefusedRequestError:
                break
        ledger.close()
        return done

    # 400 of 3000 each, and room for 1000 at its most: six in all.
    assert [asyncio.run(spend(2)), asyncio.run(spend(2)), asyncio.run(spend(10))] == [2, 2, 2]


def test_refusals_say_what_is_left_and_when(store: SqliteStore) -> None:
    async def refusal(*budgets: str, most: Amounts = MOST, held: int = 0) -> RefusedRequestError:
        ledger = Ledger(store)
        ledger.start()
        for _ in range(held):
            await ledger.reserve(account(*budgets), "r", "m", MOST)
        with pytest.raises(RefusedRequestError) as raised:
            await ledger.reserve(account(*budgets), "r", "m", most)
        ledger.close()
        return raised.value

    flying = asyncio.run(refusal("1.5e-6usd/day", held=1))
    assert (flying.status, flying.retry_after_seconds) == (429, 1.0)
    assert flying.details["left"] == pytest.approx(0.5e-6)
    gone = asyncio.run(refusal("1.7e-6usd/day"))  # the last test's 1000 are spent
    assert gone.retry_after_seconds is not None
    assert "it is renewed at" in str(gone)
    whole = asyncio.run(refusal("1e-7usd/day"))
    assert whole.retry_after_seconds is None
    assert "more than the whole budget" in str(whole)
    unknown = asyncio.run(refusal("1e9flops/day", most=MOST._replace(flops=None)))
    assert (unknown.status, unknown.code) == (400, "cost_unknown")
    assert "state its architecture in the models file, or state the budget in tokens" in str(unknown)


def test_the_budget_of_a_request_counts_for_it_alone(store: SqliteStore) -> None:
    async def check() -> None:
        ledger = Ledger(store)
        ledger.start()
        limits = RequestLimits.of(parse_period_budgets(["1.5e-6usd/request"]))
        ledger.settle(await ledger.reserve(account(), "r", "m", MOST, limits), CAME)
        ledger.settle(await ledger.reserve(account(), "r", "m", MOST, limits), CAME)
        with pytest.raises(RefusedRequestError):
            await ledger.reserve(account(), "r", "m", MOST, limits)
        await ledger.reserve(account(), "s", "m", MOST, RequestLimits.of(parse_period_budgets(["1.5e-6usd/request"])))
        ledger.close()

    asyncio.run(check())


def test_more_than_was_asked_for_is_booked_and_closes_the_key(store: SqliteStore) -> None:
    secret = make_key(store, "a")
    keys = Keys(store, open_without=False)

    async def check() -> None:
        ledger = Ledger(store)
        ledger.start()
        reservation = await ledger.reserve(keys.account(f"Bearer {secret}"), "r", "m", MOST)
        ledger.settle(reservation, MOST._replace(usd=5000))
        ledger.close()

    asyncio.run(check())
    assert sums(store) == (1000, 5000)
    with pytest.raises(RefusedRequestError, match="spent more usd") as raised:
        keys.account(f"Bearer {secret}")
    assert raised.value.status == 403
    assert "isobudget serve key change a open" in str(raised.value)
    change_key(store, "a", "opened", "")
    assert keys.account(f"Bearer {secret}").name == "a"


def test_keys_are_kept_as_hashes_and_revoked_at_once(store: SqliteStore) -> None:
    everybody = Keys(store, open_without=True)
    assert everybody.account(None).name == "local"
    secret = make_key(store, "a", ["5usd/day"])
    assert secret.encode() not in store.path.read_bytes()
    assert store.asked("SELECT hash FROM keys") == [(hashed(secret),)]
    # A key was made: from now on one is needed.
    with pytest.raises(RefusedRequestError):
        everybody.account(None)
    assert str(everybody.account(f"bearer {secret}").budgets[0]) == "$5 a day"
    for wrong in ("", "Bearer", f"Basic {secret}", secret, f"Bearer {secret}x", "Bearer ' OR 1=1 --", "Bearer \x00"):
        with pytest.raises(RefusedRequestError):
            everybody.account(wrong)
    change_key(store, "a", "revoked", "")
    with pytest.raises(RefusedRequestError):
        everybody.account(f"Bearer {secret}")
    for event in ("opened", "budget"):
        with pytest.raises(InputError, match="permanently"):
            change_key(store, "a", event, "[]")


@pytest.mark.parametrize("name", ["", "../x", "a b", "x'; DROP TABLE keys; --", "a\nb", "é", "x" * 65])
def test_names_of_keys_are_plain(store: SqliteStore, name: str) -> None:
    with pytest.raises(InputError, match="not a valid key name"):
        make_key(store, name)


@pytest.mark.parametrize("table", ["keys", "key_events", "entries"])
def test_rows_are_neither_changed_nor_removed(store: SqliteStore, table: str) -> None:
    make_key(store, "a")
    store.write([LedgerRow(1, "reserve", None, 1, "r", "m", 1, MOST)])
    with sqlite3.connect(store.path) as other:
        for statement in (f"UPDATE {table} SET id = 9", f"DELETE FROM {table}"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                other.execute(statement)


def test_a_batch_is_written_whole_or_not_at_all(store: SqliteStore) -> None:
    good, twice = (
        LedgerRow(1, "reserve", None, 1, "r", "m", 1, MOST),
        LedgerRow(2, "settle", 1, 1, "r", "m", 1, NOTHING),
    )
    store.write([good, twice])
    with pytest.raises(StorageError):
        store.write([good._replace(id=3), twice._replace(id=4)])
    assert store.last_id() == 2


def test_one_gateway_at_a_time(tmp_path: Path) -> None:
    settings = ServeSettings(ledger=str(tmp_path / "ledger.sqlite"))
    with open_ledger(settings), pytest.raises(RunError, match="in use by another"), open_ledger(settings):
        pass


def test_one_gateway_at_a_time_under_whichever_name(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    ledger, link, folder = tmp_path / "far" / "ledger.sqlite", tmp_path / "link.sqlite", tmp_path / "near"
    link.symlink_to(ledger)
    folder.symlink_to(ledger.parent)
    with open_ledger(ServeSettings(ledger=str(ledger))):
        for other in (link, folder / ledger.name):
            with pytest.raises(RunError, match="in use by another"), open_ledger(ServeSettings(ledger=str(other))):
                pass
    hard = tmp_path / "hard.sqlite"
    hard.hardlink_to(ledger)
    for name in (hard, ledger):
        with pytest.raises(StorageError, match="several names"), open_ledger(ServeSettings(ledger=str(name))):
            pass
    assert SqliteStore(ledger, read_only=True).last_id() == 0


def test_open_to_others_only_with_a_key(tmp_path: Path) -> None:
    settings = ServeSettings(ledger=str(tmp_path / "ledger.sqlite"), host="0.0.0.0")
    with pytest.raises(InputError, match="make a key first"), open_ledger(settings):
        pass


def test_another_file_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no database, but some text that is long enough")
    with pytest.raises(StorageError):
        SqliteStore(tmp_path / "x")
    with pytest.raises(InputError, match="no such ledger"):
        SqliteStore(tmp_path / "y", read_only=True)


def test_what_was_spent_by_day_key_and_model(store: SqliteStore) -> None:
    make_key(store, "a")
    day = 1_800_000_000_000_000
    store.write(
        [LedgerRow(1, "reserve", None, 1, "r", "m", day, MOST), LedgerRow(2, "settle", 1, 1, "r", "m", day, CAME)]
    )
    store.write([LedgerRow(3, "reserve", None, 0, "s", "n", day, MOST)])
    assert [(row["key"], row["model"], row["calls"], row["in_flight"], row["usd"]) for row in summary(store)] == [
        ("a", "m", 1, 0, 400e-9),
        ("local", "n", 1, 1, 1000e-9),
    ]


PERIODS = {
    # 2026-11-29 13:45:10 UTC, a Sunday
    "1usd/minute": ("2026-11-29T13:45:00", "2026-11-29T13:46:00"),
    "1usd/hour": ("2026-11-29T13:00:00", "2026-11-29T14:00:00"),
    "1usd/day": ("2026-11-29T00:00:00", "2026-11-30T00:00:00"),
    "1usd/week": ("2026-11-23T00:00:00", "2026-11-30T00:00:00"),
    "1usd/month": ("2026-11-01T00:00:00", "2026-12-01T00:00:00"),
}


@pytest.mark.parametrize("text", PERIODS)
def test_periods_begin_with_the_clock(text: str) -> None:
    from datetime import UTC, datetime

    def micros(moment: str) -> int:
        return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * 1_000_000

    budget, now = parse_period_budget(text), micros("2026-11-29T13:45:10")
    assert (budget.begin(now), budget.end(now)) == tuple(map(micros, PERIODS[text]))
    assert budget.limit == 1_000_000_000


NO_BUDGETS = [
    "",
    "/",
    "0",
    "5",
    "nan",
    "inf",
    "1e400",
    "5usd/year",
    "8x",
    "8x/day",
    "5joules/day",
    "-1usd",
    "-1usd/day",
]
NO_BUDGETS += ["1e25usd/day", "1e8usd/day", "1e23flops/day", "1e17tokens"]
NO_BUDGETS += ["0usd/day", "nan usd", "1e400usd/day", "1e-12usd", "5usd/", "usd/day", "5 apples/day", "$5usd/day"]


@pytest.mark.parametrize("text", NO_BUDGETS)
def test_what_is_no_budget_is_refused_and_one_is_shown(text: str) -> None:
    """The message shows budgets as they are written where it was asked for, and they are some."""
    for default in (Period.ALL, Period.REQUEST):
        with pytest.raises(InputError) as raised:
            parse_period_budget(text, default)
        said = str(raised.value).split("; write ")
        shown = re.findall(r"[0-9][0-9.e]*[a-z]+(?:/[a-z]+)?", said[-1])
        assert len(said) == 2
        assert len(shown) == (4 if default is Period.ALL else 5)
        assert ("5usd/day" in shown) == (default is Period.ALL)
        assert all(parse_period_budget(one, default).limit > 0 for one in shown)
        if default is Period.REQUEST:
            assert {parse_period_budget(one, default).period for one in shown} == {Period.REQUEST}


def test_a_note_that_no_store_can_write_keeps_nothing_from_being_written(store: SqliteStore) -> None:
    """What a model server says in an error becomes a note."""

    async def check() -> None:
        ledger = Ledger(store)
        ledger.start()
        for note in ("half of a pair \ud800", "a \0 within", "x" * 5000):
            ledger.settle(await ledger.reserve(account(), "r", "m", MOST), CAME, note=note)
        ledger.close()

    asyncio.run(check())
    notes = [note for (note,) in store.asked("SELECT note FROM entries WHERE kind = 'settle' ORDER BY id")]
    assert notes == ["half of a pair \ufffd", "a \ufffd within", "x" * 300]


def test_a_budget_that_is_stated_twice_counts_once(store: SqliteStore) -> None:
    async def check() -> None:
        ledger = Ledger(store)
        ledger.start()
        twice = account("2e-6usd/day", "2e-6usd/day", "0.002e-3usd/day")
        for _ in range(2):  # 1000 of 2000 each
            await ledger.reserve(twice, "r", "m", MOST)
        with pytest.raises(RefusedRequestError):
            await ledger.reserve(twice, "r", "m", MOST)
        ledger.close()

    asyncio.run(check())


def test_a_clock_that_is_set_back_gives_no_budget_anew(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    minute = 60 * 1_000_000
    clock = [1_700_000_040 * 1_000_000]
    monkeypatch.setattr("isobudget.gateway.ledger.now_us", lambda: clock[0])
    spender = account("1e-6usd/minute")

    async def check() -> None:
        ledger = Ledger(store)
        ledger.start()

        async def spends() -> bool:
            try:
                ledger.settle(await ledger.reserve(spender, "r", "m", MOST), MOST)
            except RefusedRequestError:
                return False
            return True

        assert [await spends(), await spends()] == [True, False]
        clock[0] += minute
        assert [await spends(), await spends()] == [True, False]
        clock[0] -= minute
        assert await spends() is False
        clock[0] += minute
        assert await spends() is False
        clock[0] += minute
        assert await spends() is True
        ledger.close()

    asyncio.run(check())


def test_a_store_that_cannot_be_written_is_said_once(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        ledger = Ledger(store)
        ledger.start()
        store.asked("SELECT 1")
        store._connection.execute("PRAGMA query_only = ON")
        for _ in range(5):
            with pytest.raises(RefusedRequestError, match="no model was called"):
                await ledger.reserve(account(), "r", "m", MOST)
        store._connection.execute("PRAGMA query_only = OFF")
        ledger.settle(await ledger.reserve(account(), "r", "m", MOST), CAME)
        ledger.close()

    with caplog.at_level("WARNING", "isobudget.gateway"):
        asyncio.run(check())
    assert ["cannot be used" in one or "written again" in one for one in caplog.messages] == [True, True]


def test_what_is_no_ledger_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        api.ledger(tmp_path)
    path = tmp_path / "ledger.sqlite"
    api.new_key("a", ledger=path)
    assert api.ledger(path).to_records() == []
    with pytest.raises(InputError, match="has no calls of 'abc'"):
        api.ledger(path, request="abc")
    assert api.change_key("a", "budget", budget="5usd/day", ledger=path)["budgets"] == "$5 a day"
    with pytest.raises(InputError, match="new budgets with --budget, such as 5usd/day; --budget none lifts"):
        api.change_key("a", "budget", ledger=path)
    assert api.keys(ledger=path).to_records()[0]["budgets"] == "$5 a day"
    assert api.change_key("a", "budget", budget="none", ledger=path)["budgets"] == "none"
    assert api.change_key("a", "revoke", ledger=path)["state"] == "revoked"
