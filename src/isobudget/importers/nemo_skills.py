"""NeMo-Skills' outputs: `eval-results/BENCHMARK/output-rs0.jsonl`, one line per problem, one file per random seed.

    {"task_id": "HumanEval/0", "generation": "...", "num_generated_tokens": 444, "is_correct": true, ...}

The verdict is `is_correct` (with `is_correct-plus` as a second suite), the only entry of `graded_list`, or `status`.
Lines without an id are identified by their position, because the files of one folder have the same problems in the same
order. So files of unequal length are refused. A folder is read as one source. The model has the name of the folder that
contains `eval-results`. The benchmark has the name of the folder with the files. `-async` files are unfinished and
skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isobudget.errors import InputError
from isobudget.importers.base import ImportTally
from isobudget.importers.evalplus import BASE, PLUS
from isobudget.importers.fields import amount_if_known, shown, verdict_of, whole
from isobudget.importers.records import OUTPUT, Record, Sample
from isobudget.importers.source import Shape, Source

_FILE = re.compile(r"output(?:-rs(\d{1,6}))?\.jsonl(\.gz)?")
_UNFINISHED = re.compile(r"output.*-async$")
_MARKS = ("is_correct", "graded_list", "generation", "judgement", "predicted_answer")
_IDS = ("task_id", "question_id", "id", "problem_id")
_RESULTS = "eval-results"


class NemoSkills:
    """A file of one seed, or a folder with one file per seed."""

    name = "nemo-skills"
    help = "NeMo-Skills' output-rsN.jsonl, or a folder of them: one line a problem, one file a seed"
    suite = BASE

    def recognises(self, source: Source) -> bool:
        """Whether a folder has an output file, or a file's first line has `num_generated_tokens` and a result."""
        if source.shape is Shape.FOLDER:
            return any(_FILE.fullmatch(entry.name) for entry in source.path.iterdir())
        if source.shape is not Shape.LINES:
            return False
        first = source.first
        return "num_generated_tokens" in first and any(mark in first for mark in _MARKS)

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The samples, seed by seed."""
        if source.shape is not Shape.FOLDER:
            yield from _file(source, 0, tally)
            return
        entries = sorted(source.path.iterdir())
        unfinished = [entry.name for entry in entries if _UNFINISHED.fullmatch(entry.name)]
        if unfinished:
            tally.note(f"{', '.join(unfinished[:3])}: unfinished, so left out")
        files = sorted((int(match[1] or -1), path) for path in entries if (match := _FILE.fullmatch(path.name)))
        seeded = [one for one in files if one[0] >= 0] or files  # output.jsonl beside them is greedy or merged
        if len(seeded) < len(files):
            tally.note("output.jsonl is left out, because next to files with seeds it holds samples of other settings")
        lengths: dict[int, Path] = {}
        for seed, (_, path) in enumerate(seeded):
            lines = 0
            for sample in _file(Source(path), seed, tally):
                lines = sample.line
                yield sample
            lengths.setdefault(lines, path)
            if len(lengths) > 1:
                lengths_text = ", ".join(f"{path.name} has {number}" for number, path in lengths.items())
                what = f"has files of unequal length ({lengths_text} lines)"
                raise InputError(f"{source.path}: {what}, so a seed is unfinished")


def _file(source: Source, seed: int, tally: ImportTally) -> Iterator[Sample]:
    model, benchmark = _names(source.path)
    ids = None
    for number, record in source.records():
        where = source.where(number)
        key = next((key for key in _IDS if isinstance(record.get(key), str | int)), None)
        if number > 1 and (key is None) != (ids is None):
            raise InputError(f"{where}: some lines have an id and others do not")
        ids = key
        task_id = str(number - 1) if key is None else str(record[key])
        passed, others = _verdicts(record, where)
        if passed is None and "generation" not in record:
            raise InputError(f"{where}: has neither `is_correct`, `graded_list` nor `generation`")
        yield _sample(
            record,
            Sample(task_id, passed, number, model=model, benchmark=benchmark, number=seed, others=others),
            where,
            tally,
        )


def _sample(record: dict[str, Any], sample: Sample, where: str, tally: ImportTally) -> Sample:
    text = record.get("generation")
    sample.text, sample.form = (text, OUTPUT) if isinstance(text, str) else (None, OUTPUT)
    if record.get("num_generated_tokens") is not None:
        sample.completion_tokens = whole(record["num_generated_tokens"], "num_generated_tokens", where)
    sample.seconds = amount_if_known(record.get("generation_time"), "generation_time", tally)
    return sample


def _verdicts(record: dict[str, Any], where: str) -> tuple[bool | None, tuple[tuple[str, bool | None], ...]]:
    if "is_correct" in record:
        plus = record.get("is_correct-plus")
        others = () if plus is None else ((PLUS, verdict_of(plus, "is_correct-plus", where)),)
        return verdict_of(record["is_correct"], "is_correct", where), others
    graded = record.get("graded_list")
    if graded is not None:
        if not isinstance(graded, list) or len(graded) != 1:
            raise InputError(f"{where}: `graded_list` must have one verdict, got {shown(graded)}")
        return verdict_of(graded[0], "graded_list", where), ()
    if record.get("status") in ("pass", "fail", "timeout"):
        return record["status"] == "pass", ()
    return None, ()


def _names(path: Path) -> tuple[str, str]:
    """Model and benchmark from the folder names; empty if these do not show them."""
    folders = path.absolute().parent.parts
    if _RESULTS in folders[1:-1]:
        at = len(folders) - 1 - folders[::-1].index(_RESULTS)
        return folders[at - 1].strip("/"), folders[at + 1]
    return (path.parent.name if _FILE.fullmatch(path.name) else ""), ""
