"""What importers give: one sample of somebody's results, or a problem of which only counts are known.

A sample that nobody judged (`passed` is None) is not one that failed: it counts nowhere, and a note reports it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: what keeps two lines with the same task apart: benchmark, model, condition
GroupKey = tuple[str, str, str]

#: how a sample's text becomes a program: it follows the problem's prompt; it is a whole program; it is an answer in
#: which the program has to be found
COMPLETION, SOLUTION, OUTPUT = "completion", "solution", "output"
#: said once of a source whose samples are `placed`
PLACED = "no task ids: problems are found by their prompts, else by their place, from 0"


@dataclass(slots=True)
class Sample:
    """One sample as its source has it.

    Attributes:
        task_id: the problem, as the source calls it.
        passed: the source's verdict, by its first suite of tests; None where it has none.
        line: line, row or entry of its file, from 1; 0 where there is none.
        text, form: what the model wrote, and what that is (`COMPLETION`, `SOLUTION`, `OUTPUT`); None if not kept.
        model, benchmark, condition: empty where the source does not say.
        outcome: the source's own word for the verdict, or why there is none.
        others: verdicts by further suites, by name, in the importer's order.
        number: which sample of its problem, where the source numbers them.
        prompt: what the model was given, where the source keeps it.
        prompt_tokens, completion_tokens, seconds, usd: what it cost, where the source says.
        cut_off: whether it ended at the token limit.
        greedy: whether it was generated at temperature 0; such outputs are kept apart and not counted.
        fields: fields of the source that isobudget has no place for, kept for what reads the samples on.
        placed: whether the source names no problems: `task_id` is then the place, from 0, in their benchmark's order.
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
    """One problem by one model: a line of a COUNTS file, or the samples of a problem counted.

    Attributes:
        benchmark, condition: an empty string where the line does not say.
        model, task_id: as the file has them; a number is kept as its text.
        n, c: samples generated, and how many of them passed. 0 <= c <= n, 1 <= n.
        passed: the outcome of each sample in the file's order, or None where the file only counts.
        completion_tokens: tokens of each sample in the same order, or None.
        line: line of the file, from 1; of the first sample where each has its own line.
        stated: the model as its source has it, where `model` also names the source.
        prompt_tokens: of the problem's prompt, where the source says.
        seconds, usd: what each sample cost, where the source says it of all.
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
