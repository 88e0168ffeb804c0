"""Figures that ship: those of the recorded run, so that its report takes one second and not four.

Plotting is more than half of a short report. `shipped.zip` holds the files of that run's figures, each under a digest
of all that it shows; any other plot is rendered. `tools/shipped_figures.py` makes it, and a test renders them anew.
Figures are taken from here alone and never from a run's folder, whose files may be anybody's.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib import resources
from typing import Any

import numpy as np

from isobudget.report.figures.look import Look
from isobudget.report.figures.parts import Plot

ARCHIVE = "shipped.zip"
#: zip files hold no earlier date
_DATE = (1980, 1, 1, 0, 0, 0)
#: of a number, so that processors which round the last one otherwise have the same figures
_DIGITS = 9


def shipped(plot: Plot, look: Look, formats: Sequence[str]) -> dict[str, bytes] | None:
    """The files of a plot that ships, by format; None if one of them does not."""
    members = _members()
    digest = digest_of(plot, look) if members else ""
    files = {kind: members.get(f"{digest}.{kind}") for kind in formats}
    return {kind: data for kind, data in files.items() if data is not None} if all(files.values()) else None


def digest_of(plot: Plot, look: Look) -> str:
    """What tells a figure from all others."""
    return hashlib.sha256(repr((_plain(plot), _plain(look))).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def archive(files: Mapping[str, bytes], matplotlib: str) -> bytes:
    """Files by name as the archive that ships, which states the version of Matplotlib that plotted them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.comment = matplotlib.encode()
        for name, data in sorted(files.items()):
            made.writestr(zipfile.ZipInfo(name, _DATE), data, zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


@functools.cache
def _members() -> Mapping[str, bytes]:
    with contextlib.suppress(OSError, zipfile.BadZipFile):
        data = (resources.files("isobudget.report.figures") / ARCHIVE).read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as shipped_files:
            return {name: shipped_files.read(name) for name in shipped_files.namelist()}
    return {}


def _plain(value: Any) -> Any:
    """A value as what has the same `repr` wherever its content is the same."""
    if is_dataclass(value):
        return [type(value).__name__, *((one.name, _plain(getattr(value, one.name))) for one in fields(value))]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else value
