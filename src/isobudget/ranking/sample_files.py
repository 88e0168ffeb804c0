"""The samples to rank of a file: samples with a file of verdicts, or verdicts in a list that somebody has ranked.

A file of samples has JSON lines. Either each is one sample, with `task_id` and `completion` (what follows the prompt)
or `solution` (a whole program); or each is one problem, with `samples` (a list of completions), its own `prompt` if the
benchmark's was not used, and `task_id`, or none if the lines stand in the order of the verdicts. Verdicts are a file as
`isobudget judge FILE` writes it, or a COUNTS file with `passed` lists. Files tell nothing of costs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from isobudget.errors import InputError
from isobudget.files.jsonl import Record, read_objects
from isobudget.importers.base import Tally
from isobudget.importers.counts import CountRow, read_counts
from isobudget.importers.names import model_of_file
from isobudget.importers.read import find_sources, read_results, sources_shown
from isobudget.importers.records import Sample
from isobudget.problems.problem import Benchmark, CheckFunction, Problem
from isobudget.problems.spelling import Spelling
from isobudget.rankers.base import Candidate, Candidates, Pool
from isobudget.ranking.run_samples import RankingInput

#: what a file has of one problem: the head of its programs, and texts with their programs
Written = tuple[str, list[tuple[str, str]]]


def counts_inputs(sources: Any, from_: str | None = None) -> list[RankingInput]:
    """The problems of files with `passed` lists or graded samples, whose order is taken as given; without texts.

    Raises:
        InputError: the file is wrong, or a line has no `passed` list.
    """
    groups: dict[tuple[str, str], list[CountRow]] = defaultdict(list)
    for row in read_results(sources, from_).rows:
        if row.passed is None:
            raise InputError(
                f"{sources_shown(sources)}, line {row.line}: only counts; an order to rank by needs a `passed` list"
            )
        name = f"{row.model} [{row.condition}]" if row.condition else row.model
        groups[row.benchmark, name].append(row)
    return [
        RankingInput(Pool(benchmark, model, tuple(_listed(row) for row in rows)))
        for (benchmark, model), rows in groups.items()
    ]


def _listed(row: CountRow) -> Candidates:
    problem = Problem(row.task_id, row.benchmark, "", "", CheckFunction(""))
    return _candidates(problem, "", [("", "")] * row.n, row)


def _candidates(problem: Problem, head: str, texts: Sequence[tuple[str, str]], row: CountRow) -> Candidates:
    """Texts and their programs with the verdicts and tokens of a row."""
    rows = zip(texts, row.passed or (), row.completion_tokens or (0,) * row.n, strict=True)
    samples = (
        Candidate(at, *written, passed, completion_tokens=tokens) for at, (written, passed, tokens) in enumerate(rows)
    )
    return Candidates(problem, head, head, tuple(samples))


def file_input(samples: Path, benchmark: Benchmark, verdicts: Path, problems: int | None = None) -> RankingInput:
    """The samples of a file, see the module; the model is what the file is called, or what the verdicts say.

    Verdicts are of the same samples in the same order; only the first so many `problems` of the benchmark are read.

    Raises:
        InputError: a line is wrong, or the verdicts do not fit.
    """
    rows = read_counts(verdicts)
    groups = list(dict.fromkeys(row.group for row in rows))
    if len(groups) > 1:
        names = ", ".join(dict.fromkeys(" ".join(filter(None, group)) for group in groups))
        raise InputError(f"{verdicts}: verdicts of several models, benchmarks or conditions ({names}); split the file")
    spelling = Spelling(one.task_id for one in benchmark.problems)
    graded = {spelling.of(row.task_id) or row.task_id: row for row in rows}
    written = _written(samples, benchmark, list(graded), spelling)
    by_task = {problem.task_id: problem for problem in benchmark.problems}
    chosen = [task_id for task_id in by_task if task_id in written][:problems]
    found = [_of_file(by_task[one], written[one], graded.get(one), verdicts) for one in chosen]
    if not found:
        raise InputError(f"{samples}: no samples of {benchmark.name}")
    # verdicts that say no model are counted under the name of their own file
    name = rows[0].model if rows[0].model != model_of_file(verdicts) else model_of_file(samples)
    return RankingInput(Pool(benchmark.name, name, tuple(found)))


def _of_file(problem: Problem, written: Written, graded: CountRow | None, verdicts: Path) -> Candidates:
    if graded is None or graded.passed is None:
        raise InputError(f"{verdicts}: no verdicts of {problem.task_id} one by one (`passed`)")
    head, texts = written
    if len(graded.passed) != len(texts):
        raise InputError(
            f"{verdicts}: {len(graded.passed)} verdicts of {problem.task_id}, but {len(texts)} samples. "
            "Samples whose judge failed have no verdict: judge them again, or leave them out of both files"
        )
    return _candidates(problem, head, texts, graded)


def _written(path: Path, benchmark: Benchmark, order: Sequence[str], spelling: Spelling) -> dict[str, Written]:
    by_task = {problem.task_id: problem for problem in benchmark.problems}
    found: dict[str, Written] = {}
    for place, (where, record) in enumerate(read_objects(path)):
        stated = _task_of(record, order, place, where)
        task_id = spelling.of(stated)
        if task_id is None:
            raise InputError(f"{where}: unknown task_id {stated!r} of {benchmark.name}")
        problem = by_task[task_id]
        head = record.get("prompt", problem.program(""))
        if not isinstance(head, str):
            raise InputError(f"{where}: the field prompt must be text")
        if "task_id" not in record and problem.entry_point not in head:
            raise InputError(
                f"{where}: its prompt has no {problem.entry_point}, the function of {task_id}: the lines do not stand "
                "in the order of the verdicts; state task_id in each"
            )
        found.setdefault(task_id, (head, []))[1].extend(_texts(record, problem, head, where))
    return found


def _task_of(record: Record, order: Sequence[str], place: int, where: str) -> str:
    if "task_id" in record:
        return str(record["task_id"])
    if "samples" not in record:
        raise InputError(f"{where}: the field task_id is missing")
    if place >= len(order):
        raise InputError(f"{where}: the lines name no task_id, and there are verdicts of {len(order)} problems only")
    return order[place]


def _texts(record: Record, problem: Problem, head: str, where: str) -> Iterator[tuple[str, str]]:
    if "samples" in record:
        texts = record["samples"]
        if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
            raise InputError(f"{where}: the field samples must be a list of texts")
        yield from ((text, head + text) for text in texts)
        return
    name = "solution" if "solution" in record else "completion"
    text = record.get(name)
    if not isinstance(text, str):
        raise InputError(f"{where}: needs the field completion, solution or samples, with text")
    own = name == "completion" and "prompt" not in record
    yield text, text if name == "solution" else problem.program(text) if own else head + text


def has_texts(sources: Any, from_: str | None = None) -> bool:
    """Whether a source has the text of a sample; errors as `find_sources`."""
    found, _ = find_sources(sources, from_)
    return any(isinstance(one, Sample) and one.text is not None for source in found for one in source.records(Tally()))


def is_judged(sources: Any, from_: str | None = None) -> bool:
    """Whether a source has the verdict of a sample; errors as `find_sources`."""
    found, _ = find_sources(sources, from_)
    return any(
        isinstance(one, Sample) and one.passed is not None for source in found for one in source.records(Tally())
    )
