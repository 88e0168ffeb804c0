"""Loads a benchmark by its name or path; the list of known benchmarks."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.hints import did_you_mean
from isobudget.files.store_path import place
from isobudget.problems.apps.benchmark import DIFFICULTIES, load_apps
from isobudget.problems.evalplus.benchmark import HUMANEVAL_PLUS, MBPP_PLUS, load_evalplus
from isobudget.problems.humaneval import load_humaneval
from isobudget.problems.livecodebench import load_livecodebench
from isobudget.problems.mbpp import load_mbpp
from isobudget.problems.own.folder import load_folder
from isobudget.problems.own.lines import load_own
from isobudget.problems.problem import Benchmark
from isobudget.problems.quickstart import load_demo, load_quickstart

#: name -> its loader, which takes the path of the data, if one is given; errors as those of `load_benchmark`
_LOADERS: dict[str, Callable[[Path | None], Benchmark]] = {
    **{f"apps-{difficulty}": partial(load_apps, difficulty) for difficulty in DIFFICULTIES},
    "demo": load_demo,
    "humaneval": load_humaneval,
    "humaneval+": partial(load_evalplus, HUMANEVAL_PLUS),
    "livecodebench": load_livecodebench,
    "mbpp": load_mbpp,
    "mbpp+": partial(load_evalplus, MBPP_PLUS),
    "quickstart": load_quickstart,
}


def benchmark_names() -> tuple[str, ...]:
    """The names that `load_benchmark` knows, sorted."""
    return tuple(sorted(_LOADERS))


def load_benchmark(name_or_path: str | os.PathLike[str]) -> Benchmark:
    """Load a benchmark by its name, or your own problems.

    Args:
        name_or_path: a known name; a known name with its data (``mbpp=PATH``); or the path of your own problems: a
            file of JSON lines (``.jsonl`` or ``.jsonl.gz``) or a folder of Python files with pytest tests. A known
            name wins over a file of that name in the current folder; write ``./humaneval`` to mean the file.

    Raises:
        InputError: no such benchmark or file; the file is wrong (file, line and field are named); or the data of a
            known benchmark is not found, or is not the published one where it should be.
        MissingExtraError: the benchmark's data comes with a package that is not installed.
    """
    text = name_or_path if isinstance(name_or_path, str) else str(place(name_or_path))
    if isinstance(name_or_path, str):
        name, given, path = text.partition("=")
        if name in _LOADERS:
            return _LOADERS[name](_data_path(name, path) if given else None)
        if not _is_path(text):
            raise InputError(_unknown(name if given else text))
    path_of_own = place(text)
    load = load_folder if os.path.isdir(text) else load_own  # noqa: PTH112  (the other one raises for long names)
    return load(path_of_own, reserved=benchmark_names())


def _data_path(name: str, path: str) -> Path:
    if not path or "\0" in path:
        raise InputError(f"{name}={path[:80]!r}: write the path of the data after the '='")
    return place(path)


def _is_path(text: str) -> bool:
    """Whether a string that is not a known name is meant as a path: by its look, or because such a file is there."""
    if "\0" in text or not text:
        return False
    if os.sep in text or text.endswith((".jsonl", ".json", ".gz")):
        return not _has_unknown_name(text)
    try:
        return Path(text).exists()
    except OSError:  # longer than any file name
        return False


def _has_unknown_name(text: str) -> bool:
    """Whether a path is written after a name that is not known, as in ``mbp=data/mbpp.jsonl``."""
    name, given, _ = text.partition("=")
    return bool(given) and os.sep not in name and not os.path.lexists(text)


def _unknown(text: str) -> str:
    known = benchmark_names()
    return (
        f"unknown benchmark {text[:80]!r}.{did_you_mean(text, known)} Known benchmarks: {', '.join(known)}; "
        "for your own problems, give their path (.jsonl, .jsonl.gz, or a folder of Python files with pytest tests)"
    )
