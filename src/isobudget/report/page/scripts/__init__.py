"""The page's own JavaScript, and that of others that it carries, as texts; and the policy that lets only these run.

Each file is small, readable as it is, and adds its functions to one object; the page holds them inline, in this order.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

#: those of others, see `vendor/README.md`
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
    """The style sheet that uPlot needs."""
    return _text("vendor", "uPlot.min.css")


def content_policy(texts: Sequence[str], *, fetches: bool) -> str:
    """A Content-Security-Policy: these scripts run, and files beside the page; nothing else.

    Nothing is fetched, but from where the page itself comes where it `fetches`, as it does while a run goes on.
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
