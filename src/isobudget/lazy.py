"""Loads public names of a package when they are first used, so that importing the package is quick."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package whose names are defined in modules below it.

    Args:
        package: the `__name__` of the package.
        homes: name -> module below the package.
    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return load


def lazy_package(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` of a package whose names are loaded when they are first used.

    By this `__dir__`, `dir` and Tab also show the names that are not loaded yet. For the arguments see `lazy_names`.
    """

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return lazy_names(package, homes), names
