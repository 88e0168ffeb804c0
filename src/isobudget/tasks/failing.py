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
    """Functions in a folder that have no body yet.

    Attributes:
        targets: the functions, file by file, each in the form that `find_target` takes.
        unreadable: the error of each file that could not be read and was therefore left out.
    """

    targets: tuple[str, ...]
    unreadable: tuple[str, ...]


def notes_on(folder: Path, empty: EmptyFunctions) -> list[str]:
    """What the user should know before the functions of a folder are written."""
    notes = [f"left out: {text}" for text in empty.unreadable]
    return notes if empty.targets else [*notes, f"{folder}: every function has a body; there is nothing to write"]


def empty_functions(folder: Path) -> EmptyFunctions:
    """Functions without a body in a folder or file; test files are left out.

    Raises:
        InputError: the folder or file does not exist, `folder` names a function, or a file cannot be read and the
            others have no function to write.
    """
    if "::" in str(folder):
        raise InputError(f"{folder}: --failing takes a folder or a file; leave it out to have this function written")
    if not folder.exists():
        raise InputError(f"{folder}: no such folder or file{near_paths(folder)}")
    root, inside = find_root(folder), folder.resolve()
    found = _empty(root, [name for name in files_of(root, 1 << 20) if (root / name).is_relative_to(inside)])
    if found.unreadable and not found.targets:
        raise InputError(
            f"{folder}: every function that can be read already has a body; left out: {found.unreadable[0]}"
        )
    return found


def unwritten(root: Path) -> frozenset[str]:
    """All functions of a project without a body, each as its file, ``::`` and its dotted name."""
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
