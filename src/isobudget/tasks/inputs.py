"""Inputs near those that tests use: slightly changed values, and mixtures of the arguments of several calls.

All inputs are literals, and an argument keeps its type: a list of texts stays a list of texts. The inputs and their
order are the same every time. Not covered: values without a literal. Of inputs that need several changes at once, only
a random sample is covered.
"""

from __future__ import annotations

import itertools
import keyword
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from isobudget import syntax

#: longest text, list or dict that is made, and how many elements of one are changed
_LONGEST, _ELEMENTS = 200, 4
_LARGEST = 10**9


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function, as literals.

    Attributes:
        name: dotted name of the function.
        state: for a method, the literal of a dict with the attributes of the object; empty for a function.
        args: literal of a tuple.
        kwargs: literal of a dict.
    """

    name: str
    state: str
    args: str
    kwargs: str

    @classmethod
    def of(cls, told: Any) -> Call | None:
        """A call from the candidate's report; None unless all parts of the call are literals."""
        try:
            call = cls(*(told[name] for name in ("name", "state", "args", "kwargs")))
            args, kwargs, state = (syntax.literal(one or "{}") for one in (call.args, call.kwargs, call.state))
        except (KeyError, *syntax.NOT_PYTHON):
            return None
        if not "".join((call.state, call.args, call.kwargs)).isprintable():  # a repr always is; this may be forged
            return None
        is_call = isinstance(args, tuple) and isinstance(kwargs, dict) and isinstance(state, dict)
        return call if is_call and all(isinstance(one, str) for one in (*kwargs, call.name)) else None

    def to_dict(self) -> dict[str, str]:
        """The call in the form that the guest expects."""
        return {"name": self.name, "state": self.state, "args": self.args, "kwargs": self.kwargs}

    @property
    def arguments(self) -> str:
        """The arguments as source code, without the parentheses."""
        args, kwargs = syntax.literal(self.args), syntax.literal(self.kwargs)
        if not all(name.isidentifier() and not keyword.iskeyword(name) for name in kwargs):
            return ", ".join([*map(repr, args), f"**{kwargs!r}"])
        return ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())])


def inputs_near(calls: Sequence[Call], most: int, seed: int = 0) -> list[Call]:
    """The calls, then calls with one argument changed, calls that mix arguments, and calls with several changes.

    Args:
        calls: calls that the tests make.
        most: maximum number of calls returned.
        seed: seed of the random part.
    """
    found = dict.fromkeys(itertools.islice(calls, most))
    near = (_round_robin([_changed_once(call) for call in calls]), _mixed(calls, random.Random(seed)))
    for one in itertools.chain(*near, _changed_again(list(found), random.Random(seed), 20 * most)):
        if len(found) >= most:
            break
        found.setdefault(one)
    return list(found)


def _round_robin(sources: Sequence[Iterator[Call]]) -> Iterator[Call]:
    """Take one call from each source in turn."""
    for row in itertools.zip_longest(*sources):
        yield from (one for one in row if one is not None)


def _changed_once(call: Call) -> Iterator[Call]:
    args, kwargs = syntax.literal(call.args), syntax.literal(call.kwargs)
    places = [neighbours(value) for value in (*args, *kwargs.values())]
    for row in itertools.zip_longest(*places):
        for place, value in enumerate(row):
            if value is not None:
                yield _with(call, args, kwargs, {place: value})


def _with(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any], new: dict[int, Any]) -> Call:
    values = [new.get(place, value) for place, value in enumerate((*args, *kwargs.values()))]
    own, named = tuple(values[: len(args)]), dict(zip(kwargs, values[len(args) :], strict=True))
    return Call(call.name, call.state, repr(own), repr(named))


def _mixed(calls: Sequence[Call], rng: random.Random) -> Iterator[Call]:
    """Calls whose arguments are mixed from several calls of the same function and shape."""
    shapes: dict[tuple[str, int, tuple[str, ...]], list[tuple[Call, tuple[Any, ...], dict[str, Any]]]] = {}
    for call in calls:
        args, kwargs = syntax.literal(call.args), syntax.literal(call.kwargs)
        shapes.setdefault((call.name, len(args), tuple(kwargs)), []).append((call, args, kwargs))
    for (_, count, names), own in shapes.items():
        if len(own) < 2 or count + len(names) < 2:
            continue
        for _ in range(4 * len(own)):
            call, args, kwargs = rng.choice(own)
            new = {}
            for place in range(count + len(names)):
                _, others, named = rng.choice(own)
                new[place] = (*others, *named.values())[place]
            yield _with(call, args, kwargs, new)


def _changed_again(calls: Sequence[Call], rng: random.Random, most: int) -> Iterator[Call]:
    known: dict[Call, list[Call]] = {}  # where few calls can be made, most steps come back to the same ones
    for _ in range(most if calls else 0):
        call = rng.choice(calls)
        for _ in range(rng.randint(2, 3)):
            near = known.get(call)
            if near is None:
                near = known[call] = list(itertools.islice(_changed_once(call), 60))
            call = rng.choice(near) if near else call
        yield call


def neighbours(value: Any) -> Iterator[Any]:
    """Slightly changed values of the same type; none for types without a rule."""
    seen = {repr(value)}
    for one in _NEAR.get(type(value), _none)(value):
        if repr(one) not in seen and _is_small(one):
            seen.add(repr(one))
            yield one


def _none(_: Any) -> Iterable[Any]:
    return ()


def _is_small(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return abs(value) <= _LARGEST if isinstance(value, int) else len(value) <= _LONGEST


def _texts(text: str) -> Iterator[str]:
    yield from ("", " ", text + " ", " " + text, text[:-1], text[1:], text + text, text[::-1])
    yield from (text.upper(), text.lower(), text.title(), text.replace(" ", "  "), text.replace(" ", ""))
    middle = len(text) // 2
    for added in ("-", "_", ".", "0", "é", "\n", "\t", "'", "--"):
        yield text + added
        yield added + text
        yield text[:middle] + added + text[middle:]
    for place in range(min(len(text), _ELEMENTS)):
        yield text[:place] + text[place] + text[place:]
        yield text[:place] + text[place + 1 :]


def _sequences(values: Any) -> Iterator[Any]:
    kind = type(values)
    yield from (values[:0], values[:1], values[1:], values[:-1], values + values, values[::-1])
    if values:
        yield values + values[:1]
    for place, value in enumerate(values[:_ELEMENTS]):
        for one in itertools.islice(neighbours(value), 3):
            yield kind([*values[:place], one, *values[place + 1 :]])


def _dicts(values: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
    yield {}
    items = list(values.items())
    yield dict(items[::-1])
    for place, (key, value) in enumerate(items[:_ELEMENTS]):
        yield dict(items[:place] + items[place + 1 :])
        for one in itertools.islice(neighbours(value), 3):
            yield values | {key: one}
        for other in itertools.islice(neighbours(key), 2) if isinstance(key, str | int) else ():
            yield dict([*items[:place], (other, value), *items[place + 1 :]])


_NEAR: dict[type, Callable[[Any], Iterable[Any]]] = {
    bool: lambda value: (not value,),
    int: lambda value: (0, 1, -1, value + 1, value - 1, -value, 2 * value, 10 * value + 7),
    float: lambda value: (0.0, value + 0.5, -value, value / 3, 2 * value, value + 1e-3, 1e6 * value),
    str: _texts,
    bytes: lambda value: (b"", value[1:], value[:-1], value + value, value[::-1], value + b"\x00\xff"),
    list: _sequences,
    tuple: _sequences,
    dict: _dicts,
    set: lambda value: (set(one) for one in _sequences(sorted(value, key=repr))),
}
