"""Decides whether an output or a result is the expected one, by the rules of its benchmark.

Printed output:

- `own`, `apps`: White space at the ends of lines, and empty lines, do not count. Tokens are compared one by one. A
  token with the same text is right. If the expected token is a whole number without leading zeros, the same number is
  right, also with leading zeros or a fraction of zeros. If the expected token is a finite number with a point or an
  exponent, a number within the tolerance is right.
- `livecodebench`: Lines are compared after white space at both ends is stripped. They must have the same text or the
  same decimal numbers, without a tolerance.

Results of calls:

- `own`: Floats may differ within the tolerance, at any depth. nan equals nan.
- `apps`: As `own`. In addition, an expected list of one item also stands for that item.
- `livecodebench`: Results must be equal, without a tolerance.

Whole numbers are ASCII digits, with or without a sign. The tolerance is 1e-5 of the expected number (1e-8 at least) for
printed text, and 1e-6 of the expected number for results. If a problem states its own tolerance, that tolerance is
relative to the expected number, or to 1 if the expected number is smaller than 1.
"""

from __future__ import annotations

import re
from collections import deque
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from isobudget.judge.unpacking import Array


class Tolerance(NamedTuple):
    """How far a floating-point number may be from the expected one.

    Attributes:
        relative: bound relative to the expected number.
        smallest: magnitude below which the bound shrinks no further. Smaller expected numbers count as this number.
        absolute: added to the relative bound, whatever the expected number is.
    """

    relative: float
    smallest: float = 0.0
    absolute: float = 0.0

    def bound(self, expected: float) -> float:
        """The largest difference from the expected number at which a number is still right."""
        return self.absolute + self.relative * max(self.smallest, abs(expected))


#: tolerances that hold if a problem states none: of printed text (1e-5, and 1e-8 at least), of results of calls
PRINTED, RESULT = Tolerance(1e-5, smallest=1e-3), Tolerance(1e-6)
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]+)([eE][+-]?[0-9]+)?")
#: numbers without a fraction, which are compared by their digits, in linear time
_ZEROS = re.compile(r"([+-]?)0*([0-9]+)(\.0*)?")


def stated(tolerance: float | None, otherwise: Tolerance) -> Tolerance:
    """The tolerance that a problem states, or `otherwise` if it states none.

    A stated tolerance is relative to the expected number, or to 1 if the expected number is smaller than 1.
    """
    return otherwise if tolerance is None else Tolerance(tolerance, smallest=1.0)


def same_output(printed: str, expected: str, rules: str = "own", tolerance: Tolerance = PRINTED) -> bool:
    """Whether a printed text is the expected one."""
    if printed.strip() == expected.strip():
        return True
    if rules == "livecodebench":
        return _same_exactly(printed, expected)
    ours, theirs = ([tokens for line in text.split("\n") if (tokens := line.split())] for text in (printed, expected))
    return len(ours) == len(theirs) and all(
        len(line) == len(other)
        and all(same_token(mine, wanted, tolerance) for mine, wanted in zip(line, other, strict=True))
        for line, other in zip(ours, theirs, strict=True)
    )


def same_token(ours: str, expected: str, tolerance: Tolerance = PRINTED) -> bool:
    """Whether a printed token matches the expected one."""
    if ours == expected:
        return True
    if _NUMBER.fullmatch(ours) is None:
        return False
    if _WHOLE.fullmatch(expected):
        return _whole(ours) is not None and _whole(ours) == _whole(expected)
    if _DECIMAL.fullmatch(expected) is None:
        return False
    return _within(float(ours), float(expected), tolerance)


def _whole(token: str) -> str | None:
    """A whole number (one without a fraction) in a normal form, of any length; None if the text is no whole number."""
    match = _ZEROS.fullmatch(token)
    if match is None:
        return None
    digits = match[2].lstrip("0") or "0"
    return f"-{digits}" if match[1] == "-" and digits != "0" else digits


def _within(ours: float, expected: float, tolerance: Tolerance) -> bool:
    return abs(expected) != float("inf") and abs(ours - expected) <= tolerance.bound(expected)


def _same_exactly(printed: str, expected: str) -> bool:
    ours, theirs = ([line.strip() for line in text.strip().split("\n")] for text in (printed, expected))
    return len(ours) == len(theirs) and all(map(_same_line, ours, theirs))


def _same_line(ours: str, theirs: str) -> bool:
    if ours == theirs:
        return True
    try:
        return [Decimal(token) for token in ours.split()] == [Decimal(token) for token in theirs.split()]
    except InvalidOperation:
        return False


_IN_ORDER: tuple[type, ...] = (tuple, list, deque, range, type({}.keys()), type({}.values()), type({}.items()))


def plain(value: Any) -> Any:
    """A result reduced to JSON's types: sequences and iterators become lists, keys become strings."""
    if type(value) is Array:
        return plain(value.nested())
    if isinstance(value, _IN_ORDER) or hasattr(type(value), "__next__"):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def same_result(ours: Any, expected: Any, tolerance: Tolerance) -> bool:
    """Whether a result equals the expected one: equal values and container types, floats within the tolerance."""
    if type(expected) in (float, complex) and type(ours) in (bool, int, float, complex):
        return _same_number(ours, expected, tolerance)
    if type(ours) is Array and type(expected) is Array:
        shape = ours.kind == expected.kind and ours.shape == expected.shape
        return shape and same_result(ours.items, expected.items, tolerance)
    if isinstance(expected, list | tuple):
        pairs = type(ours) is type(expected) and len(ours) == len(expected)
        return pairs and all(same_result(a, b, tolerance) for a, b in zip(ours, expected, strict=True))
    if isinstance(expected, dict):
        if not isinstance(ours, dict) or ours.keys() != expected.keys():
            return False
        return all(same_result(ours[key], expected[key], tolerance) for key in expected)
    if hasattr(type(expected), "__next__"):
        return hasattr(type(ours), "__next__") and same_result(list(ours), list(expected), tolerance)
    return bool(ours == expected)


def _same_number(ours: Any, expected: Any, tolerance: Tolerance) -> bool:
    if ours == expected or (ours != ours and expected != expected):
        return True
    try:
        if isinstance(ours, complex) or isinstance(expected, complex):
            one, other = complex(ours), complex(expected)
            return _same_number(one.real, other.real, tolerance) and _same_number(one.imag, other.imag, tolerance)
        return _within(float(ours), float(expected), tolerance)
    except OverflowError:
        return False
