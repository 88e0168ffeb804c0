"""Taking programs out of outputs: cases by hand."""

from __future__ import annotations

import ast
import textwrap

import pytest

from isobudget.errors import InputError
from isobudget.problems.problem import AssertList, Problem
from isobudget.prompts import extract
from support.extraction import BODY, HEAD, METHOD, SOURCE, TEXT, WHOLE, fenced, result, taken

# --- none, program ---


def test_none_is_head_and_text() -> None:
    found = taken("none", BODY + "rubbish (")
    assert found.program == HEAD + BODY + "rubbish ("
    assert (found.before, found.after) == ("", "")


def test_unknown_rule_is_named() -> None:
    with pytest.raises(InputError, match=r"'blocks'.*none, function, block, program"):
        extract("blocks", SOURCE, HEAD, BODY)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("print(1)\n[DONE]\n\nYou are", "print(1)\n"),
        ("print(1)\n\nQUESTION:\nNext", "print(1)\n\n"),
        ("print(1)\n```\nThis prints", "print(1)\n"),
        ("```python\nprint(1)\n```\nThis prints", "print(1)\n"),
        ("print('QUESTION:')\n", "print('QUESTION:')\n"),
        ("if x:\n    print(", "if x:\n    print("),
    ],
)
def test_program_ends_at_the_marks_of_few_shot_prompts(text: str, kept: str) -> None:
    assert taken("program", text, WHOLE).program == kept


# --- function: a text that continues the head ---


@pytest.mark.parametrize(
    "behind",
    [
        "\nprint(total([1]))\n",
        "\nassert total([1]) == 3\n",
        "\nif __name__ == '__main__':\n    main()\n",
        "\nThis function doubles the numbers (and adds them.\n",
        "\n```\n\nExplanation: it's easy\n",
        "\nn = int(input())\n",
        "\nanswer = total([1, 2])\n",
        "\ndef total(numbers):\n    return 0\n",
        "\nclass Unfinished:\n    def f(self",
        '\n"""\nA string that is never closed\n',
        "\n)]}\n",
        "\nfrom no_such_package_anywhere import *\n",
        "\nimport no_such_package_anywhere\n\n\ndef unused():\n    return 1\n",
        "\nunused = 1\n",
        "\n@decorator\n",
        "\n\x00\x00",
        "\n\ud800",
        "\n" + "(" * 5000,
    ],
)
def test_what_follows_the_function_is_cut(behind: str) -> None:
    found = taken("function", BODY + behind)
    assert found.program == HEAD + BODY
    assert found.after == behind
    assert result(found.program) == 6


@pytest.mark.parametrize(
    "text",
    [
        "    return add(numbers)\n\n\ndef add(numbers):\n    return sum(twice(n) for n in numbers)\n\n\n"
        "def twice(n):\n    return 2 * n\n",
        "    return FACTOR * sum(numbers)\n\n\nFACTOR = 2\n",
        "    return total.factor * sum(numbers)\n\n\ntotal.factor = 2\n",
        "    return reduce(lambda a, b: a + 2 * b, numbers, 0)\n\n\nfrom functools import reduce\n",
        "    return sum(numbers)\n\n\ninner = total\ntotal = lambda numbers: 2 * inner(numbers)\n",
        "    return Box(numbers).total()\n\n\n@dataclass\nclass Box:\n    numbers: list\n\n    def total(self):\n"
        "        return 2 * sum(self.numbers)\n\n\nfrom dataclasses import dataclass\n",
    ],
)
def test_helpers_behind_the_function_are_kept(text: str) -> None:
    found = taken("function", text + "\n\nprint('done')\n")
    if "@dataclass" not in text:  # its import would have to come first
        assert result(found.program) == 6
    assert found.program == HEAD + text
    assert found.after == "\n\nprint('done')\n"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("    out = 0\n    for n in numbers:\n        out += 2 * n\n    return out\n    if out >", 4),
        ("    out = 0\n    for n in numbers:\n        out += 2 * n\n    return (out +", 3),
        ("    out = 0\n    try:\n        out = 1\n        out = 2\n    exc", 1),
        ("    out = 0\n    try:\n        out = 1\n    except ValueError:\n        out = 2\n    finally:\n", 5),
        ("    out = 0\n    if out:\n        if out > 1:\n            while", 1),
        ("    out = 0\n    match out:\n        case 1:\n", 1),
        ("    out = 0\n    @cache\n    def inner(n):\n", 1),
        ("    out = 0\n    if out:\n        out = 1\n    else:\n", 3),
        ('    out = 0\n    text = """never\nclosed', 1),
        ("    out = 0\n      wrong = 1\n    return out\n", 1),
        ("    out = 0\n    with open('x') as f, open(\n", 1),
        ("    out = 0\n    async with x:\n", 1),
        ("    out = 0\n    text = 'never closed\n    return out\n", 1),
        ("    out = 0\n    return out\n   return 1\n", 2),
        ("    out = 0\n" * 500 + "    return [", 500),
    ],
)
def test_unfinished_ends_are_cut_back_to_what_is_whole(text: str, kept: int) -> None:
    found = taken("function", text)
    assert found.kept == "".join(text.splitlines(keepends=True)[:kept])
    ast.parse(found.program)


def test_a_longer_whole_part_than_the_one_kept_does_not_exist() -> None:
    """Brute force: of all prefixes by lines that parse, the kept one is the longest."""
    body = textwrap.indent(
        "out = 0\ntry:\n    for n in numbers:\n        if n:\n            out += (2 *\n                n)\n"
        "        else:\n            pass\nexcept ValueError:\n    out = 1\nfinally:\n    out += 0\nreturn out\n",
        "    ",
    )
    for end in range(1, len(body) + 1):
        found = taken("function", body[:end])
        lines = body[:end].splitlines(keepends=True)
        whole = ["".join(lines[:count]) for count in range(len(lines) + 1)]
        parsing = [prefix for prefix in whole if prefix.strip() and _parses(HEAD + prefix)]
        longest = parsing[-1] if parsing else ""
        assert found.kept.rstrip() == longest.rstrip(), repr(body[:end])


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        BODY.replace("\n", "\r\n"),
        "    größe = [double(n) for n in numbers]\n    return sum(größe)\n",
        "    def inner(n):\n        def innermost(m):\n            return 2 * m\n        return innermost(n)\n\n"
        "    return sum(inner(n) for n in numbers)\n",
        "    out = 0\n# at column 0\n    for n in numbers:\n# another one\n        out += 2 * n\n    return out\n",
        '    text = """\n```python\ndef total(x):\nprint(1)\n"""\n    return 2 * sum(numbers) + 0 * len(text)\n',
        "    out = sum(numbers) \\\n+ sum(numbers)\n    return out\n",
        "    out = [\nsum(numbers),\nsum(numbers),\n]\n    return sum(out)\n",
        "\f    return 2 * sum(numbers)\n",
        "    twice = lambda n: 2 * n\n    return sum(map(twice, numbers))\n",
        "    return 2 * sum(numbers)",
        "\n\n    return 2 * sum(numbers)\n\n\n",
        "    if not numbers:\n        return 0\n    return 2 * numbers[0] + total(numbers[1:])\n",
        "    return 2 * sum(numbers)  # it's (a \"comment\n",
    ],
)
def test_right_bodies_are_kept_whole(text: str) -> None:
    found = taken("function", text)
    assert found.program == HEAD + text
    assert result(found.program) == 6


def test_tabs() -> None:
    head = HEAD.replace("    ", "\t")
    text = "\tout = 0\n\tfor n in numbers:\n\t\tout += double(n)\n\treturn out\n"
    found = taken("function", text + "\tif out", head=head)
    assert found.kept == text
    assert result(found.program) == 6
    assert taken("function", text).kept == ""  # a tab behind spaces is an error, and no guess mends it


def test_async_function() -> None:
    head = "async def total(numbers):\n"
    problem = Problem("own/4", "own", head, "total", AssertList(("assert True",)))
    text = "    async with lock:\n        return 2 * sum(numbers)\n"
    assert taken("function", text + "\nasyncio.run(total([1]))\n", problem, head).kept == text


def test_a_stripped_head_is_continued_where_it_ends() -> None:
    found = taken("function", "\n" + BODY + "\nprint(1)", head=HEAD.rstrip("\n"))
    assert found.kept == "\n" + BODY
    assert result(found.program) == 6


def test_a_docstring_left_open_by_the_head() -> None:
    head = 'def total(numbers):\n    """Sum of the doubled numbers.\n'
    found = taken("function", '    as said.\n    """\n    return 2 * sum(numbers)\nDone.', head=head)
    assert result(found.program) == 6


@pytest.mark.parametrize("place", [*range(HEAD.index("total("), len(HEAD) - 1, 7), len(HEAD) - 5, len(HEAD) - 2])
def test_the_end_of_the_head_said_again_is_left_out(place: int) -> None:
    found = taken("function", HEAD[place:] + BODY + "\nprint(1)\n")
    assert (found.before, found.kept) == (HEAD[place:], BODY)
    assert result(found.program) == 6


# --- function: a text that holds the whole definition ---


SHORT = "def total(numbers):\n    return 2 * sum(numbers)\n"
FLOOR = "def total(numbers):\n    return 2 * math.floor(sum(numbers))\n"
TWICE = "def twice(n):\n    return 2 * n\n\ndef total(numbers):\n    return twice(sum(numbers))\n"


@pytest.mark.parametrize(
    ("before", "code", "after"),
    [
        ("", SHORT, ""),
        ("Sure, here (it's easy:\n\n", SHORT, "\nDone."),
        ("", "import math\nimport sys\nsys.setrecursionlimit(5000)\n\n" + FLOOR, ""),
        ("Answer\n", "import math\n" + FLOOR, "print(total([1]))"),
        ("def total(numbers):\n    (\n\n", SHORT, ""),
        ("", "total = lambda numbers: 2 * sum(numbers)\n", ""),
        ("", TWICE, "\nn = input()\n"),
        ("", "import functools\n\n@functools.cache\n" + SHORT, ""),
        ("", "class Box:\n    def total(self):\n        return 1\n\n" + SHORT, ""),
    ],
)
def test_whole_definitions(before: str, code: str, after: str) -> None:
    text = before + code + after
    found = taken("function", text, TEXT)
    assert (found.before, found.kept, found.after) == (before, code, after)
    assert result(found.program, (1, 2)) == 6
    assert result(taken("function", text).program) == 6  # the same, behind a head that is not continued


def test_a_method_is_found_in_its_class() -> None:
    code = "class Solution:\n    def total(self, numbers):\n        return 2 * sum(numbers)\n"
    text = f"Here:\n\n{code}\nSolution().total([1])\n"
    found = taken("function", text, METHOD)
    assert (found.before, found.after) == ("Here:\n\n", "\nSolution().total([1])\n")
    cut = taken("function", text[: text.index("sum")], METHOD)
    assert not cut.kept.endswith("2 *")


# --- block ---


GOOD = "def total(numbers: List[int]) -> int:\n    return sum(double(n) for n in numbers)\n"


@pytest.mark.parametrize(
    "text",
    [
        fenced(GOOD),
        fenced(GOOD, ""),
        fenced(GOOD, "Python"),
        fenced(GOOD, "py", "~~~"),
        fenced(GOOD, "python", "````"),
        "Sure! It's `total`:\n\n" + fenced(GOOD) + "\nIt (adds them up.",
        fenced(GOOD).removesuffix("```\n"),
        fenced(GOOD).replace("\n", "\r\n"),
        "1. Like this:\n\n" + textwrap.indent(fenced(GOOD), "   "),
        "- " + textwrap.indent(fenced(GOOD), "  ").lstrip(),
        fenced("pip install numpy\n", "bash") + fenced(GOOD),
        fenced(GOOD) + "Use it:\n" + fenced("print(total([1, 2]))\n"),
        fenced("def total(numbers):\n    return 0\n") + "Better:\n" + fenced(GOOD),
        fenced(GOOD + "\nprint(total([1, 2]))\nassert total([1]) == 3\n"),
        fenced(GOOD + "\nif __name__ == '__main__':\n    print(total([int(input())]))\n"),
        fenced(BODY),
        fenced("return sum(double(n) for n in numbers)\n"),
        fenced("out = 0\nfor n in numbers:\n    out += double(n)\nreturn out\n"),
        fenced(HEAD + BODY),
        "<think>Perhaps\n" + fenced("def total(numbers):\n    return 1\n") + "no.</think>\n" + fenced(GOOD),
        fenced('def total(numbers):\n    """So:\n```\ntotal([1])\n```\n"""\n    return 2 * sum(numbers)\n') + "Done.",
        "No fence, but:\n\n" + GOOD + "\nDone.",
        GOOD,
        BODY,
        fenced(GOOD, "json") + "oops",
        fenced(GOOD) + fenced("def total(numbers):\n    return sum(\n").removesuffix("```\n"),
        fenced(GOOD) + "Use it:\n" + fenced("numbers = [1]\ntotal = total(numbers)\nprint(total)\n"),
        GOOD + "\nprint(total([1]))\n```\n\nThis doubles (and adds) them.\n",
        GOOD + "```\nShorter:\n" + fenced("def total(numbers): return sum(\n"),
        "It's this:\n\n" + GOOD + "```\nDone.",
        BODY + "```\nDone.",
        fenced(GOOD, "") + "Use it:\n" + fenced("print(total([1, 2]))\n"),
        "Solution\n" + fenced(GOOD, ""),
    ],
)
def test_blocks_of_chat_answers(text: str) -> None:
    found = taken("block", text)
    assert result(found.program) == 6
    assert found.program.count("def total(") == 1
    assert found.program.count("def double(") == 1


def test_an_answer_without_the_head_keeps_its_imports_and_helpers_once() -> None:
    program = taken("block", fenced("from typing import List\n\ndef double(n):\n    return 2 * n\n\n" + GOOD)).program
    assert program.count("def double") == 1
    assert program.count("def total") == 1
    assert result(program) == 6


def test_future_imports_of_an_answer_stay_first() -> None:
    program = taken("block", fenced('"""Totals."""\nfrom __future__ import annotations\n\n' + GOOD)).program
    assert program.index("__future__") < program.index("from typing") < program.index("def double")
    assert result(program) == 6


def test_whole_programs_keep_their_main_part() -> None:
    code = "import sys\n\nif __name__ == '__main__':\n    print(int(sys.stdin.read()) * 2)\n"
    answer = "Use a loop.\n" + fenced("x\n") + "\n" + fenced(code) + "\nInput:\n" + fenced("3\n", "")
    assert taken("block", answer, WHOLE).program == code
    assert taken("block", "Here you are:\n\n" + code, WHOLE).program == code
    assert taken("block", code + "```\nIt reads a number.\n", WHOLE).program == code  # its first fence is missing


def test_a_block_that_defines_other_names_is_the_program() -> None:
    code = "def summe(numbers):\n    return 2 * sum(numbers)\n"
    found = taken("block", "So:\n" + fenced(code + "\nfor") + "Done.")
    assert found.kept == code
    assert "def double" in found.program
    assert "def total" not in found.program  # the judge then says that it is missing


def test_a_block_whose_function_does_not_parse_is_kept_whole() -> None:
    code = "def total(numbers):\n    return sum(2 * n for n in numbers]\n\nprint(total([1]))\n"
    assert taken("block", "So:\n" + fenced(code) + "Done.", TEXT).program == code


def test_what_was_cut_is_told() -> None:
    found = taken("block", "Sure:\n```python\n" + GOOD + "\nprint(1)\n```\nDone.")
    assert found.before == "Sure:\n```python\n"
    assert found.kept == GOOD
    assert found.after == "\nprint(1)\n```\nDone."
