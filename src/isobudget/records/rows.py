"""The rows of a run folder's tables, and the key that joins them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from typing import Any, TypeVar, cast

from isobudget.backends.base import Generation
from isobudget.errors import RunError, first_line
from isobudget.judge.verdict import Verdict
from isobudget.problems.problem import TEST_KINDS, Form, Problem, Tests

#: benchmark, model, task_id, greedy, index
SampleKey = tuple[str, str, str, bool, int]
#: benchmark, task_id, format, newline
PromptKey = tuple[str, str, str, str]

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class OfSample:
    """The fields with which every row about a sample begins.

    `index` counts the samples of one problem and model from 0; greedy samples are counted separately.
    """

    benchmark: str
    model: str
    task_id: str
    greedy: bool
    index: int

    @property
    def key(self) -> SampleKey:
        """The key of the sample in the run."""
        return (self.benchmark, self.model, self.task_id, self.greedy, self.index)


KEY_COLUMNS = [field.name for field in fields(OfSample)]


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A problem as the run used it. `tests` is a JSON object that states its kind.

    `form`, `starter`, `shown_tests`, `visible_tests` and `difficulty` are null in runs started by older versions.
    """

    benchmark: str
    task_id: str
    prompt: str
    entry_point: str
    tests: str
    reference: str | None
    form: str | None = None
    starter: str | None = None
    shown_tests: list[str] | None = None
    visible_tests: int | None = None
    difficulty: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The key of the problem in the run."""
        return (self.benchmark, self.task_id)


@dataclass(frozen=True, slots=True)
class PromptRow:
    """The prompt for a problem in one prompt format, shared by the models that use the format.

    Attributes:
        benchmark, task_id: the problem.
        format: the format's name.
        newline: whether newlines at the end of the prompt were kept or stripped.
        chat: whether `prompt` is a conversation: a JSON list of objects with `role` and `content`.
        prompt: the text as the model got it.
        head: source code with which the program to judge begins, see `isobudget.prompts`.
    """

    benchmark: str
    task_id: str
    format: str
    newline: str
    chat: bool
    prompt: str
    head: str

    @property
    def key(self) -> PromptKey:
        """The key of the prompt in the run."""
        return (self.benchmark, self.task_id, self.format, self.newline)


#: finish reason of a sample that was imported without its text, to tell it from an empty answer
NO_TEXT = "no text"


@dataclass(frozen=True, slots=True)
class SampleRow(OfSample):
    """One sample, with the fields of `Generation`. Null means not known, or that the run is older than the field.

    Where `prompt_seconds` is null, the prompt's computation is part of `seconds`.
    """

    text: str
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None
    sum_logprob: float
    mean_logprob: float
    seconds: float
    joules: float | None
    seed: int
    latency_seconds: float | None = None
    token_ids: list[int] | None = None
    served: str | None = None
    billed_prompt_tokens: int | None = None
    cached_tokens: int | None = None
    prompt_seconds: float | None = None
    prompt_joules: float | None = None
    idle_tokens: int | None = None
    idle_seconds: float | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class VerdictRow(OfSample):
    """The judge's verdict on a sample."""

    outcome: str
    passed: bool
    cpu_seconds: float
    peak_memory_mb: float | None
    detail: str
    trust: str
    tests_passed: int | None
    tests_total: int | None
    first_failing: str


def known(value: float) -> float | None:
    """A measured number for a nullable column: NaN becomes None."""
    return None if math.isnan(value) else value


def row_from(row_type: type[Row], key: tuple[object, ...], source: object, **given: object) -> Row:
    """Make a row of the key, and of the attributes of `source` with the names of the other columns.

    `given` has values for columns that are not taken from `source`. Enumerations become their values, and tuples become
    lists; NaN becomes null if the column may be null.
    """
    columns = fields(cast(Any, row_type))[len(key) :]
    values = [
        given[one.name] if one.name in given else _plain(getattr(source, one.name), "None" in str(one.type))
        for one in columns
    ]
    return row_type(*key, *values)


def _plain(value: object, nullable: bool) -> object:
    if isinstance(value, float):
        return known(value) if nullable else value
    if isinstance(value, tuple):
        return list(value)
    return value.value if isinstance(value, Enum) else value


def sample_row(key: SampleKey, generation: Generation) -> SampleRow:
    """The row of one output of a model."""
    return row_from(
        SampleRow,
        key,
        generation,
        usd=None,
        token_ids=list(generation.token_ids) or None,
        served=generation.served or None,
    )


def verdict_row(key: SampleKey, verdict: Verdict) -> VerdictRow:
    """The row of one verdict."""
    return row_from(VerdictRow, key, verdict, cpu_seconds=verdict.seconds)


def row_of(problem: Problem) -> ProblemRow:
    """The row of a problem."""
    return row_from(ProblemRow, (), problem, tests=json.dumps({"kind": problem.tests.kind} | asdict(problem.tests)))


def problem_of(row: ProblemRow) -> Problem:
    """The problem of a row.

    Raises:
        RunError: this version does not know the kind of its tests.
    """
    return Problem(
        **asdict(row)
        | {
            "tests": _tests(json.loads(row.tests)),
            "form": Form(row.form or Form.SOURCE),
            "starter": row.starter or "",
            "shown_tests": tuple(row.shown_tests or ()),
            "difficulty": row.difficulty or "",
        }
    )


def recorded_problem(row: ProblemRow) -> Problem:
    """The problem of a row of a run.

    Raises:
        RunError: this version does not know the kind of its tests, or isobudget did not write the row.
    """
    try:
        return problem_of(row)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise not_as_written("problem", row.key, error) from None


def not_as_written(what: str, key: tuple[str, ...], error: Exception) -> RunError:
    """The error for a row about a problem that isobudget did not write."""
    where = f"the {what} {key[1]!r} of {key[0]!r} in this run"
    return RunError(f"{where} is not as it was written: {first_line(error)}. Put the run's original parts back")


def same_problem(old: ProblemRow, new: ProblemRow) -> bool:
    """Whether two rows hold the same problem. Fields that an older version did not record are not compared."""
    if old.form is None:
        old = replace(old, form=new.form, starter=new.starter, shown_tests=new.shown_tests)
    return recorded_problem(old) == problem_of(new)


def _tests(fields: dict[str, Any]) -> Tests:
    kind = fields.pop("kind")
    if kind not in TEST_KINDS:
        raise RunError(f"tests of the kind {kind!r} are not known to this isobudget; use a newer isobudget")
    tests: Tests = TEST_KINDS[kind](
        **{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    )
    return tests
