"""Inputs of MBPP+ as Python values: JSON has no tuples, sets and complex numbers.

The types of each task are known from EvalPlus alone (its ``data/mbpp.py``, release 0.3.1, data v0.2.0); the table below
states it. Each entry says how the arguments of a call are changed; tasks that are not listed take plain JSON.
"""

from __future__ import annotations

from collections.abc import Callable

from isobudget.errors import InputError

Change = Callable[[list[object]], list[object]]


def _tuple(value: object) -> object:
    """The items of a list, or the characters of a text, as a tuple."""
    return tuple(_items(value))


def _tuples(value: object) -> object:
    return [_tuple(item) for item in _items(value)]


def _items(value: object) -> list[object]:
    if not isinstance(value, list | str | tuple):
        raise TypeError(f"expected a list, not a {type(value).__name__}")
    return list(value)


def _deep(value: object) -> object:
    """The value with all lists turned into tuples, even nested ones."""
    return tuple(map(_deep, value)) if isinstance(value, list) else value


def _tuple_or_item(value: object) -> object:
    return [tuple(item) if isinstance(item, list) else item for item in _items(value)]


def _sets(value: object) -> object:
    """Items as sets. An empty item becomes an empty dict, as in EvalPlus."""
    return [set(_items(item)) if isinstance(item, list) and item else {} for item in _items(value)]


def _dict_of_tuples(value: object) -> object:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, not a {type(value).__name__}")
    return {key: _tuple(item) for key, item in value.items()}


def _first(change: Callable[[object], object]) -> Change:
    """Change the first argument only."""
    return lambda arguments: [change(arguments[0]), *arguments[1:]]


def _all(change: Callable[[object], object]) -> Change:
    """Change every argument."""
    return lambda arguments: [change(argument) for argument in arguments]


_TUPLE = "2 116 132 143 222 261 273 394 399 421 424 429 470 560 579 596 616 630 726 740 744 809"
_LIST_OF_TUPLES = "63 64 70 94 120 237 272 299 400 409 417 438 473 614 780"
_GROUPS: tuple[tuple[str, Change], ...] = (
    (_TUPLE, _all(_tuple)),
    (_LIST_OF_TUPLES, _all(_tuples)),
    ("75 413 444 753", _first(_tuples)),
    ("106 750", lambda arguments: [arguments[0], _tuple(arguments[1])]),
    ("115", lambda arguments: [_sets(arguments[0])]),
    ("124", lambda arguments: [float(str(arguments[0])), complex(str(arguments[1]))]),
    ("250 307 405 446 617 720 763 808", _first(_tuple)),
    ("259 401 445", _all(lambda value: _tuple(_tuples(value)))),
    ("278", lambda arguments: [_tuple(_tuple_or_item(arguments[0]))]),
    ("722", _first(_dict_of_tuples)),
    ("252", lambda arguments: [complex(str(arguments[0]))]),
    ("580 615 791", _all(_deep)),
)
_CHANGES = {int(number): change for numbers, change in _GROUPS for number in numbers.split()}


def python_inputs(task_id: str, inputs: list[list[object]], where: str) -> list[list[object]]:
    """The arguments of all calls of a task, such as ``Mbpp/2``, as Python values; `inputs` are those of JSON."""
    number = task_id.rpartition("/")[2]
    change = _CHANGES.get(int(number)) if number.isdecimal() else None
    if change is None:
        return inputs
    try:
        return [change(arguments) for arguments in inputs]
    except (TypeError, ValueError, IndexError) as error:
        raise InputError(f"{where}: does not have the form of the inputs of {task_id}: {error}") from error
