"""The beginning and end of an import, into a new run folder or into that of an interrupted import.

An interrupted import could be mistaken for a complete one. So until the end run.toml states that the import is
unfinished, and nothing else reads such a run.
"""

from __future__ import annotations

from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.near import RUN_FILE
from isobudget.records.facts import UNFINISHED, read_facts
from isobudget.records.run import Run

#: the name of an import in run.toml
_IMPORT = "import"


def begun(folder: Path) -> Run:
    """Create the run of an import, or open that of an interrupted import.

    Raises:
        InputError: the folder holds something else.
    """
    if (folder / RUN_FILE).is_file():
        run = Run(folder, read_facts(folder))
        _require_unfinished(run)
        return run
    if folder.exists() and not (folder.is_dir() and all(one.name.startswith(".") for one in folder.iterdir())):
        raise _there_already(folder)
    return Run.create(folder, folder.name, unfinished=_IMPORT)


def begin_anew(run: Run) -> None:
    """Remove the tables that an interrupted import left; the run must be locked for writing.

    Raises:
        InputError: another call has completed the import meanwhile.
    """
    _require_unfinished(run)
    run.drop(*run.manifest().tables)


def end(run: Run) -> None:
    """Mark the run as complete, which takes effect when its facts are saved."""
    run.facts.pop(UNFINISHED)


def _require_unfinished(run: Run) -> None:
    if run.facts.get(UNFINISHED) != _IMPORT:
        raise _there_already(run.path)


def _there_already(folder: Path) -> InputError:
    return InputError(f"{folder}: exists already; import into a new folder (--out)")
