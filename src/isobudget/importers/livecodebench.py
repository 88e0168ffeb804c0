"""LiveCodeBench's `*_eval_all.json`, and the output files for its custom evaluator.

    [{"question_id": "3000", "output_list": [...], "code_list": [...], "graded_list": [true, false, ...], ...}, ...]

Both are lists with one entry per problem. `code_list` has the extracted programs, and `graded_list` has the verdicts on
them. Without `graded_list` nothing is judged. The model is the folder's name if the file's name begins with `Scenario`,
else the file's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isobudget.grid import counted
from isobudget.importers.base import ImportTally
from isobudget.importers.fields import name, texts, verdict_of, wrong
from isobudget.importers.records import SOLUTION, Record, Sample
from isobudget.importers.source import Source


class LiveCodeBench:
    """Lists with one entry per problem."""

    name = "livecodebench"
    help = "LiveCodeBench's eval_all.json, or outputs for its custom evaluator: question_id, code_list, graded_list"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the first entry has `question_id`, and a list of programs or verdicts."""
        first = source.first
        return "question_id" in first and any(isinstance(first.get(key), list) for key in ("code_list", "graded_list"))

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The samples, by problem."""
        model = source.path.parent.name if source.path.name.startswith("Scenario") else ""
        seen: set[str] = set()
        for number, entry in source.records():
            where = source.where(number)
            task_id = name(entry, "question_id", where)
            if task_id in seen:
                raise wrong(where, "question_id", f"{task_id!r} occurs twice; give one file per model")
            seen.add(task_id)
            yield from _samples(entry, Sample(task_id, None, number, model=model), where, tally)


def _samples(entry: dict[str, Any], about: Sample, where: str, tally: ImportTally) -> Iterator[Sample]:
    graded = entry.get("graded_list")
    if graded is not None and not isinstance(graded, list):
        raise wrong(where, "graded_list", "must be a list of verdicts")
    codes = texts(entry["code_list"], "code_list", where) if entry.get("code_list") is not None else None
    if codes is not None and graded is not None and len(codes) != len(graded):
        raise wrong(
            where,
            "graded_list",
            f"has {counted(len(graded), 'verdict')}, but `code_list` has {counted(len(codes), 'program')}",
        )
    if not codes and not graded:
        tally.leave("problems without samples")
    for at in range(len(graded or codes or [])):
        passed = None if graded is None else verdict_of(graded[at], "graded_list", where)
        text = None if codes is None else codes[at]
        yield Sample(about.task_id, passed, about.line, text, SOLUTION, about.model, number=at)
