"""Commands that look after run folders: check, compact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isobudget.progress import Progress
    from isobudget.records.check import Checked
    from isobudget.records.compact import Compacted
    from isobudget.records.run import Run


def check(
    run: Run | str | Path, *, repair: bool = False, take_over: bool = False, progress: Progress | None = None
) -> Checked:
    """Check whether a run folder is intact: every part is read and hashed, and rows are counted.

    Args:
        run: a run folder, also s3://BUCKET/RUN. In Python also a run.
        repair: make the safe repairs. Files move to .superseded; nothing is deleted. In Python, too, parts of an
            interrupted writer are added, damaged or duplicate parts are set aside, and the next run regenerates what is
            then missing.
        take_over: end another writer's lease on a run in an object store.
        progress: shows the progress.

    Raises:
        RunError: the folder is not a run, a newer isobudget made it, or (with `repair`) it is in use.
        StorageError: the folder cannot be reached, or repairs cannot be written.
    """
    from isobudget.progress import SILENT
    from isobudget.records.check import check_run
    from isobudget.records.run import Run

    folder = run.path if isinstance(run, Run) else run
    return check_run(folder, repair=repair, take_over=take_over, progress=progress or SILENT)


def compact(run: Run | str | Path, *, progress: Progress | None = None) -> Compacted:
    """Merge the many small parts of a run into a few large ones; the old parts move to ``.superseded``.

    The merge may be stopped at any time; the next command that writes to the run then completes it. Meanwhile nothing
    else can write to the run; readers are not disturbed.

    Args:
        run: as in `check`.
        progress: shows the progress.

    Raises:
        RunError: there is no such run, the run is in use, or a part is damaged.
        StorageError: a part cannot be written; existing parts are intact.
    """
    from isobudget.progress import SILENT
    from isobudget.records.compact import compact as put_together

    return put_together(run, progress=progress or SILENT)
