"""Events and what is asked of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, order=True)
class Event:
    """Something that happened: when, of which kind, and to whom."""

    at: datetime
    kind: str
    user: str = ""


def parse_event(line: str) -> Event:
    """An event from a line ``2026-01-31T12:00:00 kind user``; the user may be missing.

    Raises ValueError for any other number of fields.
    """
    fields = line.split()
    if len(fields) not in (2, 3):
        raise ValueError(f"no event: {line!r}")
    return Event(datetime.fromisoformat(fields[0]), *fields[1:])


def by_kind(events: Iterable[Event]) -> dict[str, list[Event]]:
    """Events by their kind, in the order in which they come."""
    found: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[event.kind].append(event)
    return dict(found)


def sessions(events: Iterable[Event], gap: timedelta) -> Iterator[list[Event]]:
    """Events, sorted by time, cut into sessions: a new one begins where more than `gap` lies since the last event."""
    session: list[Event] = []
    for event in sorted(events):
        if session and event.at - session[-1].at > gap:
            yield session
            session = []
        session.append(event)
    if session:
        yield session


def busiest_hour(events: Iterable[Event]) -> int | None:
    """The hour of the day with the most events, the earlier one of equals; None without events."""
    counts: defaultdict[int, int] = defaultdict(int)
    for event in events:
        counts[event.at.hour] += 1
    return min(counts, key=lambda hour: (-counts[hour], hour), default=None)
