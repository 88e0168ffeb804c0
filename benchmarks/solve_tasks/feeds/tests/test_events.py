from datetime import datetime, timedelta

import pytest

from feeds.events import Event, busiest_hour, by_kind, parse_event, sessions


def test_parse_event():
    assert parse_event("2026-01-31T12:00:00 login ann") == Event(datetime(2026, 1, 31, 12), "login", "ann")
    assert parse_event("  2026-01-31T12:00:00   stop\n") == Event(datetime(2026, 1, 31, 12), "stop")


@pytest.mark.parametrize("line", ["", "2026-01-31T12:00:00", "2026-01-31T12:00:00 a b c", "yesterday login"])
def test_parse_event_refuses(line):
    with pytest.raises(ValueError):
        parse_event(line)


def test_by_kind(events):
    found = by_kind(events)
    assert type(found) is dict
    assert found == {"login": [events[0], events[2]], "view": [events[1], events[3]]}
    assert by_kind([]) == {}


def test_sessions(events):
    found = list(sessions(reversed(events), timedelta(minutes=30)))
    assert found == [events[:2], events[2:]]
    assert list(sessions(events, timedelta(hours=2))) == [events]
    assert list(sessions([], timedelta(hours=1))) == []
    assert len(list(sessions(events, timedelta(minutes=5)))) == 2


def test_busiest_hour(events):
    assert busiest_hour(events) == 9
    assert busiest_hour([*events, events[2]]) == 11
    assert busiest_hour([]) is None
