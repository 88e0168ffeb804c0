"""The module of the embedded engine, `xllamacpp`, and the cores that it may use."""

from __future__ import annotations

import os
from typing import Any

from isobudget.backends.settings import Needs
from isobudget.errors import ModelError

NEEDS = Needs(("xllamacpp", "threadpoolctl", "jinja2"), "local", "running models inside this process")


def usable_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def import_engine() -> Any:
    """Import the engine, and let its waiting threads sleep: spinning beside other work costs up to 40 times as much.

    Raises:
        MissingExtraError: the engine is not installed.
        ModelError: it is installed, but cannot be loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        return NEEDS.load()[0]
    except ImportError as error:
        raise ModelError(
            f"the embedded engine cannot be loaded: {error}. On Debian, install its OpenMP runtime: the package "
            "libgomp1."
        ) from None
