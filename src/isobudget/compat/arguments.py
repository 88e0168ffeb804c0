"""Checks of the drop-ins' arguments before anything is judged: an error afterwards would lose the verdicts."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from isobudget.errors import InputError, StorageError
from isobudget.files.whole import storage_error


def sizes_of(k: Iterable[int], name: str = "k") -> tuple[int, ...]:
    """The values of k.

    Raises:
        InputError: `k` is not a list of whole numbers of 1 or more.
    """
    if isinstance(k, str | bytes) or not isinstance(k, Iterable):
        raise InputError(f"{name}: pass a list of whole numbers, such as [1, 10], not {k!r:.60}")
    sizes = []
    for one in k:
        try:
            size = operator.index(one)
        except TypeError:
            size = 0
        if size < 1 or isinstance(one, bool):
            raise InputError(f"{name}: must hold whole numbers, 1 or more, not {one!r:.60}")
        sizes.append(size)
    return tuple(sizes)


def check_lists(**lists: Any) -> None:
    """Check that arguments are lists, or other collections with a length.

    Raises:
        InputError: an argument is something else.
    """
    for name, value in lists.items():
        if isinstance(value, str | bytes) or not hasattr(value, "__len__"):
            raise InputError(f"{name}: pass a list with an item for each problem, not {value!r:.60}")


def programs_of(lists: Sequence[Sequence[str]], name: str) -> list[list[str]]:
    """The programs of each problem, as plain texts.

    Raises:
        InputError: an entry is not a list of texts.
    """
    checked = []
    for at, programs in enumerate(lists):
        if isinstance(programs, str | bytes) or not hasattr(programs, "__len__"):
            raise InputError(f"{name}[{at}]: pass a list of programs, not {programs!r:.60}")
        for number, one in enumerate(programs):
            if not isinstance(one, str):
                raise InputError(f"{name}[{at}][{number}]: a program must be a string, not {one!r:.60}")
        checked.append([str(one) for one in programs])
    return checked


def path_of(value: Any, name: str) -> Path:
    """The path of a file or folder.

    Raises:
        InputError: the value is not a path.
    """
    if not isinstance(value, str | os.PathLike):
        raise InputError(f"{name}: pass a path, not {value!r:.60}")
    return Path(value)


def result_file(path: Path) -> Path:
    """Check that results can be written to a file, and return the file's path.

    Raises:
        StorageError: the file cannot be written.
    """
    if path.is_dir():
        raise StorageError(f"{path}: is a folder, but the results go to a file of this name; rename the folder")
    trial = path.with_name(f".{path.name}.{os.getpid()}.trial")
    try:
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise storage_error(error, path) from error
    return path
