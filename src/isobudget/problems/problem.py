"""What a problem is: a prompt for a model and tests for the judge.

The kind of the tests is stated by the problem and never guessed from their text. There are function tests, as HumanEval
(`CheckFunction`), MBPP (`AssertList`) and EvalPlus (`ReferenceInputs`) write them, programs that read standard input
and print (`ProgramTests`), calls with JSON arguments and results (`CallTests`), both as APPS writes them, and pytest
files (`PytestFile`).
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


@dataclass(frozen=True, slots=True)
class ReferenceInputs:
    """Tests as EvalPlus writes them: the entry point must return what a reference returns, for every input.

    Attributes:
        reference: source of a whole program that defines the entry point.
        inputs: each the arguments of one call, as the source of a Python list literal.
        tolerance: largest absolute difference of floating-point numbers; 0 asks for equality.
    """

    reference: str
    inputs: tuple[str, ...]
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class ProgramTests:
    """Tests of whole programs: for every input on standard input, this output. Output is compared by its tokens."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallTests:
    """Tests by calls of the entry point, a function or a method of ``class Solution``, with data in JSON.

    Attributes:
        arguments: each a JSON list, the arguments of one call.
        results: each the JSON value that the call must return; tuples count as lists.
    """

    arguments: tuple[str, ...]
    results: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PytestFile:
    """Tests as a pytest file that imports what it tests from a module; the sample is that module."""

    source: str
    module: str = "solution"


Tests = CheckFunction | AssertList | ReferenceInputs | ProgramTests | CallTests | PytestFile


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
