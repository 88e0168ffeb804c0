"""Problems whose generation failed: kept in the run folder until the same command has generated them.

A problem that fails is tried once more after the others; what fails again is written to ``failures.json`` and named in
the end report. It stops nothing. A model that fails for problem after problem is another matter: its server is gone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from isobudget.files.whole import write_whole
from isobudget.records.run import Run

FILE_NAME = "failures.json"


@dataclass(frozen=True, slots=True)
class Failure:
    """A problem of which some samples could not be generated.

    Attributes:
        benchmark, model, task_id: which.
        samples: how many of them are missing.
        reason: the backend's last message.
    """

    benchmark: str
    model: str
    task_id: str
    samples: int
    reason: str


def write_failures(run: Run, failures: list[Failure]) -> None:
    """Keep what failed; without failures the file goes.

    Raises:
        StorageError: it cannot be written.
    """
    path = run.path / FILE_NAME
    if failures:
        write_whole(path, (json.dumps([asdict(one) for one in failures], indent=2) + "\n").encode())
    else:
        path.unlink(missing_ok=True)


def read_failures(run: Run) -> list[Failure]:
    """What failed when samples were last generated; empty if nothing did."""
    path = run.path / FILE_NAME
    if not path.is_file():
        return []
    return [Failure(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
