"""The kinds of tests that a line of your own problems can have, and how each is read.

| field | with | kind |
|---|---|---|
| ``test`` | | `CheckFunction`: source that defines `check(candidate)` |
| ``test_list`` | ``test_setup_code`` | `AssertList`: assert statements |
| ``inputs`` | ``outputs``, ``tolerance``, ``checker`` | `ProgramTests`: standard input and the output expected |
| ``arguments`` | ``results``, ``tolerance`` | `CallTests`: lists of arguments and the values expected, as JSON |
| ``call_inputs`` | ``reference``, ``tolerance`` | `ReferenceInputs`: arguments, and a program that knows the results |
| ``pytest`` | ``module`` | `PytestFile`: the source of a pytest file |
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from isobudget import syntax
from isobudget.errors import InputError, MissingExtraError
from isobudget.files.jsonl import Record
from isobudget.files.values import is_whole
from isobudget.grid import counted
from isobudget.problems import reading
from isobudget.problems.literals import as_literal
from isobudget.problems.own.carried import carried_source, carried_value
from isobudget.problems.problem import (
    AssertList,
    CallTests,
    CheckFunction,
    Form,
    ProgramTests,
    PytestFile,
    ReferenceInputs,
    Tests,
)


@dataclass(frozen=True, slots=True)
class TestsKind:
    """How a line states one kind of tests.

    Attributes:
        read: makes the tests of a line from its fields, their place, and the entry point.
        others: fields beside the one that states the kind.
        whole_programs: whether the tests run whole programs, which have no entry point.
        imports: whether the tests import what they test, so that a task in words need not name its entry point.
    """

    read: Callable[[Record, str, str], Tests]
    others: tuple[str, ...] = ()
    whole_programs: bool = False
    imports: bool = False


def needs_entry_point(record: Record, form: Form) -> bool:
    """Whether the entry point of a problem is to be read.

    Whole programs have none. A task in words with a pytest file need not name it: the file imports what it tests.
    """
    kinds = _stated(record)
    if any(KINDS[field].whole_programs for field in kinds):
        return False
    named = record.get("entry_point") is not None
    return form is Form.SOURCE or named or not any(KINDS[field].imports for field in kinds)


def _stated(record: Record) -> list[str]:
    return [field for field in KINDS if record.get(field) is not None]


def read_tests(record: Record, where: str, hint: str, entry_point: str) -> Tests:
    """The tests of one line.

    Raises:
        InputError: the line has no tests or more than one kind, or its tests are wrong. If the line has no tests, the
            message includes `hint`.
    """
    kinds = _stated(record)
    if len(kinds) > 1:
        together = f"both {kinds[0]} and {kinds[1]}" if len(kinds) == 2 else ", ".join(kinds)
        raise InputError(f"{where}: has {together}; keep only one")
    if not kinds:
        others = ", ".join(list(KINDS)[2:])
        raise InputError(f"{where}: needs a field test or test_list{hint}. Other kinds of tests: {others}")
    return KINDS[kinds[0]].read(record, where, entry_point)


def meant_as(field: str, value: object) -> str:
    """What a misspelled field is probably meant as; of `test` and `test_list`, the one that its value fits."""
    if field not in ("test", "test_list"):
        return f"meant as {field!r}?"
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return "meant as 'test_list'?"
    if isinstance(value, str) and _defines_check(value):
        return "meant as 'test'?"
    return "meant as 'test', source that defines check(candidate), or as 'test_list', a list of assert statements?"


def _defines_check(source: str) -> bool:
    return re.search(r"^def +check *\(", source, re.MULTILINE) is not None


def _check_function(record: Record, where: str, _entry_point: str) -> CheckFunction:
    if isinstance(record.get("test"), list):
        raise InputError(f"{where}, field test: must be a string, not a list; assert statements go into test_list")
    source = reading.text_field(record, "test", where)
    carried_source([source], f"{where}, field test")
    reading.parse_python(source, f"{where}, field test")
    if not _defines_check(source):
        raise InputError(
            f"{where}, field test: does not define check(candidate); assert statements go into test_list, as a list"
        )
    return CheckFunction(source=source)


def _assert_list(record: Record, where: str, _entry_point: str) -> AssertList:
    asserts = reading.list_field(record, "test_list", where, _assertion, "assert statement")
    setup = reading.optional_text(record, "test_setup_code", where) or ""
    carried_source([*asserts, setup], f"{where}, field test_list")
    reading.parse_python(setup, f"{where}, field test_setup_code")
    return AssertList(asserts=asserts, setup=setup)


def _assertion(item: object, where: str) -> str:
    source = reading.checked_text(item, where)
    reading.parse_test(source, where)
    return source


def _programs(record: Record, where: str, _entry_point: str) -> ProgramTests:
    inputs = reading.list_field(record, "inputs", where, reading.checked_text, "text for standard input")
    outputs = reading.list_field(record, "outputs", where, reading.checked_text, "expected output")
    _same_number(inputs, outputs, f"{where}, field outputs", "inputs")
    checker = reading.optional_text(record, "checker", where) or ""
    tree = reading.parse_python(checker, f"{where}, field checker") if checker else None
    if tree is not None and "check" not in _top_level_names(tree):
        raise InputError(f"{where}, field checker: does not define check(input, output, expected)")
    return ProgramTests(inputs, outputs, tolerance=_tolerance(record, where), checker=checker)


def _calls(record: Record, where: str, _entry_point: str) -> CallTests:
    arguments = reading.list_field(record, "arguments", where, _argument_list, "list of arguments")
    results = reading.list_field(record, "results", where, _json_text, "result")
    _same_number(arguments, results, f"{where}, field results", "arguments")
    return CallTests(arguments, results, tolerance=_tolerance(record, where))


def _tolerance(record: Record, where: str) -> float | None:
    return None if record.get("tolerance") is None else reading.tolerance_field(record, "tolerance", where)


def _argument_list(item: object, where: str) -> str:
    return _json_text(reading.argument_list(item, where), where)


def _json_text(item: object, where: str) -> str:
    carried_value(item, where)
    try:
        text = json.dumps(item)
    except (TypeError, ValueError) as error:  # of tests that a program hands over; those of a file were JSON
        raise InputError(
            f"{where}: has a value that JSON cannot represent ({str(error).split('; use sys.')[0]})"
        ) from error
    return reading.checked_text(text, where)


def _reference_inputs(record: Record, where: str, entry_point: str) -> ReferenceInputs:
    inputs = reading.list_field(record, "call_inputs", where, _literal_arguments, "list of arguments")
    reference = reading.text_field(record, "reference", where)
    tree = reading.parse_python(reference, f"{where}, field reference")
    if tree is not None and entry_point not in _top_level_names(tree):
        raise InputError(f"{where}, field reference: does not define {entry_point!r}; it must be a whole program")
    return ReferenceInputs(
        reference=reference, inputs=inputs, tolerance=reading.tolerance_field(record, "tolerance", where)
    )


def _literal_arguments(item: object, where: str) -> str:
    """Arguments as a JSON list, or as the text of a Python list, which can hold tuples, sets and the like."""
    if isinstance(item, list):
        carried_value(item, where)
        return as_literal(item, where)
    source = reading.checked_text(item, where)
    try:
        value = syntax.literal(source)
    except syntax.NOT_PYTHON as error:
        raise InputError(f"{where}: must be a Python list, written as text: {error}") from error
    carried_value(reading.argument_list(value, where), where)
    return source


def visible_tests(record: Record, tests: Tests, shown: tuple[str, ...], where: str) -> int | None:
    """The number of visible tests: what the line states, else the number of the shown tests, if these come first.

    Raises:
        InputError: the stated number is not a whole number from 1, or leaves no hidden test; or it is stated for tests
            that cannot be counted.
    """
    listed = _listed(tests)
    stated = record.get("visible_tests")
    if stated is None:
        first = next((at for at, one in enumerate(listed) if one not in shown), 0)
        return first if first and set(listed[:first]) == set(shown) else None
    if not listed:
        raise InputError(
            f"{where}, field visible_tests: tests of this kind cannot be counted before they run; leave the field out"
        )
    if not isinstance(stated, int) or not is_whole(stated, 1, len(listed) - 1):
        raise InputError(
            f"{where}, field visible_tests: must say how many of the first tests are visible, 1 or more and fewer than "
            f"the {len(listed)} that can be counted, not {stated!r}"
        )
    return stated


def _listed(tests: Tests) -> tuple[str, ...]:
    """The tests one by one; none where they cannot be counted."""
    if isinstance(tests, AssertList):
        return tests.asserts
    if isinstance(tests, CallTests):
        return tests.arguments
    return tests.inputs if isinstance(tests, ProgramTests | ReferenceInputs) else ()


def _top_level_names(tree: ast.Module) -> set[str]:
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)}
    stored = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return names | {node.id for node in stored}


def _pytest_file(record: Record, where: str, _entry_point: str) -> PytestFile:
    source = reading.text_field(record, "pytest", where)
    module = reading.checked_name(
        reading.optional_text(record, "module", where) or "solution", f"{where}, field module"
    )
    check_pytest(source, module, f"{where}, field pytest")
    return PytestFile(source=source, module=module)


def check_pytest(source: str, module: str, where: str) -> None:
    """Check that a pytest file holds tests, and imports what it tests from the module that the sample becomes."""
    carried_source([source], where)
    if find_spec("pytest") is None:
        raise MissingExtraError(f"{where}: running pytest files", "pytest")
    tree = reading.parse_python(source, where)
    if tree is None:
        return
    nodes = list(ast.walk(tree))
    if not any(isinstance(node, ast.FunctionDef) and node.name.startswith("test") for node in nodes):
        raise InputError(f"{where}: contains no test function; pytest finds those whose names begin with 'test'")
    froms = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    imports = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    if module not in froms | imports:
        raise InputError(f"{where}: does not import from {module!r}, the module that is to be tested")


def _same_number(first: tuple[str, ...], second: tuple[str, ...], where: str, other: str) -> None:
    if len(first) != len(second):
        raise InputError(
            f"{where}: has {counted(len(second), 'item')} and {other} has {len(first)}; the numbers must match"
        )


#: the field that states the kind -> the kind; a new one is one line here
KINDS: dict[str, TestsKind] = {
    "test": TestsKind(_check_function),
    "test_list": TestsKind(_assert_list, ("test_setup_code",)),
    "inputs": TestsKind(_programs, ("outputs", "tolerance", "checker"), whole_programs=True),
    "arguments": TestsKind(_calls, ("results", "tolerance")),
    "call_inputs": TestsKind(_reference_inputs, ("reference", "tolerance")),
    "pytest": TestsKind(_pytest_file, ("module",), imports=True),
}
TEST_FIELDS = (*KINDS, *(other for kind in KINDS.values() for other in kind.others))
