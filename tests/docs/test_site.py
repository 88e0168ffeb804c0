"""The documents as a site: every link leads somewhere, and no page loads anything from another host."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: what a browser loads by itself: tag -> attribute
LOADED = {"link": "href", "object": "data"} | dict.fromkeys(("script", "img", "iframe", "source", "video"), "src")
#: links that are only stated, never loaded
STATED = {"canonical", "alternate", "prev", "next"}
#: classes for which the theme's script would fetch a library from elsewhere
FETCHING = {"mermaid", "glightbox", "pyodide"}
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


class Loads(HTMLParser):
    """Gathers what a page loads, and its classes."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.classes |= set((given.get("class") or "").split())
        url = given.get(LOADED.get(tag, ""))
        if url and given.get("rel") not in STATED:
            self.urls.append(url)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("zensical", reason="the site's generator is not installed (isobudget[docs])")
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build" / "site"


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= len(list((ROOT / "docs").rglob("*.md")))
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        assert not [url for url in loads.urls if re.match(r"(\w+:)?//", url)], page
        assert not loads.classes & FETCHING, page
    for style in site.rglob("*.css"):
        assert not re.search(r"""(url\(|@import)\s*["']?(https?:)?//""", style.read_text(encoding="utf-8")), style


def test_the_site_can_be_searched(site: Path) -> None:
    index = (site / "search.json").read_text(encoding="utf-8")
    assert all(word in index for word in ("bootstrap", "Landlock", "quickstart", "I have results"))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "RELEASING.md"])
def test_links_of_pages_outside_the_site_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in LINK.findall(text) if not link.startswith(("http://", "https://", "#", "mailto:"))]
    assert not [link for link in links if not (ROOT / link.partition("#")[0]).exists()]
