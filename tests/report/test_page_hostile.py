"""Texts of others are shown on the page, and never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isobudget.grid import percent
from support.browser import Opened
from support.made_page import made_page
from support.synthetic_run import FakeModel, synthetic_run

HOSTILE = '</script><img src=x onerror="window.hacked=1"><!-- \'"&\u202e\x00'


def test_hostile_texts_are_shown_and_never_run(browser: Any, tmp_path: Path) -> None:
    """Names, problems, prompts, outputs, details: as text, with the page's own policy and without it."""
    models = (FakeModel(HOSTILE, 4, 0.0, 0.01, 64, 2), FakeModel("__proto__", 2, 1.0, 0.02, 128, 2))
    run = synthetic_run(
        tmp_path / "run", models, {HOSTILE: 4}, task_prefix=HOSTILE, text=HOSTILE + "x" * 30_000, detail=HOSTILE
    )
    made = made_page(run, tmp_path / "report")
    assert HOSTILE not in made.path.read_text()
    for policy in (False, True):
        shown = Opened(browser, bypass_csp=policy)
        tab = shown.go(made.path)
        for task in made.summary.first.curves[0].task_ids:
            tab.evaluate("(problem) => isobudgetPage.set({ problem })", task)
            tab.wait_for_selector(".problem pre")
            seen = HOSTILE.replace("\u202e", "\ufffd").replace("\x00", "\ufffd")
            assert tab.text_content(".problem").count(seen) >= 6
        assert "more letters are in the run" in tab.inner_text(".problem")
        assert tab.evaluate("() => window.hacked") is None
        assert tab.locator("img").count() == 0
        shown.close()


@pytest.mark.parametrize("names", [("constructor", "toString"), ("valueOf", "__proto__"), ("hasOwnProperty", "then")])
def test_models_called_as_every_object_answers(browser: Any, tmp_path: Path, names: tuple[str, str]) -> None:
    """JavaScript finds `constructor` in an empty map, too: such models had no price, and others were best."""
    small, large = (
        FakeModel(name, 4, level, seconds, 64, layers)
        for name, level, seconds, layers in zip(names, (0.0, 2.0), (0.01, 0.05), (2, 4), strict=True)
    )
    made = made_page(synthetic_run(tmp_path / "run", (small, large), {"b": 12}), tmp_path / "report")
    shown = Opened(browser)
    tab = shown.go(made.path)
    comparison = made.summary.first
    best = comparison.best[-1]
    tab.evaluate("([unit, budget]) => isobudgetPage.set({ unit, budget })", [str(comparison.unit), best.budget])
    cells = tab.inner_text(f'#reached tr[data-label="{best.model}"]')
    assert percent(best.success) in cells
    assert set(
        tab.evaluate("() => [...document.querySelectorAll('#reached tbody tr')].map((r) => r.dataset.label)")
    ) == {*names}
    assert best.model in tab.inner_text("#winner")
    assert shown.complaints == []
    shown.close()
