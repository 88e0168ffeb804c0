"""Reads TOML files: a user's own, with errors that name file and line, and those shipped in a package.

Python's reader names line and column of a syntax error, but not the line of a key: `study.lines` finds that.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from isobudget.errors import InputError, IsobudgetError
from isobudget.files.store_path import place
from isobudget.files.whole import read_text


def read_toml(path: Path, error: type[IsobudgetError] = InputError) -> dict[str, Any]:
    """The content of a TOML file; `error` is raised, with the path, if the file cannot be read or is not TOML."""
    path = place(path)
    return parse_toml(read_text(path, error), str(path), error)


def parse_toml(text: str, origin: str, error: type[IsobudgetError] = InputError) -> dict[str, Any]:
    """The content of a TOML text; `error` is raised, with `origin` and the line, if the text is not TOML."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as why:
        raise error(f"{origin}: not valid TOML: {why}") from None


def shipped_toml(package: str, file: str) -> dict[str, Any]:
    """The content of a TOML file that ships in a package, such as ``data/prices.toml`` in ``isobudget.costs``."""
    return tomllib.loads(resources.files(package).joinpath(file).read_text("utf-8"))
