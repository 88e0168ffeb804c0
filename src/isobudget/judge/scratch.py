"""Folders in which programs under test may write: locked while their judge lives, removed afterwards.

A judge that is killed cannot remove its folders. So each folder is locked, and the next judge of the same user removes
those that are no longer locked.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import time
from pathlib import Path

from isobudget.judge.confinement.confine import remove_contents

_PREFIX = "isobudget-judge-"
#: younger folders are left alone, because a folder that was just made may not be locked yet
_YOUNG_SECONDS = 60.0


class ScratchFolder:
    """One scratch folder; `path` is empty while the folder does not exist."""

    def __init__(self) -> None:
        self.path = ""
        self._held = -1

    def make(self) -> None:
        """Make the folder, and remove the folders that killed judges left behind."""
        remove_abandoned(tempfile.gettempdir())
        self.path = tempfile.mkdtemp(prefix=_PREFIX)
        # others may pass through it, since a sample is another user where the judge is root
        os.chmod(self.path, 0o711)
        self._held = _lock(self.path)

    def remove(self) -> None:
        """Remove the folder and its contents. Files that cannot be removed stay, and no error is raised."""
        if self.path:
            _remove(self.path)
            if self._held >= 0:
                os.close(self._held)
            self.path, self._held = "", -1


@functools.cache
def remove_abandoned(place: str) -> int:
    """Remove this user's folders that no judge has locked, once per process. Returns how many were removed."""
    removed = 0
    for path in Path(place).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            stat = path.lstat()
            if stat.st_uid != os.getuid() or time.time() - stat.st_mtime < _YOUNG_SECONDS:
                continue
            held = _lock(str(path))
            if held >= 0:
                _remove(str(path))
                os.close(held)
                removed += 1
    return removed


def _lock(path: str) -> int:
    """Open and lock a folder. Returns the descriptor; -1 if another process has locked it or it is not a folder."""
    import fcntl

    try:
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return -1
    return held


def _remove(path: str) -> None:
    remove_contents(path)
    with contextlib.suppress(OSError):
        os.rmdir(path)
