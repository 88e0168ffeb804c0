"""Paths similar to one that does not exist, for messages: the path that may be meant, or the existing run folders."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from isobudget.errors import IsobudgetError
from isobudget.files.hints import nearest

#: the folder in which commands create runs by default
RUNS = "runs"
#: the file that marks a folder as a run
RUN_FILE = "run.toml"
#: the name by which commands that take runs know the example run
EXAMPLE = "example"
#: maximum number of a folder's entries that are compared, of paths that are checked for being runs, and of runs named
_MOST_ENTRIES, _MOST_ASKED, _MOST_RUNS = 2000, 40, 5


def near_paths(path: Path, runs: bool = False) -> str:
    """A sentence for the end of a message: which existing paths a wrong path may mean. Empty if there are none to name.

    It lists similar names in the same folder, or the same name in a folder with a similar name. If there are none and
    `runs` is set, it lists the run folders beside the path. With `runs`, a bare name is also looked for in ``runs``,
    and compared with the name of the example run.
    """
    beside = entries(path.parent) or _in_folders_alike(path)
    beside = [Path(EXAMPLE), *entries(Path(RUNS)), *beside] if runs and len(path.parts) == 1 else beside
    spelled = {one.name: one for one in beside if one != path}  # a broken link, or a folder, is among the entries
    names = nearest(path.name, spelled, most=3)
    alike = [str(spelled[name]) for name in names if nearest(path.stem, [Path(name).stem])]
    return f". Did you mean {' or '.join(alike)}?" if alike else run_folders(beside) * runs


def not_a_file(path: Path) -> str:
    """The message that a path is not a file. If the path does not exist, similar paths are named."""
    return f"{path}: it is not a file" if path.exists() else f"{path}: no such file{near_paths(path)}"


def run_folders(near: Iterable[Path]) -> str:
    """A sentence for the end of a message that names the run folders among the first paths; empty if there are none."""
    runs = (str(one) for one in islice(near, _MOST_ASKED) if (one / RUN_FILE).is_file())
    named = list(islice(runs, _MOST_RUNS + 1))
    more = ", ..." if len(named) > _MOST_RUNS else ""
    return f". Run folders nearby: {', '.join(named[:_MOST_RUNS])}{more}" if named else ""


def _in_folders_alike(path: Path) -> list[Path]:
    """The path of the same name in the folder with the most similar name, if there is one."""
    folders = {one.name: one for one in entries(path.parent.parent)}
    there = [folders[name] / path.name for name in nearest(path.parent.name, folders)]
    return [one for one in there if one.exists()]


def entries(folder: Path) -> list[Path]:
    """The entries of a folder, without hidden ones; empty if it cannot be listed."""
    try:
        return sorted(islice((one for one in folder.iterdir() if not one.name.startswith(".")), _MOST_ENTRIES))
    except (OSError, ValueError, IsobudgetError):
        return []
