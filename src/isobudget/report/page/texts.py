"""Outputs of models beside the page: per problem and model the greedy one, the first that passed, some that failed.

They lie in files `texts/NAME-001.js`, loaded when a problem is opened. Each is a classic script that calls one function
with one JSON string, which works from a disk too; the string is ASCII, so that no text can end it or be run. Failures
are of different kinds, as outcome and error tell them apart, before a kind repeats. Texts are as the models wrote them,
cut after `MOST_LETTERS`, with control characters made visible.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isobudget.grid import printable
from isobudget.records.parts import read_each
from isobudget.records.rows import KEY_COLUMNS, SampleKey, SampleRow, VerdictRow
from isobudget.records.run import Run
from isobudget.report.json.page import script_text

#: failed outputs per problem and model, unless said otherwise
FAILURES = 3
#: of one text
MOST_LETTERS = 20_000
#: letters of texts after which another file begins
_FILE_LETTERS = 300_000

#: benchmark, model, problem
_Place = tuple[str, str, str]


@dataclass(slots=True)
class _Chosen:
    """The verdicts of one problem and model that are shown."""

    greedy: dict[str, Any] | None = None
    passed: dict[str, Any] | None = None
    failed: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def take(self, row: dict[str, Any], most: int | None) -> None:
        if row["greedy"]:
            self.greedy = self.greedy or row
        elif row["passed"] and most is not None:
            self.passed = row if self.passed is None or row["index"] < self.passed["index"] else self.passed
        else:
            kind = self.failed[row["outcome"], row["detail"].split(":", 1)[0]]
            if most is None or len(kind) < most:
                kind.append(row)

    def rows(self, most: int | None) -> list[dict[str, Any]]:
        """Greedy, passed, failures: one of each kind in turn."""
        kinds = [sorted(rows, key=lambda row: row["index"]) for rows in self.failed.values()]
        deepest = max(map(len, kinds), default=0)
        failed = [rows[at] for at in range(deepest) for rows in kinds if at < len(rows)]
        if most is None:
            failed.sort(key=lambda row: row["index"])
        return [row for row in (self.greedy, self.passed) if row is not None] + failed[:most]


def output_files(
    runs: Sequence[tuple[Run, Mapping[str, str]]],
    benchmark: str,
    stem: str,
    task_ids: Sequence[str],
    failures: int | None = FAILURES,
) -> Iterator[tuple[str, int, bytes]]:
    """The files of a benchmark: name, place of the first problem, content. None where the runs hold no texts.

    Args:
        runs: run folders, each with the names that its models have on the page.
        benchmark, stem: its name, and what its files' names begin with.
        task_ids: the problems of the page, in order.
        failures: failed outputs per problem and model; None for every sample.

    Raises:
        RunError: a part is damaged.
    """
    prompts: dict[str, str] = {}
    outputs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run, names in runs:
        prompts |= {task: one.prompt for (own, task), one in run.problems().items() if own == benchmark}
        chosen = _chosen(run, benchmark, failures)
        texts = _texts(run, benchmark, {_key(row) for rows in chosen.values() for row in rows})
        if any(texts.values()):
            for (_, model, task), rows in chosen.items():
                outputs[task, names.get(model, model)] = [_output(row, texts.get(_key(row), "")) for row in rows]
    if outputs:
        yield from _files(benchmark, stem, [_problem(task, prompts.get(task, ""), outputs, runs) for task in task_ids])


def _chosen(run: Run, benchmark: str, failures: int | None) -> dict[_Place, list[dict[str, Any]]]:
    columns = [*KEY_COLUMNS, "outcome", "passed", "detail", "first_failing", "tests_passed", "tests_total"]
    found: dict[_Place, _Chosen] = defaultdict(_Chosen)
    for part in read_each(run.path / "verdicts", VerdictRow, columns):
        for row in part.to_pylist():
            if row["benchmark"] == benchmark:
                found[row["benchmark"], row["model"], row["task_id"]].take(row, failures)
    return {place: one.rows(failures) for place, one in found.items()}


def _key(row: Mapping[str, Any]) -> SampleKey:
    return row["benchmark"], row["model"], row["task_id"], row["greedy"], row["index"]


def _texts(run: Run, benchmark: str, wanted: set[SampleKey]) -> dict[SampleKey, str]:
    """The texts of these samples."""
    found: dict[SampleKey, str] = {}
    for part in read_each(run.path / "samples", SampleRow, [*KEY_COLUMNS, "text"]):
        keys = list(zip(*(part[name].to_pylist() for name in KEY_COLUMNS), strict=True))
        at = [place for place, key in enumerate(keys) if key[0] == benchmark and key in wanted]
        found.update(zip((keys[place] for place in at), part["text"].take(at).to_pylist(), strict=True))
    return found


def _output(row: Mapping[str, Any], text: str) -> dict[str, Any]:
    kind = "greedy" if row["greedy"] else "passed" if row["passed"] else "failed"
    said = {name: row[name] for name in ("index", "passed", "outcome", "tests_passed", "tests_total")}
    lines = {name: printable(row[name]) for name in ("detail", "first_failing")}
    shown = printable(text[:MOST_LETTERS])
    return {"kind": kind, **said, **lines, "text": shown, "left_out": max(0, len(text) - MOST_LETTERS)}


def _problem(
    task: str, prompt: str, outputs: Mapping[tuple[str, str], Any], runs: Iterable[tuple[Run, Mapping[str, str]]]
) -> dict[str, Any]:
    models = [names.get(model, model) for run, names in runs for model in run.facts.get("models", {})]
    own = {model: outputs[task, model] for model in dict.fromkeys(models) if (task, model) in outputs}
    return {"task_id": task, "prompt": printable(prompt[:MOST_LETTERS]), "models": own}


def _files(benchmark: str, stem: str, problems: Sequence[dict[str, Any]]) -> Iterator[tuple[str, int, bytes]]:
    start, letters, number = 0, 0, 1
    for at, problem in enumerate(problems):
        letters += len(problem["prompt"]) + sum(len(one["text"]) for own in problem["models"].values() for one in own)
        if letters >= _FILE_LETTERS or at == len(problems) - 1:
            content = script_text({"benchmark": benchmark, "problems": problems[start : at + 1]})
            yield f"texts/{stem}-{number:03d}.js", start, f"isobudgetTexts({json.dumps(content)});\n".encode("ascii")
            start, letters, number = at + 1, 0, number + 1
