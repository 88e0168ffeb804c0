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
        ("x = 1\n", "does not define slugify", False),
        ("def slugify(a):\n    ...\n", "without a body", False),
        ("\0", "SyntaxError", True),
        ("def slugify(a):\n    return " + "(" * 3000 + ")" * 3000, "SyntaxError", True),
    ],
)
def test_what_cannot_be_laid_over_is_said(target: Target, program: str, why: str, syntax: bool) -> None:
    with pytest.raises(UnusableError, match=why) as raised:
        lay_over(target, program)
    assert raised.value.syntax is syntax


def made(tmp_path: Path, text: str | bytes, name: str, answer: str) -> str:
    """The file with an answer to one of its functions."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "m.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    return lay_over(find_target(f"{tmp_path}/m.py::{name}"), answer)


SHAPES = '''class Square:
    def area(self):
        return self.side**2

    @property
    def side(self):
        """Length."""
        ...

    @side.setter
    def side(self, value):
        """Set it."""
        pass


class Other:
    def side(self):
        return 1

    def area(self):
        ...
'''


@pytest.mark.parametrize(
    ("name", "answer", "line"),
    [
        ("Square.side", "@property\ndef side(self):\n    return self._side\n", "        return self._side\n"),
        ("Square.side", "def side(self):\n    return self._side\n", "        return self._side\n"),
        ("Square.side.setter", "@side.setter\ndef side(self, value):\n    self._side = value\n", "= value\n"),
        ("Square.side.setter", "def side(self, value):\n    self._side = value\n", "= value\n"),
        # a conversation's answer stands behind the file with the hole
        ("Other.area", SHAPES + "def area(self):\n    return 2\n", "        return 2\n"),
        ("Other.area", SHAPES + "def area(self):\n    return self.side**2\n", "        return self.side**2\n"),
    ],
)
def test_accessors_and_methods_that_stand_alone(tmp_path: Path, name: str, answer: str, line: str) -> None:
    text = made(tmp_path, SHAPES, name, answer)
    changed = [one for one in text.splitlines(keepends=True) if one.endswith(line)]
    assert len(changed) == SHAPES.count(line) + 1
    assert len(text.splitlines()) == len(SHAPES.splitlines())


def test_what_the_file_has_already_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(UnusableError, match=r"leaves Other\.area without a body"):
        made(tmp_path, SHAPES, "Other.area", SHAPES)


def test_a_byte_order_mark_stays_before_new_imports(tmp_path: Path) -> None:
    answer = "import math\ndef f(a):\n    return math.floor(a)\n"
    assert made(tmp_path, b"\xef\xbb\xbfdef f(a): ...\n", "f", answer) == (
        "\ufeffimport math\n\ndef f(a):\n    return math.floor(a)\n"
    )


def test_a_function_behind_a_failed_import_is_written(tmp_path: Path) -> None:
    text = "try:\n    from fast import f\nexcept ImportError:\n    def f(a):\n        ...\n"
    assert made(tmp_path, text, "f", "def f(a):\n    return a\n") == text.replace("...", "return a")


def test_a_protocol_has_no_bodies_to_write(tmp_path: Path) -> None:
    text = "from typing import Protocol\n\n\nclass P(Protocol):\n    def m(self) -> int: ...\n\n\ndef f(a): ...\n"
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "m.py").write_text(text)
    assert find_target(str(tmp_path / "m.py")).names == ("f",)


@pytest.mark.parametrize("test", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_what_is_imported_for_type_checkers_alone_is_imported_for_the_answer(tmp_path: Path, test: str) -> None:
    text = f"import typing\nfrom typing import TYPE_CHECKING\n\nif {test}:\n    from decimal import Decimal\n\n"
    text += "def f(a): ...\n"
    answer = "from decimal import Decimal\nimport typing\ndef f(a):\n    return Decimal(a)\n"
    assert made(tmp_path, text, "f", answer) == text.replace(
        "TYPE_CHECKING\n\n", "TYPE_CHECKING\nfrom decimal import Decimal\n\n", 1
    ).replace(": ...", ":\n    return Decimal(a)")
