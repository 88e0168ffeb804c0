"""Fixtures that several test files share."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A machine that is shared stops any test for a while: how long one example takes says nothing. The same examples every
# time: a run of the suite that fails is the fault of a change, and not of the dice.
settings.register_profile("shared machine", deadline=None, derandomize=True)
settings.load_profile("shared machine")

# A shell without a terminal starts background jobs with Ctrl-C ignored, and the tests that press it would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with public sample files; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return SHARED_DATA


#: where the figures of reports are drawn; other tests look at none
DRAWN = ("tests/report/", "tests/test_golden_outputs.py::test_outputs_are_as_recorded[report/run]")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the figures of a report show is computed, and an empty file stands for each of them."""
    from isobudget.report.figures import comparison
    from support.undrawn import nothing

    monkeypatch.setattr(comparison, "render", nothing)


@pytest.fixture(autouse=True)
def _undrawn_elsewhere(request: pytest.FixtureRequest) -> None:
    if not request.node.nodeid.startswith(DRAWN):
        request.getfixturevalue("undrawn")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Which tests go together when several processes run them."""
    from support.side_by_side import SharedStart

    config.option.loadscopereorder = False
    return SharedStart(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a process of several, the longest tests begin first."""
    from support.side_by_side import rank

    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(item.nodeid))
