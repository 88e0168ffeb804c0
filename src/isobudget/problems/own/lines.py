"""Your own problems: JSON lines, one problem per line, plain or gzip-compressed.

Fields of a line: ``task_id``, ``prompt``, ``entry_point``, and exactly one kind of tests (`own_tests` lists them).
Optional: ``form`` (``source``, the default: the prompt is the head of the program; ``text``: it describes a whole
program), ``starter``, ``shown_tests``, ``canonical_solution``. Other fields are ignored, so that HumanEval.jsonl and
files of the same form load as they are. Nothing of a problem is executed here, only parsed.

This file also reads the problems of `humaneval` and `quickstart`. A folder of Python files is read by `folder`.
"""

from __future__ import annotations

import re
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.hints import nearest
from isobudget.files.jsonl import Record, read_objects
from isobudget.files.whole import sha256_of
from isobudget.grid import counted
from isobudget.problems import reading
from isobudget.problems.own.tests import TEST_FIELDS, meant_as, needs_entry_point, read_tests, visible_tests
from isobudget.problems.problem import Benchmark, Form, Problem
from isobudget.problems.sources import file_name
from isobudget.problems.stops import BODY_STOPS

_OTHER_FIELDS = ("task_id", "prompt", "entry_point", "form", "starter", "shown_tests", "canonical_solution")
_FIELDS = (*_OTHER_FIELDS, "visible_tests", "difficulty", *TEST_FIELDS)
#: form of the prompts -> the format that suits it
FORMATS = {Form.SOURCE: "completion", Form.TEXT: "chat"}


def load_own(path: Path, *, reserved: tuple[str, ...] = ()) -> Benchmark:
    """Read a benchmark from a file of JSON lines, with the sampling defaults that the paper uses on HumanEval.

    Args:
        path: the file; its first bytes show whether it is compressed.
        reserved: benchmark names that this one must not take. Its name is the file's without ``.jsonl`` or
            ``.jsonl.gz``, or the whole file name where the short one is reserved.

    Raises:
        InputError: the file cannot be read, or a line is wrong; the message names the file, the line and the field.
    """
    name = own_name(path, reserved, ".jsonl")
    problems = read_problems(path, name)
    source = f"own problems: {file_name(path)}, {counted(len(problems), 'problem')}, sha256 {sha256_of(path)}"
    return own_benchmark(name, problems, source)


def own_benchmark(name: str, problems: tuple[Problem, ...], source: str) -> Benchmark:
    """A benchmark of own problems of one form, with the defaults of that form."""
    form = problems[0].form
    stop = BODY_STOPS if form is Form.SOURCE else ()
    return Benchmark(name, problems, stop, prompt_format=FORMATS[form], source=source)


def own_name(path: Path, reserved: tuple[str, ...], suffix: str) -> str:
    """A benchmark's name from that of its file or folder."""
    full = file_name(path)
    short = full.removesuffix(".gz").removesuffix(suffix) if suffix else full
    return full if not short or short.casefold() in reserved else short


def read_problems(path: Path | str, benchmark: str, content: bytes | None = None) -> tuple[Problem, ...]:
    """Read all problems of a file, which must have one form; `content` is its bytes if they are already in memory."""
    lines = read_objects(path, content, max_line_bytes=reading.MAX_LINE_BYTES)
    problems = reading.unique(((where, _problem(record, where, benchmark)) for where, record in lines), str(path))
    if len({problem.form for problem in problems}) > 1:
        odd = next(problem for problem in problems if problem.form is not problems[0].form)
        raise InputError(
            f"{path}, field form: {problems[0].task_id!r} is {problems[0].form.value!r} and {odd.task_id!r} is "
            f"{odd.form.value!r}; a benchmark has one prompt format, so put the two forms into separate files"
        )
    return problems


def _problem(record: Record, where: str, benchmark: str) -> Problem:
    hint = _hint(record)
    form = _form(record, where)
    entry_point = reading.name_field(record, "entry_point", where, hint) if needs_entry_point(record, form) else ""
    task_id = reading.id_field(record, where, hint)
    prompt = reading.text_field(record, "prompt", where, hint)
    if form is Form.SOURCE and entry_point:
        check_defines(prompt, entry_point, f"{where}, field prompt")
    shown: tuple[str, ...] = ()
    if record.get("shown_tests") is not None:
        shown = reading.list_field(record, "shown_tests", where, reading.checked_text, "test")
    tests = read_tests(record, where, hint, entry_point)
    reference = reading.optional_text(record, "canonical_solution", where)
    starter = reading.optional_text(record, "starter", where) or ""
    return Problem(
        *(task_id, benchmark, prompt, entry_point, tests, reference, form, starter, shown),
        visible_tests=visible_tests(record, tests, shown, where),
        difficulty=reading.optional_text(record, "difficulty", where) or "",
    )


def _hint(record: Record) -> str:
    """The end of the message on a missing field: what the line has instead, or how to load such a file."""
    if "base_input" in record:
        return "; this file lists inputs only: load it as humaneval+=PATH or mbpp+=PATH, or use its HumanEval form"
    pairs = [(name, nearest(name, _FIELDS)) for name in record if name not in _FIELDS]
    close = [f"{name!r} ({meant_as(match[0], record[name])})" for name, match in pairs if match]
    return f"; the line has {', '.join(close) or reading.fields_of(record)}"


def _form(record: Record, where: str) -> Form:
    value = reading.optional_text(record, "form", where) or Form.SOURCE.value
    try:
        return Form(value)
    except ValueError:
        raise InputError(
            f"{where}, field form: {value[:80]!r} is not a prompt form; use 'source' (the prompt is the head of the "
            "program) or 'text' (it describes the program)"
        ) from None


def check_defines(prompt: str, entry_point: str, where: str) -> None:
    """Check that the prompt begins the entry point at column 0: generation ends at the next statement at column 0."""
    if not re.search(rf"^(?:(?:async +)?def|class) +{re.escape(entry_point)}\b", prompt, re.MULTILINE):
        raise InputError(
            f"{where}: does not define {entry_point!r}; a prompt is Python source that ends inside the "
            f"definition of the entry point, such as 'def {entry_point}(...):' and a docstring; for a task in words "
            'add "form": "text"'
        )
