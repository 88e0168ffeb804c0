"""Opens the sources of a report: a run, several runs side by side, files of results, or counts alone.

Several runs become one in memory; a model that occurs in more than one of them gets the run's name as well. Files of
results are imported into a temporary run. Counts of many samples, and files named together with a run, are compared
directly. There are then no outputs, greedy outputs or verdicts to show.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from isobudget.analysis.judged import benchmarks_of
from isobudget.analysis.load_samples import LoadedRun, ModelSamples, judge_remedy, load_samples
from isobudget.errors import InputError, RunError
from isobudget.importers.count_lines import CountLines
from isobudget.importers.names import file_models
from isobudget.importers.read import find_sources, how_to_judge, read_results, split_sources
from isobudget.records.run import Run

#: counts of more samples than this are compared directly, without an import
_MOST_ROWS = 200_000
#: a run, and the page's names of those models that are named differently there
Named = tuple[Run, Mapping[str, str]]


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """Sources, opened and ready to be read.

    Attributes:
        facts: facts that the runs state about themselves.
        loaded: samples and verdicts; None if only counts are compared.
        runs: the runs that hold the samples.
        counted: run folders and files whose counts are compared if `loaded` is None.
        place: default folder of the report.
    """

    facts: Mapping[str, Any]
    loaded: LoadedRun | None
    runs: tuple[Named, ...]
    counted: tuple[Sequence[Path], Sequence[Any]]
    place: Path


@contextlib.contextmanager
def opened(source: Any, from_: str | None = None) -> Iterator[Opened]:
    """Open the sources that a user names, for the duration of the context.

    Raises:
        InputError: a source is wrong.
        RunError: a folder is not a run, or a part of it is damaged.
    """
    if isinstance(source, Run):
        yield _one(source)
        return
    runs, files = split_sources(source)
    if len(runs) > 1 and not files:
        yield together([Run.open(path) for path in runs], file_models(runs))
        return
    if runs and not files:
        yield _one(Run.open(runs[0]))
        return
    if (runs and files) or _many_counts(files, from_):
        yield _counts(runs, files)
        return
    from isobudget.exchange.write_run import as_run

    with as_run(source, from_) as (run, place):
        of_run = _one(run, place)
        if place is not None and not _any_judged(of_run.loaded):
            raise RunError(
                f"{', '.join(map(str, files))}: none of these samples is judged. "
                f"{how_to_judge(find_sources(files, from_)[0])}"
            )
        yield of_run


def _any_judged(loaded: LoadedRun | None) -> bool:
    return loaded is not None and any(row.judged for rows in loaded.counts.values() for row in rows)


def _many_counts(files: Sequence[Any], from_: str | None) -> bool:
    """Whether the files hold only counts, of too many samples to import each one as a row."""
    if not files or any(isinstance(one, Path) and not one.exists() for one in files):
        return False
    readable, _ = find_sources(files, from_)
    if any(one.importer.name != CountLines.name for one in readable):
        return False
    return sum(row.n for row in read_results(files, from_).rows) > _MOST_ROWS


def _one(run: Run, place: Path | None = None) -> Opened:
    return Opened(run.facts, load_samples(run), ((run, {}),), ((), ()), place or run.path / "report")


def _counts(runs: Sequence[Path], files: Sequence[Any]) -> Opened:
    from isobudget.exchange.write_run import default_run

    name = default_run(files).name
    facts = {"name": name, "isobudget": version("isobudget"), "created": _today(), "models": {}, "benchmarks": {}}
    return Opened(facts, None, (), (runs, files), Path("reports") / name)


def _today() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def together(runs: Sequence[Run], names: Sequence[str]) -> Opened:
    """Combine several runs into one in memory. `names` has one name per run, to tell equal models apart."""
    loaded = [load_samples(run) for run in runs]
    times = Counter(model for run in runs for model in run.facts.get("models", {}))
    renamed = [
        {model: f"{model} ({name})" for model in run.facts.get("models", {}) if times[model] > 1}
        for run, name in zip(runs, names, strict=True)
    ]
    facts = _facts(runs, names, renamed)
    models, counts = (
        _joined([_renamed(getattr(one, part), own) for one, own in zip(loaded, renamed, strict=True)])
        for part in ("models", "counts")
    )
    problems = {key: problem for one in loaded for key, problem in one.problems.items()}
    whole = LoadedRun(Run(runs[0].path, facts), problems, models, {name: tuple(rows) for name, rows in counts.items()})
    place = Path("reports") / "-".join(Path(name).name for name in names)
    return Opened(facts, whole, tuple(zip(runs, renamed, strict=True)), ((), ()), place)


def _renamed(entries: Mapping[str, Sequence[Any]], names: Mapping[str, str]) -> dict[str, list[Any]]:
    """Entries by benchmark, with models renamed, including those of greedy outputs."""
    return {benchmark: [_named(one, names) for one in own] for benchmark, own in entries.items()}


def _named(entry: Any, names: Mapping[str, str]) -> Any:
    name = names.get(entry.model, entry.model)
    if isinstance(entry, ModelSamples) and entry.greedy is not None:
        return replace(entry, model=name, greedy=replace(entry.greedy, model=name))
    return replace(entry, model=name)


def _joined(by_run: Sequence[Mapping[str, Sequence[Any]]]) -> dict[str, list[Any]]:
    benchmarks = dict.fromkeys(name for one in by_run for name in one)
    return {name: [row for one in by_run for row in one.get(name, ())] for name in benchmarks}


def _facts(runs: Sequence[Run], names: Sequence[str], renamed: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The facts of the first run, with the models and benchmarks of all; `runs` holds each run's own facts."""
    first = runs[0].facts
    models = {
        own.get(model, model): stated
        for run, own in zip(runs, renamed, strict=True)
        for model, stated in run.facts.get("models", {}).items()
    }
    benchmarks = {name: stated for run in reversed(runs) for name, stated in run.facts.get("benchmarks", {}).items()}
    stated = {name: run.facts for name, run in zip(names, runs, strict=True)}
    return {**first, "name": " and ".join(names), "models": models, "benchmarks": benchmarks, "runs": stated}


def check_sources(sources: Opened) -> None:
    """Refuse sources from which no report can be made.

    Raises:
        RunError: nothing is judged yet.
        InputError: the runs have no benchmark in common, so there is nothing to compare.
    """
    if sources.loaded is not None:
        not_judged(sources.loaded)
    if len(sources.runs) > 1:
        shared = set.intersection(*(set(run.facts.get("benchmarks", {})) for run, _ in sources.runs))
        if not shared:
            paths = ", ".join(str(run.path) for run, _ in sources.runs)
            raise InputError(f"{paths}: these runs have no benchmark in common; report on each by itself")


def not_judged(loaded: LoadedRun) -> list[str]:
    """The benchmarks without judged samples; raises `RunError` if no benchmark has any."""
    path, names = loaded.run.path, benchmarks_of(loaded.run)
    if not names:
        raise RunError(f"{path}: this run states no benchmark; there is nothing to report")
    unjudged = [name for name in names if not any(row.judged for row in loaded.counts[name])]
    if len(unjudged) == len(names):
        raise RunError(f"{path}: none of its samples is judged yet; {judge_remedy(loaded.run)}")
    return unjudged
