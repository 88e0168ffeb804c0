"""The lines that `judge_file` reads and writes, one per sample and one per verdict, and totals over the verdicts."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from isobudget.errors import InputError, json_kind
from isobudget.files.jsonl import Record, read_objects
from isobudget.judge.judge import Judge
from isobudget.judge.verdict import RULES, Outcome, Trust, Verdict
from isobudget.problems.problem import Problem
from isobudget.problems.spelling import Spelling

#: Extracts the program from an answer to a problem. The bool says whether the answer is a whole program (True) or
#: follows the problem's prompt (False).
Extraction = Callable[[Problem, str, bool], str]
#: fields that divide the samples of a problem into groups, as in COUNTS files; samples are numbered within their group
GROUP = ("benchmark", "model", "condition")
_MISSING = re.compile(r"ModuleNotFoundError: No module named '([\w]+)")


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One line of a file of samples.

    Attributes:
        task_id: the problem.
        index: the sample's number within its problem and group, from 0.
        program: the program to judge.
        fields: all fields of the line.
    """

    task_id: str
    index: int
    program: str
    fields: Record = field(default_factory=dict, compare=False)

    @property
    def group(self) -> tuple[object, ...]:
        """The values of the fields in `GROUP`; None for a field that the line lacks."""
        return tuple(self.fields.get(name) for name in GROUP)


@dataclass(slots=True)
class VerdictTally:
    """Totals over a file of verdicts.

    Attributes:
        samples: number of samples by problem, without samples that could not be judged.
        passes: number of passed samples by problem.
        by_model: `samples` and `passes` for each model. The model's name is empty for samples that state no model.
        outcomes: how often each outcome occurred.
        shared: number of samples whose tests ran in the sample's process.
        problems: number of problems of the benchmark.
        invalid: the first sample that could not be judged, and why. Empty if there is none.
        errors: how often each error message of samples occurred, by the message's first 80 characters.
        not_installed: number of samples that failed for lack of a module, by module.
    """

    samples: Counter[str] = field(default_factory=Counter)
    passes: Counter[str] = field(default_factory=Counter)
    by_model: dict[str, tuple[Counter[str], Counter[str]]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    shared: int = 0
    problems: int = 0
    invalid: str = ""
    errors: Counter[str] = field(default_factory=Counter)
    not_installed: Counter[str] = field(default_factory=Counter)

    def add(self, record: dict[str, Any]) -> None:
        """Count one verdict line. An `INVALID` verdict is counted as an outcome, but not as a sample."""
        self.outcomes[record["verdict"]] += 1
        self.shared += record["trust"] == Trust.SHARED
        task_id, detail = record["task_id"], record["detail"]
        if record["verdict"] == Outcome.ERROR:
            self.errors[detail[:80]] += 1
            if (missing := _MISSING.match(detail)) is not None:
                self.not_installed[missing[1]] += 1
        if record["verdict"] == Outcome.INVALID:
            self.invalid = self.invalid or f"{task_id}: {detail}"
            return
        model = self.by_model.setdefault(str(record.get("model") or ""), (Counter(), Counter()))
        for samples, passes in ((self.samples, self.passes), model):
            samples[task_id] += 1
            passes[task_id] += record["passed"]


class Digests(dict[str, str]):
    """Checksums by task_id, made on demand. Each covers a problem's tests and the judge's rules, limits and trust."""

    def __init__(self, problems: dict[str, Problem], judge: Judge) -> None:
        self.problems = problems
        self.how = repr((RULES, judge.limits, judge.trust))

    def __missing__(self, task_id: str) -> str:
        """Compute the checksum of one problem."""
        self[task_id] = _digest(self.how, repr(self.problems[task_id].tests))
        return self[task_id]

    def of(self, sample: SampleLine) -> str:
        """The checksum of a sample's program together with the tests and rules that judge it."""
        return _digest(self[sample.task_id], sample.program)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def verdict_record(sample: SampleLine, verdict: Verdict, digest: str) -> dict[str, Any]:
    """One verdict line: all fields of the sample's line, and the verdict. Unknown values are null."""
    peak = verdict.peak_memory_mb
    return {
        **sample.fields,
        "task_id": sample.task_id,
        "index": sample.index,
        "passed": verdict.passed,
        "verdict": verdict.outcome.value,
        "seconds": None if math.isnan(verdict.seconds) else round(verdict.seconds, 6),
        "peak_memory_mb": None if math.isnan(peak) else round(peak, 1),
        "tests_passed": verdict.tests_passed,
        "tests_total": verdict.tests_total,
        "first_failing": verdict.first_failing,
        "detail": verdict.detail,
        "trust": verdict.trust.value,
        "sha256": digest,
    }


_WANTED: dict[str, type] = {
    "task_id": str, "index": int, "passed": bool, "verdict": str, "detail": str, "trust": str,
}  # fmt: skip


def damage(record: Any) -> str:
    """Why an object is not a valid verdict line; an empty string if it is valid."""
    if not isinstance(record, dict):
        return "not a JSON object"
    for name, kind in _WANTED.items():
        if name not in record:
            return f"the field {name!r} is missing"
        if type(record[name]) is not kind:
            return f"the field {name!r} is {str(record[name])[:40]!r}"
    if record["verdict"] not in set(Outcome) or record["trust"] not in set(Trust):
        return f"the field 'verdict' is {record['verdict'][:40]!r}, and 'trust' is {record['trust'][:40]!r}"
    if record["passed"] != (record["verdict"] == Outcome.PASSED):
        return f"the field 'passed' is {record['passed']}, but 'verdict' is {record['verdict']!r}"
    return ""


def read_samples(
    path: Path, problems: dict[str, Problem], extraction: Extraction | None = None
) -> Iterator[SampleLine]:
    """Read and check the samples of a file, one at a time. `judge_file` says what the file must hold.

    Raises:
        InputError: the file cannot be read, or a line is not a JSON object, has a key twice, names no known problem, or
            does not hold exactly one program.
    """
    seen: Counter[tuple[object, ...]] = Counter()
    spelling = Spelling(problems)
    for where, record in read_objects(path, once=True):
        task_id, program = _program(record, where, problems, spelling, extraction or _as_it_is)
        group = (task_id, *(str(record.get(name)) for name in GROUP))
        yield SampleLine(task_id, seen[group], program, record)
        seen[group] += 1


def _as_it_is(problem: Problem, text: str, is_whole: bool) -> str:
    return text if is_whole else problem.program(text)


def _program(
    record: Record, where: str, problems: dict[str, Problem], spelling: Spelling, extraction: Extraction
) -> tuple[str, str]:
    stated = record.get("task_id")
    if stated is None:
        raise InputError(f"{where}: the field 'task_id' is missing")
    task_id = spelling.of(str(stated))
    if task_id is None:
        known = ", ".join(islice(problems, 3))
        raise InputError(
            f"{where}: unknown task_id {str(stated)!r}; the problems are {known}, ... ({len(problems)} in all)"
        )
    for name in ("completion", "solution"):
        if not isinstance(record.get(name, ""), str):
            raise InputError(f"{where}: the field {name!r} must be a string, not {json_kind(record[name])}")
    if "completion" in record and "solution" in record:
        raise InputError(f"{where}: has both 'completion' and 'solution'; keep only the field to judge")
    if "solution" in record:
        return task_id, extraction(problems[task_id], str(record["solution"]), True)
    if "completion" in record:
        return task_id, extraction(problems[task_id], str(record["completion"]), False)
    raise InputError(f"{where}: needs the field 'completion' (appended to the prompt) or 'solution' (a whole program)")
