"""What a problem is: a prompt for a model and tests for the judge.

The problem states the kind of its tests; the kind is never guessed from their text. The kinds are:

- tests of a function, as HumanEval (`CheckFunction`), MBPP (`AssertList`) and EvalPlus (`ReferenceInputs`) write them;
- as APPS writes them, tests of whole programs by standard input and output (`ProgramTests`), and calls with arguments
  and results in JSON (`CallTests`);
- pytest files (`PytestFile`);
- inputs without expected results (`ObservedCalls`, `ObservedPrograms`): a program's results for them are recorded, so
  that rankers can choose a sample without tests;
- a project's own tests (`ProjectTests`), which only `isobudget solve` can run;
- unknown tests (`NoTests`), of samples that were imported with their verdicts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar, get_args


@dataclass(frozen=True, slots=True)
class CheckFunction:
    """Tests as HumanEval writes them: source that defines `check(candidate)`, called with the entry point.

    `split` says that the tests are known to give the same verdicts when they run in another process than the sample, as
    those of published benchmarks do. `split` only decides where the tests run, so problems that differ in `split` alone
    are equal.
    """

    kind: ClassVar[str] = "check"
    source: str
    split: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class AssertList:
    """Tests as MBPP writes them: assert statements, run in order in the program's namespace after `setup`.

    For `split` see `CheckFunction`.
    """

    kind: ClassVar[str] = "asserts"
    asserts: tuple[str, ...]
    setup: str = ""
    split: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class ReferenceInputs:
    """Tests as EvalPlus writes them: the entry point must return what a reference returns, for every input.

    Attributes:
        reference: source of a whole program that defines the entry point.
        inputs: each the arguments of one call, as the source of a Python list literal.
        tolerance: largest absolute difference of floating-point numbers; 0 asks for equality.
    """

    kind: ClassVar[str] = "reference"
    reference: str
    inputs: tuple[str, ...]
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class ProgramTests:
    """Tests of whole programs: for each input on standard input, the program must print the expected output.

    Attributes:
        inputs: texts on standard input.
        outputs: the texts expected for them.
        rules: `own`, `apps` or `livecodebench`: whose rules apply to comparing outputs and to predefined names.
        tolerance: largest relative difference of printed numbers (absolute below 1); None means that of the rules.
        checker: source that defines `check(input, output, expected) -> bool`, for several right answers; may be empty.
    """

    kind: ClassVar[str] = "programs"
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rules: str = field(default="own", compare=False)
    tolerance: float | None = None
    checker: str = ""


@dataclass(frozen=True, slots=True)
class CallTests:
    """Tests by calls of the entry point, a function or a method of ``class Solution``, with data in JSON.

    Attributes:
        arguments: each a JSON list, the arguments of one call.
        results: each the JSON value that the call must return; tuples count as lists.
        rules: `own`, `apps` or `livecodebench`: whose rules apply to comparing outputs and to predefined names.
        tolerance: largest relative difference of floats (absolute below 1); None means that of the rules.
    """

    kind: ClassVar[str] = "calls"
    arguments: tuple[str, ...]
    results: tuple[str, ...]
    rules: str = field(default="own", compare=False)
    tolerance: float | None = None


@dataclass(frozen=True, slots=True)
class PytestFile:
    """Tests as a pytest file that imports what it tests from a module; the sample is that module."""

    kind: ClassVar[str] = "pytest"
    source: str
    module: str = "solution"


@dataclass(frozen=True, slots=True)
class ProjectTests:
    """Tests of a user's project. They need the project around them, so only `isobudget solve` can judge by them.

    Attributes:
        file: the file that is written, relative to the project's root.
        tests: the tests as the user named them: files, folders, node ids.
        ids: ids of the tests that have to pass.
        sha256: checksum of the test files' names and texts.
    """

    kind: ClassVar[str] = "project"
    file: str
    tests: tuple[str, ...]
    ids: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class ObservedCalls:
    """No tests: calls of the entry point whose results are recorded, whatever they are (`Verdict.observed`).

    Attributes:
        arguments: each the arguments of one call, as the source of a Python list literal.
    """

    kind: ClassVar[str] = "observed_calls"
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObservedPrograms:
    """No tests: inputs of a whole program whose outputs are recorded (`Verdict.observed`)."""

    kind: ClassVar[str] = "observed_programs"
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoTests:
    """Unknown tests: the problem's samples were imported together with their verdicts."""

    kind: ClassVar[str] = "unknown"


Tests = (
    CheckFunction
    | AssertList
    | ReferenceInputs
    | ProgramTests
    | CallTests
    | PytestFile
    | ProjectTests
    | ObservedCalls
    | ObservedPrograms
    | NoTests
)
#: what the kinds of tests are called in run folders; each class states its name
TEST_KINDS: dict[str, Callable[..., Tests]] = {one.kind: one for one in get_args(Tests)}


def apart(tests: Tests) -> Tests:
    """The same tests, marked as safe to run apart from the sample; for loaders of published benchmarks."""
    return replace(tests, split=True) if isinstance(tests, CheckFunction | AssertList) else tests


class Form(StrEnum):
    """What a prompt is: the head of the program (`SOURCE`), or a description of a whole program to write (`TEXT`)."""

    SOURCE = "source"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Problem:
    """One task.

    Attributes:
        task_id: unique within its benchmark, such as ``HumanEval/0``.
        benchmark: the name of the benchmark it belongs to.
        prompt: by `form`, Python source that the model continues, or the task in words.
        entry_point: the name of the function that the tests call; empty for whole programs.
        tests: what decides whether a program is right.
        reference: a completion (for `SOURCE`) or a whole program (for `TEXT`) known to be right, or None.
        form: see `Form`.
        starter: code that the task hands out for the answer to begin with; empty if none.
        shown_tests: tests that the prompt may show, as MBPP shows its assert statements.
        visible_tests: number of visible tests, which come first and may be used to choose between samples, such as
            EvalPlus' base tests; the others are hidden and measure success. None if they are not divided.
        difficulty: the difficulty that its source states, such as ``easy``; empty if none is stated.
    """

    task_id: str
    benchmark: str
    prompt: str
    entry_point: str
    tests: Tests
    reference: str | None = None
    form: Form = Form.SOURCE
    starter: str = ""
    shown_tests: tuple[str, ...] = ()
    visible_tests: int | None = field(default=None, compare=False)
    difficulty: str = field(default="", compare=False)

    def program(self, completion: str) -> str:
        """The whole program to judge: prompt and completion as they are; for a task in words, the completion alone."""
        return self.prompt + completion if self.form is Form.SOURCE else completion


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named set of problems with its stop rule and sampling defaults.

    Attributes:
        name: such as ``humaneval``.
        problems: in their published order.
        stop: texts at which generation ends; they do not belong to the completion.
        max_tokens: most tokens of one completion.
        temperature, top_p: sampling defaults: the paper's, if it uses the benchmark. The values below are HumanEval's.
        prompt_format: the name of the format that turns its problems into prompts, see `isobudget.prompts`.
        examples: solved problems for few-shot prompts, of another split than `problems`, in the order to show them.
        source: where the data came from, with its checksum or revision.
    """

    name: str
    problems: tuple[Problem, ...]
    stop: tuple[str, ...] = ()
    max_tokens: int = 512
    temperature: float = 0.8
    top_p: float = 0.95
    prompt_format: str = "completion"
    examples: tuple[Problem, ...] = ()
    source: str = ""
