"""JSON documents of whole experiments: BigCode's harness, CRUXEval, and the paper's released samples.

- BigCode: `generations.json`, a list of lists of whole programs, in the order of the problems; no verdicts. Its metrics
  files hold only averages over problems, from which no counts can be derived; they are recognized and refused.
- CRUXEval: `{"sample_0": ["...", ...]}`, or scored, `{"raw_generations": ..., "raw_scored_generations": ...}`.
- The paper: `{task_id: {"prompt": "...", "samples": [{"pass_at_1": 1.0, "generation": "..."}, ...]}}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from isobudget.errors import InputError
from isobudget.grid import counted
from isobudget.importers.base import ImportTally
from isobudget.importers.fields import shown, texts, verdict_of
from isobudget.importers.records import COMPLETION, OUTPUT, PLACED, SOLUTION, Record, Sample
from isobudget.importers.source import Shape, Source

#: what the file's name says -> how BigCode's position becomes a task
_POSITIONS = (("humaneval", "HumanEval/", 0), ("mbpp", "Mbpp/", 11))
_CRUX = re.compile(r"sample_\d{1,6}")


class BigCodeGenerations:
    """Generations of BigCode's evaluation harness."""

    name = "bigcode"
    help = "generations of BigCode's harness: a list of lists of programs, in the order of the problems"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the document is a list of lists."""
        document = source.document if source.shape is Shape.DOCUMENT else None
        return isinstance(document, list) and bool(document) and isinstance(document[0], list)

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The samples, by problem."""
        low = source.path.name.lower()
        prefix, first = next(((prefix, first) for word, prefix, first in _POSITIONS if word in low), ("", 0))
        if not prefix:
            tally.note(PLACED)
        for place, programs in enumerate(source.document):
            for at, text in enumerate(texts(programs, "programs", source.where(place + 1))):
                yield Sample(f"{prefix}{first + place}", None, place + 1, text, SOLUTION, number=at, placed=not prefix)


class BigCodeMetrics:
    """Metrics of BigCode's harness: recognized so that the error can say which file to use instead."""

    name = "bigcode-metrics"
    help = "metrics of BigCode's harness: averages only, refused with a hint"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the document has `config`, and an object with pass@k."""
        first = source.first
        tables = [value for key, value in first.items() if key != "config" and isinstance(value, dict)]
        return "config" in first and any(str(key).startswith("pass@") for table in tables for key in table)

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:  # noqa: ARG002
        """Always raises `InputError`."""
        raise InputError(
            f"{source.path}: metrics of BigCode's harness are averages over problems, from which samples cannot be "
            "counted. Give the harness's generations (--save_generations), and judge them with --rejudge"
        )


class CruxEval:
    """CRUXEval's generations, plain or scored."""

    name = "cruxeval"
    help = "CRUXEval's generations (sample_N: texts), or its scored results"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the document has `raw_scored_generations`, or only lists named sample_N."""
        first = source.first
        return isinstance(first.get("raw_scored_generations"), dict) or (
            bool(first) and all(_CRUX.fullmatch(key) and isinstance(value, list) for key, value in first.items())
        )

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:  # noqa: ARG002
        """The samples, by problem."""
        document = source.first
        scored = document.get("raw_scored_generations")
        generations = document.get("raw_generations") if scored is not None else document
        if not isinstance(generations, dict):
            generations = {}
        for number, task in enumerate(scored or generations, start=1):
            where = f"{source.path}, {task}"
            if not task.isprintable():
                raise InputError(f"{source.path}: a problem's name cannot be printed: {shown(task)}")
            kept = texts(generations[task], task, where) if task in generations else None
            verdicts = _list(scored[task], where) if scored is not None else [None] * len(kept or ())
            if kept is not None and len(kept) != len(verdicts):
                raise InputError(
                    f"{where}: has {counted(len(kept), 'generation')}, but {counted(len(verdicts), 'verdict')}"
                )
            for at, value in enumerate(verdicts):
                text = None if kept is None else kept[at]
                yield Sample(task, verdict_of(value, task, where), number, text, OUTPUT, number=at)


class PaperSamples:
    """The samples that the paper's authors released."""

    name = "paper-samples"
    help = "the paper's released samples: {task_id: {prompt, samples: [{pass_at_1, generation}]}}"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the first problem has a list of samples."""
        entry = next(iter(source.first.values()), None)
        samples = entry.get("samples") if isinstance(entry, dict) else None
        return isinstance(samples, list) and bool(samples) and isinstance(samples[0], dict)

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:  # noqa: ARG002
        """The samples, by problem."""
        for number, (task, entry) in enumerate(source.first.items(), start=1):
            where = f"{source.path}, {shown(task)}"
            if not isinstance(entry, dict) or not task.isprintable():
                raise InputError(f"{where}: must be an object with `prompt` and `samples`")
            prompt = entry.get("prompt")
            for at, sample in enumerate(_list(entry.get("samples"), where)):
                if not isinstance(sample, dict) or not isinstance(sample.get("generation", ""), str):
                    raise InputError(f"{where}, sample {at}: must be an object with `pass_at_1` and `generation`")
                passed = verdict_of(sample.get("pass_at_1"), "pass_at_1", f"{where}, sample {at}")
                text = sample.get("generation")
                given = prompt if isinstance(prompt, str) else None
                yield Sample(task, passed, number, text, COMPLETION, number=at, prompt=given)


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{where}: must be a list, got {shown(value)}")
    return value
