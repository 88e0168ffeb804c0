"""EvalPlus' result files (`*eval_results.json`) and folders of samples (`HumanEval_0/0.py`).

    {"eval": {"HumanEval/0": [{"base_status": "pass", "plus_status": "fail", ...}, ...]}, ...}

Each sample is judged by two suites: the base tests, and the many more tests of Plus. A sample passes Plus if it passes
both base and plus, as EvalPlus itself counts (`evalplus/evaluate.py`). The files name no model, so the name of the file
or folder is used. EvalPlus' JSON lines of samples are read by `sample_lines`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from isobudget.errors import InputError
from isobudget.files.whole import read_text
from isobudget.importers.base import ImportTally
from isobudget.importers.fields import shown
from isobudget.importers.records import SOLUTION, Record, Sample
from isobudget.importers.source import Shape, Source

BASE, PLUS = "base", "plus"
_STATUSES = ("pass", "fail", "timeout")
_TASK_FOLDER = re.compile(r"(HumanEval|Mbpp)_(\d{1,6})")
_SAMPLE_FILE = re.compile(r"(\d{1,6})\.py")
_MOST_BYTES = 2**20


class EvalPlusResults:
    """Result files, with verdicts by both suites."""

    name = "evalplus"
    help = "EvalPlus' eval_results.json: two suites of tests, base and plus"
    suite = BASE

    def recognises(self, source: Source) -> bool:
        """Whether the document has `eval`, an object with lists of samples that have a `base_status`."""
        tasks = source.first.get("eval")
        if not isinstance(tasks, dict) or not tasks:
            return False
        return "pass_at_k" in source.first or all(one == [] or _has_status(one) for one in tasks.values())

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The samples, by problem."""
        suites: set[int] = set()
        for task, samples in source.first["eval"].items():
            where = f"{source.path}, eval, {task}"
            if not isinstance(samples, list):
                raise InputError(f"{where}: must list the problem's samples")
            if not samples:
                tally.note("problems without a sample are left out")
            if not task.isprintable() or not task:
                raise InputError(f"{source.path}, eval: a problem's name cannot be printed: {shown(task)}")
            for at, sample in enumerate(samples):
                read = _sample(task, sample, at, f"{where}, sample {at}")
                suites.add(len(read.others))
                yield read
        if len(suites) > 1:
            tally.note("some samples were not judged by Plus")


class EvalPlusFolder:
    """A folder of unjudged samples: one folder per problem, one file per sample."""

    name = "evalplus-folder"
    help = "EvalPlus' folder of samples: HumanEval_0/0.py"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the source is a folder with folders such as `HumanEval_0`."""
        if source.shape is not Shape.FOLDER:
            return False
        return any(_TASK_FOLDER.fullmatch(entry.name) and entry.is_dir() for entry in source.path.iterdir())

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The samples, by problem and number."""
        folders = [(match, entry) for entry in source.path.iterdir() if (match := _TASK_FOLDER.fullmatch(entry.name))]
        for match, folder in sorted(folders, key=lambda one: (one[0][1], int(one[0][2]))):
            files = [(int(name[1]), path) for path in folder.iterdir() if (name := _SAMPLE_FILE.fullmatch(path.name))]
            for number, path in sorted(files):
                if not path.is_file() or path.stat().st_size > _MOST_BYTES:
                    tally.leave(f"files of more than {_MOST_BYTES // 2**20} MiB")
                    continue
                yield Sample(f"{match[1]}/{match[2]}", None, 0, read_text(path), SOLUTION, number=number)


def _has_status(samples: Any) -> bool:
    return isinstance(samples, list) and bool(samples) and isinstance(samples[0], dict) and "base_status" in samples[0]


def _sample(task: str, sample: Any, at: int, where: str) -> Sample:
    base, plus = (_status(sample, field, where) for field in ("base_status", "plus_status"))
    if base is None:
        raise InputError(f"{where} has no `base_status`")
    solution = sample.get("solution")
    others = () if plus is None else ((PLUS, base and plus),)
    return Sample(
        task,
        base,
        0,
        solution if isinstance(solution, str) else None,
        SOLUTION,
        outcome=sample["base_status"],
        others=others,
        number=at,
    )


def _status(sample: Any, field: str, where: str) -> bool | None:
    """Whether a sample passed a suite; None if the suite was not run."""
    status = sample.get(field) if isinstance(sample, dict) else "?"
    if status is not None and status not in _STATUSES:
        raise InputError(f"{where}: `{field}` must be one of {', '.join(_STATUSES)} or null, not {status!r}")
    return None if status is None else bool(status == "pass")
