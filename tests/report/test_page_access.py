"""The page in a real browser is readable by everyone: axe, narrow screens, the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.browser import Opened
from support.made_page import FOLLOW, MODELS, Made, made_page
from support.synthetic_run import synthetic_run


@pytest.fixture(scope="module")
def unfolded(browser: Any, made: Made) -> Iterator[Any]:
    """The page with everything open, for axe: its script element is one that the page's policy would refuse."""
    shown = Opened(browser, bypass_csp=True)
    tab = shown.go(made.path, "#unit=own&problem=own%2F3")
    tab.wait_for_selector(".problem pre")
    tab.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    yield tab
    shown.close()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_by_axe(unfolded: Any, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    tab = unfolded
    tab.set_viewport_size({"width": width, "height": 900})
    tab.emulate_media(color_scheme=scheme)
    tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    # by night only colours differ
    rules = {} if scheme == "light" else {"runOnly": ["color-contrast"]}
    found = axe.Axe().run(tab, options=rules).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
    assert tab.evaluate("() => document.documentElement.scrollWidth") == width


def test_on_a_narrow_screen_the_verdict_and_long_names_are_in_sight(browser: Any, tmp_path: Path) -> None:
    long = "a-model-with-a-name-that-is-longer-than-a-narrow-screen-is-wide"
    models = tuple(replace(model, name=f"{long}-{model.name}") for model in MODELS)
    made = made_page(synthetic_run(tmp_path / "run", models, {"own": 6}), tmp_path / "report")
    shown = Opened(browser, viewport={"width": 390, "height": 844})
    tab = shown.go(made.path)
    ends = "(all) => all.map((one) => one.getBoundingClientRect().right)"
    cells = tab.locator("[data-static=benchmarks] td[data-column=Lead]").evaluate_all(ends)
    selects = tab.locator(".flip select").evaluate_all(ends)
    assert cells
    assert len(selects) >= 2
    assert max(cells + selects) <= 390
    shown.close()


def test_the_map_by_keyboard(page: Any, made: Made) -> None:
    page.evaluate(FOLLOW, "#sort=name&unit=device_seconds")
    tasks = made.summary.first.curves[0].task_ids
    counts = {one.model: one for one in made.summary.tallies}
    page.focus("canvas[role=application]")
    page.keyboard.press("Home")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    said = ", ".join(f"{label} {counts[label].c[2]} of {counts[label].n[2]}" for label in made.stops.labels)
    assert page.inner_text("#heat-line") == f"{tasks[2]}: {said}"
    page.keyboard.press("Enter")
    assert page.inner_text(".problem h3").startswith(tasks[2])
    page.wait_for_selector(".problem pre")
    page.check('input[name="sort"][value="disagreement"]')
    shares = np.array([one.c / one.n for one in made.summary.tallies])
    order = np.argsort(-(shares.max(axis=0) - shares.min(axis=0)), kind="stable")
    shown = page.evaluate("() => isobudgetPage.rates(isobudgetPage.state).rows.map((row) => row.task)")
    assert shown == [tasks[at] for at in order]
