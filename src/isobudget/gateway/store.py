"""The ledger's rows and the keys in SQLite: append-only, in WAL mode, many rows in one commit.

    keys        id, name, hash of the key, when it was made
    key_events  changes of a key: budgets, closed, opened, revoked; the newest of each kind counts
    entries     `reserve` (the maximum cost of a call) and, once for each, `settle` (its real cost)

Triggers refuse updates and deletions. A commit is synced before it is reported (`synchronous = FULL`), so that
reservations survive a loss of power. Amounts are in steps (`amounts`); a reservation that was never settled counts in
full. Sums use SQLite's `total`, which does not fail if a server's false usage makes them too large. Only one gateway
writes entries; meanwhile other processes may change keys (`writing`), and any number may read.

    SELECT k.name, date(r.time / 1000000, 'unixepoch') AS day, sum(s.usd) / 1e9 AS usd
    FROM entries r JOIN entries s ON s.of = r.id JOIN keys k ON k.id = r.key GROUP BY 1, 2
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from isobudget.errors import InputError, StorageError
from isobudget.files.whole import make_folder
from isobudget.gateway.amounts import Amounts

RESERVE, SETTLE = "reserve", "settle"
#: the version of the tables
FORMAT = 1
_BUSY_SECONDS = 10.0
_SCHEMA = f"""
CREATE TABLE keys (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, hash BLOB NOT NULL UNIQUE, time INTEGER NOT NULL) STRICT;
CREATE TABLE key_events (
    id INTEGER PRIMARY KEY, key INTEGER NOT NULL REFERENCES keys, time INTEGER NOT NULL,
    event TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('{RESERVE}', '{SETTLE}')),
    of INTEGER UNIQUE REFERENCES entries, key INTEGER NOT NULL, request TEXT NOT NULL, model TEXT NOT NULL,
    time INTEGER NOT NULL, usd INTEGER, flops INTEGER, seconds INTEGER, joules INTEGER, tokens INTEGER,
    note TEXT NOT NULL, CHECK ((kind = '{SETTLE}') = (of IS NOT NULL))) STRICT;
CREATE INDEX entries_of_key ON entries (key, time);
CREATE INDEX entries_of_request ON entries (request);
CREATE INDEX events_of_key ON key_events (key);
PRAGMA user_version = {FORMAT};
"""
_APPEND_ONLY = "".join(
    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN "
    f"SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
    for table in ("keys", "key_events", "entries")
    for verb in ("UPDATE", "DELETE")
)


class LedgerRow(NamedTuple):
    """A row of the ledger.

    Attributes:
        id: number of the row.
        kind: `reserve` or `settle`.
        of: for a settlement, the number of its reservation.
        key: number of the paying key; 0 if no key is required.
        request: the request to which the call belongs.
        model: the model that was called.
        time: time in microseconds since 1970.
        amounts: see `Amounts`.
        note: a remark.
    """

    id: int
    kind: str
    of: int | None
    key: int
    request: str
    model: str
    time: int
    amounts: Amounts
    note: str = ""

    def row(self) -> tuple[Any, ...]:
        """The row in the form of the table."""
        return (*self[:7], *self.amounts, self.note)


class KeyEvent(NamedTuple):
    """A change of a key: `budget` (a list in JSON), `closed`, `opened` or `revoked`, with a reason."""

    key: int
    time: int
    event: str
    detail: str


class KeyRow(NamedTuple):
    """A key as it is stored."""

    id: int
    name: str
    time: int
    events: tuple[KeyEvent, ...]


class Store(Protocol):
    """Interface of a ledger's storage.

    One thread at a time writes, and one at a time reads; a read may come while another thread writes.
    """

    def write(self, rows: Sequence[LedgerRow | KeyEvent]) -> None:
        """Add all rows, which then survive a loss of power. Raises `StorageError` if none could be added."""

    def last_id(self) -> int:
        """The highest number of an entry; 0 if there is none."""

    def open_reservations(self) -> list[LedgerRow]:
        """Reservations without a settlement."""

    def spent(self, key: int | None, unit: str, since: int, without: Collection[int] = ()) -> int:
        """The steps of a unit that a key (None: all keys) spent on calls reserved since a moment.

        Entries in `without` are left out; a reservation without a settlement counts in full.
        """

    def find_key(self, hashed: bytes) -> KeyRow | None:
        """The key with this hash; None if there is none."""

    def all_keys(self) -> list[KeyRow]:
        """All keys."""

    def add_key(self, name: str, hashed: bytes, time: int, budgets: str) -> int:
        """Store a new key; returns its number. Raises `InputError` if the name is taken."""


def keys_of(rows: Iterable[Sequence[Any]]) -> list[KeyRow]:
    """Keys from rows in the order of their events: a key's number, name and time, and the fields of one event.

    The fields of the event are None for a key without events.
    """
    found: dict[int, KeyRow] = {}
    for number, name, time, *event in rows:
        known = found.get(number) or KeyRow(number, name, time, ())
        events = known.events if event[0] is None else (*known.events, KeyEvent(*event))
        found[number] = known._replace(events=events)
    return list(found.values())


class SqliteStore:
    """A `Store` in one file.

    Args:
        path: path of the file, created if it does not exist.
        read_only: open it for reading only.

    Raises:
        StorageError: the file cannot be opened, is not a ledger, or has several names (hard links): SQLite stores
            recent writes beside the name, so one name would not see those of another.
        InputError: the path is a folder, or `read_only` is set and the file does not exist.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name the file of a ledger")
        if read_only and not path.exists():
            raise InputError(f"{path}: no such ledger; `isobudget serve` and `isobudget serve key new` create one")
        if not read_only and path.exists() and path.stat().st_nlink > 1:
            raise StorageError(
                f"{path}: has several names (hard links), and SQLite keeps a log for each name; use a copy"
            )
        try:
            self._connection = self._opened(read_only)
            self._prepare(read_only)
            # So that whoever looks something up does not wait for a commit of another thread.
            self._reader = self._opened(read_only=True)
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _opened(self, read_only: bool) -> sqlite3.Connection:
        where = f"{self.path.absolute().as_uri()}{'?mode=ro' if read_only else ''}"
        return sqlite3.connect(where, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    def _prepare(self, read_only: bool) -> None:
        run = self._connection.execute
        if not read_only:
            with contextlib.suppress(OSError):
                self.path.chmod(0o600)
            run("PRAGMA journal_mode = WAL")
            run("PRAGMA synchronous = FULL")
        run("PRAGMA trusted_schema = OFF")
        version = run("PRAGMA user_version").fetchone()[0]
        if version == 0 and not read_only:
            with self._transaction():
                if run("PRAGMA user_version").fetchone()[0] == 0:
                    for statement in _statements(_SCHEMA + _APPEND_ONLY):
                        run(statement)
        elif version != FORMAT:
            raise StorageError(f"{self.path}: is not a ledger of this version of isobudget; name another file")

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._connection.close()

    def write(self, rows: Sequence[LedgerRow | KeyEvent]) -> None:
        """See `Store.write`."""
        entries = [row.row() for row in rows if isinstance(row, LedgerRow)]
        events = [row for row in rows if isinstance(row, KeyEvent)]
        try:
            with self._transaction():
                self._connection.executemany(f"INSERT INTO entries VALUES ({', '.join('?' * 13)})", entries)
                self._connection.executemany(
                    "INSERT INTO key_events (key, time, event, detail) VALUES (?, ?, ?, ?)", events
                )
        except sqlite3.Error as error:
            raise self._error(error) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk may have ended the transaction by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def last_id(self) -> int:
        """See `Store.last_id`."""
        return int(self.asked("SELECT coalesce(max(id), 0) FROM entries")[0][0])

    def open_reservations(self) -> list[LedgerRow]:
        """See `Store.open_reservations`."""
        rows = self.asked(
            "SELECT r.* FROM entries r LEFT JOIN entries s ON s.of = r.id WHERE r.kind = ? AND s.id IS NULL", (RESERVE,)
        )
        return [LedgerRow._make((*row[:7], Amounts(*row[7:12]), row[12])) for row in rows]

    def spent(self, key: int | None, unit: str, since: int, without: Collection[int] = ()) -> int:
        """See `Store.spent`."""
        if unit not in Amounts._fields:
            raise InputError(f"a ledger does not count {unit}")
        (row,) = self.asked(
            f"SELECT total(iif(s.id IS NULL, r.{unit}, s.{unit})) FROM entries r "
            "LEFT JOIN entries s ON s.of = r.id WHERE r.kind = ? AND r.time >= ? AND (? IS NULL OR r.key = ?) "
            "AND r.id NOT IN (SELECT value FROM json_each(?))",
            (RESERVE, since, key, key, json.dumps(list(without))),
        )
        return int(row[0])

    def find_key(self, hashed: bytes) -> KeyRow | None:
        """See `Store.find_key`."""
        found = self._keys("WHERE k.hash = ?", (hashed,))
        return found[0] if found else None

    def all_keys(self) -> list[KeyRow]:
        """See `Store.all_keys`."""
        return self._keys("", ())

    def _keys(self, where: str, values: tuple[Any, ...]) -> list[KeyRow]:
        rows = self.asked(
            "SELECT k.id, k.name, k.time, e.key, e.time, e.event, e.detail FROM keys k "
            f"LEFT JOIN key_events e ON e.key = k.id {where} ORDER BY k.id, e.id",
            values,
        )
        return keys_of(rows)

    def add_key(self, name: str, hashed: bytes, time: int, budgets: str) -> int:
        """See `Store.add_key`."""
        run = self._connection.execute
        try:
            with self._transaction():
                number = run("INSERT INTO keys (name, hash, time) VALUES (?, ?, ?)", (name, hashed, time)).lastrowid
                run(
                    "INSERT INTO key_events (key, time, event, detail) VALUES (?, ?, 'budget', ?)",
                    (number, time, budgets),
                )
        except sqlite3.IntegrityError:
            raise InputError(f"a key {name!r} exists already; names are not reused") from None
        except sqlite3.Error as error:
            raise self._error(error) from error
        return int(number or 0)

    def asked(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query. Raises `StorageError` if the query fails."""
        try:
            return self._reader.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _error(self, error: sqlite3.Error) -> StorageError:
        full = "full" in str(error) or getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        what = "the disk is full; free some space" if full else f"the ledger cannot be used: {error}"
        return StorageError(f"{self.path}: {what}")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one, because `executescript` would commit each of them."""
    statement = ""
    for line in script.replace("END;", "END;\n").splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextlib.contextmanager
def writing(path: Path) -> Iterator[SqliteStore]:
    """Open a ledger to add to it, even while a gateway is using it."""
    make_folder(path.parent)
    with contextlib.closing(SqliteStore(path)) as store:
        yield store


@contextlib.contextmanager
def reading(path: Path) -> Iterator[SqliteStore]:
    """Open a ledger to read it. Raises `InputError` if it does not exist."""
    with contextlib.closing(SqliteStore(path, read_only=True)) as store:
        yield store


_JOINED = "FROM entries r LEFT JOIN entries s ON s.of = r.id LEFT JOIN keys k ON k.id = r.key WHERE r.kind = 'reserve'"


def summary(store: SqliteStore) -> list[dict[str, Any]]:
    """What was spent by day, key and model; calls in flight count at the reserved amount."""
    each = [f"iif(s.id IS NULL, r.{unit}, s.{unit})" for unit in Amounts._fields]
    sums = ", ".join(f"iif(count({one}), total({one}), NULL)" for one in each)
    rows = store.asked(
        f"SELECT date(r.time / 1000000, 'unixepoch'), coalesce(k.name, 'local'), r.model, count(*), "
        f"sum(s.id IS NULL), {sums} {_JOINED} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return [
        {"day": day, "key": key, "model": model, "calls": calls, "in_flight": flying, **Amounts(*amounts).plain()}
        for day, key, model, calls, flying, *amounts in rows
    ]


def calls_of(store: SqliteStore, request: str) -> list[dict[str, Any]]:
    """The calls of one request, in order."""
    each = ", ".join(f"iif(s.id IS NULL, r.{unit}, s.{unit})" for unit in Amounts._fields)
    rows = store.asked(
        f"SELECT r.id, coalesce(k.name, 'local'), r.model, r.time, s.id IS NULL, coalesce(s.note, ''), {each} "
        f"{_JOINED} AND r.request = ? ORDER BY r.id",
        (request,),
    )
    return [
        {
            "call": number,
            "key": key,
            "model": model,
            "time": datetime.fromtimestamp(time / 1e6, UTC).isoformat(timespec="milliseconds"),
            "in_flight": bool(flying),
            "note": note,
            **Amounts(*amounts).plain(),
        }
        for number, key, model, time, flying, note, *amounts in rows
    ]
