"""Functions of a project that have no body yet, for `--failing`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isobudget.errors import InputError
from isobudget.tasks.baseline import UntestedError
from isobudget.tasks.body import functions_by_name, is_hole, parse_source
from isobudget.tasks.project import files_of, find_root


def empty_functions(folder: Path) -> Iterator[str]:
    """Targets, file by file; files of tests are left out.

    Raises:
        InputError: there is no such folder or file, or nothing in it is left to write.
    """
    if not folder.exists():
        raise InputError(f"{folder}: there is no such folder or file")
    root, inside = find_root(folder), folder.resolve()
    found = False
    for name in files_of(root, 1 << 20):
        path, last = root / name, name.rpartition("/")[2]
        if not name.endswith(".py") or not (path == inside or inside in path.parents):
            continue
        if last.startswith("test_") or last.endswith("_test.py") or last == "conftest.py":
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if "def " not in text:
            continue
        for function in functions_by_name(parse_source(text, name)).values():
            if is_hole(function.node):
                found = True
                yield f"{path}::{function.name}"
    if not found:
        raise InputError(f"{folder}: every function has a body; there is nothing to write")


def is_untested(error: InputError) -> bool:
    """Whether a target was refused since no test calls it."""
    return isinstance(error, UntestedError)
