"""A browser for the tests of pages in one file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.browser import launched


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Started once a file, and ended with it: while it runs, no other event loop can run in this process."""
    with launched() as started:
        yield started
