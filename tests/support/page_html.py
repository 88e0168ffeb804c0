"""HTML pages in tests: elements that nest, and what there is to check."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from isobudget.report.page.scripts import scripts


class Page(HTMLParser):
    """Checks that elements nest, and keeps what there is to check."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "xlink:href", "src", "srcset", "data", "action"):
                self.references.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def without_scripts(text: str) -> str:
    """The page without its own scripts and its one JSON, each of which must be there once."""
    for script in scripts():
        assert text.count(f"<script>{script}</script>") == 1
        text = text.replace(f"<script>{script}</script>", "")
    text, found = re.subn(r'<script type="application/json" id="data">[^<>&]*</script>', "", text)
    assert found == 1
    return text
