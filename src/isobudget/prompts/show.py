"""The prompt of a model for one problem, for display: the Python call behind `isobudget prompt`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast

from isobudget.errors import InputError
from isobudget.files.hints import nearest
from isobudget.grid import picked
from isobudget.models.catalog import NewlineRule
from isobudget.problems.problem import Benchmark, Problem
from isobudget.prompts.formats import PromptFormat, find_format
from isobudget.prompts.render import Rendered, render


@dataclass(frozen=True, slots=True)
class ShownPrompt:
    """A rendered prompt, its inputs, and the texts that end generation."""

    problem: Problem
    format: PromptFormat
    rendered: Rendered
    stop: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """What `isobudget prompt --json` prints."""
        given = self.rendered.prompt
        asked = {"prompt": given} if isinstance(given, str) else asdict(given)
        return {
            **picked(self.problem, "benchmark", "task_id"),
            "format": self.format.name,
            **asked,
            "head": self.rendered.head,
            "stop": list(self.stop),
            "extraction": self.format.extraction,
        }

    def __str__(self) -> str:
        """The prompt's text; of a conversation, each message after its role."""
        given = self.rendered.prompt
        if isinstance(given, str):
            return given
        return "\n".join(f"[{message.role}]\n{message.content}\n" for message in given.messages)


def show_prompt(target: str, format: str | None = None, newline: str | None = None) -> ShownPrompt:  # noqa: A002
    """The prompt of one problem.

    Args:
        target: ``BENCHMARK/TASK``: a benchmark as `load_benchmark` takes it (``mbpp``, ``mbpp=PATH``, ``mine.jsonl``),
            then a task_id or the part of it after its last slash. Names of benchmarks may be written as task_ids write
            them: ``HumanEval/0``.
        format: a format's name; by default the benchmark's own.
        newline: the model's rule for newlines where it continues, ``keep`` or ``strip``.

    Raises:
        InputError: no such benchmark, problem or format (close ones are named), or the data is wrong.
        MissingExtraError: the benchmark's data needs a package that is not installed.
    """
    if newline not in (None, "keep", "strip"):
        raise InputError(f"--newline must be keep or strip, not {newline!r}")
    benchmark, problem = _find(target)
    chosen = find_format(format or benchmark.prompt_format)
    rendered = render(chosen, problem, benchmark.examples, newline=cast("NewlineRule | None", newline))
    return ShownPrompt(problem, chosen, rendered, benchmark.stop if chosen.stop is None else chosen.stop)


def _find(target: str) -> tuple[Benchmark, Problem]:
    from isobudget.problems import load_benchmark

    name, task = _split(target)
    benchmark = load_benchmark(name)
    by_id = {problem.task_id: problem for problem in benchmark.problems}
    for matches in _matches(by_id, name, task):
        if len(matches) == 1:
            return benchmark, by_id[matches[0]]
    raise InputError(_unknown(benchmark, list(by_id), task))


def _matches(by_id: dict[str, Problem], name: str, task: str) -> Iterator[list[str]]:
    """The task_ids that may be meant, from the strictest reading to the loosest."""
    yield [one for one in by_id if one == task]
    yield [one for one in by_id if one.casefold() == task.casefold()]
    yield [one for one in by_id if one.casefold() == f"{name}/{task}".casefold()]
    yield [one for one in by_id if one.rpartition("/")[2].casefold() == task.casefold()]


def _unknown(benchmark: Benchmark, ids: list[str], task: str) -> str:
    short = {one.rpartition("/")[2]: one for one in ids} | {one: one for one in ids}
    close = list(dict.fromkeys(short[one] for one in nearest(task, short, most=4, cutoff=0.5)))[:3]
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"{benchmark.name} has no problem {task[:80]!r}.{meant} It has {len(ids)}, from {ids[0]} to {ids[-1]}"


def _split(target: str) -> tuple[str, str]:
    """Benchmark and task; the benchmark is the longest beginning that names one."""
    from isobudget.problems import benchmark_names

    known = {name.casefold(): name for name in benchmark_names()}
    for place in reversed([at for at, character in enumerate(target) if character == "/"]):
        name, task = target[:place], target[place + 1 :]
        plain, mark, path = name.partition("=")
        if not task:
            continue
        if plain.casefold() in known and (not mark or _exists(path)):
            return known[plain.casefold()] + mark + path, task
        if _exists(name):
            return name, task
    name, slash, task = target.partition("/")
    if slash and name and task and "=" not in name:
        return name, task  # the loader says what it thinks of the name
    raise InputError(
        f"{target[:80]!r} names no problem: write BENCHMARK/TASK, such as mbpp/11 or HumanEval/0, "
        f"or PATH/TASK; known benchmarks are {', '.join(benchmark_names())}"
    )


def _exists(path: str) -> bool:
    try:
        return os.path.exists(path)  # noqa: PTH110
    except ValueError:
        return False
