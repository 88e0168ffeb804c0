"""The texts of the page's JavaScript, its own and third-party, and the policy that allows only these scripts to run.

Each file is small and readable, and adds its functions to one object; the page contains them inline, in this order.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

#: third-party scripts, see `vendor/README.md`
_VENDOR = ("uPlot.iife.min.js", "htm-preact-standalone.umd.js")
_OWN = (
    "words",
    "state",
    "marks",
    "choose",
    "policies",
    "figure",
    "slider",
    "flip",
    "rankers",
    "charts",
    "heat",
    "highlight",
    "diff",
    "problem",
    "downloads",
    "live",
    "start",
)


@cache
def scripts() -> tuple[str, ...]:
    """The texts of all scripts, in the order in which they run."""
    vendor = [_text("vendor", name) for name in _VENDOR]
    return (*vendor, *(_text("scripts", f"{name}.js") for name in _OWN))


def plot_style() -> str:
    """The style sheet of uPlot."""
    return _text("vendor", "uPlot.min.css")


def content_policy(texts: Sequence[str], *, fetches: bool) -> str:
    """A Content-Security-Policy that allows these scripts and files beside the page, and nothing else.

    The page may fetch nothing, or with `fetches` only from its own server, as it does for a live run.
    """
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    sources = " ".join(f"'sha256-{one}'" for one in hashes)
    own = "'self'" if fetches else "'none'"
    return (
        f"default-src 'none'; script-src {sources} 'self' file:; style-src 'unsafe-inline'; img-src data: blob:; "
        f"connect-src {own}; form-action 'none'; base-uri 'none'"
    )


def _text(folder: str, name: str) -> str:
    text = files("isobudget.report.page").joinpath(folder, name).read_text(encoding="utf-8").strip()
    if "</script" in text or "<!--" in text:
        raise ValueError(f"{name} would end its own script element")
    return text
