"""Commands that import, export and query results: import_results, export, sql."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from isobudget.api.names import Sources

if TYPE_CHECKING:
    from isobudget.exchange.export import Exported
    from isobudget.exchange.imported_run import ImportedRun
    from isobudget.exchange.sql import Answer
    from isobudget.progress import Progress
    from isobudget.records.run import Run


def import_results(
    sources: Sources,
    out: str | Path | None = None,
    *,
    from_: str | None = None,
    problems: str | None = None,
    benchmark: str | None = None,
    verdicts: str | Path | None = None,
    rejudge: bool = False,
    workers: int | None = None,
    unsafe: bool = False,
    progress: Progress | None = None,
) -> ImportedRun:
    """Import results of other tools into a run folder, which every command takes.

    Args:
        sources: as `source` in `curves`.
        out: the run folder; by default runs/ and the first file's name.
        from_: as in `curves`.
        problems: the problems that the samples belong to, to run their tests.
        benchmark: name of the benchmark where the files do not say.
        verdicts: verdicts on the samples, if they are in another file.
        rejudge: run the tests here, too, and show where the verdicts differ. In Python the source's verdicts are kept
            beside ours.
        workers: samples judged at once.
        unsafe: judge even where samples cannot be confined.
        progress: shows the progress of judging.

    Raises:
        InputError: a source is damaged or has no known format (file and line are named), or the run exists already.
        StorageError: the run cannot be written.
        JudgeError: samples cannot be confined here.
    """
    from isobudget.exchange.rejudge import rejudge as judge_again
    from isobudget.exchange.write_run import default_run, write_run
    from isobudget.files.store_path import place
    from isobudget.progress import SILENT

    folder = default_run(sources) if out is None else place(out)
    made = write_run(
        sources, folder, from_=from_, problems=problems, benchmark=benchmark, verdicts=verdicts, to_judge=rejudge
    )
    return judge_again(made, workers=workers, unsafe=unsafe, progress=progress or SILENT) if rejudge else made


def export(
    run: Run | str | Path,
    to: str,
    out: str | Path | None = None,
    *,
    benchmark: str | None = None,
    model: str | Sequence[str] = (),
) -> Exported:
    """Write a run's samples and verdicts as another tool's files.

    Args:
        run: a run folder. In Python also a run.
        to: the format. In Python ``human-eval``, ``evalplus``, ``inspect``, ``csv``, ``parquet`` or ``jsonl``.
        out: folder for the files; by default RUN/export/FORMAT.
        benchmark: as in `curves`.
        model: only this model; by default all. Repeatable.

    Raises:
        InputError: no such format, benchmark or model.
        StorageError: a file cannot be written.
    """
    from isobudget.api.names import as_names
    from isobudget.exchange.export import export_run

    return export_run(run, to, out, benchmark=benchmark, models=as_names(model))


def sql(run: Run | str | Path, query: str) -> Answer:
    """Query a run with SQL (DuckDB): views samples, verdicts, problems, scores and greedy.

    Args:
        run: a run folder. In Python also a run.
        query: one statement of DuckDB's SQL; it may only read.

    Raises:
        InputError: the query is wrong, or does more than read.
        MissingExtraError: DuckDB is not installed.
    """
    from isobudget.exchange.sql import ask

    return ask(run, query)
