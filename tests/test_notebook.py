"""The notebook of the docs runs, and shows what is written in it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("matplotlib")

TOOLS = Path(__file__).resolve().parents[1] / "tools"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebook_tool", TOOLS / "notebook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_notebook_runs_and_shows_what_is_written(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(TOOLS), *sys.path])
    written, made = json.loads(tool.NOTEBOOK.read_text(encoding="utf-8")), tool.run(tool.NOTEBOOK)
    shown = 0
    for before, after in zip(written["cells"], made["cells"], strict=True):
        for old, new in zip(before.get("outputs", []), after.get("outputs", []), strict=True):
            assert old["data"].keys() == new["data"].keys()
            for form in ("text/plain", "text/html"):
                assert old["data"].get(form) == new["data"].get(form)
            shown += 1
    assert shown >= 7
