"""Replacing bodies: the rest of a file stays byte for byte."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isobudget.errors import InputError
from isobudget.tasks.body import body_text, functions_by_name, is_hole, parse_source, split_lines, with_body


def replaced(text: str, name: str, body: str) -> str:
    return with_body(text, functions_by_name(parse_source(text, "f.py"))[name], body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(): ...\nx = 1\n", "def f():\n    return 1\nx = 1\n"),
        ("def f():\n    pass  # later\n\n\nx = 1\n", "def f():\n    return 1\n\n\nx = 1\n"),
        ('def f():\n    """Doc."""\nx = 1\n', 'def f():\n    """Doc."""\n    return 1\nx = 1\n'),
        ('def f():\n    """Doc."""', 'def f():\n    """Doc."""\n    return 1\n'),
        (
            'def f():\n    """Doc."""  # why\n    raise NotImplementedError',
            'def f():\n    """Doc."""  # why\n    return 1',
        ),
        ("def f():\r\n    a = 1\r\n    return a\r\nx = 1\r\n", "def f():\r\n    return 1\r\nx = 1\r\n"),
        ("\ufeffdef f(): pass\n", "\ufeffdef f():\n    return 1\n"),
        ("class A:\n  def f(self):\n    pass\n  y = 2\n", "class A:\n  def f(self):\n    return 1\n  y = 2\n"),
        ("def f(x='é'): pass\n", "def f(x='é'):\n    return 1\n"),
        ("def f():\n\tpass\n", "def f():\n\treturn 1\n"),
        ("def f():\n    # a hint\n    ...\n    # the end\n", "def f():\n    # a hint\n    return 1\n    # the end\n"),
        ("def f():\n    @d\n    def g(): pass\n    return g\n", "def f():\n    return 1\n"),
    ],
)
def test_a_body_is_replaced_and_nothing_else(text: str, expected: str) -> None:
    name = "A.f" if "class" in text else "f"
    assert replaced(text, name, "return 1\n") == expected


def test_strings_over_several_lines_keep_their_text() -> None:
    program = 'def f():\n    a = """x\n  y\n"""\n    return a\n'
    body = body_text(program, functions_by_name(ast.parse(program))["f"].node)
    text = replaced("class A:\n    def f(self):\n        ...\n", "A.f", body)
    space: dict[str, type] = {}
    exec(text, space)  # our own text
    assert space["A"]().f() == "x\n  y\n"  # type: ignore[attr-defined]


LINES = st.lists(st.sampled_from(["x = 1", "# é", "", "y = '''a", "b'''", "\tz"]), max_size=6)


@given(before=LINES, after=LINES, end=st.sampled_from(["\n", "\r\n"]))
def test_what_stands_around_is_kept_byte_for_byte(before: list[str], after: list[str], end: str) -> None:
    text = "".join(line + end for line in [*before, "def f():", "    ...", *after])
    try:
        function = functions_by_name(parse_source(text, "f.py")).get("f")
    except InputError:
        return
    if function is None:
        return  # inside a string
    made = with_body(text, function, "return 1\n")
    assert made == "".join(line + end for line in [*before, "def f():", "    return 1", *after])


@given(st.text(alphabet="ab\n\r\x0c\x1c\u2028", max_size=30))
def test_lines_are_those_of_the_parser(text: str) -> None:
    assert "".join(split_lines(text)) == text
    assert not any("\n" in line[:-1].removesuffix("\r") for line in split_lines(text))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("...", True),
        ("pass", True),
        ('"""Doc."""', True),
        ('"""Doc."""\n    ...', True),
        ("raise NotImplementedError", True),
        ('raise NotImplementedError("later")', True),
        ("raise ValueError", False),
        ("return None", False),
        ("x = ...", False),
    ],
)
def test_what_counts_as_no_body(body: str, expected: bool) -> None:
    assert is_hole(functions_by_name(ast.parse(f"def f():\n    {body}\n"))["f"].node) is expected


def test_abstract_methods_are_no_holes() -> None:
    text = "class A:\n    @abc.abstractmethod\n    def f(self): ...\n    @overload\n    def g(self): ...\n"
    assert not any(is_hole(one.node) for one in functions_by_name(ast.parse(text)).values())
