"""The ledger over a real PostgreSQL: the protocol of stores is enough for another one than SQLite."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isobudget.errors import InputError, RunError, StorageError
from isobudget.gateway.amounts import Amounts
from isobudget.gateway.budgets import parse_period_budgets
from isobudget.gateway.faults import RefusedRequestError
from isobudget.gateway.keys import Account, Keys, change_key, make_key
from isobudget.gateway.ledger import RECOVERED, Ledger
from isobudget.gateway.store import LedgerRow

pytest.importorskip("psycopg", reason="psycopg is not installed")

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
MOST, CAME = Amounts(1000, 10, 5, None, 100), Amounts(400, 4, 5, None, 40)


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    """A server in a folder of its own, reached by a socket there alone; as another user where this one is root."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed")
    as_user: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="pg") as name:
        if os.geteuid() == 0:
            try:
                pwd.getpwnam("postgres")
            except KeyError:
                pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
            as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(name, "postgres")

        def run(program: str, *arguments: str) -> None:
            command = [str(BINARIES[-1] / program), *arguments]
            subprocess.run(command, cwd=name, check=True, capture_output=True, timeout=120, **as_user)

        run("initdb", "--pgdata", f"{name}/data", "--username", "isobudget", "--auth", "trust", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={name}"
        run("pg_ctl", "--pgdata", f"{name}/data", "--log", f"{name}/log", "--wait", "--options", options, "start")
        try:
            yield f"host={name} user=isobudget dbname=postgres"
        finally:
            run("pg_ctl", "--pgdata", f"{name}/data", "--mode", "immediate", "--wait", "stop")


def test_a_ledger_over_it_keeps_budgets_keys_and_what_was_left_open(place: str) -> None:
    from support.postgres_store import PostgresStore

    async def spend(ledger: Ledger, account: Account) -> int:
        done = 0
        with contextlib.suppress(RefusedRequestError):
            while True:
                reservation = await ledger.reserve(account, "a request", "m", MOST)
                ledger.settle(reservation, CAME, note="half \ud800 and \0")
                done += 1
        return done

    with contextlib.closing(PostgresStore(place)) as store:
        secret = make_key(store, "alice", ["3e-6usd/day"])
        with pytest.raises(InputError, match="already"):
            make_key(store, "alice")
        account = Keys(store, open_without=True).account(f"Bearer {secret}")
        ledger = Ledger(store, parse_period_budgets(["1usd/day"]))
        assert ledger.start() == 0
        # 400 of 3000 each, and room for 1000 at its most: six in all.
        assert asyncio.run(spend(ledger, account)) == 6
        ledger.close()
        assert store.spent(account.id, "usd", 0) == store.spent(None, "usd", 0) == 2400
        assert store.spent(account.id + 1, "usd", 0) == 0
        assert store.open_reservations() == []
        with pytest.raises(RunError, match="another gateway"):
            PostgresStore(place)
        left = LedgerRow(store.last_id() + 1, "reserve", None, account.id, "r", "m", 1_800_000_000_000_000, MOST)
        store.write([left])
        with pytest.raises(StorageError):
            store.write([left._replace(id=left.id + 1), left])
        assert store.last_id() == left.id  # all or none
        for statement in ("UPDATE entries SET usd = 0", "DELETE FROM keys", "TRUNCATE key_events"):
            with pytest.raises(StorageError, match="append-only"):
                store.asked(statement)
        change_key(store, "alice", "revoked", "")

    with contextlib.closing(PostgresStore(place)) as store:
        with pytest.raises(RefusedRequestError, match="no valid key"):
            Keys(store, open_without=True).account(f"Bearer {secret}")
        ledger = Ledger(store)
        assert ledger.start() == 1
        ledger.close()
        last = store.asked('SELECT "of", usd, note FROM entries ORDER BY id DESC LIMIT 1')
        assert last == [(left.id, 1000, RECOVERED)]
        assert store.spent(None, "usd", 0, without=[left.id]) == 2400
