"""The records that importers yield: one sample of somebody's results, or a problem with counts only.

An unjudged sample (`passed` is None) does not count as failed: it is not counted at all, and a note reports it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: fields that distinguish two lines with the same task: benchmark, model, condition
GroupKey = tuple[str, str, str]

#: forms of a sample's text: a continuation of the problem's prompt, a whole program, or an answer that contains the
#: program
COMPLETION, SOLUTION, OUTPUT = "completion", "solution", "output"
#: the note on a source whose samples are `placed`
PLACED = "no task ids: problems are found by their prompts, or else by their index, counted from 0"


@dataclass(slots=True)
class Sample:
    """One sample as stated by its source.

    Attributes:
        task_id: the problem's name in the source.
        passed: the source's verdict by its first test suite; None if the sample has no verdict.
        line: line, row or entry of its file, from 1; 0 if there is none.
        text: the model's text; None if the source lacks it.
        form: the kind of the text: `COMPLETION`, `SOLUTION` or `OUTPUT`.
        model, benchmark, condition: empty if the source does not state them.
        outcome: the source's own word for the verdict, or why there is none.
        others: verdicts by further suites, by name, in the importer's order.
        number: the sample's number within its problem, if the source has one.
        prompt: the model's prompt, if the source keeps it.
        prompt_tokens, completion_tokens, seconds, usd: the sample's cost, if the source states it.
        cut_off: whether the text ended at the token limit.
        greedy: whether the sample was generated at temperature 0. Greedy samples are kept separately and not counted.
        fields: further fields of the source, kept for later readers of the samples.
        placed: true if the source does not name problems; `task_id` is then the index, from 0, in the benchmark's
            order.
    """

    task_id: str
    passed: bool | None
    line: int = 0
    text: str | None = None
    form: str = COMPLETION
    model: str = ""
    benchmark: str = ""
    condition: str = ""
    outcome: str = ""
    others: tuple[tuple[str, bool | None], ...] = ()
    number: int | None = None
    prompt: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None
    usd: float | None = None
    cut_off: bool = False
    greedy: bool = False
    fields: dict[str, Any] | None = None
    placed: bool = False


@dataclass(frozen=True, slots=True)
class CountRow:
    """One problem of one model: a line of a COUNTS file, or the counted samples of a problem.

    Attributes:
        benchmark, condition: empty if the line does not state them.
        model, task_id: as in the file; a number is kept as text.
        n: number of samples, at least 1.
        c: number of samples that passed, from 0 to n.
        passed: the outcome of each sample in the file's order, or None if the file only has counts.
        completion_tokens: tokens of each sample in the same order, or None.
        line: line of the file, from 1; if each sample has its own line, the line of the first sample.
        stated: the model's name in its source, if `model` also names the source.
        prompt_tokens: tokens of the problem's prompt, if the source states them.
        seconds, usd: cost of each sample, if the source states it for all.
    """

    benchmark: str
    model: str
    condition: str
    task_id: str
    n: int
    c: int
    passed: tuple[bool, ...] | None
    completion_tokens: tuple[int, ...] | None
    line: int
    stated: str = ""
    prompt_tokens: int | None = None
    seconds: tuple[float, ...] | None = None
    usd: tuple[float, ...] | None = None

    @property
    def group(self) -> GroupKey:
        """Benchmark, model and condition."""
        return self.benchmark, self.model, self.condition


Record = Sample | CountRow
