"""One record per problem with a list of texts, as CodeT writes them: `{"prompt": "...", "samples": ["...", ...]}`.

A problem without `task_id` is named by its index in the file, from 0. `passed` is an optional list of as many verdicts;
without it nothing is judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from isobudget.grid import counted
from isobudget.importers.base import ImportTally
from isobudget.importers.fields import name, shown, texts, verdict_of, wrong
from isobudget.importers.records import COMPLETION, PLACED, Record, Sample
from isobudget.importers.source import Source


class ProblemLines:
    """One record per problem."""

    name = "codet"
    help = "one record per problem with prompt and a list of samples, as CodeT writes them"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the first record has `samples`, a list of texts."""
        samples = source.first.get("samples")
        return isinstance(samples, list) and bool(samples) and isinstance(samples[0], str)

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The samples, by problem."""
        for at_place, (number, record) in enumerate(source.records()):
            where = source.where(number)
            placed = "task_id" not in record
            if placed:
                tally.note(PLACED)
            task_id = str(at_place) if placed else name(record, "task_id", where)
            kept, passed = texts(record.get("samples"), "samples", where), record.get("passed")
            if passed is not None and (not isinstance(passed, list) or len(passed) != len(kept)):
                raise wrong(
                    where, "passed", f"must be a list with one verdict for each of {counted(len(kept), 'sample')}"
                )
            prompt = record.get("prompt")
            if prompt is not None and not isinstance(prompt, str):
                raise wrong(where, "prompt", f"must be a string, got {shown(prompt)}")
            model = name(record, "model", where, required=False)
            for at, text in enumerate(kept):
                own = None if passed is None else verdict_of(passed[at], "passed", where)
                yield Sample(task_id, own, number, text, COMPLETION, model, number=at, prompt=prompt, placed=placed)
