"""Checks fields of a record and parses Python source, for all loaders of problems; `files.jsonl` reads the lines.

Every error here names the file, line and field. Nothing of a problem is executed, only parsed.
"""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from isobudget import syntax
from isobudget.errors import InputError, json_kind
from isobudget.files.jsonl import Record
from isobudget.files.values import is_number
from isobudget.problems.problem import Problem

#: the longest line that is read of a user's file; the largest published problems of that form have a few MiB of tests
MAX_LINE_BYTES = 32 * 2**20
#: the longest number in JSON that is read; Python's own limit is 4,300, and APPS has longer ones
MAX_DIGITS = 200_000

Field = TypeVar("Field")


@contextlib.contextmanager
def long_numbers() -> Iterator[None]:
    """Inside this block, whole numbers of up to `MAX_DIGITS` digits can be read and written as text."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(MAX_DIGITS)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(before)


def unique(problems: Iterable[tuple[str, Problem]], source: str) -> tuple[Problem, ...]:
    """The problems of a file, of which there must be at least one, and no two with the same task_id."""
    by_id: dict[str, Problem] = {}
    first: dict[str, str] = {}
    for where, problem in problems:
        if problem.task_id in by_id:
            raise InputError(
                f"{where}, field task_id: {problem.task_id!r} is already used in "
                f"{first[problem.task_id].removeprefix(f'{source}, ')}; every problem needs its own task_id"
            )
        by_id[problem.task_id], first[problem.task_id] = problem, where
    if not by_id:
        raise InputError(f"{source}: holds no problems; write one JSON object per line")
    return tuple(by_id.values())


def text_field(record: Record, field: str, where: str, hint: str = "") -> str:
    """A required text field, with characters that Python source and Parquet can hold."""
    if field not in record:
        raise InputError(f"{where}, field {field}: is missing{hint or f'; the line has {fields_of(record)}'}")
    return checked_text(record[field], f"{where}, field {field}")


def optional_text(record: Record, field: str, where: str) -> str | None:
    """A text field, or None where it is missing or null."""
    return text_field(record, field, where) if record.get(field) is not None else None


def list_field(
    record: Record, field: str, where: str, of: Callable[[object, str], Field], what: str
) -> tuple[Field, ...]:
    """A field that must be a list of at least one item; `of` checks an item, given its place."""
    items = record.get(field)
    if not isinstance(items, list) or not items:
        raise InputError(f"{where}, field {field}: must be a list of at least one {what}")
    return tuple(of(item, f"{where}, field {field}[{place}]") for place, item in enumerate(items))


def checked_text(value: object, where: str) -> str:
    """A value that must be text without NUL and without halves of surrogate pairs."""
    if not isinstance(value, str):
        raise InputError(f"{where}: must be a string, not {json_kind(value)}")
    if "\0" in value:
        raise InputError(f"{where}: contains a NUL character")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: contains half of a surrogate pair at character {error.start + 1}") from error
    return value


def id_field(record: Record, where: str, hint: str = "") -> str:
    """The task_id of a line."""
    return checked_id(text_field(record, "task_id", where, hint), f"{where}, field task_id")


def name_field(record: Record, field: str, where: str, hint: str = "") -> str:
    """A field that holds a Python name."""
    return checked_name(text_field(record, field, where, hint), f"{where}, field {field}")


def tolerance_field(record: Record, field: str, where: str) -> float:
    """The tolerance: how far numbers that count as equal may differ; 0 where the field is missing."""
    value = record.get(field, 0.0)
    if not isinstance(value, int | float) or not is_number(value, 0):
        raise InputError(f"{where}, field {field}: must be a number of at least 0")
    return float(value)


def argument_list(value: object, where: str) -> list[Any]:
    """A value that must be the list of a call's arguments."""
    if not isinstance(value, list):
        raise InputError(f"{where}: must be the list of a call's arguments, not {json_kind(value)}")
    return value


def checked_id(task_id: str, where: str) -> str:
    """A task_id that tables and file names of reports can hold."""
    if not task_id or not task_id.isprintable() or len(task_id) > 200:
        raise InputError(f"{where}: must be 1 to 200 printable characters")
    return task_id


def checked_name(name: str, where: str) -> str:
    """A text that must be a Python name."""
    if not name.isidentifier():
        raise InputError(f"{where}: {name[:80]!r} is not a Python name")
    return name


def fields_of(record: Record) -> str:
    """The names of a record's fields, for a message."""
    return ", ".join(map(repr, record)) or "no fields"


def parse_python(source: str, where: str) -> ast.Module | None:
    """The syntax tree of tests or other source; None if the source is too long to be parsed."""
    if len(source) > syntax.MAX_PARSED_CHARS:
        return None
    try:
        return syntax.parse(source)
    except SyntaxError as error:
        raise InputError(f"{where}: is not valid Python ({error.msg}, its line {error.lineno})") from error
    except syntax.NOT_PYTHON as error:
        raise InputError(f"{where}: cannot be parsed as Python ({error or type(error).__name__})") from error


def parse_test(source: str, where: str) -> ast.Module | None:
    """Like `parse_python`, for a test, which must have an assert statement: a bare comparison passes every program."""
    tree = parse_python(source, where)
    if tree is not None and not any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
        raise InputError(f"{where}: contains no assert statement")
    return tree
