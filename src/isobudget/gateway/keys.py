"""API keys of clients: random, stored only as their SHA-256, and shown once, when they are made.

A key has 256 random bits, so a plain hash is enough. If no key was ever made and the server listens on this machine
alone, everybody uses the account `local`. Keys are looked up for every request, so that a revoked key is refused at
once. A key is closed if an upstream spent more than was reserved; it is then refused until it is reopened.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from isobudget.errors import InputError
from isobudget.gateway.budgets import PeriodBudget, parse_period_budgets
from isobudget.gateway.faults import RefusedRequestError
from isobudget.gateway.store import KeyEvent, KeyRow, Store

#: what keys begin with, so that leaked ones can be found
PREFIX = "isb-"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
#: characters of the header that are read
_MOST_HEADER = 256
BUDGET, CLOSED, OPENED, REVOKED = "budget", "closed", "opened", "revoked"


class Account(NamedTuple):
    """The paying account: number and name of its key, its budgets, and why the key is closed (empty if it is not)."""

    id: int
    name: str
    budgets: tuple[PeriodBudget, ...] = ()
    closed: str = ""


LOCAL = Account(0, "local")


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def make_key(store: Store, name: str, budgets: Sequence[str] = ()) -> str:
    """Make a key and store its hash; returns the key, which cannot be shown again.

    Raises:
        InputError: the name or a budget is not valid, or the name is taken.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name[:80]!r} is not a valid key name: up to 64 letters, digits and . _ @ -, with a letter or digit first"
        )
    parse_period_budgets(budgets)
    secret = PREFIX + secrets.token_urlsafe(32)
    store.add_key(name, hashed(secret), now_us(), json.dumps(list(budgets)))
    return secret


def change_key(store: Store, name: str, event: str, detail: str) -> KeyRow:
    """Record a change of a key (new budgets, `opened` or `revoked`); returns the changed key.

    Raises:
        InputError: the key does not exist or was revoked, which is permanent.
    """
    found = next((one for one in store.all_keys() if one.name == name), None)
    if found is None:
        raise InputError(f"there is no key {name[:80]!r}; see isobudget serve key list")
    if event != REVOKED and is_revoked(found):
        raise InputError(f"the key {name!r} was revoked, permanently; make another: isobudget serve key new NAME")
    noted = KeyEvent(found.id, now_us(), event, detail)
    store.write([noted])
    return found._replace(events=(*found.events, noted))


def hashed(secret: str) -> bytes:
    """The hash of a key; only the hash is stored."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def account_of(row: KeyRow) -> Account:
    """The account of a key, with its current budgets and state."""
    budgets = next((one.detail for one in reversed(row.events) if one.event == BUDGET), "[]")
    state = next((one for one in reversed(row.events) if one.event in (CLOSED, OPENED)), None)
    closed = state.detail if state is not None and state.event == CLOSED else ""
    return Account(row.id, row.name, parse_period_budgets(json.loads(budgets)), closed)


def is_revoked(row: KeyRow) -> bool:
    """Whether a key was revoked."""
    return any(one.event == REVOKED for one in row.events)


def described_key(row: KeyRow) -> dict[str, str]:
    """A key for display: name, creation time, budgets, state."""
    account = account_of(row)
    return {
        "name": row.name,
        "since": datetime.fromtimestamp(row.time / 1e6, UTC).isoformat(timespec="seconds"),
        "budgets": ", ".join(map(str, account.budgets)) or "none",
        "state": "revoked" if is_revoked(row) else f"closed: {account.closed}" if account.closed else "open",
    }


class Keys:
    """Finds the account that makes a request.

    Args:
        store: the store of the keys.
        open_without: whether requests are allowed without a key as long as none exists.
    """

    def __init__(self, store: Store, open_without: bool) -> None:
        self._store = store
        self._open = open_without and not store.all_keys()

    def account(self, authorization: str | None) -> Account:
        """The account that a header `Authorization: Bearer KEY` names.

        Raises:
            RefusedRequestError: there is no such key, or it was revoked or closed.
        """
        kind, _, secret = (authorization or "")[:_MOST_HEADER].strip().partition(" ")
        row = self._store.find_key(hashed(secret.strip())) if kind.lower() == "bearer" else None
        if row is not None and not is_revoked(row):
            account = account_of(row)
            if account.closed:
                raise RefusedRequestError(
                    403,
                    "key_closed",
                    f"this key is closed: {account.closed}. To reopen it: isobudget serve key change {row.name} open",
                )
            return account
        if self._open and not self._store.all_keys():
            return LOCAL
        self._open = False
        raise RefusedRequestError(
            401,
            "invalid_api_key",
            "no valid key: send one as Authorization: Bearer isb-..., made by isobudget serve key new",
        )
