"""Functions of a project that have no body yet, for `--failing`."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.near import near_paths
from isobudget.tasks.body import functions_by_name, parse_source
from isobudget.tasks.project import files_of, find_root, read_source
from isobudget.tasks.target import decoded


@dataclass(frozen=True, slots=True)
class EmptyFunctions:
    """What a folder has to be written.

    Attributes:
        targets: of functions without a body, as `find_target` takes them, file by file.
        unreadable: what is wrong with each file that cannot be read, which are left out.
    """

    targets: tuple[str, ...]
    unreadable: tuple[str, ...]


def empty_functions(folder: Path) -> EmptyFunctions:
    """Functions of a folder or a file without a body; files of tests are left out.

    Raises:
        InputError: there is no such folder or file, or nothing in it is left to write.
    """
    if "::" in str(folder):
        raise InputError(f"{folder}: --failing takes a folder or a file; leave it out to have this function written")
    if not folder.exists():
        raise InputError(f"{folder}: there is no such folder or file{near_paths(folder)}")
    root, inside = find_root(folder), folder.resolve()
    found = _empty(root, [name for name in files_of(root, 1 << 20) if (root / name).is_relative_to(inside)])
    if not found.targets:
        why = f" that can be read ({found.unreadable[0]})" if found.unreadable else ""
        raise InputError(f"{folder}: every function{why} has a body; there is nothing to write")
    return found


def unwritten(root: Path) -> frozenset[str]:
    """Dotted names of the functions of a project without a body, each behind its file and ``::``."""
    return frozenset(one.removeprefix(f"{root}/") for one in _empty(root, files_of(root, 1 << 20)).targets)


def _empty(root: Path, files: Sequence[str]) -> EmptyFunctions:
    targets, unreadable = [], []
    for name in files:
        path = root / name
        if not _is_source(name):
            continue
        try:
            data = read_source(path, name)
            tree = parse_source(decoded(data, name), name) if b"def " in data else ast.Module([], [])
        except InputError as error:
            unreadable.append(str(error))
            continue
        targets += [f"{path}::{one.name}" for one in functions_by_name(tree).values() if one.is_to_write]
    return EmptyFunctions(tuple(targets), tuple(unreadable))


def _is_source(name: str) -> bool:
    last = name.rpartition("/")[2]
    is_test = last.startswith("test_") or last.endswith("_test.py") or last == "conftest.py"
    return name.endswith(".py") and not is_test
