"""Reads the example calls in a prompt and the values that they should return, without executing anything.

An example is a call of the entry point with literal arguments, in the text of the prompt or in `shown_tests`:

    >>> add(1, 2)            add(1, 2) == 3           add(1, 2) should return 3
    3                        add(1, 2) ➞ 3            assert add(1, 2) == 3

If the value is not a literal, or does not follow at once, it is left out, and the call serves as an input alone.
Whole programs have no entry point: their examples are blocks of standard input, which are not read here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from isobudget.problems.problem import Problem
from isobudget.syntax import expression, parsed, tolerantly

#: a call, and a value, is read up to this many characters
_LONGEST = 2000
_LONGEST_VALUE = 600
_SAYS = re.compile(
    r"[`'\"]?\s*#?\s*(?:=+>|==|-+>|→|➞|⇒|=|is|:|,?\s*(?:should\s+|must\s+|will\s+)?"
    r"(?:returns?|be|equals?|gives?|outputs?))[ \t]*:?[ \t]*`?"
)
_SPELLED = {"true": True, "false": False, "none": None, "null": None}
_GOES_ON = re.compile(r"[ \t]*[-+*/%=]+[ \t]*[\w(]")
_NEXT_LINE = re.compile(r"[ \t]*\r?\n[ \t]*")


#: stands for a value that the prompt does not state (None may be a stated value)
NOT_GIVEN = object()


@dataclass(frozen=True, slots=True)
class Example:
    """A call of the entry point.

    Attributes:
        arguments: the values of literals.
        value: the value that it returns according to the prompt, or `NOT_GIVEN`.
    """

    arguments: tuple[object, ...]
    value: object = NOT_GIVEN

    @property
    def source(self) -> str:
        """The arguments as the source of a list literal."""
        return repr(list(self.arguments))


def prompt_examples(problem: Problem, text: str | None = None) -> list[Example]:
    """The calls in the prompt and the shown tests, in order; of calls with equal arguments, the first with a value.

    Args:
        problem: the problem whose entry point is called.
        text: the text to read instead of the problem's prompt.
    """
    if not problem.entry_point:
        return []
    sources = [problem.prompt if text is None else text, *problem.shown_tests]
    examples: dict[str, Example] = {}
    for source in sources:
        for example in _calls(source, problem.entry_point):
            old = examples.get(example.source)
            if old is None or (old.value is NOT_GIVEN and example.value is not NOT_GIVEN):
                examples[example.source] = example
    return list(examples.values())


def named_arguments(problem: Problem, names: tuple[str, ...], text: str | None = None) -> list[tuple[object, ...]]:
    """Arguments that the prompt gives by the parameters' names, as in ``Input: arr = [1, 2], k = 3``.

    The i-th literals after each of the names form the i-th input. Incomplete inputs are left out.
    """
    text = problem.prompt if text is None else text
    columns = []
    for name in names:
        matches = re.finditer(rf"(?<![\w.]){re.escape(name)}\s*[=:]\s*(?=[\[\(\{{'\"\d-])", text)
        values = (_longest_literal(text[match.end() : match.end() + _LONGEST_VALUE]) for match in matches)
        columns.append([value for value in values if value is not NOT_GIVEN])
    return list(zip(*columns, strict=False)) if columns else []


def example_of_assert(text: str, entry_point: str) -> Example | None:
    """A test such as ``assert f(1, [2]) == 3`` as a call and a value, both literal; None for anything else.

    ``assert f(x)`` expects True, ``assert not f(x)`` False; ``is`` counts as ``==``.
    """
    tree = parsed(text.strip())
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Assert):
        return None
    return tolerantly(_of_assert, tree.body[0].test, entry_point)


def _of_assert(test: ast.expr, entry_point: str) -> Example | None:
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq | ast.Is):
        call, value = test.left, ast.literal_eval(test.comparators[0])
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        call, value = test.operand, False
    else:
        call, value = test, True
    arguments = _arguments(call, entry_point)
    return None if arguments is None else Example(arguments, value)


def _arguments(node: ast.expr, entry_point: str) -> tuple[object, ...] | None:
    """The plain arguments of a call of the entry point, by itself or as a method; None for anything else."""
    if not isinstance(node, ast.Call) or node.keywords:
        return None
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
    if name != entry_point:
        return None
    return tuple(ast.literal_eval(argument) for argument in node.args)


def _calls(text: str, entry_point: str) -> Iterator[Example]:
    for match in re.finditer(rf"(?<![\w.]){re.escape(entry_point)}\s*\(", text):
        if re.search(r"(?:def|class)\s+$", text[: match.start()]):
            continue
        end, arguments = _closed(text, match.start(), entry_point)
        if arguments is not None:
            yield Example(arguments, _value(text[end : end + _LONGEST_VALUE]))


def _closed(text: str, start: int, entry_point: str) -> tuple[int, tuple[object, ...] | None]:
    """The end of the call that begins at `start`, and its arguments; None for arguments that are not literal."""
    for close in re.finditer(r"\)", text[start : start + _LONGEST]):
        end = start + close.end()
        node = expression(text[start:end])
        if node is not None:
            return end, tolerantly(_arguments, node, entry_point)
    return start, None


def _value(after: str) -> object:
    """The literal that the text right after a call states, on the same line or, in a doctest, on the next."""
    stated = _SAYS.match(after) or _NEXT_LINE.match(after)
    if stated is None or not after[stated.end() :]:
        return NOT_GIVEN
    rest = after[stated.end() :]
    if "\n" in stated.group() and rest.startswith((">>>", "...")):
        return NOT_GIVEN
    return _longest_literal(rest)


def _longest_literal(text: str) -> object:
    """The longest beginning of the text that is a literal and ends where a word ends; `NOT_GIVEN` if there is none.

    A value in brackets may extend over several lines; any other ends with its line.
    """
    line = text.split("\n", 1)[0]
    word = re.match(r"[a-z]+\b", line)
    if word and word[0] in _SPELLED:
        return _SPELLED[word[0]]
    most = text if line.lstrip().startswith(("[", "{", "(")) else line
    for end in range(len(most), 0, -1):
        if end < len(most) and (most[end].isalnum() or most[end] == "_") and most[end - 1] not in ")]} ":
            continue
        value = tolerantly(ast.literal_eval, most[:end].strip(), otherwise=NOT_GIVEN)
        if value is NOT_GIVEN:
            continue
        if most[end : end + 1] in ("'", '"') and most[end - 1] == most[end]:
            continue  # two of three quotes are not an empty text
        if isinstance(value, tuple) and not most.lstrip().startswith("("):
            continue
        # `19 - 5 = 14` states no 19
        return NOT_GIVEN if _GOES_ON.match(most[end:]) else value
    return NOT_GIVEN
