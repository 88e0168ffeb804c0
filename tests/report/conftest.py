"""A browser for the tests of pages in one file, and a page that was ranked and planned to open in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from isobudget.ranking.options import RankOptions
from isobudget.ranking.rank import rank
from isobudget.ranking.scores import Scorer
from isobudget.study import StatedModel
from support.browser import Opened, launched
from support.fake_scorer import FakeScorer
from support.made_page import FEW, MODELS, Made, made_page
from support.synthetic_run import synthetic_run


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Started once a file, and ended with it: while it runs, no other event loop can run in this process."""
    with launched() as started:
        yield started


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    place = tmp_path_factory.mktemp("page")
    run = synthetic_run(place / "run", MODELS, {"own": 24})
    scorer, options = FakeScorer(), RankOptions(("likelihood",), StatedModel(name="codellama-7b"), bootstrap=FEW)
    rank(run.path, options, make_scorer=lambda *_: Scorer("codellama-7b", lambda: scorer))
    return made_page(run, place / "report")


@pytest.fixture(scope="module")
def page(browser: Any, made: Made) -> Iterator[Any]:
    shown = Opened(browser, viewport={"width": 1200, "height": 900})
    yield shown.go(made.path)
    shown.close()
