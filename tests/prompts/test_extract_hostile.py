"""Taking programs out of outputs: identities, and text that is hostile or long."""

from __future__ import annotations

import ast
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.prompts.extraction.lines import scan
from isobudget.prompts.extraction.statements import split
from support.extraction import BODY, HEAD, SOURCE, TEXT, WHOLE, taken

_WORDS = (
    *("def total(numbers):", "    return 1", "try:", "except:", "else:", "if x:", "class A:", "match x:", "import x"),
    *("print(1)", "total", " = ", "lambda", "<think>", "</think>", "[DONE]", "QUESTION:", "f'{"),
)
_PIECES = st.sampled_from(
    [*"()[}:@#\\\n\r\t\f\x00\ud800é'", '"', '"""', "'''", "\r\n", "    ", "```", "```python", "~~~", *_WORDS]
)


_MARKS = st.sampled_from(
    [
        *("<|im_end|>", "</s>", "<|channel|>analysis<|message|>", "<|channel|>final<|message|>", "<answer>", "[THINK]"),
        *(
            "</thinking>",
            "<thinking>",
            "`",
            "\ufeff",
            "\xa0",
            "> ",
            "   ",
            "```python:a.py\n",
            "````\n",
            "\n```\n",
            "\n",
        ),
        *(
            "total(x)",
            "T.append(1)\n",
            "for i in T: T[i] = 1\n",
            "n = int(input())\n",
            "print(n)\n",
            "    return total\n",
        ),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_PIECES | _MARKS, max_size=40).map("".join), st.sampled_from(["none", "function", "block", "program"]))
def test_parts_restore_the_text(text: str, rule: str) -> None:
    for problem in (SOURCE, TEXT, WHOLE):
        found = taken(rule, text, problem)
        if rule in ("none", "program"):
            assert found.program.endswith(found.kept)


@settings(max_examples=100, deadline=None)
@given(st.lists(_PIECES, max_size=40).map("".join))
def test_extraction_is_stable_and_what_it_finds_parses(text: str) -> None:
    found = taken("function", BODY + text)
    again = taken("function", found.kept)
    assert again.program == found.program
    if found.after:
        ast.parse(found.program)


@settings(max_examples=100, deadline=None)
@given(st.lists(_PIECES, max_size=40).map("".join))
def test_logical_lines_cover_the_source_in_order(text: str) -> None:
    lines = scan(text).lines
    ends = [0, *(offset for line in lines for offset in (line.start, line.end))]
    assert ends == sorted(ends)
    assert ends[-1] <= len(text)
    assert [line for one in split(scan(text), text) for line in one.lines] == list(lines)


HOSTILE = {
    "brackets": "(" * 50_000,
    "bracket lines": "(\n" * 20_000,
    "closing lines": ")\n" * 2_000,
    "unary": "    return " + "-" * 100_000 + "1\n",
    "sum": "    return " + "1+" * 50_000 + "1\n",
    "attributes": "    return x" + ".a" * 50_000,
    "calls": "    return " + "f(" * 50_000,
    "quotes": '"' * 50_001,
    "escaped quotes": '\\"' * 50_000,
    "open strings": '"""a' * 20_001,
    "blocks": "".join(" " * (4 + depth) + "if x:\n" for depth in range(1_000)),
    "open ifs": "    if x:\n" * 5_000,
    "endless try": "    try:\n" + "        y = 1\n" * 3_000,
    "nested try": "".join(" " * (4 + depth) + "try:\n" for depth in range(99)),
    "misleading error": "    x = (1\n" + "    y = 2\n" * 3_000,
    "unfinished definitions": "def total(numbers): return (\n" * 1_000,
    "helpers": "    return f0()\n" + "".join(f"def f{n}(): return f{n + 1}()\n" for n in range(1_000)),
    "helpers, last first": "    return f0()\n"
    + "".join(f"def f{n}(): return f{n + 1}()\n" for n in range(1_000, -1, -1)),
    "fences": "```\n" * 8_000,
    "fences in strings": "```python\n'''\n" * 5_000,
    "spaces": " " * 200_000,
    "blank lines": "\n" * 200_000,
    "carriage returns": "\r" * 100_000,
    "backslashes": "\\\n" * 50_000,
    "NUL": "    return 1\x00\n" * 1_000,
    "surrogates": "    return '\ud800'\n",
    "huge line": "    return [" + "1," * 20_000 + "]\n",
    "huge number": "    return " + "9" * 100_000 + "\n",
    "thoughts": "</think>" * 20_000,
    "decorators": "@f\n" * 10_000,
    "else": "else:\n" * 10_000,
    "4,000 lines": "    y = 1\n" * 4_000 + "    return (y\n",
    "f-string": "    return f'" + "{" * 50_000 + "'",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_cut_in_time(text: str) -> None:
    began = time.process_time()
    for rule in ("function", "block"):
        taken(rule, text)
    assert time.process_time() - began < 15  # a second at most on a quiet machine


def test_cost_grows_with_the_length_only() -> None:
    def seconds(lines: int) -> float:
        began = time.process_time()
        taken("function", "    y = [1, (2)]\n" * lines + "    return (y\n")
        return time.process_time() - began

    seconds(100)
    assert seconds(4_000) < 8 * 4 * max(seconds(500), 0.01)


def test_beyond_a_megabyte_text_is_cut_off() -> None:
    text = "    y = 1\n#" + "x" * 2**20 + "\n    return 1\n"
    found = taken("function", text)
    assert found.after.endswith("return 1\n")
    assert len(found.program) <= 2**20
    ast.parse(found.program)


def test_warnings_of_the_parser_stay_inside_also_in_threads() -> None:
    programs: list[str] = []
    workers = [
        threading.Thread(target=lambda: programs.append(taken("function", "    return '\\d' is 1\n(").program))
        for _ in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(programs) == {HEAD + "    return '\\d' is 1\n"}
    assert len(programs) == 8
