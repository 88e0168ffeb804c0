"""Converts importers' records into samples for a run: counts become single samples, and texts are made writable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from isobudget.files.whole import mended
from isobudget.importers.base import ImportTally
from isobudget.importers.records import COMPLETION, CountRow, Record, Sample


def as_samples(record: Record, tally: ImportTally) -> Iterator[Sample]:
    """A record as samples; a row of counts becomes as many samples without a text."""
    if isinstance(record, Sample):
        yield record
        return
    if record.passed is None:
        tally.note("counts only: which samples passed is not known, so the first ones are taken to have passed")
    else:
        tally.note("samples without texts")
    for at, passed in enumerate(_verdicts(record)):
        tokens = None if record.completion_tokens is None else record.completion_tokens[at]
        yield Sample(
            record.task_id,
            passed,
            record.line,
            None,
            COMPLETION,
            record.model,
            record.benchmark,
            completion_tokens=tokens,
        )


def mend(sample: Sample, tally: ImportTally) -> None:
    """Make the texts of a sample writable, and add a note if one had to be changed."""
    for name in ("text", "prompt", "outcome"):
        text = getattr(sample, name)
        if text and not text.isascii() and (whole := mended(text)) != text:
            setattr(sample, name, whole)
            tally.note("unpaired surrogates in texts were replaced by U+FFFD")


def _verdicts(row: CountRow) -> Iterable[bool]:
    return row.passed if row.passed is not None else (at < row.c for at in range(row.n))
