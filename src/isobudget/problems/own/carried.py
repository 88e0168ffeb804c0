"""Limits on the data that the judge sends between tests and sample.

The limits are checked when problems are loaded, because it is not a sample's fault if the tests exceed them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from isobudget.errors import InputError

#: most bytes of one call's arguments, or of its result, as ASCII JSON; a message of the judge has 16 MiB
MOST_VALUE_BYTES = 15 * 2**20
#: most bytes of the source of a problem's tests, as ASCII JSON
MOST_SOURCE_BYTES = 7 * 2**20
#: most levels of lists within lists
MOST_DEPTH = 100
_CONTAINERS = (list, tuple, dict, set, frozenset)


def carried_value(value: object, where: str) -> None:
    """Check the size and the nesting of arguments or of a result, which are plain data.

    Raises:
        InputError: the value is nested too deeply, or too large.
    """
    if _is_deeper(value, MOST_DEPTH):
        raise InputError(f"{where}: is nested more than {MOST_DEPTH} levels deep, the judge's limit")
    if (size := _size(value)) > MOST_VALUE_BYTES:
        raise InputError(
            f"{where}: takes {size / 2**20:.1f} MiB, but the judge accepts at most {MOST_VALUE_BYTES >> 20} MiB; "
            "to use larger data, state the tests in the field 'test' or 'pytest', as Python that generates the data"
        )


def carried_source(texts: Iterable[str], where: str) -> None:
    """Check the size of the source of tests.

    Raises:
        InputError: it is too long.
    """
    size = sum(len(json.dumps(text)) for text in texts)
    if size > MOST_SOURCE_BYTES:
        raise InputError(
            f"{where}: takes {size / 2**20:.1f} MiB, but the judge accepts at most {MOST_SOURCE_BYTES >> 20} MiB; "
            "have the tests make large data themselves"
        )


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list | tuple | set | frozenset) else ()


def _is_deeper(value: object, most: int) -> bool:
    """Whether a value is nested more deeply than `most`, checked level by level without recursion."""
    level = [value]
    for _ in range(most + 1):
        level = [part for one in level for part in _parts(one) if isinstance(part, _CONTAINERS)]
        if not level:
            return False
    return True


def _size(value: object) -> int:
    """About how many bytes a value takes as JSON, with the tags that mark types which JSON does not have."""
    waiting, size = [value], 0
    while waiting:
        item = waiting.pop()
        if isinstance(item, _CONTAINERS):
            size += 2 + (0 if isinstance(item, list) else 14) + len(item)
            waiting.extend(_parts(item))
        elif isinstance(item, str):
            size += len(json.dumps(item))
        else:
            size += (item.bit_length() // 3 if isinstance(item, int) else len(repr(item))) + 2
    return size
