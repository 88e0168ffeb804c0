"""Your own problems: JSON lines, one problem per line, plain or gzip-compressed.

Fields of a line: ``task_id``, ``prompt``, ``entry_point``, and exactly one of ``test`` (source that defines
`check(candidate)`, as HumanEval writes it) and ``test_list`` (assert statements, as MBPP writes them; with them,
optionally, ``test_setup_code``). Optional: ``canonical_solution``, a completion known to be right. Other fields are
ignored, so that HumanEval.jsonl and files made to its form load as they are. Nothing of a problem is executed here,
only parsed.

This file also reads the problems of `humaneval` and `quickstart`. It does not cover tests by standard input and
output.
"""

from __future__ import annotations

import ast
import difflib
import gzip
import json
import re
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from isobudget.errors import InputError
from isobudget.problems.problem import AssertList, Benchmark, CheckFunction, Problem, Tests
from isobudget.problems.stops import BODY_STOPS

#: the longest line that is read; the largest published problems of this form have a few MiB of tests
MAX_LINE_BYTES = 32 * 2**20
#: tests above this size are not parsed while loading: Python's parser needs a hundred times their size in memory
MAX_PARSED_CHARS = 2**20

_FIELDS = ("task_id", "prompt", "entry_point", "test", "test_list", "test_setup_code", "canonical_solution")


def load_own(path: Path, *, reserved: tuple[str, ...] = ()) -> Benchmark:
    """Read a benchmark from a file of JSON lines, with the sampling defaults that the paper uses on HumanEval.

    Args:
        path: the file; whether it is compressed is seen from its first bytes.
        reserved: benchmark names that this one must not take. Its name is the file's without ``.jsonl`` or
            ``.jsonl.gz``, or the whole file name where the short one is reserved.

    Raises:
        InputError: the file cannot be read, or a line is wrong; the message names the file, the line and the field.
    """
    name = _benchmark_name(path, reserved)
    try:
        with path.open("rb") as raw:
            problems = read_problems(raw, source=str(path), benchmark=name)
    except OSError as error:
        raise InputError(f"{path}: cannot be read as a file of problems: {error.strerror or error}") from error
    return Benchmark(name=name, problems=problems, stop=BODY_STOPS, max_tokens=512, temperature=0.8, top_p=0.95)


def read_problems(raw: BinaryIO, *, source: str, benchmark: str) -> tuple[Problem, ...]:
    """Read all problems from an open binary file; `source` is what messages call it.

    Raises:
        InputError: not UTF-8, not JSON lines, a wrong or missing field, a task_id twice, or no problem at all.
    """
    problems: list[Problem] = []
    first_line: dict[str, int] = {}
    for number, text in _lines(raw, source):
        problem = _parse_line(text, f"{source}, line {number}", benchmark)
        if problem.task_id in first_line:
            raise InputError(
                f"{source}, line {number}, field task_id: {problem.task_id!r} is already used in line "
                f"{first_line[problem.task_id]}; every problem needs its own task_id"
            )
        first_line[problem.task_id] = number
        problems.append(problem)
    if not problems:
        raise InputError(f"{source}: holds no problems; write one JSON object per line")
    return tuple(problems)


def _benchmark_name(path: Path, reserved: tuple[str, ...]) -> str:
    # A file name may hold bytes that are not UTF-8; the name goes into tables and Parquet, which cannot.
    full = path.name.encode("utf-8", "replace").decode()
    short = full.removesuffix(".gz").removesuffix(".jsonl")
    return full if not short or short.casefold() in reserved else short


def _lines(raw: BinaryIO, source: str) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of every line that is not blank."""
    start = raw.read(2)
    raw.seek(0)
    stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if start == b"\x1f\x8b" else raw
    number = 0
    try:
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise InputError(f"{source}, line {number}: is longer than {MAX_LINE_BYTES // 2**20} MiB")
            if text := _decode(line, f"{source}, line {number}").strip():
                yield number, text
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{source}, after line {number}: the gzip data is damaged or cut off ({error})") from error


def _decode(line: bytes, where: str) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: is not UTF-8 (byte {line[error.start]:#04x} at column {error.start + 1}); save it as UTF-8"
        ) from error


def _parse_line(text: str, where: str, benchmark: str) -> Problem:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: is not JSON ({error}); write one JSON object per line") from error
    if not isinstance(record, dict):
        raise InputError(f"{where}: is a JSON {type(record).__name__}, not an object; write one JSON object per line")
    entry_point = _entry_point(record, where)
    return Problem(
        task_id=_task_id(record, where),
        benchmark=benchmark,
        prompt=_prompt(record, entry_point, where),
        entry_point=entry_point,
        tests=_tests(record, where),
        reference=_text(record, "canonical_solution", where) if record.get("canonical_solution") is not None else None,
    )


def _text(record: dict[str, object], field: str, where: str) -> str:
    """A field that must be there and be text which Python source and Parquet can hold."""
    if field not in record:
        raise InputError(f"{where}, field {field}: is missing{_hint(record)}")
    return _checked_text(record[field], f"{where}, field {field}")


def _checked_text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{where}: must be a string, not {type(value).__name__}")
    if "\0" in value:
        raise InputError(f"{where}: contains a NUL character")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: contains half of a surrogate pair at character {error.start + 1}") from error
    return value


def _hint(record: dict[str, object]) -> str:
    """What a missing field may be called instead, or where such a file comes from."""
    if "base_input" in record:
        return "; this file lists inputs only: use the export of the same problems in HumanEval's own form"
    pairs = [(name, difflib.get_close_matches(name, _FIELDS, n=1)) for name in record if name not in _FIELDS]
    close = [f"{name!r} (meant as {match[0]!r}?)" for name, match in pairs if match]
    return (
        f"; the line has {', '.join(close)}"
        if close
        else f"; the line has {', '.join(map(repr, record)) or 'no fields'}"
    )


def _task_id(record: dict[str, object], where: str) -> str:
    task_id = _text(record, "task_id", where)
    if not task_id or not task_id.isprintable() or len(task_id) > 200:
        raise InputError(f"{where}, field task_id: must be 1 to 200 printable characters")
    return task_id


def _entry_point(record: dict[str, object], where: str) -> str:
    name = _text(record, "entry_point", where)
    if not name.isidentifier():
        raise InputError(f"{where}, field entry_point: {name[:80]!r} is not a Python name")
    return name


def _prompt(record: dict[str, object], entry_point: str, where: str) -> str:
    """The prompt, which must be the head of the program: generation ends where a new top-level statement begins."""
    prompt = _text(record, "prompt", where)
    if not re.search(rf"^(?:(?:async +)?def|class) +{re.escape(entry_point)}\b", prompt, re.MULTILINE):
        raise InputError(
            f"{where}, field prompt: does not define {entry_point!r}; a prompt is Python source that ends inside the "
            f"definition of the entry point, such as 'def {entry_point}(...):' and a docstring"
        )
    return prompt


def _tests(record: dict[str, object], where: str) -> Tests:
    kinds = [field for field in ("test", "test_list") if record.get(field) is not None]
    if len(kinds) == 2:
        raise InputError(f"{where}: has both test and test_list; keep the one that shall decide")
    if not kinds:
        raise InputError(f"{where}: needs a field test or test_list{_hint(record)}")
    if kinds == ["test"]:
        return _check_function(record, where)
    return _assert_list(record, where)


def _check_function(record: dict[str, object], where: str) -> CheckFunction:
    source = _text(record, "test", where)
    _parse(source, f"{where}, field test")
    if not re.search(r"^def +check *\(", source, re.MULTILINE):
        raise InputError(f"{where}, field test: does not define check(candidate)")
    return CheckFunction(source=source)


def _assert_list(record: dict[str, object], where: str) -> AssertList:
    asserts = record["test_list"]
    if not isinstance(asserts, list) or not asserts:
        raise InputError(f"{where}, field test_list: must be a list of at least one assert statement")
    for place, item in enumerate(asserts):
        here = f"{where}, field test_list[{place}]"
        tree = _parse(_checked_text(item, here), here)
        # A bare comparison never fails, so that every program would pass it.
        if tree is not None and not any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
            raise InputError(f"{here}: contains no assert statement")
    setup = _text(record, "test_setup_code", where) if record.get("test_setup_code") is not None else ""
    _parse(setup, f"{where}, field test_setup_code")
    return AssertList(asserts=tuple(asserts), setup=setup)


def _parse(source: str, where: str) -> ast.Module | None:
    """The syntax tree of tests, or None for tests too long to look into."""
    if len(source) > MAX_PARSED_CHARS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        raise InputError(f"{where}: is not valid Python ({error.msg}, its line {error.lineno})") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{where}: cannot be parsed as Python ({error or type(error).__name__})") from error
