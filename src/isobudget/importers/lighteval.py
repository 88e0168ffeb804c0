"""lighteval's `details/MODEL/DATE/details_TASK_DATE.parquet`: columns doc, metric and model_response.

A row is a problem. If it has one response, its metric is the verdict. If it has several, pass@1 times their number
tells how many passed; which ones passed is only known if all or none did.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from isobudget.errors import InputError
from isobudget.files.values import is_number
from isobudget.importers.base import ImportTally
from isobudget.importers.records import OUTPUT, CountRow, Record, Sample
from isobudget.importers.source import Shape, Source

_COLUMNS = {"doc", "metric", "model_response"}
_FILE = re.compile(r"details_(.+?)_\d{4}-\d\d-\d\dT.*\.parquet")
_METRIC = re.compile(r"pass@(k=)?1\b|pass@1|^acc|exact_match|^em\b")


class LightEval:
    """Details files of lighteval."""

    name = "lighteval"
    help = "lighteval's details_TASK_DATE.parquet"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the source is a table with lighteval's three columns."""
        return source.shape is Shape.TABLE and set(source.columns()) >= _COLUMNS

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The problems' samples, or counts if a row does not show which samples passed."""
        match = _FILE.fullmatch(source.path.name)
        folders = source.path.absolute().parent
        model, benchmark = (
            (folders.parent.name, match[1].split("|")[1 if "|" in match[1] else 0]) if match else ("", "")
        )
        for number, row in source.records():
            where = source.where(number)
            doc, response = row.get("doc"), row.get("model_response")
            if not isinstance(doc, dict) or not isinstance(response, dict):
                raise InputError(f"{where}: `doc` and `model_response` must be structs")
            task = str(doc["id"]) if isinstance(doc.get("id"), str | int) and doc["id"] != "" else str(number - 1)
            yield from _row(row, response, Sample(task, None, number, model=model, benchmark=benchmark), where, tally)


def _row(
    row: dict[str, Any], response: dict[str, Any], about: Sample, where: str, tally: ImportTally
) -> Iterator[Record]:
    texts = [one for one in response.get("text") or [] if isinstance(one, str)]
    metrics = row.get("metric")
    named = {key: value for key, value in metrics.items() if is_number(value, 0)} if isinstance(metrics, dict) else {}
    share = next((float(value) for key, value in named.items() if _METRIC.search(key)), None)
    n = len(texts)
    if share is None or share > 1 or not n or abs(round(n * share) - n * share) > 1e-6 * n:
        raise InputError(
            f"{where}: no text, or no metric that is a mean of verdicts (it has {', '.join(named) or 'none'})"
        )
    c, tokens = round(n * share), _tokens(response, n)
    if 0 < c < n:
        tally.note("rows say how many responses passed, not which: counts are imported, and texts are left out")
        counts = None if None in tokens else tuple(one for one in tokens if one is not None)
        yield CountRow(about.benchmark, about.model, "", about.task_id, n, c, None, counts, about.line)
        return
    for at, (text, count) in enumerate(zip(texts, tokens, strict=True)):
        sample = Sample(about.task_id, c == n, about.line, text, OUTPUT, about.model, about.benchmark, number=at)
        sample.completion_tokens = count
        yield sample


def _tokens(response: dict[str, Any], n: int) -> list[int | None]:
    lists = response.get("output_tokens")
    if not isinstance(lists, list) or len(lists) != n:
        return [None] * n
    return [len(one) if isinstance(one, list) else None for one in lists]
