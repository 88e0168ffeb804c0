"""Model outputs beside the page: for each problem and model the greedy one, the first that passed, some that failed.

They are in files `texts/NAME-001.js`, loaded when a problem is opened. Each file is a classic script that calls one
function with one JSON string, so that a page opened from disk can load it. The string is ASCII, so that no text can end
it or be run. Failed outputs are chosen so that each kind of failure (outcome and error) occurs once before any kind
repeats. Texts are shown as the models wrote them, cut after `MOST_LETTERS`, with control characters made visible.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.run_columns import Places
from isobudget.errors import InputError
from isobudget.grid import printable
from isobudget.records.parts import read_each
from isobudget.records.rows import KEY_COLUMNS, SampleKey, SampleRow, VerdictRow
from isobudget.records.run import Run
from isobudget.report.json.page import script_text

if TYPE_CHECKING:
    import pyarrow as pa

#: failed outputs per problem and model, unless said otherwise
FAILURES = 3
#: most letters of one text
MOST_LETTERS = 20_000
#: letters of texts in a file, after which another file begins
_FILE_LETTERS = 300_000


def as_texts(value: str | int) -> int | None:
    """Parse `--texts` into a number, or None for ``all``. Raises `InputError` for anything else."""
    if str(value) == "all":
        return None
    if not str(value).isdecimal():
        raise InputError(f"--texts must be a number of failed outputs, or all, not {value!r}")
    return int(value)


#: benchmark, model, problem
_Place = tuple[str, str, str]


@dataclass(slots=True)
class _Chosen:
    """Those verdicts of one problem and model whose outputs are shown."""

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
        """The greedy output, the first that passed, then failures, one of each kind in turn."""
        kinds = [sorted(rows, key=lambda row: row["index"]) for rows in self.failed.values()]
        deepest = max(map(len, kinds), default=0)
        failed = [rows[at] for at in range(deepest) for rows in kinds if at < len(rows)]
        if most is None:
            failed.sort(key=lambda row: row["index"])
        return [row for row in (self.greedy, self.passed) if row is not None] + failed[:most]


def read_outputs(
    runs: Sequence[tuple[Run, Mapping[str, str]]], failures: int | None = FAILURES
) -> dict[_Place, list[dict[str, Any]]]:
    """The outputs that are shown, by benchmark, model and problem; empty if the runs hold no texts.

    Args:
        runs: run folders, each with the names of models that are named differently on the page.
        failures: number of failed outputs per problem and model; None for every sample.

    Raises:
        RunError: a part is damaged.
    """
    outputs: dict[_Place, list[dict[str, Any]]] = {}
    for run, names in runs:
        chosen = _chosen(run, failures)
        texts = _texts(run, {_key(row) for rows in chosen.values() for row in rows})
        if any(texts.values()):
            for (benchmark, model, task), rows in chosen.items():
                own = [_output(row, texts.get(_key(row), "")) for row in rows]
                outputs[benchmark, names.get(model, model), task] = own
    return outputs


def output_files(
    benchmark: str, stem: str, problems: Mapping[str, str], models: Sequence[str], outputs: Mapping[_Place, Any]
) -> Iterator[tuple[str, int, bytes]]:
    """The files of a benchmark, each with its name, the index of its first problem, and its content.

    There are no files if there are no outputs.

    Args:
        benchmark: the benchmark's name.
        stem: the beginning of the file names.
        problems: prompts by problem, in the order of the page.
        models: names of the models on the page, in order.
        outputs: result of `read_outputs`.
    """
    shown = []
    for task, prompt in problems.items():
        own = {model: outputs[benchmark, model, task] for model in models if (benchmark, model, task) in outputs}
        shown.append({"task_id": task, "prompt": printable(prompt[:MOST_LETTERS]), "models": own})
    if any(one["models"] for one in shown):
        yield from _files(benchmark, stem, shown)


def _chosen(run: Run, failures: int | None) -> dict[_Place, list[dict[str, Any]]]:
    columns = [*KEY_COLUMNS, "outcome", "passed", "detail", "first_failing", "tests_passed", "tests_total"]
    outputs: dict[_Place, _Chosen] = defaultdict(_Chosen)
    for block in read_each(run.path / "verdicts", VerdictRow, columns, coded=True):
        some = block if failures is None else block.take(_candidates(block.unify_dictionaries(), max(failures, 1)))
        for row in some.to_pylist():
            outputs[row["benchmark"], row["model"], row["task_id"]].take(row, failures)
    return {place: one.rows(failures) for place, one in outputs.items()}


def _candidates(block: pa.Table, most: int) -> NDArray[np.int64]:
    """Rows of a block that `_Chosen` could use: greedy, the first that passed, some of each kind of failure.

    Of each kind of failure, these are the first `most` in the block.
    """
    greedy, passed = block["greedy"].to_numpy(), block["passed"].to_numpy()
    index = block["index"].to_numpy()
    place = _together([_numbers(block[name]) for name in KEY_COLUMNS[:3]])
    won = np.flatnonzero(passed & ~greedy)
    won = won[np.lexsort((index[won], place[won]))]
    won = won[np.diff(place[won], prepend=-1) != 0]
    lost = np.flatnonzero(~passed & ~greedy)
    kind = _together([place[lost], _numbers(block["outcome"])[lost], _heads(block["detail"].take(lost))])
    order = np.argsort(kind, kind="stable")
    starts = np.flatnonzero(np.diff(kind[order], prepend=-1))
    turn = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    return np.sort(np.concatenate([np.flatnonzero(greedy), won, lost[order[turn < most]]]))


def _numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for each text of a dictionary-encoded column whose chunks share one dictionary."""
    return np.concatenate([np.zeros(0, np.int64), *(one.indices.to_numpy().astype(np.int64) for one in column.chunks)])


def _heads(details: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for the part before the first colon of each text."""
    coded = details.combine_chunks().dictionary_encode()
    numbers: dict[str, int] = {}
    heads = [numbers.setdefault(text.split(":", 1)[0], len(numbers)) for text in coded.dictionary.to_pylist()]
    return np.asarray(np.array(heads or [0], dtype=np.int64)[coded.indices.to_numpy()])


def _together(columns: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """A number for each row; two rows have the same number only if all columns agree."""
    made = columns[0]
    for column in columns[1:]:
        made = made * (int(column.max(initial=0)) + 1) + column
    return made


def _key(row: Mapping[str, Any]) -> SampleKey:
    return row["benchmark"], row["model"], row["task_id"], row["greedy"], row["index"]


def _texts(run: Run, wanted: set[SampleKey]) -> dict[SampleKey, str]:
    """The texts of the wanted samples."""
    import pyarrow as pa

    keys = sorted(wanted)
    places = Places.of([key[1] for key in keys], list(dict.fromkeys((key[0], key[2]) for key in keys)))
    columns = [pa.array(column) for column in zip(*keys, strict=True)]
    coded = [one.dictionary_encode() if pa.types.is_string(one.type) else one for one in columns]
    asked, _ = places.keys(pa.table(coded, names=KEY_COLUMNS)) if keys else (np.zeros(0, np.int64), None)
    by_number = dict(zip(asked.tolist(), keys, strict=True))
    texts_by_key: dict[SampleKey, str] = {}
    for block in read_each(run.path / "samples", SampleRow, [*KEY_COLUMNS, "text"], coded=True):
        numbers, known = places.keys(block)
        at = np.flatnonzero(np.isin(numbers, asked))
        texts = block["text"].take(at if known is None else np.flatnonzero(known)[at]).to_pylist()
        texts_by_key.update(zip((by_number[number] for number in numbers[at].tolist()), texts, strict=True))
    return texts_by_key


def _output(row: Mapping[str, Any], text: str) -> dict[str, Any]:
    kind = "greedy" if row["greedy"] else "passed" if row["passed"] else "failed"
    verdict = {name: row[name] for name in ("index", "passed", "outcome", "tests_passed", "tests_total")}
    lines = {name: printable(row[name]) for name in ("detail", "first_failing")}
    shown = printable(text[:MOST_LETTERS])
    return {"kind": kind, **verdict, **lines, "text": shown, "left_out": max(0, len(text) - MOST_LETTERS)}


def _files(benchmark: str, stem: str, problems: Sequence[dict[str, Any]]) -> Iterator[tuple[str, int, bytes]]:
    start, letters, number = 0, 0, 1
    for at, problem in enumerate(problems):
        letters += len(problem["prompt"]) + sum(len(one["text"]) for own in problem["models"].values() for one in own)
        if letters >= _FILE_LETTERS or at == len(problems) - 1:
            content = script_text({"benchmark": benchmark, "problems": problems[start : at + 1]})
            yield f"texts/{stem}-{number:03d}.js", start, f"isobudgetTexts({json.dumps(content)});\n".encode("ascii")
            start, letters, number = at + 1, 0, number + 1
