"""The recorded run that ships: two small models on 14 problems with samples and verdicts, to report on without a model.

It was made by `isobudget run` with the study `demo` and more samples; its `run.toml` says when, on what, and with
which weights. It is copied before it is used, so that commands may write to it.
"""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

from isobudget.files.near import RUN_FILE
from isobudget.files.store_path import place
from isobudget.files.whole import make_folder, storage_error

#: what commands call it, and where its copy goes
EXAMPLE = "example"
COPY = Path("runs") / EXAMPLE


def is_example(source: object) -> bool:
    """Whether `source` means the run that ships: its name, where no file or folder is called so."""
    one = source[0] if isinstance(source, list | tuple) and len(source) == 1 else source
    return isinstance(one, str | Path) and str(one) == EXAMPLE and not Path(EXAMPLE).exists()


def run_folder(named: str | Path) -> Path:
    """The folder that a user means who names a run: the example's copy, made now if need be, or the one of that name.

    Raises:
        StorageError: the copy cannot be written.
    """
    return copy_example() if is_example(named) else place(named)


def copy_example(to: Path = COPY) -> Path:
    """The run in `to`, copied there unless there is a run already; returns `to`.

    Raises:
        StorageError: it cannot be written.
    """
    if (to / RUN_FILE).exists():
        return to
    make_folder(to)
    source = resources.files("isobudget.records") / "data" / EXAMPLE
    try:
        with resources.as_file(source) as folder:
            # what marks the folder as a run comes last, so that a copy that was cut short is made again
            shutil.copytree(folder, to, ignore=shutil.ignore_patterns(RUN_FILE), dirs_exist_ok=True)
            shutil.copyfile(folder / RUN_FILE, to / RUN_FILE)
    except OSError as error:
        raise storage_error(error, to) from None
    return to
