"""Every shipped format on a problem of its kind, compared byte for byte with the files in tests/golden.

The problems are our own (MIT), in the layouts of the benchmarks. Rendered prompts of published problems are pinned by
their sha256; those tests need the data, which is not part of this repository.

After a change that is meant: ``python tests/test_prompts_golden.py`` writes the files anew; then read the difference.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from isobudget.backends.base import Prompt
from isobudget.problems import load_benchmark
from isobudget.problems.problem import AssertList, CallTests, CheckFunction, Form, Problem, ProgramTests
from isobudget.prompts import find_format, formats, render

GOLDEN = Path(__file__).parents[1] / "golden"


def _task(number: int, text: str, name: str, code: str, tests: tuple[str, ...]) -> Problem:
    """A problem as MBPP has them: words, assert statements, reference code with CRLF."""
    return Problem(
        f"MBPP/{number}", "mbpp", text, name, AssertList(tests), code.replace("\n", "\r\n"), Form.TEXT, "", tests
    )


def _puzzle(number: int, text: str, solution: str, function: str = "", starter: str = "") -> Problem:
    """A problem as APPS and LiveCodeBench have them: read from standard input, or call a method."""
    tests = CallTests(("[[1, 2]]",), ("3",)) if function else ProgramTests(("1\n",), ("2\n",))
    return Problem(f"APPS/{number}", "apps-introductory", text, function, tests, solution, Form.TEXT, starter)


SOURCE = Problem(
    "HumanEval/900",
    "humaneval",
    'from typing import Dict\n\n\ndef braces(words: Dict[str, int]) -> str:\n    """Join as {word: count}, sorted.\n'
    "    >>> braces({'b': 1, 'a': 2})\n    '{a: 2}{b: 1}'\n    \"\"\"\n",
    "braces",
    CheckFunction("def check(candidate):\n    assert candidate({'a': 2}) == '{a: 2}'\n"),
    "    return ''.join(f'{{{word}: {words[word]}}}' for word in sorted(words))\n",
)
SQUARE = _task(
    2, "Write a function to square a number.", "square", "def square(n):\n  return n * n ", ("assert square(3) == 9",)
)
EVEN = _task(
    3,
    "Write a python function to tell whether a number is even.",
    "even",
    "def even(n):\n\treturn not n % 2\n",
    ("assert even(2) == True", "assert even(3) == False"),
)
LAST = _task(
    4,
    "Write a function to find the last item.",
    "last",
    "import operator\ndef last(items):\n  return operator.itemgetter(-1)(items)",
    ("assert last([1, 2]) == 2", "assert last('ab') == 'b'", "assert last([0]) == 0"),
)
WORDS = _task(
    11,
    "Write a function to put a word into {braces}.",
    "wrap",
    "def wrap(w):\n  return '{%s}' % w",
    ("assert wrap('a') == '{a}'", "assert wrap('') == '{}'", "assert wrap('{') == '{{}'"),
)
STDIN = _puzzle(
    1,
    "You are given n. Print n + 1.\n\n-----Input-----\nOne integer.\n\n-----Output-----\nn + 1.\n\n-----Examples-----\n"
    "Input\n1\n\nOutput\n2\n",
    "n = int(input())\nprint(n + 1)\n",
)
CALL = _puzzle(
    2,
    "Given a list numbers, return their sum.\n \nExample 1:\nInput: numbers = [1,2]\nOutput: 3",
    "class Solution:\n    def add(self, numbers: List[int]) -> int:\n        return sum(numbers)\n",
    "add",
    "class Solution:\n    def add(self, numbers: List[int]) -> int:\n        ",
)
EXAMPLES = {"source": (), "mbpp": (SQUARE, EVEN, LAST), "stdin": (STDIN, CALL), "call": (CALL, STDIN)}
PUZZLE = _puzzle(7, "Print twice the number.\n\n-----Input-----\nOne integer.\n", "print(2 * int(input()))\n")
METHOD = _puzzle(
    8,
    "Return the larger of a and b.\n",
    "class Solution:\n    def larger(self, a, b):\n        return max(a, b)\n",
    "larger",
    "class Solution:\n    def larger(self, a: int, b: int) -> int:\n        ",
)
PROBLEMS = {"source": SOURCE, "mbpp": WORDS, "stdin": PUZZLE, "call": METHOD}

#: (format, kind of problem): every format on the problems that it is made for
CASES = [
    *(
        (name, "source")
        for name in ("completion", "completion-stripped", "completion-body", "chat", "solve", "solve-chat")
    ),
    *((name, "source") for name in ("fill-in-codellama", "fill-in-starcoder", "fill-in-qwen")),
    *((name, "mbpp") for name in ("mbpp-3-shot", "mbpp-0-shot", "chat", "chat-few-shot", "solve-chat")),
    *((name, kind) for kind in ("stdin", "call") for name in ("apps-2-shot", "apps-0-shot", "apps-2-shot-code-llama")),
    *((name, kind) for kind in ("stdin", "call") for name in ("livecodebench", "chat", "chat-few-shot")),
]


def golden_text(prompt: Prompt) -> str:
    """A prompt as one text; a conversation by its roles."""
    if isinstance(prompt, str):
        return prompt
    return "".join(f"<<<{message.role}>>>\n{message.content}<<<end>>>\n" for message in prompt.messages)


def rendered(name: str, kind: str) -> bytes:
    return golden_text(render(find_format(name), PROBLEMS[kind], EXAMPLES[kind]).prompt).encode()


def test_every_format_has_a_golden_file_and_no_other_prompt_is_there() -> None:
    assert {name for name, _ in CASES} == set(formats())
    assert {path.name for path in GOLDEN.glob("*.txt")} == {f"{name}.{kind}.txt" for name, kind in CASES}


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_prompts_are_those_on_file(name: str, kind: str) -> None:
    assert rendered(name, kind) == (GOLDEN / f"{name}.{kind}.txt").read_bytes()


def test_mbpp_is_the_published_text() -> None:
    """Written out by hand from the README of the data: prompt, tests, [BEGIN], code, [DONE]."""
    expected = (
        "You are an expert Python programmer, and here is your task: Write a function to square a number. "
        "Your code should pass these tests:\n\nassert square(3) == 9\n[BEGIN]\ndef square(n):\n  return n * n \n"
        "[DONE]\n\n"
        "You are an expert Python programmer, and here is your task: Write a function to put a word into {braces}. "
        "Your code should pass these tests:\n\nassert wrap('a') == '{a}'\nassert wrap('') == '{}'\n"
        "assert wrap('{') == '{{}'\n[BEGIN]\n"
    )
    prompt = rendered("mbpp-3-shot", "mbpp").decode()
    assert prompt.startswith(expected[: expected.index("[DONE]\n\n") + 8])
    assert prompt.endswith(expected[expected.index("[DONE]") :])


def test_apps_is_the_published_text() -> None:
    """Written out by hand from the authors' generating script."""
    assert rendered("apps-0-shot", "call").decode() == (
        "\nQUESTION:\nReturn the larger of a and b.\n\nclass Solution:\n    def larger(self, a: int, b: int) -> int:\n"
        "        \nUse Call-Based format\nANSWER:\n"
    )


DATA = {
    "humaneval": "humaneval/HumanEval.jsonl.gz",
    "mbpp": "mbpp/mbpp.jsonl",
    "apps-introductory": "apps_5",
    "apps-competition": "apps_5",
}

#: sha256 of prompts of published problems, reviewed by eye once: format, benchmark, task -> checksum
PINNED = {
    ("completion", "humaneval", "HumanEval/0"): "00b2e074e127a6a9d1376278bef732933760ab706057ec755a8c2642217b557a",
    ("chat", "humaneval", "HumanEval/0"): "ae8adc0d32fdbfc7e462d0ca1631220200599ead6b2ded9dee9834d1b7e4eb5b",
    (
        "fill-in-codellama",
        "humaneval",
        "HumanEval/0",
    ): "2002f53fc9a3cda8eca8ca67ee9a0859052314190f53c43e4f99f6cc7bf64c35",
    ("mbpp-3-shot", "mbpp", "11"): "2015f60f443cde9fa27b41b260b25029154128e85ab3badd2b853aed2822019f",
    ("mbpp-0-shot", "mbpp", "11"): "1bf0eef6693450261228e27d90f1d8c0e6877542ba308c82909347cb43ad39d1",
    ("chat-few-shot", "mbpp", "510"): "7fbf96eb80cd6038dee603d46b24cceb9c87af5237b282724be10947c4f8daf1",
    ("apps-0-shot", "apps-introductory", "2404"): "59c8d4dc2b29f18178dfbfc758570b42e753dc0a2e354a43899681b3c3853f9f",
    ("apps-0-shot", "apps-competition", "2287"): "e89c57695d3235f67d3b7df3e2edad18f748182b0354e40ec4c77f986ba47c8a",
}


def published(case: tuple[str, str, str], data: Path) -> str:
    name, benchmark, task = case
    loaded = load_benchmark(f"{benchmark}={data / DATA[benchmark]}")
    problem = next(one for one in loaded.problems if one.task_id.rpartition("/")[2] == task.rpartition("/")[2])
    return golden_text(render(find_format(name), problem, loaded.examples).prompt)


@pytest.mark.parametrize("case", PINNED, ids=lambda case: "-".join((case[0], case[2])))
def test_prompts_of_published_problems_are_pinned(case: tuple[str, str, str], shared_data: Path) -> None:
    assert hashlib.sha256(published(case, shared_data).encode()).hexdigest() == PINNED[case]


def _write() -> None:
    for path in GOLDEN.iterdir():
        path.unlink()
    for name, kind in CASES:
        (GOLDEN / f"{name}.{kind}.txt").write_bytes(rendered(name, kind))
    print(f"{len(CASES)} files written to {GOLDEN}", file=sys.stderr)


if __name__ == "__main__":
    _write()
