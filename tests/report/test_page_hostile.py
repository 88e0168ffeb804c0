"""Texts of others are shown on the page, and never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
