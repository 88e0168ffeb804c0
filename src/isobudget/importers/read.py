"""Turns what a user names (files, folders, patterns, data frames) into counts; every command reads its input here.

A source that states no model counts as one model, named after its file or folder. Samples of two sources are combined
only if both state the same model and have no problem in common. A model that two sources judge on the same problems is
treated as two models, distinguished by the sources' names. A note reports both cases.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isobudget.errors import InputError
from isobudget.files.near import RUN_FILE
from isobudget.files.store_path import StorePath, place
from isobudget.files.whole import check_regular
from isobudget.grid import counted
from isobudget.importers.base import Importer, ImportTally
from isobudget.importers.gather import Gathered, gather, suite_benchmark
from isobudget.importers.names import distinct_names, file_models
from isobudget.importers.ragged import ragged_notes
from isobudget.importers.records import CountRow, Record
from isobudget.importers.registry import BY_RECORD, IMPORTERS, importer_named, importer_of, recognised
from isobudget.importers.source import Shape, Source
from isobudget.importers.unjudged import unjudged_remedy

_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".eval", ".gz")
_MOST_FILES, _DEEPEST = 10_000, 8


@dataclass(frozen=True, slots=True)
class Taken:
    """What was read from one source, and what was left out.

    Attributes:
        path: the file or folder.
        format: the importer's name.
        samples: number of counted samples.
        left: reason -> number of samples left out.
        notes: further notes for the user.
    """

    path: Path
    format: str
    samples: int
    left: dict[str, int]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        left = ", ".join(f"{number:,} {reason}" for reason, number in self.left.items())
        notes = "".join(f"; {note}" for note in self.notes)
        return (
            f"{self.path}: {counted(self.samples, 'sample')} ({self.format}){f'; left out: {left}' * bool(left)}{notes}"
        )


def messages(taken: Iterable[Taken]) -> list[str]:
    """What was left out of the sources, and notes on them; empty if everything was read as it is."""
    return [str(one) for one in taken if one.left or one.notes]


@dataclass(frozen=True, slots=True)
class Imported:
    """The counts of all sources.

    Attributes:
        rows: counts by each source's first test suite, with distinct model names.
        others: counts by further suites, by name.
        suites: name of the first suite, by model, for models with several suites.
        taken: what was read, one entry per source.
        notes: how models were distinguished or combined, and problems with fewer samples than others.
    """

    rows: tuple[CountRow, ...]
    others: dict[str, tuple[CountRow, ...]]
    suites: dict[str, str]
    taken: tuple[Taken, ...]
    notes: tuple[str, ...] = ()

    def all_rows(self) -> list[CountRow]:
        """The rows of all suites, each under its own benchmark name."""
        suites = self.suites
        first = [
            row if row.benchmark or row.model not in suites else replace(row, benchmark=suites[row.model])
            for row in self.rows
        ]
        return [
            *first,
            *(
                replace(row, benchmark=suite_benchmark(row.benchmark, suite))
                for suite, rows in self.others.items()
                for row in rows
            ),
        ]

    def messages(self) -> list[str]:
        """What was left out and how models were named; empty if everything was read as it is."""
        return [*messages(self.taken), *self.notes]


@dataclass(frozen=True, slots=True)
class ReadableSource:
    """A source with its importer, and the model name for samples that state none."""

    source: Source
    importer: Importer
    model: str

    def records(self, tally: ImportTally) -> Iterator[Record]:
        """The source's records, each with a model name."""
        if not (self.importer.name in BY_RECORD or self.importer.recognises(self.source)):
            raise InputError(f"{self.source.path}: not recognised as {self.importer.name} ({self.importer.help})")
        for record in self.importer.read(self.source, tally):
            if not record.model:
                record.model = self.model  # type: ignore[misc]  # counts always state theirs
            yield record


def is_run(path: str | Path) -> bool:
    """Whether a path is a run folder."""
    return (place(path) / RUN_FILE).is_file()


def split_sources(sources: Any) -> tuple[list[Path], list[Any]]:
    """Split what a user names (paths, patterns or data frames) into run folders and sources for importers.

    A run that is named twice, in any form, counts once.

    Raises:
        InputError: a pattern matches no file, or nothing is named.
    """
    named = [_framed(sources)] if isinstance(sources, str | Path) or _is_frame(sources) else list(sources)
    if not named:
        raise InputError("name at least one source: a run folder, or files of results")
    runs: dict[Path, Path] = {}
    others: list[Any] = []
    for name in named:
        for path in _matches(name):
            if isinstance(path, Path) and is_run(path):
                runs.setdefault(place(path).resolve(), path)
            else:
                others.append(path)
    return list(runs.values()), others


def _is_frame(source: Any) -> bool:
    """Whether the source is a table: a data frame, a dict of columns, or a list of dicts."""
    if hasattr(source, "__arrow_c_stream__") or isinstance(source, Mapping):
        return True
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(row, Mapping) for row in source)


def _framed(table: Any) -> Any:
    """A table of plain Python values as an Arrow table; anything else unchanged."""
    if not isinstance(table, Mapping | list | tuple):
        return table
    import pyarrow as pa

    try:
        return pa.table(dict(table)) if isinstance(table, Mapping) else pa.Table.from_pylist(list(map(dict, table)))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(f"the given rows or columns do not make a table: {error}") from error


def sources_shown(sources: Any) -> str:
    """The names of the sources, for messages."""
    if isinstance(sources, str | Path):
        return str(sources)
    if _is_frame(sources):
        return "data frame"
    return ", ".join(sources_shown(one) for one in sources)


def find_sources(sources: Any, from_: str | None = None) -> tuple[list[ReadableSource], list[str]]:
    """Every source with its importer and model name; and notes on files that are not sources.

    Raises:
        InputError: a source cannot be read, or has no known format.
    """
    runs, others = split_sources(sources)
    if runs:
        raise InputError(f"{runs[0]} is a run folder already; name files of results")
    forced = None if from_ is None else importer_named(from_)
    notes: list[str] = []
    pairs: list[tuple[Source, Importer]] = []
    for one in others:
        pairs += _expanded(one, forced, notes)
    if not pairs:
        what = f" ({notes[0]})" if notes else ""
        raise InputError(
            f"{others[0]}: cannot be read: not a run folder (no run.toml), and without results of a known format{what}"
        )
    unique: dict[object, tuple[Source, Importer]] = {}
    for source, importer in pairs:
        unique.setdefault(_identity(source), (source, importer))
    if len(unique) < len(pairs):
        notes.append(f"{counted(len(pairs) - len(unique), 'source')} named twice, read once")
    chosen = list(unique.values())
    models = file_models([source.path for source, _ in chosen])
    return [
        ReadableSource(source, importer, model) for (source, importer), model in zip(chosen, models, strict=True)
    ], notes


def read_results(sources: Any, from_: str | None = None) -> Imported:
    """The counts of files, folders, patterns and data frames.

    Args:
        sources: one source or several; the module's docstring says how models are distinguished.
        from_: the name of the format; None detects it from the content.

    Raises:
        InputError: a source cannot be read, has no known format, is damaged, or has no judged sample.
    """
    readable, notes = find_sources(sources, from_)
    gathered: list[Gathered] = []
    taken: list[Taken] = []
    for one in readable:
        tally = ImportTally()
        own = gather(one.records(tally), tally)
        gathered.append(own)
        left = dict(tally.left)
        taken.append(Taken(one.source.path, one.importer.name, own.samples, left, tuple(tally.notes)))
        notes += ragged_notes(one.source, own.rows)
    if not any(own.rows or own.others for own in gathered):
        raise InputError("\n".join(map(str, taken)) + f"\nNone of the samples is judged. {how_to_judge(readable)}")
    names, more = distinct_names([own.rows for own in gathered], [one.source.path for one in readable])
    rows: list[CountRow] = []
    others: dict[str, list[CountRow]] = {}
    suites: dict[str, str] = {}
    for own, renamed, one in zip(gathered, names, readable, strict=True):
        mine = [_renamed(row, renamed) for row in own.rows]
        rows += mine
        suites |= dict.fromkeys((row.model for row in mine), one.importer.suite) if own.others else {}
        for name, theirs in own.others.items():
            others.setdefault(name, []).extend(_renamed(row, renamed) for row in theirs)
    frozen = {name: tuple(theirs) for name, theirs in others.items()}
    return Imported(tuple(rows), frozen, suites, tuple(taken), (*notes, *more))


def how_to_judge(sources: Iterable[ReadableSource]) -> str:
    """How to get verdicts for sources without any judged sample."""
    return unjudged_remedy([(one.source, one.records(ImportTally())) for one in sources])


def _renamed(row: CountRow, names: dict[str, str]) -> CountRow:
    return replace(row, model=names[row.model], stated=row.model) if row.model in names else row


def _matches(source: Any) -> list[Any]:
    if not isinstance(source, str | Path):
        return [source]
    if source == "":
        raise InputError("a source has an empty name; name a run folder, or files of results")
    path = place(source)
    if str(source).isidentifier():  # a bare word
        from isobudget.records.example import run_folder  # files with an ending do not need what reads runs

        path = run_folder(source)
    if re.search(r"[*?\[]", str(source)) and not path.exists():
        matches = glob_paths(source)
        if not matches:
            raise InputError(f"{source}: no file matches this pattern")
        return matches
    name, equals, file = str(source).partition("=")
    if equals and file and not path.exists() and place(file).exists():
        raise InputError(
            f"{source}: a source is a path, without a model's name. The name comes from the field `model` of its "
            f"records, else from the file's name: rename the file to {name}{place(file).suffix}, or add the field"
        )
    return [path]


def glob_paths(pattern: str | Path) -> list[Path]:
    """The files that match a pattern, in order; in an object store only the last part may be a pattern."""
    where = place(pattern)
    if isinstance(where, StorePath):
        return sorted(where.parent.glob(where.name))
    return [Path(match) for match in sorted(glob.glob(str(pattern), recursive=True))]  # noqa: PTH207  (may be absolute)


def _expanded(named: Any, forced: Importer | None, notes: list[str]) -> list[tuple[Source, Importer]]:
    if not isinstance(named, Path):
        import pyarrow as pa

        if not _is_frame(named):
            raise InputError(f"a source is a path, a data frame, or a list of dicts, not {type(named).__name__}")
        source = Source("data frame", pa.table(_framed(named)))
        return [(source, forced or importer_of(source))]
    source = Source(named)
    if source.shape is not Shape.FOLDER or (forced is not None and forced.recognises(source)):
        return [(source, forced or importer_of(source))]
    return list(_in_folder(named, forced, notes, 0))


def _in_folder(
    folder: Path, forced: Importer | None, notes: list[str], depth: int
) -> Iterator[tuple[Source, Importer]]:
    """The sources in a folder: the folder itself if it is a source, else its files and subfolders that are sources."""
    source = Source(folder)
    try:
        whole = next((one for one in ((forced,) if forced else IMPORTERS) if one.recognises(source)), None)
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror or error}") from error
    if whole is not None:
        yield source, whole
        return
    if len(entries) > _MOST_FILES or depth > _DEEPEST:
        raise InputError(f"{folder}: too many files or folders in it; name the files")
    for entry in entries:
        if entry.name.startswith(".") or is_run(entry):
            continue
        if entry.is_dir():
            yield from _in_folder(entry, forced, notes, depth + 1)
        elif entry.name.endswith(_SUFFIXES):
            inside = Source(entry)
            try:
                check_regular(entry)
                yield inside, forced or _recognised(inside)
            except InputError as error:
                notes.append(f"left out: {str(error).splitlines()[0][:200]}")


def _recognised(source: Source) -> Importer:
    importer = recognised(source)
    if importer is None:
        raise InputError(f"{source.path}: no results of a known format")
    return importer


def _identity(source: Source) -> object:
    return source if source.shape is Shape.TABLE and not source.path.exists() else source.path.resolve()
