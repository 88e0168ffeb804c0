"""Decodes wire forms into new objects, by type-exact rules: see `packing`."""

from __future__ import annotations

import builtins
import collections
import importlib
import math
import re
from collections.abc import Callable
from typing import Any

from isobudget.judge.packing import FACTORIES, MARK, SCALARS
from isobudget.judge.wire import WireError

#: most bits of a fraction's parts: to reduce longer ones would take seconds, in one call that nothing interrupts
FRACTION_BITS = 200_000


class Array:
    """The tests' form of a NumPy array: its kind (`dtype.kind`), its shape, and its items in order.

    An `Array` is equal to an `Array` of the same kind, shape and items, and to nothing else. It has no truth value.
    """

    __slots__ = ("dtype", "items", "shape")

    def __init__(self, dtype: str, shape: tuple[int, ...], items: list[Any]) -> None:
        if re.fullmatch(r"[<>|=]?[biufcSU]\d{1,4}", dtype) is None:
            raise WireError(f"an array of the unsupported type {dtype[:40]!r}")
        if any(type(size) is not int or size < 0 for size in shape) or math.prod(shape) != len(items):
            raise WireError("an array whose shape does not fit its items")
        self.dtype, self.shape, self.items = dtype, shape, items

    @property
    def kind(self) -> str:
        """The kind of the items: NumPy's one-letter code."""
        return self.dtype.lstrip("<>|=")[0]

    def __eq__(self, other: object) -> bool:
        if type(other) is not Array:
            return False
        return (self.kind, self.shape, self.items) == (other.kind, other.shape, other.items)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("an array has no truth value")

    def __repr__(self) -> str:
        return f"array({self.nested()!r}, {self.kind!r})"

    def nested(self) -> Any:
        """The items as nested lists. For an array without dimensions, this is the single item."""
        items = list(self.items)
        for size in reversed(self.shape[1:]):
            items = [items[place : place + size] for place in range(0, len(items), size)] if size else []
        return items if self.shape else items[0]


class Unpacker:
    """Turns wire forms back into new objects.

    Args:
        resolve: returns the object that a handle stands for.
        arrays: whether arrays become NumPy arrays, as on the sample's side.
    """

    def __init__(self, resolve: Callable[[dict[str, Any]], Any], *, arrays: bool = False) -> None:
        self.resolve = resolve
        self.arrays = arrays
        self.shared: dict[int, Any] = {}

    def unpack(self, form: Any) -> Any:
        """The value that a wire form encodes.

        Raises:
            WireError: the form is not one that a `Packer` makes.
        """
        return self.unpack_all([form])[0]

    def unpack_all(self, forms: list[Any]) -> list[Any]:
        """The values of several wire forms in one message.

        Raises:
            WireError: a form is not one that a `Packer` makes.
        """
        self.shared = {}
        try:
            return [self._unpack(form) for form in forms]
        except WireError:
            raise
        except Exception as error:
            raise WireError(f"a malformed value ({type(error).__name__})") from error

    def _unpack(self, form: Any) -> Any:
        kind = type(form)
        if kind is list:
            if form and type(form[0]) is dict and form[0].keys() == MARK:
                return self._keep(form[0]["shared"], self._list(form[1:]))
            return self._list(form)
        if kind is not dict:
            return form
        if len(form) == 2 and "shared" in form:
            number = form["shared"]
            return self._keep(number, self._tagged({tag: part for tag, part in form.items() if tag != "shared"}))
        return self._tagged(form)

    def _list(self, forms: list[Any]) -> list[Any]:
        return [item if type(item) in SCALARS else self._unpack(item) for item in forms]

    def _keep(self, number: Any, value: Any) -> Any:
        if type(number) is not int:
            raise WireError("a malformed mark")
        self.shared[number] = value
        return value

    def _tagged(self, form: dict[str, Any]) -> Any:
        ((tag, parts),) = form.items()
        if tag == "handle":
            return self.resolve(parts)
        if tag == "int":
            return int(parts, 16)
        if tag == "same":
            return self.shared[parts]
        make = _MAKERS.get(tag)
        if make is None or type(parts) is not list:
            raise WireError(f"a value with the unknown tag {tag[:40]!r}")
        value = make(*self._unpack(parts)) if tag in _SPREAD else make(self._unpack(parts))
        return _numpy_array(value) if self.arrays and tag == "array" else value


def _dict(keys: list[Any], values: list[Any]) -> dict[Any, Any]:
    # One by one, so that a table of colliding keys can be interrupted between two of them.
    return {key: value for key, value in zip(keys, values, strict=True)}  # noqa: C416


def _set(items: list[Any]) -> set[Any]:
    return {item for item in items}  # noqa: C416


def _namedtuple(name: str, fields: list[str], items: list[Any]) -> Any:
    return collections.namedtuple(str(name), fields, rename=True)(*items)


def _datetime(text: str, offset: float | None) -> Any:
    import datetime

    zone = None if offset is None else datetime.timezone(datetime.timedelta(seconds=offset))
    return datetime.datetime.fromisoformat(text).replace(tzinfo=zone)


def _imported(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _type(name: str) -> type:
    made = getattr(builtins, name)
    if not isinstance(made, type):
        raise WireError(f"{name[:40]!r} is not a type")
    return made


def _fraction(numerator: int, denominator: int) -> Any:
    if max(abs(numerator), abs(denominator)).bit_length() > FRACTION_BITS:
        raise WireError("a fraction that takes too long to reduce")
    return _imported("fractions", "Fraction")(numerator, denominator)


def _numpy_array(value: Array) -> Any:
    import numpy as np

    return np.array(value.items, dtype=np.dtype(value.dtype)).reshape(value.shape)


_MAKERS: dict[str, Callable[..., Any]] = {
    "tuple": tuple,
    "dict": _dict,
    "set": _set,
    "frozenset": lambda items: frozenset(_set(items)),
    "iterator": iter,
    "bytes": lambda text: bytes.fromhex(text),
    "bytearray": lambda text: bytearray.fromhex(text),
    "complex": complex,
    "range": range,
    "slice": slice,
    "ellipsis": lambda: ...,
    "notimplemented": lambda: NotImplemented,
    "deque": lambda items, most: collections.deque(items, most),
    "counter": lambda keys, values: collections.Counter(_dict(keys, values)),
    "ordereddict": lambda keys, values: collections.OrderedDict(_dict(keys, values)),
    "defaultdict": lambda name, keys, values: collections.defaultdict(FACTORIES.get(name), _dict(keys, values)),
    "dict_keys": lambda items: _dict(items, items).keys(),
    "dict_values": lambda items: dict(enumerate(items)).values(),
    "dict_items": lambda items: _dict([k for k, _ in items], [v for _, v in items]).items(),
    "fraction": _fraction,
    "decimal": lambda *parts: _imported("decimal", "Decimal")(*parts),
    "date": lambda *parts: _imported("datetime", "date")(*parts),
    "time": lambda *parts: _imported("datetime", "time")(*parts),
    "datetime": _datetime,
    "timedelta": lambda *parts: _imported("datetime", "timedelta")(*parts),
    "namedtuple": _namedtuple,
    "type": _type,
    "array": lambda dtype, shape, items: Array(dtype, tuple(shape), items),
}
#: tags whose parts are separate arguments of their maker
_SPREAD = frozenset(_MAKERS) - {"tuple", "set", "frozenset", "iterator", "dict_keys", "dict_values", "dict_items"}
