"""Paths similar to one that does not exist, for messages: the path that may be meant, or the existing run folders."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from isobudget.errors import IsobudgetError
from isobudget.files.hints import nearest

#: where commands put runs that are not given a place
RUNS = "runs"
#: the file that marks a folder as a run
RUN_FILE = "run.toml"
#: as many entries of a folder are compared, as many are asked whether they are runs, and as many runs are named
_MOST_ENTRIES, _MOST_ASKED, _MOST_RUNS = 2000, 40, 5


def near_paths(path: Path, runs: bool = False) -> str:
    """A sentence, with a space before it, about paths that may be meant by one that does not exist.

    It lists similar names in the same folder, or in a folder with a similar name; else, with `runs`, the run folders
    beside the path. A bare name may also be meant to be in ``runs``.
    """
    beside = entries(path.parent) or _in_folders_alike(path)
    beside = [*entries(Path(RUNS)), *beside] if runs and len(path.parts) == 1 else beside
    spelled = {one.name: one for one in beside if one != path}  # which is there if it is a broken link, or no file
    names = nearest(path.name, spelled, most=3)
    alike = [str(spelled[name]) for name in names if nearest(path.stem, [Path(name).stem])]
    return f". Did you mean {' or '.join(alike)}?" if alike else run_folders(beside) * runs


def not_a_file(path: Path) -> str:
    """Why a path is not a file: something else is there, or nothing, and then which path may be meant."""
    return f"{path}: it is not a file" if path.exists() else f"{path}: no such file{near_paths(path)}"


def run_folders(near: Iterable[Path]) -> str:
    """A sentence, like that of `near_paths`, about which of the first paths are runs; empty if none is."""
    runs = (str(one) for one in islice(near, _MOST_ASKED) if (one / RUN_FILE).is_file())
    named = list(islice(runs, _MOST_RUNS + 1))
    more = ", ..." if len(named) > _MOST_RUNS else ""
    return f". Run folders near: {', '.join(named[:_MOST_RUNS])}{more}" if named else ""


def _in_folders_alike(path: Path) -> list[Path]:
    """The paths of the same name in folders with a similar name."""
    folders = {one.name: one for one in entries(path.parent.parent)}
    there = [folders[name] / path.name for name in nearest(path.parent.name, folders)]
    return [one for one in there if one.exists()]


def entries(folder: Path) -> list[Path]:
    """The entries of a folder, without hidden ones; empty if it cannot be listed."""
    try:
        return sorted(islice((one for one in folder.iterdir() if not one.name.startswith(".")), _MOST_ENTRIES))
    except (OSError, ValueError, IsobudgetError):
        return []
