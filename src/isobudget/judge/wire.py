"""The wire between the tests and a sample: plain data as framed JSON, and nothing else.

Whatever arrives is decoded into new objects of the built-in and standard types by type-exact rules, so no method of the
sample's objects ever runs on the other side. Numbers (nan, inf, complex, huge integers), strings, bytes, None, lists,
tuples, sets, dicts, ranges, slices, and the standard collections cross as they are. Instances of their subclasses cross
as the plain type. Iterators are drained up to a cap. Everything else crosses as a numbered handle that its owner keeps.

A frame is four bytes of length, big end first, and that many bytes of ASCII JSON. JSON's own scalars and lists stand
for themselves; all other types are an object with one key, the tag.
"""

from __future__ import annotations

import builtins
import collections
import collections.abc
import importlib
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

#: a longer frame is refused by the receiver
FRAME_BYTES = 16 << 20
#: what is read at once: most frames are smaller, and a larger buffer has to be found by every process anew
READ_BYTES = 4000
#: an iterator that crosses is drained up to this many items
DRAIN_ITEMS = 100_000
#: integers beyond this are written in hexadecimal, whose conversion takes linear time
LARGE_INT = 10**1000

SCALARS = frozenset({int, float, str, bool, type(None)})
_DIRECT = frozenset({float, str, bool, type(None)})
_DICT_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_ITERATORS = (collections.abc.Iterator, map, filter, zip, reversed, enumerate)


class WireError(Exception):
    """A frame is malformed, too long, or holds something that does not cross."""


class ClosedError(WireError):
    """The other side is gone."""


_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_encode = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, None, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True
)


def encode(message: Any) -> str:
    """A message made of JSON's own types as ASCII text."""
    return "".join(_encode(message, 0))


def decode(text: str) -> Any:
    """The message that a text stands for.

    Raises:
        WireError: it is not JSON.
    """
    try:
        message, end = _scan(text, 0)
    except (ValueError, RecursionError, StopIteration) as error:
        raise WireError("a message that is not JSON") from error
    if end != len(text):
        raise WireError("a message with something after its end")
    return message


def send(descriptor: int, message: Any) -> None:
    """Send a message made of JSON's own types.

    Raises:
        ClosedError: the other side is gone.
        WireError: the message is too long.
    """
    data = encode(message).encode("ascii")
    if len(data) > FRAME_BYTES:
        raise WireError(f"a message of {len(data)} bytes is too long to cross")
    data = len(data).to_bytes(4, "big") + data
    try:
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, memoryview(data)[written:])
    except OSError as error:
        raise ClosedError("the other side is gone") from error


def receive(descriptor: int) -> Any:
    """Receive one message.

    Raises:
        ClosedError: the other side is gone.
        WireError: what came is no frame of at most `FRAME_BYTES` with JSON inside.
    """
    try:
        data = os.read(descriptor, READ_BYTES)
    except OSError as error:
        raise ClosedError("the other side is gone") from error
    size = int.from_bytes(data[:4], "big")
    if len(data) != 4 + size or len(data) < 4:
        data = _rest(descriptor, data)
    try:
        return decode(str(memoryview(data)[4:], "ascii"))
    except UnicodeDecodeError as error:
        raise WireError("a message that is not ASCII") from error


def _rest(descriptor: int, data: bytes) -> bytes:
    """Read on to the end of a frame. The sides take turns, so that nothing may follow a frame."""
    while len(data) < 4:
        data += _more(descriptor)
    wanted = 4 + int.from_bytes(data[:4], "big")
    if wanted - 4 > FRAME_BYTES:
        raise WireError(f"a message of {wanted - 4} bytes is too long to cross")
    parts, have = [data], len(data)
    while have < wanted:
        parts.append(_more(descriptor))
        have += len(parts[-1])
    if have > wanted:
        raise WireError("a message with something after its end")
    return b"".join(parts)


def _more(descriptor: int) -> bytes:
    try:
        data = os.read(descriptor, 1 << 20)
    except OSError as error:
        raise ClosedError("the other side is gone") from error
    if not data:
        raise ClosedError("the other side is gone")
    return data


class Packer:
    """Turns values into JSON's own types. `export` is given what cannot cross and returns its handle."""

    def __init__(self, export: Callable[[Any], dict[str, Any]]) -> None:
        self.export = export

    def pack(self, value: Any) -> Any:
        """The wire form of a value.

        Raises:
            RecursionError: the value is nested too deeply or contains itself.
        """
        kind = type(value)
        if kind in _DIRECT:
            return value
        if kind is int:
            return value if -LARGE_INT < value < LARGE_INT else {"int": hex(value)}
        if kind is list:
            return self._list(value)
        if kind is tuple:
            return {"tuple": self._list(value)}
        if kind is dict:
            return {"dict": [self._list(list(value)), self._list(list(value.values()))]}
        packed = _EXACT.get(kind) or _NAMED.get((kind.__module__, kind.__qualname__))
        if packed is not None:
            tag, parts = packed
            return {tag: self._list(parts(value))}
        return self._other(value)

    def _list(self, items: Any) -> list[Any]:
        kinds = set(map(type, items))
        if kinds <= _DIRECT:
            return list(items)
        if kinds == {int} and min(items) > -LARGE_INT and max(items) < LARGE_INT:
            return list(items)
        return [self.pack(item) for item in items]

    def _other(self, value: Any) -> Any:
        kind = type(value)
        for base, plain in _BASES:
            if isinstance(value, base):
                return self.pack(plain(value))
        if isinstance(value, tuple):
            return self._tuple(value)
        if kind in _DICT_VIEWS:
            return {kind.__name__: self._list(list(value))}
        if isinstance(value, _ITERATORS):
            return {"iterator": self._list(_drain(value))}
        if isinstance(value, type) and getattr(builtins, type.__getattribute__(value, "__name__"), None) is value:
            return {"type": [type.__getattribute__(value, "__name__")]}
        if kind.__module__ == "numpy":
            return self._numpy(value)
        return self.export(value)

    def _tuple(self, value: Any) -> Any:
        items = self._list(list(tuple.__iter__(value)))
        fields = getattr(type(value), "_fields", None)
        if isinstance(fields, tuple) and len(fields) == len(items) and all(type(name) is str for name in fields):
            return {"namedtuple": [type(value).__name__, list(fields), items]}
        return {"tuple": items}

    def _numpy(self, value: Any) -> Any:
        name = type(value).__name__
        dtype = getattr(value, "dtype", None)
        if dtype is None or dtype.kind not in "biufcUS":
            return self.export(value)
        if name == "ndarray":
            return {"ndarray": [dtype.str, self.pack(value.tolist())]}
        return {"npscalar": [dtype.str, self.pack(value.item())]}


def _drain(value: Iterator[Any]) -> list[Any]:
    items: list[Any] = []
    for item in value:
        if len(items) >= DRAIN_ITEMS:
            raise WireError(f"an iterator of more than {DRAIN_ITEMS} items cannot be sent")
        items.append(item)
    return items


#: exact type -> its tag and its parts, which are packed in turn
_EXACT: dict[type, tuple[str, Callable[[Any], Any]]] = {
    set: ("set", list),
    frozenset: ("frozenset", list),
    bytes: ("bytes", lambda v: [v.hex()]),
    bytearray: ("bytearray", lambda v: [v.hex()]),
    complex: ("complex", lambda v: [v.real, v.imag]),
    range: ("range", lambda v: [v.start, v.stop, v.step]),
    slice: ("slice", lambda v: [v.start, v.stop, v.step]),
    type(...): ("ellipsis", lambda _: []),
    type(NotImplemented): ("notimplemented", lambda _: []),
    collections.deque: ("deque", lambda v: [list(v), v.maxlen]),
    collections.Counter: ("counter", lambda v: [list(v), list(v.values())]),
    collections.OrderedDict: ("ordereddict", lambda v: [list(v), list(v.values())]),
    collections.defaultdict: ("defaultdict", lambda v: [_factory_name(v), list(v), list(v.values())]),
}

#: the same for types of modules that are not always imported, by module and name
_NAMED: dict[tuple[str, str], tuple[str, Callable[[Any], Any]]] = {
    ("fractions", "Fraction"): ("fraction", lambda v: [v.numerator, v.denominator]),
    ("decimal", "Decimal"): ("decimal", lambda v: [str(v)]),
    ("datetime", "date"): ("date", lambda v: [v.year, v.month, v.day]),
    ("datetime", "time"): ("time", lambda v: [v.hour, v.minute, v.second, v.microsecond]),
    ("datetime", "datetime"): ("datetime", lambda v: [v.replace(tzinfo=None).isoformat(), _offset(v)]),
    ("datetime", "timedelta"): ("timedelta", lambda v: [v.days, v.seconds, v.microseconds]),
}

#: instances of subclasses are sent as the plain type, by the base's own methods
_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, lambda v: int.__add__(v, 0)),
    (float, lambda v: float.__pos__(v)),
    (str, lambda v: str.__str__(v)),
    (complex, lambda v: complex.__pos__(v)),
    (list, lambda v: list(list.__iter__(v))),
    (dict, lambda v: dict(zip(dict.__iter__(v), dict.values(v), strict=True))),
    (set, lambda v: set(set.__iter__(v))),
    (frozenset, lambda v: frozenset(frozenset.__iter__(v))),
    (bytearray, lambda v: bytearray(bytearray.__iter__(v))),
    (bytes, lambda v: bytes(bytes.__iter__(v))),
)

_FACTORIES: dict[str, Any] = {"int": int, "list": list, "dict": dict, "set": set, "str": str, "float": float}


def _factory_name(value: Any) -> str | None:
    name = getattr(value.default_factory, "__name__", None)
    return name if name in _FACTORIES else None


def _offset(value: Any) -> float | None:
    offset = value.utcoffset()
    return None if offset is None else offset.total_seconds()


class Unpacker:
    """Turns wire forms back into new objects. `resolve` is given a handle and returns what stands for it."""

    def __init__(self, resolve: Callable[[dict[str, Any]], Any]) -> None:
        self.resolve = resolve

    def unpack(self, form: Any) -> Any:
        """The value of a wire form.

        Raises:
            WireError: the form is not one that a `Packer` makes.
        """
        try:
            return self._unpack(form)
        except WireError:
            raise
        except (TypeError, ValueError, KeyError, RecursionError, ArithmeticError, AttributeError) as error:
            raise WireError(f"a malformed value ({type(error).__name__})") from error

    def _unpack(self, form: Any) -> Any:
        kind = type(form)
        if kind is list:
            return [item if type(item) in SCALARS else self._unpack(item) for item in form]
        if kind is not dict:
            return form
        ((tag, parts),) = form.items()
        if tag == "handle":
            return self.resolve(parts)
        if tag == "int":
            return int(parts, 16)
        make = _MAKERS.get(tag)
        if make is None or type(parts) is not list:
            raise WireError(f"a value with the unknown tag {tag[:40]!r}")
        return make(*self._unpack(parts)) if tag in _SPREAD else make(self._unpack(parts))


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
    found = getattr(builtins, name)
    if not isinstance(found, type):
        raise WireError(f"{name[:40]!r} is not a type")
    return found


def _numpy_value(dtype: str, value: Any, *, scalar: bool) -> Any:
    import numpy as np

    if re.fullmatch(r"[<>|=]?[biufcSU]\d{1,4}", dtype) is None:
        raise WireError(f"the array type {dtype[:40]!r}")
    array = np.array(value, dtype=np.dtype(dtype))
    return array[()] if scalar else array


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
    "defaultdict": lambda name, keys, values: collections.defaultdict(_FACTORIES.get(name), _dict(keys, values)),
    "dict_keys": lambda items: _dict(items, items).keys(),
    "dict_values": lambda items: dict(enumerate(items)).values(),
    "dict_items": lambda items: _dict([k for k, _ in items], [v for _, v in items]).items(),
    "fraction": lambda *parts: _imported("fractions", "Fraction")(*parts),
    "decimal": lambda *parts: _imported("decimal", "Decimal")(*parts),
    "date": lambda *parts: _imported("datetime", "date")(*parts),
    "time": lambda *parts: _imported("datetime", "time")(*parts),
    "datetime": _datetime,
    "timedelta": lambda *parts: _imported("datetime", "timedelta")(*parts),
    "namedtuple": _namedtuple,
    "type": _type,
    "npscalar": lambda dtype, value: _numpy_value(dtype, value, scalar=True),
    "ndarray": lambda dtype, value: _numpy_value(dtype, value, scalar=False),
}
#: tags whose parts are separate arguments of their maker
_SPREAD = frozenset(_MAKERS) - {"tuple", "set", "frozenset", "iterator", "dict_keys", "dict_values", "dict_items"}
