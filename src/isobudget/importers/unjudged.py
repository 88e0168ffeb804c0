"""The advice for results without verdicts: the command that judges them, as specific as the sources allow."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from isobudget.importers.records import Record, Sample
from isobudget.importers.source import Shape, Source
from isobudget.importers.task_ids import benchmark_by
from isobudget.problems.registry import benchmark_names

#: maximum number of files that the command names individually
_NAMED = 3
#: placeholder for problems that only the user can name
_PROBLEMS = "PROBLEMS"


def unjudged_remedy(read: Sequence[tuple[Source, Iterable[Record]]]) -> str:
    """The advice on how to get verdicts for the samples of sources with these records, none of which is judged.

    The advice names the problems if the task ids show them, and `isobudget judge` if that command can read the file.
    """
    sources = [source for source, _ in read]
    firsts = [sample for _, records in read if (sample := _first(records)) is not None]
    if not any(sample.text is not None for sample in firsts):
        return "The samples have no texts that could be judged: name results that have verdicts."
    benchmarks = {benchmark_by(sample.task_id) for sample in firsts}
    problems = next((name for name in benchmarks if len(benchmarks) == 1 and name in benchmark_names()), _PROBLEMS)
    paths = [one.path for one in sources]
    named = all(path.exists() for path in paths) and len(paths) <= _NAMED
    files = " ".join(shlex.quote(str(path)) for path in paths) if named else "FILE..."
    remedy = f"Run the tests on the samples with: isobudget import {files} --rejudge --problems {problems}"
    if len(sources) == 1 and _judge_reads(sources[0]):
        remedy += f", or isobudget judge {files} --problems {problems} -o verdicts.jsonl"
    what = "; PROBLEMS is the samples' benchmark, or a JSONL file with the tests" if problems == _PROBLEMS else ""
    return remedy + what


def _first(records: Iterable[Record]) -> Sample | None:
    return next((record for record in records if isinstance(record, Sample)), None)


def _judge_reads(source: Source) -> bool:
    """Whether `isobudget judge` accepts the file: lines with a task_id, and a completion or a solution."""
    fields = source.first.keys()
    return source.shape is Shape.LINES and "task_id" in fields and len(fields & {"completion", "solution"}) == 1
