"""Reads text files, writes files atomically, and locks files.

A file is written under a temporary name, synced, and renamed; then the folder is synced. Whatever goes wrong meanwhile
(full disk, read-only folder, kill -9), the old file is unchanged, or there is still none. In an object store a put is
atomic.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from isobudget.errors import InputError, IsobudgetError, RunError, StorageError
from isobudget.files.store_path import StorePath, place


def read_text(path: Path, error: type[IsobudgetError] = InputError) -> str:
    """The text of a UTF-8 file, line ends unchanged; `error` is raised if the file cannot be read or is not UTF-8.

    The file may be in an object store.
    """
    path = place(path)
    try:
        return decode(path.read_bytes(), str(path), error)
    except (OSError, ValueError) as why:
        raise unreadable(why, path, error) from why


def decode(data: bytes, where: str, error: type[IsobudgetError] = InputError) -> str:
    """Decode UTF-8, with or without a byte order mark.

    If the data is not UTF-8, `error` is raised. Its message names the first bad byte, with line and column.
    """
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as why:
        lines = data[: why.start].split(b"\n")
        spot = f"line {len(lines)}, " * (len(lines) > 1) + f"column {len(lines[-1]) + 1}"
        raise error(f"{where}: is not UTF-8 (byte {data[why.start]:#04x} at {spot}); save it as UTF-8") from why


def mended(text: str) -> str:
    """The text in a form that can be encoded: halves of surrogate pairs joined, single halves replaced by U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def check_regular(path: Path) -> None:
    """Raise `InputError` for a pipe, a socket or a device, which may never end."""
    with contextlib.suppress(OSError, ValueError):
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InputError(f"{path}: is not a regular file but a pipe, socket or device; save it as a file first")


def unreadable(
    error: Exception, path: Path | str, kind: type[IsobudgetError] = InputError, runs: bool = False
) -> IsobudgetError:
    """The error for an unreadable file: its path, the system's message, and similar paths.

    If `runs` is set, the user may have meant a run folder, so run folders are listed too.
    """
    from isobudget.files.near import near_paths

    near = near_paths(Path(path), runs) if isinstance(error, FileNotFoundError) else ""
    return kind(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}{near}")


def sha256_of(path: Path) -> str:
    """The sha256 of a file; raises the error of `unreadable` if it cannot be read."""
    try:
        with path.open("rb") as raw:
            return hashlib.file_digest(raw, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(error, path) from error


def beside(path: Path) -> Path:
    """The path of a temporary file beside `path` that only this thread writes, to be renamed once it is complete."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}.tmp")


def write_whole(path: Path, data: bytes, mode: int | None = None) -> None:
    """Write `data` to `path` atomically: after a `StorageError` nothing is left behind.

    `mode` sets the file's permissions. The file may be in an object store, which has no permissions.
    """
    path = place(path)
    if isinstance(path, StorePath):
        path.put(data)
        return
    aside = beside(path)
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            aside.chmod(mode)
        aside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise storage_error(error, path) from error


def user_cache() -> Path:
    """The user's cache folder for data that can be computed or downloaded again; it may not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "isobudget"


def remove_folder(path: Path) -> None:
    """Delete a folder with its contents; on a disk, what cannot be deleted is left."""
    if isinstance(path, StorePath):
        for one in path.walk_objects():
            one.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Create `path` and its parents; raises a `StorageError` that says why it is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path) from error


def file_stems(names: Sequence[str]) -> list[str]:
    """A file name for each name: of letters, digits, dots and hyphens, and all different even if case is ignored."""
    stems: list[str] = []
    for name in names:
        plain = stem = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:80] or "benchmark"
        while stem.lower() in {other.lower() for other in stems}:
            stem = f"{plain}-{len(stems) + 1}"
        stems.append(stem)
    return stems


def storage_error(error: OSError, path: Path) -> StorageError:
    """The error for a failed write to `path`: what happened and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"{path}: the disk is full. What was recorded before is intact; free some space and run again."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(f"{path}: no permission to write there. Choose another folder.")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return StorageError(f"{path}: a file is in the way, where a folder is needed. Choose another place.")
    return StorageError(f"{path}: cannot be written: {error.strerror or error}")


@contextlib.contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`, which is created if necessary.

    `what` names the locked thing in messages.
    The system releases the lock when the process ends, in whatever way.

    Raises:
        RunError: another process holds the lock.
        StorageError: the file cannot be created.
    """
    import fcntl  # not every system has it, but files are read on every system

    try:
        handle = path.open("a+")
    except OSError as error:
        raise storage_error(error, path) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip()
            by = f" (process {holder})" if holder else ""
            used = f"{what} is in use by another isobudget{by}"
            raise RunError(f"{used}. Wait for that process to end, or stop it.") from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
