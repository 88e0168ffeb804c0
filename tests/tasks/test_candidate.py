"""From an answer to the project's file: bodies, imports and helpers, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from isobudget.tasks.candidate import UnusableError, lay_over
from isobudget.tasks.target import Target, find_target
from support.solve_project import TEXT, make_project


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return find_target(f"{make_project(tmp_path)}/src/pkg/text.py::slugify")


def test_only_the_body_changes(target: Target) -> None:
    text = lay_over(target, 'def slugify(t, s):\n    """Mine."""\n    return text\n\nprint(slugify("a", "b"))\n')
    assert text == TEXT.replace("    ...", "    return text", 1)


def test_imports_and_helpers_that_are_used_and_missing_are_added(target: Target) -> None:
    program = (
        "import re\nimport os\nfrom string import digits, punctuation as marks\nfrom pkg.text import shout\n"
        "MOST = 3\nUNUSED = 4\n"
        "def shout(text):\n    return 'mine'\n"
        "def helper(x):\n    return x + marks + shout(x)\n"
        "def slugify(text, sep='-'):\n    return helper(text)[:MOST]\n"
    )
    text = lay_over(target, program)
    head, tail = text.split("def slugify")
    assert head == (
        '"""Texts."""\nimport re\nfrom string import punctuation as marks\n\n\nMOST = 3\n\n\n'
        "def helper(x):\n    return x + marks + shout(x)\n\n\n"
    )
    assert "def slugify" + tail == TEXT[TEXT.index("def slugify") :].replace(
        "    ...", "    return helper(text)[:MOST]", 1
    )


def test_a_file_without_imports_gets_them_below_its_docstring(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "m.py").write_text('#!/usr/bin/env python\n"""Doc."""\n\ndef f(): ...\n')
    text = lay_over(find_target(f"{tmp_path}/m.py::f"), "import math\ndef f():\n    return math.pi\n")
    assert text == '#!/usr/bin/env python\n"""Doc."""\nimport math\n\n\ndef f():\n    return math.pi\n'


def test_a_method_may_come_without_its_class(tmp_path: Path) -> None:
    target = find_target(f"{make_project(tmp_path)}/src/pkg/text.py::Counter.add")
    body = "self.words[word] = self.words.get(word, 0) + 1"
    for program in (
        f"def add(self, word):\n    {body}\n",
        f"class Counter:\n    def add(self, word):\n        {body}\n",
    ):
        assert lay_over(target, program) == TEXT.replace("raise NotImplementedError", body)


@pytest.mark.parametrize(
    ("program", "why", "syntax"),
    [
        ("def slugify(:", "SyntaxError", True),
        ("x = 1\n", "defines no slugify", False),
        ("def slugify(a):\n    ...\n", "without a body", False),
        ("\0", "SyntaxError", True),
        ("def slugify(a):\n    return " + "(" * 3000 + ")" * 3000, "SyntaxError", True),
    ],
)
def test_what_cannot_be_laid_over_is_said(target: Target, program: str, why: str, syntax: bool) -> None:
    with pytest.raises(UnusableError, match=why) as raised:
        lay_over(target, program)
    assert raised.value.syntax is syntax
