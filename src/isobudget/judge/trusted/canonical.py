"""A canonical text for plain data: equal values have equal texts, so that agreeing samples can be counted.

Equality is Python's own, with these exceptions. nan agrees with nan. All kinds of dicts count as plain dicts, so the
order of an `OrderedDict` does not matter. Two iterators, two arrays or two views of a dict's values agree if their
items do. A decimal number with more than 2,000 digits before or after its point agrees with no number of another type.
Values that are not plain data agree if their types have the same name. So `1`, `1.0`, `True` and `Fraction(2, 2)` have
one text, and so have `{1, 2}` and `frozenset([2, 1])`, or equal times in different zones; `[1]` and `(1,)` have two.

No method of a sample's object is called here: values come from the wire, which creates only plain data, and stand-ins
are recognized by their exact type.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from isobudget.judge.packing import LARGE_INT
from isobudget.judge.trusted.remote import StandIn, type_name
from isobudget.judge.unpacking import Array

#: longest text; a longer one is cut to this length and followed by its checksum
TEXT_CHARS = 2_000
#: most digits of a decimal number that is converted to a fraction: with more, the fraction could be huge
DECIMAL_DIGITS = 2_000


def canonical(value: Any) -> str:
    """The canonical text of a value of plain data; equal values have equal texts.

    Returns:
        The text. If it has more than `TEXT_CHARS` characters, it is cut to this length and followed by `...sha256:` and
        the checksum of the whole text. The text begins with `?` if the value is not plain data, and never with `!`,
        which marks errors in `Verdict.observed`.
    """
    try:
        return bounded(_text(value))
    except RecursionError:
        return "?nested too deeply"


def bounded(text: str) -> str:
    """The text, or its beginning followed by the checksum of the whole."""
    if len(text) <= TEXT_CHARS:
        return text
    return f"{text[:TEXT_CHARS]}...sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _text(value: Any) -> str:
    kind = type(value)
    if kind is StandIn:
        return f"?{type_name(value)}"
    for base, write in _WRITERS:
        if issubclass(kind, base):
            return write(value)
    if kind is Array:
        return f"array({_text(value.nested())})"
    if kind.__module__ == "numpy":
        return f"array({_text(value.tolist())})" if kind.__name__ == "ndarray" else _text(value.item())
    if kind.__name__ in ("dict_keys", "dict_items"):
        return _set(value)
    if hasattr(kind, "__next__") or kind.__name__ == "dict_values":
        return f"{'iterator' if hasattr(kind, '__next__') else 'values'}({_list(value)})"
    return f"?{kind.__name__}"


def _int(value: int) -> str:
    value = int(value)
    return str(value) if -LARGE_INT < value < LARGE_INT else hex(value)


def _float(value: float) -> str:
    return _int(int(value)) if value.is_integer() else repr(float(value))


def _fraction(value: Fraction) -> str:
    """The text of the float or integer that the fraction equals, or, if there is none, of the fraction itself."""
    if value.denominator == 1:
        return _int(value.numerator)
    try:
        near = value.numerator / value.denominator
    except OverflowError:
        near = 0.0
    return repr(near) if near == value else f"{_int(value.numerator)}/{_int(value.denominator)}"


def _decimal(value: Decimal) -> str:
    if value.is_nan():
        return "nan"
    if value.is_infinite():
        return "inf" if value > 0 else "-inf"
    _, digits, exponent = value.as_tuple()
    if isinstance(exponent, int) and max(len(digits) + exponent, -exponent) <= DECIMAL_DIGITS:
        return _fraction(Fraction(value))
    return _int(0) if not any(digits) else f"decimal({_stripped(value)})"


def _stripped(value: Decimal) -> str:
    """Digits and exponent of a number without insignificant zeros at the end."""
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).strip("0")
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return f"{'-' * sign}{text}e{int(exponent) + zeros}"


def _complex(value: complex) -> str:
    return _float(value.real) if value.imag == 0 else f"complex({_float(value.real)}, {_float(value.imag)})"


def _list(values: Any) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _tuple(value: tuple[Any, ...]) -> str:
    return f"({', '.join(map(_text, value))}{',' * (len(value) == 1)})"


def _set(values: Any) -> str:
    return f"{{{', '.join(sorted(map(_text, values)))}}}" if values else "set()"


def _dict(value: dict[Any, Any]) -> str:
    pairs = sorted((_text(key), _text(item)) for key, item in value.items())
    return f"{{{', '.join(f'{key}: {item}' for key, item in pairs)}}}"


def _range(value: range) -> str:
    """The text of a range, by its items: ranges with the same items are equal."""
    if not value:
        return "range(0)"
    first, last = value[0], value[-1]
    return f"range({_int(first)} to {_int(last)} by {_int(1 if first == last else value.step)})"


def _datetime(value: datetime) -> str:
    try:
        moved = value if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        moved = value
    return f"datetime({moved.isoformat()})"


def _slice(value: slice) -> str:
    return f"slice({_text(value.start)}, {_text(value.stop)}, {_text(value.step)})"


#: the first type that a value is an instance of decides; the wire makes no other subclasses than the standard ones
_WRITERS: tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...] = (
    (type(None), lambda _: "None"),
    (int, _int),
    (float, _float),
    (str, lambda value: repr(str(value))),
    (list, _list),
    (tuple, _tuple),
    (dict, _dict),
    ((set, frozenset), _set),
    ((bytes, bytearray), lambda value: repr(bytes(value))),
    (complex, _complex),
    (Fraction, _fraction),
    (Decimal, _decimal),
    (deque, lambda value: f"deque({_list(value)})"),
    (range, _range),
    (slice, _slice),
    (datetime, _datetime),
    (date, lambda value: f"date({value.isoformat()})"),
    (time, lambda value: f"time({value.isoformat()})"),
    (timedelta, lambda value: f"timedelta({value.days}, {value.seconds}, {value.microseconds})"),
    (type, lambda value: f"type({value.__name__})"),
    (type(...), lambda _: "Ellipsis"),
    (type(NotImplemented), lambda _: "NotImplemented"),
)
