"""Problems from tests that a caller (a training loop, a harness, a service) passes one at a time.

Tests are source, or a mapping with the fields of a line of your own problems (`isobudget.problems.own.tests`). The
kind of tests in source is read from its top level: a `check` function is called with the entry point, functions
`test...` and classes `Test...` are run by pytest, and anything else runs in the program's namespace.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from isobudget.errors import InputError
from isobudget.files.jsonl import parse_json
from isobudget.problems import reading
from isobudget.problems.own.tests import KINDS, needs_entry_point, read_tests
from isobudget.problems.problem import AssertList, CheckFunction, Form, Problem, PytestFile, Tests

#: longest tests that are taken, in characters
MOST_CHARACTERS = 16_000_000


def given_problem(
    tests: str | Mapping[str, Any], entry_point: str = "", *, task_id: str = "given", prompt: str = ""
) -> Problem:
    """A problem for the judge from tests alone.

    Args:
        tests: source, or fields as in a line of your own problems, as a mapping or as the text of a JSON object.
        entry_point: the function under test; needed by `check(candidate)` and by calls with arguments.
        task_id: for messages.
        prompt: source that the program may begin with; the judge takes helpers from it. Programs are judged whole.

    Raises:
        InputError: the tests cannot be read, hold none, or need an entry point that is not stated.
    """
    where = f"the tests of {task_id}"
    if isinstance(tests, str):
        tests = str(tests)  # numpy's texts are of a type of their own
        if len(tests) > MOST_CHARACTERS:
            raise InputError(f"{where}: have {len(tests):,} characters; at most {MOST_CHARACTERS:,} are accepted")
        if tests.lstrip().startswith("{"):
            tests = parse_json(tests, where)
    if isinstance(tests, Mapping) and isinstance(tests.get("entry_point"), str):
        entry_point = entry_point or str(tests["entry_point"])
    made = _of_source(tests, where) if isinstance(tests, str) else _of_fields(tests, entry_point, where)
    if isinstance(made, CheckFunction) and not entry_point:
        raise InputError(f"{where}: define check(candidate); set entry_point to the function that it is called with")
    return Problem(task_id, "given", prompt, entry_point, made, form=Form.TEXT if not prompt else Form.SOURCE)


def _of_fields(fields: Mapping[str, Any], entry_point: str, where: str) -> Tests:
    if not isinstance(fields, Mapping):
        raise InputError(f"{where}: must be source or an object with fields, not {type(fields).__name__}")
    record = {**fields, "entry_point": entry_point or None}
    if not KINDS.keys().isdisjoint(fields) and needs_entry_point(record, Form.TEXT) and not entry_point:
        raise InputError(f"{where}: set entry_point to the function that the tests call")
    return read_tests(record, where, "", entry_point)


def _of_source(source: str, where: str) -> Tests:
    checked = reading.checked_text(source, where)
    tree = reading.parse_python(checked, where)
    if tree is None:
        raise InputError(f"{where}: are too long to be read; give them as fields")
    functions = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
    classes = {one.name for one in tree.body if isinstance(one, ast.ClassDef)}
    if "check" in functions and not _calls(tree, "check"):
        return CheckFunction(checked)
    if any(name.startswith("test") for name in functions) or any(name.startswith("Test") for name in classes):
        return PytestFile(checked if _imports_solution(tree) else f"from solution import *\n{checked}")
    if not any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
        raise InputError(f"{where}: hold no assert statement; a program would pass whatever it does")
    return AssertList((checked,))


def _calls(tree: ast.Module, name: str) -> bool:
    """Whether a top-level statement calls the function itself, so that the tests need no entry point."""
    calls = (one.value for one in tree.body if isinstance(one, ast.Expr) and isinstance(one.value, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id == name for call in calls)


def _imports_solution(tree: ast.Module) -> bool:
    """Whether pytest tests import the tested code from the module that the program becomes."""
    nodes = list(ast.walk(tree))
    froms = any(isinstance(node, ast.ImportFrom) and node.module == "solution" for node in nodes)
    names = (alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names)
    return froms or "solution" in names
