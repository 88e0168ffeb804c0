"""Mistakes of a study that its fields alone do not show: what does not go together.

The checks take the study's plain fields, so that they also run beside fields that are wrong in themselves: every
mistake is listed at once. Whether what a study names exists is looked up in `world`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.errors import IsobudgetError, StudyError
from isobudget.study.lines import key_lines, line_of

#: a place in a study: keys and positions
Place = tuple[str | int, ...]

#: fields of a model that belong to some backends only
_FIELDS: dict[str, tuple[str, ...]] = {
    "llama.cpp": ("slots", "threads", "context_tokens"),
    "server": ("url", "api", "key_env", "requests_per_minute", "timeout_seconds", "attempts", "concurrency"),
    "vllm": ("revision", "tensor_parallel", "memory_fraction", "dtype", "context_tokens", "concurrency", "gpu"),
    "transformers": ("revision", "dtype", "device", "batch", "gpu"),
}
_OPTIONAL = {name for names in _FIELDS.values() for name in names}


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong with a study: where, what, and the error behind it if there is one."""

    place: Place
    message: str
    error: IsobudgetError | None = None


def combination_mistakes(fields: Mapping[str, Any]) -> list[Mistake]:
    """What does not go together: fields and backends, samples and budgets, names of benchmarks in tables."""
    known = _benchmark_names(fields)
    found: list[Mistake] = []
    for at, model in models_of(fields):
        found += _backend_mistakes(("models", at), model)
        found += _sample_mistakes(("models", at), model, known, has_budget=fields.get("budget") is not None)
        found += _table_mistakes((*("models", at), "prompt"), model.get("prompt"), known)
    prompt = fields.get("prompt")
    for name in ("format", "extraction"):
        if isinstance(prompt, Mapping):
            found += _table_mistakes(("prompt", name), prompt.get(name), known)
    return found


def raise_mistakes(mistakes: list[Mistake], text: str, origin: str) -> None:
    """Raise them all as one error, with their lines; nothing if there are none.

    Raises:
        StudyError: there is a mistake. A single one that lies outside the study, such as a part that is not installed,
            keeps its own class.
    """
    if not mistakes:
        return
    if len(mistakes) == 1 and mistakes[0].error is not None and not text:
        raise mistakes[0].error
    lines = _lines(text)
    shown = [f"  {_located(mistake, lines)}" for mistake in mistakes]
    message = f"{origin}: {len(shown)} mistake{'s' * (len(shown) > 1)}\n" + "\n".join(shown)
    raise StudyError(message)


def _lines(text: str) -> dict[Place, int]:
    return key_lines(text) if text else {}


def _located(mistake: Mistake, lines: dict[Place, int]) -> str:
    line = line_of(lines, mistake.place)
    where = f"line {line}: " if line else ""
    return f"{where}{'.'.join(map(str, mistake.place)) or 'the study'}: {mistake.message}"


def models_of(fields: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The study's models that are tables, with their places."""
    models = fields.get("models")
    for at, model in enumerate(models if isinstance(models, list) else []):
        if isinstance(model, Mapping):
            yield at, model


def _benchmark_names(fields: Mapping[str, Any]) -> list[str]:
    """The names that the study's benchmarks will have, as far as their text tells."""
    names = fields.get("benchmarks")
    return [plain_name(name) for name in names if isinstance(name, str)] if isinstance(names, list) else []


def plain_name(benchmark: str) -> str:
    """The name of a benchmark as a study writes it: ``mbpp=data/mbpp.jsonl`` is mbpp, ``my/own.jsonl`` is own."""
    from isobudget.problems import benchmark_names
    from isobudget.problems.own.lines import own_name

    name = benchmark.partition("=")[0]
    if name in benchmark_names():
        return name
    path = Path(benchmark).absolute()
    return own_name(path, (), "") if path.is_dir() else own_name(path, benchmark_names(), ".jsonl")


def _backend_mistakes(place: Place, model: Mapping[str, Any]) -> Iterator[Mistake]:
    kind = model.get("backend", "llama.cpp")
    if kind not in _FIELDS:
        return  # named by the check of the field itself
    for name in model:
        if name in _OPTIONAL and name not in _FIELDS[kind]:
            owners = " and ".join(f'"{other}"' for other, names in _FIELDS.items() if name in names)
            yield Mistake((*place, name), f"belongs to the backend {owners}, not to {kind!r}")
    if kind == "server" and "url" not in model:
        yield Mistake(place, 'a model of the backend "server" needs a url, such as "http://localhost:8000/v1"')


def _sample_mistakes(
    place: Place, model: Mapping[str, Any], known: list[str], *, has_budget: bool
) -> Iterator[Mistake]:
    n = model.get("n")
    if n is not None and model.get("budget") is not None:
        yield Mistake((*place, "budget"), "stands beside n; keep the one that shall decide")
    if n is None and model.get("budget") is None and not has_budget:
        yield Mistake((*place, "n"), "is missing (or give the study a [budget])")
    yield from _table_mistakes((*place, "n"), n, known)
    if isinstance(n, Mapping) and not has_budget:
        lacking = [name for name in known if name not in n]
        if lacking:
            yield Mistake((*place, "n"), f"says nothing of {', '.join(lacking)}")


def _table_mistakes(place: Place, table: Any, known: list[str]) -> Iterator[Mistake]:
    """Benchmarks that a table names and the study does not."""
    if isinstance(table, Mapping):
        for name in table:
            if name not in known:
                yield Mistake((*place, name), f"no such benchmark in this study; it has: {', '.join(known)}")
