"""A real browser for tests of pages: Chromium without a window, through Playwright; skipped where it is not here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def launched() -> Iterator[Any]:
    """The browser; the test is skipped if Playwright or Chromium is not here."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (the extra dev has it)")
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here (Debian's package: chromium)")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=found, args=list(_OPTIONS))
        yield browser
        browser.close()


class Opened:
    """A page in the browser, with what it asked for and complained of."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.tab = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda asked: self.requests.append(asked.url))

    def go(self, address: str | Path, fragment: str = "") -> Any:
        """Load the page and wait until its scripts are done."""
        url = address.as_uri() if isinstance(address, Path) else address
        self.tab.goto(url + fragment)
        self.tab.wait_for_function("document.documentElement.dataset.ready === 'yes'")
        return self.tab

    def close(self) -> None:
        """Close it; it must not have complained, nor asked for anything on a network."""
        self.context.close()
        assert self.complaints == []
        assert not [
            url for url in self.requests if not url.startswith(("file:", "blob:", "data:", "http://127.0.0.1:"))
        ]
