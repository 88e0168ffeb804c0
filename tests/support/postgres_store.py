"""The ledger's rows and the keys in PostgreSQL, by the protocol that SQLite's store has: the same tables, append-only.

One connection writes and holds a lock that a second gateway does not get; another one reads. Needs psycopg 3. It shows
that the protocol is enough; the commands know files alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from isobudget.errors import InputError, RunError, StorageError
from isobudget.gateway.amounts import Amounts
from isobudget.gateway.store import RESERVE, SETTLE, KeyEvent, KeyRow, LedgerRow, keys_of

#: of the lock that a gateway holds; a number of our own
_LOCK = 0x69736F62
_IDENTITY = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS keys (
    id {_IDENTITY}, name text NOT NULL UNIQUE, hash bytea NOT NULL UNIQUE, time bigint NOT NULL);
CREATE TABLE IF NOT EXISTS key_events (
    id {_IDENTITY}, key bigint NOT NULL REFERENCES keys, time bigint NOT NULL, event text NOT NULL,
    detail text NOT NULL);
CREATE TABLE IF NOT EXISTS entries (
    id bigint PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('{RESERVE}', '{SETTLE}')),
    "of" bigint UNIQUE REFERENCES entries, key bigint NOT NULL, request text NOT NULL, model text NOT NULL,
    time bigint NOT NULL, usd bigint, flops bigint, seconds bigint, joules bigint, tokens bigint,
    note text NOT NULL, CHECK ((kind = '{SETTLE}') = ("of" IS NOT NULL)));
CREATE INDEX IF NOT EXISTS entries_of_key ON entries (key, time);
CREATE INDEX IF NOT EXISTS entries_of_request ON entries (request);
CREATE INDEX IF NOT EXISTS events_of_key ON key_events (key);
CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
"""
_APPEND_ONLY = "".join(
    f"CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION append_only();"
    for table in ("keys", "key_events", "entries")
)


class PostgresStore:
    """A `Store` in a database.

    Args:
        place: of the database, as psycopg takes it.

    Raises:
        StorageError: the database cannot be used.
        RunError: another gateway uses it.
    """

    def __init__(self, place: str) -> None:
        with self._told():
            self._connection = psycopg.connect(place, autocommit=True)
            held = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
            if held != (True,):
                self._connection.close()
                raise RunError("the ledger is used by another gateway")
            self._connection.execute(_SCHEMA + _APPEND_ONLY)
            self._reader = psycopg.connect(place, autocommit=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise StorageError(f"the ledger cannot be used: {str(error).strip()}") from error

    def close(self) -> None:
        """Close the connections, and give the lock back."""
        self._reader.close()
        self._connection.close()

    def write(self, rows: Sequence[LedgerRow | KeyEvent]) -> None:
        """See `Store.write`."""
        entries = [row.row() for row in rows if isinstance(row, LedgerRow)]
        events = [row for row in rows if isinstance(row, KeyEvent)]
        with self._told(), self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO entries VALUES ({', '.join(['%s'] * 13)})", entries)
            cursor.executemany("INSERT INTO key_events (key, time, event, detail) VALUES (%s, %s, %s, %s)", events)

    def last_id(self) -> int:
        """See `Store.last_id`."""
        return int(self.asked("SELECT coalesce(max(id), 0) FROM entries")[0][0])

    def open_reservations(self) -> list[LedgerRow]:
        """See `Store.open_reservations`."""
        query = 'SELECT r.* FROM entries r LEFT JOIN entries s ON s."of" = r.id WHERE r.kind = %s AND s.id IS NULL'
        return [LedgerRow._make((*row[:7], Amounts(*row[7:12]), row[12])) for row in self.asked(query, (RESERVE,))]

    def spent(self, key: int | None, unit: str, since: int, without: Collection[int] = ()) -> int:
        """See `Store.spent`."""
        if unit not in Amounts._fields:
            raise InputError(f"a ledger does not count {unit}")
        (row,) = self.asked(
            f"SELECT coalesce(sum(CASE WHEN s.id IS NULL THEN r.{unit} ELSE s.{unit} END), 0) FROM entries r "
            'LEFT JOIN entries s ON s."of" = r.id WHERE r.kind = %s AND r.time >= %s '
            "AND (%s::bigint IS NULL OR r.key = %s) AND NOT r.id = ANY(%s)",
            (RESERVE, since, key, key, list(without)),
        )
        return int(row[0])

    def find_key(self, hashed: bytes) -> KeyRow | None:
        """See `Store.find_key`."""
        found = self._keys("WHERE k.hash = %s", (hashed,))
        return found[0] if found else None

    def all_keys(self) -> list[KeyRow]:
        """See `Store.all_keys`."""
        return self._keys("", ())

    def _keys(self, where: str, values: tuple[Any, ...]) -> list[KeyRow]:
        columns = "k.id, k.name, k.time, e.key, e.time, e.event, e.detail"
        join = "keys k LEFT JOIN key_events e ON e.key = k.id"
        return keys_of(self.asked(f"SELECT {columns} FROM {join} {where} ORDER BY k.id, e.id", values))

    def add_key(self, name: str, hashed: bytes, time: int, budgets: str) -> int:
        """See `Store.add_key`."""
        add = "INSERT INTO keys (name, hash, time) VALUES (%s, %s, %s) RETURNING id"
        event = "INSERT INTO key_events (key, time, event, detail) VALUES (%s, %s, 'budget', %s)"
        try:
            with self._told(), self._connection.transaction():
                made = self._connection.execute(add, (name, hashed, time)).fetchone()
                number = int(made[0]) if made is not None else 0
                self._connection.execute(event, (number, time, budgets))
        except StorageError as error:
            if isinstance(error.__cause__, psycopg.errors.UniqueViolation):
                raise InputError(f"a key {name!r} exists already; names are not reused") from None
            raise
        return number

    def asked(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query. `StorageError` if it cannot be answered."""
        with self._told():
            return self._reader.execute(query, values).fetchall()
