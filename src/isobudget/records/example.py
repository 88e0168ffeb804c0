"""The recorded run that ships with isobudget: two small models, 14 problems, with samples and verdicts.

With it, reports can be made without a model. It was made by `isobudget run` with the study `demo` and more samples. Its
`run.toml` says when, on which machine, and with which weights. It is copied before use, so that commands may write to
the copy.
"""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

from isobudget.files.near import EXAMPLE, RUN_FILE
from isobudget.files.store_path import place
from isobudget.files.whole import make_folder, storage_error

#: default folder of the example's copy
COPY = Path("runs") / EXAMPLE


def is_example(source: object) -> bool:
    """Whether `source` names the example run and no file or folder has that name."""
    one = source[0] if isinstance(source, list | tuple) and len(source) == 1 else source
    return isinstance(one, str | Path) and str(one) == EXAMPLE and not Path(EXAMPLE).exists()


def run_folder(named: str | Path) -> Path:
    """The run folder that the user names: a copy of the example, made now if necessary, or the folder itself.

    Raises:
        StorageError: the copy cannot be written.
    """
    return copy_example() if is_example(named) else place(named)


def copy_example(to: Path = COPY) -> Path:
    """Copy the example run to `to`, unless there is a run already; returns `to`.

    Raises:
        StorageError: the copy cannot be written.
    """
    if (to / RUN_FILE).exists():
        return to
    make_folder(to)
    source = resources.files("isobudget.records") / "data" / EXAMPLE
    try:
        with resources.as_file(source) as folder:
            # the file that marks the folder as a run comes last, so that an interrupted copy is made again
            shutil.copytree(folder, to, ignore=shutil.ignore_patterns(RUN_FILE), dirs_exist_ok=True)
            shutil.copyfile(folder / RUN_FILE, to / RUN_FILE)
    except OSError as error:
        raise storage_error(error, to) from None
    return to
