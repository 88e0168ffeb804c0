"""The tests of an APPS problem: ``input_output.json``, with ``inputs``, ``outputs`` and, for calls, ``fn_name``.

Rules, from the benchmark's own ``eval/testing_util.py`` where it has one:

- an input or output that is a list of lines means these lines, joined by line ends (whole programs);
- whole numbers may have up to 200,000 digits;
- a call may return the item itself where a list of one item is expected (the judge applies this rule);
- no tests, or not as many outputs as inputs: the problem cannot be judged (`NoTestsError`).

Not taken over: in arguments, the benchmark turns objects whose keys are all numbers into dicts with numbers as keys.
Here, keys of arguments stay text.
"""

from __future__ import annotations

import json

from isobudget.errors import InputError, json_kind
from isobudget.files.jsonl import Record, parse_json
from isobudget.problems.problem import CallTests, ProgramTests
from isobudget.problems.reading import argument_list, checked_name, checked_text, long_numbers


class NoTestsError(InputError):
    """The problem has no tests that can be used."""


def parse_tests(text: str, where: str) -> tuple[str, CallTests | ProgramTests]:
    """Entry point (empty for whole programs) and tests of a JSON text.

    Raises:
        NoTestsError: there are no tests, or inputs and outputs do not belong together.
        InputError: the text is not JSON or does not have the form.
    """
    if not text.strip():
        raise NoTestsError(f"{where}: is empty, so that the problem cannot be judged")
    with long_numbers():
        data = parse_json(text, where)
        if not isinstance(data, dict):
            kind = json_kind(data)
            raise InputError(f"{where}: must be an object with the fields 'inputs' and 'outputs', not {kind}")
        inputs, outputs = _items(data, "inputs", where), _items(data, "outputs", where)
        if not inputs and not outputs:
            raise NoTestsError(f"{where}: holds no tests, so that the problem cannot be judged")
        if len(inputs) != len(outputs):
            raise NoTestsError(f"{where}: has {len(inputs)} inputs and {len(outputs)} outputs; the numbers must match")
        name = data.get("fn_name")
        if name is None:
            texts = _texts(inputs, f"{where}, inputs"), _texts(outputs, f"{where}, outputs")
            return "", ProgramTests(*texts, rules="apps")
        entry_point = checked_name(checked_text(name, f"{where}, fn_name"), f"{where}, fn_name")
        return entry_point, _calls(inputs, outputs, where)


def _items(data: Record, field: str, where: str) -> list[object]:
    items = data.get(field, [])
    if not isinstance(items, list):
        raise InputError(f"{where}, {field}: must be a list, not {json_kind(items)}")
    return items


def _texts(items: list[object], where: str) -> tuple[str, ...]:
    return tuple(_text(item, f"{where}[{place}]") for place, item in enumerate(items))


def _text(item: object, where: str) -> str:
    if isinstance(item, list):
        return "\n".join(checked_text(line, f"{where}[{place}]") for place, line in enumerate(item))
    return checked_text(item, where)


def _calls(inputs: list[object], outputs: list[object], where: str) -> CallTests:
    for place, arguments in enumerate(inputs):
        argument_list(arguments, f"{where}, inputs[{place}]")
    return CallTests(tuple(map(json.dumps, inputs)), tuple(map(json.dumps, outputs)), rules="apps")
