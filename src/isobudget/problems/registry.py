"""From a name or a path to a benchmark: the one place that knows which benchmarks there are."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path

from isobudget.errors import InputError
from isobudget.problems.humaneval import load_humaneval
from isobudget.problems.own import load_own
from isobudget.problems.problem import Benchmark
from isobudget.problems.quickstart import load_quickstart

_LOADERS: dict[str, Callable[[], Benchmark]] = {
    "humaneval": load_humaneval,
    "quickstart": load_quickstart,
}


def benchmark_names() -> tuple[str, ...]:
    """The names that `load_benchmark` knows, sorted."""
    return tuple(sorted(_LOADERS))


def load_benchmark(name_or_path: str | os.PathLike[str]) -> Benchmark:
    """Load a benchmark by its name, or your own problems from a file of JSON lines (``.jsonl`` or ``.jsonl.gz``).

    A known name wins over a file of that name in the current folder; write ``./humaneval`` to mean the file.

    Raises:
        InputError: no such benchmark or file, or the file is wrong (file, line and field are named).
        MissingExtraError: the benchmark's data comes with a package that is not installed.
    """
    if isinstance(name_or_path, str) and name_or_path in _LOADERS:
        return _LOADERS[name_or_path]()
    text = os.fspath(name_or_path)
    if not isinstance(name_or_path, str) or _is_path(text):
        return load_own(Path(text), reserved=benchmark_names())
    raise InputError(_unknown(text))


def _is_path(text: str) -> bool:
    """Whether a string that is no known name is meant as a path: by its look, or because such a file is there."""
    if "\0" in text or not text:
        return False
    if os.sep in text or text.endswith((".jsonl", ".json", ".gz")):
        return True
    try:
        return Path(text).is_file()
    except OSError:  # longer than any file name
        return False


def _unknown(text: str) -> str:
    close = difflib.get_close_matches(text.casefold(), benchmark_names(), n=1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"unknown benchmark {text[:80]!r}.{meant} Known are {', '.join(benchmark_names())}, "
        "or the path of your own problems (.jsonl or .jsonl.gz)"
    )
