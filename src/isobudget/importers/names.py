"""Names of models: taken from file names if files state none, and distinguished if two sources share one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from isobudget.importers.records import CountRow

#: the benchmark of imported samples that name none
UNNAMED = "imported"
_ENDINGS = (".gz", ".jsonl", ".json", ".csv", ".tsv", ".parquet", ".eval", "_results", ".txt")
_EVALPLUS = re.compile(r"[._-]?eval_results$|[._-]eval_all$")


def model_of_file(path: Path) -> str:
    """The name of the file without the suffixes that tools add."""
    stem = path.name
    while ending := next((end for end in _ENDINGS if stem.endswith(end) and stem != end), ""):
        shorter = _EVALPLUS.sub("", stem.removesuffix(ending) if ending != "_results" else stem)
        stem = shorter if shorter and shorter != stem else stem.removesuffix(ending)
    return "".join(one if one.isprintable() else "?" for one in stem)


def file_models(paths: Sequence[Path]) -> list[str]:
    """One model name per file, all different: files with the same name get as many folder names as distinguish them."""
    names = [model_of_file(path) for path in paths]
    parents = [path.absolute().parent.parts for path in paths]
    distinct = list(names)
    for depth in range(1, max(map(len, parents), default=0) + 1):
        if len(set(distinct)) == len(distinct):
            break
        distinct = [
            "/".join((*folders[-depth:], name)) if names.count(name) > 1 else name
            for folders, name in zip(parents, names, strict=True)
        ]
    return distinct


def with_condition(model: str, condition: str) -> str:
    """The model, with its condition where there is one: ``code-cushman-001 [short]``."""
    return f"{model} [{condition}]" if condition else model


def named_by_source(name: str, source: str) -> str:
    """The name of a model that occurs in several sources."""
    return f"{name} ({source})"


def distinct_names(
    by_source: Sequence[Sequence[CountRow]], paths: Sequence[Path]
) -> tuple[list[dict[str, str]], list[str]]:
    """For each source, new names of models that several sources judge on the same problems; and notes about them."""
    names: list[dict[str, str]] = [{} for _ in by_source]
    notes: list[str] = []
    if len(by_source) < 2:
        return names, notes
    tasks: dict[str, list[tuple[int, set[tuple[str, str, str]]]]] = {}
    for at, rows in enumerate(by_source):
        own: dict[str, set[tuple[str, str, str]]] = {}
        for row in rows:
            own.setdefault(row.model, set()).add((row.benchmark, row.condition, row.task_id))
        for model, keys in own.items():
            tasks.setdefault(model, []).append((at, keys))
    stems = file_models(paths)
    for model, places in tasks.items():
        if len(places) == 1:
            continue
        files = ", ".join(str(paths[at]) for at, _ in places[:3]) + ", ..." * (len(places) > 3)
        if sum(len(keys) for _, keys in places) == len(set().union(*(keys for _, keys in places))):
            benchmarks = [{key[0] for key in keys} for _, keys in places]
            if sum(map(len, benchmarks)) > len(set().union(*benchmarks)):
                notes.append(f"{model}: the problems of {files} were merged")
            continue
        for at, _ in places:
            names[at][model] = named_by_source(model, stems[at])
        notes.append(f"{model}: {files} have samples of the same problems, so each file counts as a model")
    return names, notes
