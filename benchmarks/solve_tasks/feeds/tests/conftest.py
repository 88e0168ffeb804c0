from datetime import datetime

import pytest

from feeds import Event


@pytest.fixture
def events():
    return [
        Event(datetime(2026, 1, 1, 9, 0), "login", "ann"),
        Event(datetime(2026, 1, 1, 9, 5), "view", "ann"),
        Event(datetime(2026, 1, 1, 11, 0), "login", "bob"),
        Event(datetime(2026, 1, 1, 11, 2), "view", "bob"),
    ]
