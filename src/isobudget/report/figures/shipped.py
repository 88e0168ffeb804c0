"""Prerendered figures of the recorded run, so that its report takes two seconds instead of four.

Plotting takes more than half of the time of a short report. `shipped.zip` holds the files of that run's figures, and
the content of each figure. A plot with any other content is rendered. `tools/shipped_figures.py` makes the archive, and
a test renders its figures again to compare. Figures are never taken from a run's folder, because anybody could have put
files there.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib import resources
from typing import Any

import numpy as np

from isobudget.report.figures.look import Look
from isobudget.report.figures.parts import Plot

ARCHIVE = "shipped.zip"
#: relative difference up to which two numbers count as equal. Replicates are summed in 32 bits, in an order that
#: depends on the processor and its number of cores; a thousandth of a percent is not visible
_TOLERANCE = 1e-5
_INDEX = "figures.json"
#: zip files hold no earlier date
_DATE = (1980, 1, 1, 0, 0, 0)


def shipped(plot: Plot, look: Look, formats: Sequence[str]) -> dict[str, bytes] | None:
    """The files of a prerendered plot, by format; None if any of them is missing."""
    content, members = content_of(plot, look), _members()
    for stem, shown in json.loads(members.get(_INDEX, b"{}")).items():
        if _same(content, shown):
            files = {kind: members.get(f"{stem}.{kind}", b"") for kind in formats}
            return files if all(files.values()) else None
    return None


def content_of(plot: Plot, look: Look) -> Any:
    """The content and the look of a figure, as JSON values."""
    return [_plain(plot), _plain(look)]


def archive(shown: Mapping[str, Any], files: Mapping[str, bytes], matplotlib: str) -> bytes:
    """The archive of prerendered figures.

    Args:
        shown: `content_of` each figure, by file name without extension.
        files: contents of all files by name.
        matplotlib: the version of Matplotlib that plotted them.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.comment = matplotlib.encode()
        for name, data in sorted({**files, _INDEX: json.dumps(shown).encode()}.items()):
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
    if is_dataclass(value):
        return [type(value).__name__, *([one.name, _plain(getattr(value, one.name))] for one in fields(value))]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_TOLERANCE) or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and one == other
