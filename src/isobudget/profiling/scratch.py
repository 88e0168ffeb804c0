"""Random weights in a scratch folder, for as long as they are timed.

Room on the disk and in memory is looked at before anything is written. Not covered: a limit on memory that is set for
this process alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from isobudget.errors import InputError, StorageError
from isobudget.files.whole import storage_error
from isobudget.grid import short
from isobudget.models.architecture import Architecture
from isobudget.models.random_gguf import Quantisation, random_gguf_bytes, write_random_gguf
from isobudget.pipeline.progress import Progress

#: left free for everything else
_SPARE_BYTES = 64 << 20


@contextlib.contextmanager
def random_weights(shape: Architecture, form: Quantisation, keep: bool, progress: Progress) -> Iterator[Path]:
    """A file of random weights; removed at the end unless it is kept, and always after an error.

    Raises:
        InputError: the shape is not covered, or larger than this machine's memory.
        StorageError: the disk has no room for it.
    """
    size = random_gguf_bytes(shape, form)
    folder = Path(os.environ.get("TMPDIR") or tempfile.gettempdir())
    _check_room(shape.name, size, folder)
    try:
        scratch = Path(tempfile.mkdtemp(prefix="isobudget-profile-", dir=folder))
    except OSError as error:
        raise storage_error(error, folder) from error
    try:
        path = scratch / f"{file_name(f'{shape.name}-{form}')}.gguf"
        progress.note(f"writing {short(size, 'B')} of random weights to {path}")
        write_random_gguf(path, shape, form)
        yield path
    except BaseException:
        keep = False
        raise
    finally:
        if not keep:
            shutil.rmtree(scratch, ignore_errors=True)


def file_name(text: str) -> str:
    """The text with only what every file system takes in a name."""
    return re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-.") or "model"


def _check_room(name: str, size: int, folder: Path) -> None:
    """Disk first; then memory, for weights that do not fit are read from the disk again for every token."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise storage_error(error, folder) from error
    if size + _SPARE_BYTES > free:
        raise StorageError(
            f"random weights of {name} need {short(size, 'B')}, {folder} has {short(free, 'B')} free. Set TMPDIR to "
            "a folder with more room, or choose a smaller --quantisation"
        )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > memory:
        raise InputError(
            f"{name} needs {short(size, 'B')} of memory, this machine has {short(memory, 'B')}: what would be timed "
            "is the disk. Choose a smaller --quantisation or a larger machine"
        )
