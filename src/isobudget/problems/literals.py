"""Writes values as Python literals that `ast.literal_eval` reads back, as `ReferenceInputs` holds its inputs."""

from __future__ import annotations

import math

from isobudget.errors import InputError

#: whole numbers above this are written in hexadecimal: Python refuses to read more than 4,300 decimal digits
_DECIMAL_BITS = 14_000


def as_literal(value: object, where: str) -> str:
    """The source of a literal that equals the value.

    Raises:
        InputError: the value holds nan, or anything but numbers, text, bytes, None, lists, tuples, sets and dicts;
            or it is nested too deeply.
    """
    try:
        return _literal(value)
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: {error}") from error
    except RecursionError as error:
        raise InputError(f"{where}: is nested too deeply") from error


def _literal(value: object) -> str:
    if isinstance(value, bool | str | bytes) or value is None:
        return repr(value)
    if isinstance(value, int):
        return repr(value) if value.bit_length() < _DECIMAL_BITS else hex(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, complex):
        return f"({_float(value.real)} + {_float(value.imag)}j)".replace("+ -", "- ")
    return _container(value)


def _float(value: float) -> str:
    if math.isnan(value):
        raise ValueError("contains nan, which cannot be an input")
    # There is no literal of infinity; a number too large for a float is read as it.
    return repr(value).replace("inf", "1e999")


def _container(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' * (len(value) == 1)})"
    if isinstance(value, set):
        # In a fixed order, so that the same file gives the same text.
        return f"{{{', '.join(sorted(map(_literal, value)))}}}" if value else "set()"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(key)}: {_literal(item)}' for key, item in value.items())}}}"
    raise TypeError(f"contains a {type(value).__name__}, which has no literal")
