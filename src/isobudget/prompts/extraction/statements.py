"""Splits source into top-level statements, and parses each with Python's own parser.

Each statement is parsed apart from the others, so that one that does not parse does not affect the rest, and the cost
stays linear. `parse` raises nothing, whatever the parser raises on hostile text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from isobudget import syntax
from isobudget.prompts.extraction.effects import acts
from isobudget.prompts.extraction.lines import LogicalLine, Scan

_CONTINUES = re.compile(r"(?:else|elif|except|finally)\b")

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
_IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True, slots=True)
class Failure:
    """Text that does not parse: the line number in the parser's error, from 1; 0 if there is none."""

    line: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A top-level statement, its decorators and clauses included: offsets, and its logical lines."""

    start: int
    end: int
    lines: tuple[LogicalLine, ...]


def parse(source: str) -> list[ast.stmt] | Failure:
    """The statements of a source; a `Failure` for whatever reason it does not parse. Never raises."""
    if len(source) > syntax.MAX_PARSED_CHARS:
        return Failure(0)
    try:
        return syntax.parse(source).body
    except SyntaxError as error:
        return Failure(error.lineno or 0)
    except syntax.NOT_PYTHON:  # NUL, surrogates, deep nesting, huge numbers
        return Failure(0)


def split(scanned: Scan, source: str) -> list[Statement]:
    """The top-level statements: each begins with a line at column 0 that is not a clause and follows no decorator."""
    groups: list[list[LogicalLine]] = []
    decorated = False
    for line in scanned.lines:
        continues = decorated or line.column > 0 or _CONTINUES.match(source, line.first)
        if groups and continues:
            groups[-1].append(line)
        else:
            groups.append([line])
        decorated = line.column == 0 and source[line.first] == "@"
    return [Statement(group[0].start, group[-1].end, tuple(group)) for group in groups]


def defined(nodes: Sequence[ast.stmt]) -> set[str]:
    """Names that statements define: functions, classes and assigned names, imported names left out."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, _DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, _ASSIGNMENTS):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def find_definition(nodes: Sequence[ast.stmt], name: str) -> ast.stmt | None:
    """The statement that defines a name: a function, a class, an assignment, or a method of ``class Solution``."""
    for node in nodes:
        if name in defined([node]):
            return node
        if isinstance(node, ast.ClassDef) and node.name == "Solution":
            for method in node.body:
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and method.name == name:
                    return method
    return None


def has_substance(node: ast.stmt) -> bool:
    """Whether a definition does anything: not only a docstring, ``pass``, ``...``, ``raise NotImplementedError``, or
    imports and definitions of its own."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return not all(_is_nothing(one) for one in node.body)
    return True


def is_helper(nodes: Sequence[ast.stmt], entry_point: str | None) -> bool:
    """Whether statements only define, import or assign, without reading input or calling the entry point, if any."""
    fits = all(isinstance(node, (*_DEFINITIONS, *_IMPORTS, *_ASSIGNMENTS)) for node in nodes)
    return fits and (entry_point is None or not acts(nodes, entry_point))


def is_code(nodes: Sequence[ast.stmt]) -> bool:
    """Whether statements may be part of a program: no lone name, number or annotation, as prose has them."""
    return not any(
        (isinstance(node, ast.AnnAssign) and node.value is None)
        or (
            isinstance(node, ast.Expr)
            and not isinstance(node.value, ast.Call)
            and not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str))
        )
        for node in nodes
    )


def _is_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    nothing = (ast.Pass, *_DEFINITIONS, *_IMPORTS)
    return isinstance(node, nothing) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
