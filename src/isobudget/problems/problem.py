"""What a problem is: a prompt for a model and tests for the judge.

The kind of the tests is stated by the problem and never guessed from their text. The kinds here are function tests:
those of HumanEval (`CheckFunction`) and those of MBPP (`AssertList`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckFunction:
    """Tests as HumanEval writes them: source that defines `check(candidate)`, called with the entry point."""

    source: str


@dataclass(frozen=True, slots=True)
class AssertList:
    """Tests as MBPP writes them: assert statements, run in order in the program's namespace after `setup`."""

    asserts: tuple[str, ...]
    setup: str = ""


Tests = CheckFunction | AssertList


@dataclass(frozen=True, slots=True)
class Problem:
    """One task.

    Attributes:
        task_id: unique within its benchmark, such as ``HumanEval/0``.
        benchmark: the name of the benchmark it belongs to.
        prompt: Python source that the model continues; the program to judge is the prompt followed by the completion.
        entry_point: the name of the function that the tests call.
        tests: what decides whether a program is right.
        reference: a completion known to be right, or None.
    """

    task_id: str
    benchmark: str
    prompt: str
    entry_point: str
    tests: Tests
    reference: str | None = None

    def program(self, completion: str) -> str:
        """The whole program to judge: prompt and completion, exactly as they are."""
        return self.prompt + completion


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named set of problems with its stop rule and sampling defaults.

    Attributes:
        name: such as ``humaneval``.
        problems: in their published order.
        stop: texts at which generation ends; they do not belong to the completion.
        max_tokens: most tokens of one completion.
        temperature, top_p: sampling defaults (the paper's, where it uses the benchmark).
    """

    name: str
    problems: tuple[Problem, ...]
    stop: tuple[str, ...]
    max_tokens: int
    temperature: float
    top_p: float
