"""Paths that are near one that is not there, for messages: which is meant, or which run folders there are."""

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
    """A sentence, with a full stop and a space before it, on what may be meant by a path that is not there.

    Names beside it that are alike, also where its folder is misspelt; else, with `runs`, the run folders beside it. A
    bare name may be meant to be in ``runs``.
    """
    beside = entries(path.parent) or _in_folders_alike(path)
    beside = [*entries(Path(RUNS)), *beside] if runs and len(path.parts) == 1 else beside
    spelled = {one.name: one for one in beside if one != path}  # a link that leads nowhere, or what is of another kind
    alike = [str(spelled[name]) for name in nearest(path.name, spelled, most=3)]
    return f". Did you mean {' or '.join(alike)}?" if alike else run_folders(beside) * runs


def run_folders(near: Iterable[Path]) -> str:
    """A sentence, as that of `near_paths`, on which of the first paths are runs; or nothing if none is."""
    runs = (str(one) for one in islice(near, _MOST_ASKED) if (one / RUN_FILE).is_file())
    named = list(islice(runs, _MOST_RUNS + 1))
    more = ", ..." if len(named) > _MOST_RUNS else ""
    return f". Run folders near: {', '.join(named[:_MOST_RUNS])}{more}" if named else ""


def _in_folders_alike(path: Path) -> list[Path]:
    """The paths of the same name in folders whose names are like that of its folder."""
    folders = {one.name: one for one in entries(path.parent.parent)}
    there = [folders[name] / path.name for name in nearest(path.parent.name, folders)]
    return [one for one in there if one.exists()]


def entries(folder: Path) -> list[Path]:
    """What is in a folder, hidden entries aside; nothing where it cannot be listed."""
    try:
        return sorted(islice((one for one in folder.iterdir() if not one.name.startswith(".")), _MOST_ENTRIES))
    except (OSError, ValueError, IsobudgetError):
        return []
