"""Writes a solution into the project: completely or not at all, and only if the file has not changed."""

from __future__ import annotations

import difflib
import os
import stat
import subprocess
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.whole import write_whole
from isobudget.tasks.target import Target


def diff_of(target: Target, text: str) -> str:
    """A unified diff from the target's file to `text`, for `git apply` and `patch -p1`; empty if they are equal."""
    old = target.text.splitlines(keepends=True)
    new = text.splitlines(keepends=True)
    before = f"a/{target.file}" if target.data is not None else "/dev/null"
    lines = difflib.unified_diff(old, new, before, f"b/{target.file}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def check_clean(target: Target, run: Path | None = None) -> None:
    """Refuse a project whose git tree has uncommitted changes outside the run folder.

    Raises:
        InputError: the tree has such changes; the message says what to do.
    """
    try:
        done = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no", *_but(run, target.root)],
            cwd=target.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return  # no git, or no repository: nothing is known
    if changed := done.stdout.splitlines():
        raise InputError(
            f"{target.root}: {changed[0][3:]} has uncommitted changes; commit them so that the solution can be "
            "reverted, or pass --force"
        )


def _but(run: Path | None, root: Path) -> list[str]:
    """The paths to check: all, except a run folder inside the project, because `solve` itself writes to that folder."""
    if run is None or not run.resolve().is_relative_to(root.resolve()):
        return []
    return ["--", ":/", f":(exclude,literal){run.resolve().relative_to(root.resolve())}"]


def check_unchanged(target: Target) -> None:
    """Refuse a file that has changed since it was read.

    Raises:
        InputError: the file has changed, is now a link, a folder or a pipe, or exists although it did not before.
    """
    if not _is_as_read(target.path, target.data):
        raise InputError(f"{target.file}: has changed since it was read, so nothing was written; run the command again")


def _is_as_read(path: Path, data: bytes | None) -> bool:
    if data is None:
        return not os.path.lexists(path)
    try:
        return path.is_file() and not path.is_symlink() and path.read_bytes() == data
    except OSError:
        return False


def apply(target: Target, text: str) -> None:
    """Write the solution to its file.

    Raises:
        InputError: the file has changed since it was read.
        StorageError: the file cannot be written. Its content is then unchanged.
    """
    check_unchanged(target)
    mode = stat.S_IMODE(target.path.stat().st_mode) if target.data is not None else None
    write_whole(target.path, text.encode("utf-8"), mode)
