"""The socket of a user's shared pool, in a folder that only this user can open."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from isobudget.errors import JudgeError
from isobudget.judge.verdict import RULES

#: the path of a socket must be shorter; Linux allows 107 bytes
_MOST_CHARACTERS = 100


def socket_path() -> Path:
    """The socket of this user's pool for this isobudget and this interpreter.

    Raises:
        JudgeError: the folder cannot be created, or other users own it or have access to it.
    """
    what = f"{version('isobudget')} {RULES} {sys.executable} {__file__}"
    name = f"judge-{hashlib.sha256(what.encode()).hexdigest()[:12]}.sock"
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    folder = runtime / "isobudget"
    if not runtime.is_absolute() or len(str(folder / name)) >= _MOST_CHARACTERS or not _made(folder):
        folder = Path(tempfile.gettempdir()) / f"isobudget-{os.getuid()}"
        _made(folder, must=True)
    facts = folder.lstat()
    if facts.st_uid != os.getuid() or not stat.S_ISDIR(facts.st_mode) or facts.st_mode & 0o077:
        raise JudgeError(f"{folder} is not a folder that only this user can open; remove it, or set XDG_RUNTIME_DIR")
    return folder / name


def _made(folder: Path, *, must: bool = False) -> bool:
    """Whether a folder exists and is writable; it is created if necessary."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return must or os.access(folder, os.W_OK)
    except OSError as error:
        if must:
            raise JudgeError(
                f"{folder}, where the shared pool of judges listens, cannot be created ({error.strerror}); "
                "set XDG_RUNTIME_DIR to a folder that can be written"
            ) from error
        return False
    return True


@contextlib.contextmanager
def locked_place(place: Path) -> Iterator[None]:
    """Hold the lock that is needed to start or end a pool."""
    try:
        file = place.with_suffix(".lock").open("w")
    except OSError as error:
        raise JudgeError(f"{place.parent}: cannot be written ({error.strerror}); set XDG_RUNTIME_DIR") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def other_end_is_ours(connection: socket.socket) -> bool:
    """Whether the process at the other end runs as this user."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid) == os.getuid()
