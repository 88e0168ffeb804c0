"""lm-eval's `samples_TASK_DATE.jsonl`: one line per problem (and filter), with all its responses.

    {"doc_id": 0, "doc": {...}, "resps": [["...", "..."]], "filter": "none", "metrics": ["pass@1"], "pass@1": 0.5, ...}

There is no verdict per response: of n responses with the row's `pass@1` p, c = n p passed; which ones passed is only
known if all or none did. Only the first filter in the file is used. lm-eval appends to the file; if a row occurs twice,
the first one counts. Model and task are taken from the path, `MODEL/samples_TASK_DATE.jsonl`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from isobudget.errors import InputError
from isobudget.files.values import is_number
from isobudget.importers.base import ImportTally
from isobudget.importers.fields import wrong
from isobudget.importers.records import OUTPUT, CountRow, Record, Sample
from isobudget.importers.source import Source

_FILE = re.compile(r"samples_(.+?)_\d{4}-\d\d-\d\dT[\d.\-]+\.jsonl(\.gz)?")
_METRICS = ("pass@1", "pass_at_1", "exact_match", "acc")


class LmEval:
    """Samples logged by lm-eval."""

    name = "lm-eval"
    help = "lm-eval's samples_TASK_DATE.jsonl (written with --log_samples)"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the first line has `doc_id` and `resps`."""
        return "doc_id" in source.first and "resps" in source.first

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The problems' samples, or counts if a row does not show which samples passed."""
        match = _FILE.fullmatch(source.path.name)
        model, benchmark = (source.path.absolute().parent.name, match[1]) if match else ("", "")
        kept, seen = None, set()
        for number, record in source.records():
            where = source.where(number)
            kept = record.get("filter") if kept is None else kept
            if record.get("filter") != kept:
                tally.leave(f"rows of filters other than {kept!r}")
                continue
            if record.get("doc_id") in seen:
                tally.leave("duplicates")
                continue
            seen.add(record.get("doc_id"))
            yield from _row(
                record, Sample(_task(record, where), None, number, model=model, benchmark=benchmark), where, tally
            )


def _task(record: dict[str, Any], where: str) -> str:
    doc = record.get("doc")
    stated = doc.get("task_id") if isinstance(doc, dict) else None
    task = record.get("doc_id") if stated is None else stated
    if not isinstance(task, str | int) or isinstance(task, bool) or not str(task).isprintable():
        raise wrong(where, "doc_id", "must be a number or a string")
    return str(task)


def _row(record: dict[str, Any], about: Sample, where: str, tally: ImportTally) -> Iterator[Record]:
    answers = _answers(record.get("resps"), where)
    share = next((record[name] for name in _METRICS if name in record), None)
    if not is_number(share, 0) or not isinstance(share, int | float) or share > 1:
        raise InputError(f"{where}: has none of the metrics {', '.join(_METRICS)} as a number from 0 to 1")
    n = len(answers)
    c = round(n * share)
    if abs(c - n * share) > 1e-6 * n:
        raise InputError(f"{where}: {share} is not a multiple of 1/{n}, so the metric is not a mean of verdicts")
    if 0 < c < n:
        tally.note("rows say how many responses passed, not which: counts are imported, and texts are left out")
        yield CountRow(about.benchmark, about.model, "", about.task_id, n, c, None, None, about.line)
        return
    for at, answer in enumerate(answers):
        sample = Sample(about.task_id, c == n, about.line, answer, OUTPUT, about.model, about.benchmark, number=at)
        yield sample


def _answers(resps: Any, where: str) -> list[str]:
    """The responses in a row: those of its only request, or of several requests with one response each."""
    if isinstance(resps, list) and len(resps) == 1 and isinstance(resps[0], list):
        resps = resps[0]
    if not isinstance(resps, list) or not resps or not all(isinstance(one, str) for one in resps):
        raise wrong(where, "resps", "must be a list with the text of each response")
    return resps
