"""Encodes plain data for the wire: how values cross between the tests and a sample.

Whatever arrives is decoded into new objects of the built-in and standard types by type-exact rules, so no method of the
sample's objects ever runs on the other side. Numbers (nan, inf, complex, huge integers, fractions, decimals), dates and
times, strings, bytes, None, lists, tuples, named tuples, sets, dicts and their views, ranges, slices, built-in types
and the standard collections cross as they are. Instances of other subclasses of these types cross as the plain type.
NumPy's scalars cross as Python's own numbers, which are exact. NumPy's arrays become an `Array` for the tests, and an
array again for the sample. An iterator crosses as its items, up to a maximum, and becomes an iterator again. Everything
else crosses as a numbered handle, while the object itself stays with its owner. A mutable object that occurs twice in
one message is one object on the other side, too.

JSON's own scalars and lists stand for themselves. A value of any other type is a JSON object with one key, the type's
tag. A value that occurs again is numbered at its first place: a list by a first item `{"shared": number}`, an object by
a second key `shared`. At its later places it is `{"same": number}`.
"""

from __future__ import annotations

import builtins
import collections
import collections.abc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from isobudget.judge.wire import WireError

#: most items of an iterator that crosses
DRAIN_ITEMS = 100_000
#: integers beyond this are written in hexadecimal, whose conversion takes linear time
LARGE_INT = 10**1000

#: keys of the extra first item of a list that occurs again
MARK = {"shared"}
SCALARS = frozenset({int, float, str, bool, type(None)})
_DIRECT = frozenset({float, str, bool, type(None)})
_DICT_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_ITERATORS = (collections.abc.Iterator, map, filter, zip, reversed, enumerate)


FACTORIES: dict[str, Any] = {"int": int, "list": list, "dict": dict, "set": set, "str": str, "float": float}


class Packer:
    """Turns values into JSON's own types.

    `export` is called with each value that is not plain data, and returns its handle.
    """

    def __init__(self, export: Callable[[Any], dict[str, Any]]) -> None:
        self.export = export
        #: objects of this message and their forms, by the object's id; keeping the objects prevents the reuse of ids
        self.seen: dict[int, tuple[Any, Any]] = {}
        self.marks: set[int] = set()

    def pack(self, value: Any) -> Any:
        """The wire form of a value.

        Raises:
            RecursionError: the value is nested too deeply or contains itself.
        """
        return self.pack_all([value])[0]

    def pack_all(self, values: Iterable[Any]) -> list[Any]:
        """The wire forms of several values in one message."""
        self.seen, self.marks = {}, set()
        return [self._pack(value) for value in values]

    def _pack(self, value: Any) -> Any:
        kind = type(value)
        if kind in _DIRECT:
            return value
        if kind is int:
            return value if -LARGE_INT < value < LARGE_INT else {"int": hex(value)}
        if kind is tuple:
            return {"tuple": self._list(value)}
        if id(value) in self.seen:
            return self._same(value)
        if kind is list:
            form: Any = self._list(value)
        elif kind is dict:
            form = {"dict": [self._list(list(value)), self._list(list(value.values()))]}
        else:
            packed = _EXACT.get(kind) or _NAMED.get((kind.__module__, kind.__qualname__))
            if packed is None:
                return self._other(value)
            tag, parts = packed
            form = {tag: self._list(parts(value))}
        self.seen[id(value)] = value, form
        return form

    def _same(self, value: Any) -> Any:
        """Number the first form of a value that has occurred before, and return a reference to it."""
        form = self.seen[id(value)][1]
        if type(form) is dict:
            number = form.setdefault("shared", len(self.marks))
        elif form and type(form[0]) is dict and form[0].keys() == MARK:
            number = form[0]["shared"]
        else:
            number = len(self.marks)
            form.insert(0, {"shared": number})
        self.marks.add(number)
        return {"same": number}

    def _list(self, items: Any) -> list[Any]:
        kinds = set(map(type, items))
        if kinds <= _DIRECT:
            return list(items)
        if kinds == {int} and min(items) > -LARGE_INT and max(items) < LARGE_INT:
            return list(items)
        return [self._pack(item) for item in items]

    def _other(self, value: Any) -> Any:
        kind = type(value)
        for base, plain in _BASES:
            if isinstance(value, base):
                return self._pack(plain(value))
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
            return {"array": [dtype.str, list(value.shape), self._list(value.ravel().tolist())]}
        item = value.item()
        # A long double has no exact counterpart.
        return self.export(value) if type(item).__module__ == "numpy" else self._pack(item)


def _drain(value: Iterator[Any]) -> list[Any]:
    items: list[Any] = []
    for item in value:
        if len(items) >= DRAIN_ITEMS:
            raise WireError(f"an iterator of more than {DRAIN_ITEMS} items cannot be sent")
        items.append(item)
    return items


#: exact type -> its tag, and a function that returns its parts, which are packed in turn
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


def _factory_name(value: Any) -> str | None:
    name = getattr(value.default_factory, "__name__", None)
    return name if name in FACTORIES else None


def _offset(value: Any) -> float | None:
    offset = value.utcoffset()
    return None if offset is None else offset.total_seconds()
