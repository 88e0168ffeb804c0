"""Runs in a candidate's process: records the arguments with which tests call a function, and repeats the calls.

This file is sent to the guest as text, like `runner`, and the same rules apply: only the standard library, Python 3.9
and later, no import from isobudget. A call is a dict of texts: the function's dotted name and the literals of its
arguments; for a method also the literal of the object's attributes. Calls with values that have no literal are left
out.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import hashlib
import importlib
import inspect
import itertools
import re
import signal
import types
from collections.abc import Callable
from typing import Any

MOST_CALLS, MOST_LITERAL, MOST_SHOWN, MOST_ITEMS = 200, 2000, 300, 1000
#: CPU and wall seconds that one call may take; after this many calls that take longer, no more are made
CPU_SECONDS, WALL_SECONDS, MOST_LONG = 0.5, 5.0, 3
LONG = "takes too long"
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def literal(value: Any) -> str:
    """The literal of a value. Raises ValueError if the value has no literal."""
    text = repr(value)
    # compared as a test does: the value may have an __eq__ of its own
    is_same = len(text) <= MOST_LITERAL and text.isprintable() and bool(value == ast.literal_eval(text))
    if not is_same:
        raise ValueError(text[:50])
    return text


class Calls:
    """Reports calls of functions.

    A line is added at the end of the candidate's file, which calls `wrap` with the file's globals and the names of the
    functions.
    """

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._seen: set[tuple[str, ...]] = set()

    def wrap(self, names: dict[str, Any], targets: list[str]) -> None:
        """Replace functions, methods and static methods by wrappers that report each call. Others stay as they are."""
        for target in targets:
            owner, _, last = target.rpartition(".")
            holder = functools.reduce(getattr, owner.split("."), types.SimpleNamespace(**names)) if owner else None
            found = names.get(last) if holder is None else vars(holder).get(last)
            made = self._telling(target, found, holder is not None)
            if made is not None and holder is None:
                names[last] = made
            elif made is not None:
                setattr(holder, last, made)

    def _telling(self, name: str, found: Any, is_method: bool) -> Any:
        if isinstance(found, staticmethod):
            return staticmethod(self._wrapped(name, found.__func__, False))
        return self._wrapped(name, found, is_method) if isinstance(found, types.FunctionType) else None

    def _wrapped(self, name: str, function: Any, is_method: bool) -> Any:
        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            self._note(name, is_method, args, kwargs)
            return function(*args, **kwargs)

        return called

    def _note(self, name: str, is_method: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if len(self._seen) >= MOST_CALLS:
            return
        try:
            state = literal(vars(args[0])) if is_method else ""
            call = {"name": name, "state": state, "args": literal(args[is_method:]), "kwargs": literal(kwargs)}
        except Exception:
            return
        if tuple(call.values()) not in self._seen:
            self._seen.add(tuple(call.values()))
            self._tell("call", call)


class TooLongError(BaseException):
    """A call took too long. `except Exception` in the candidate does not catch it."""


def call_all(tell: Callable[..., None], module: str, calls: list[dict[str, str]]) -> None:
    """Make each call twice and report its result, or None if the two results differ."""
    for kind in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(kind, _too_long)
    loaded, long = importlib.import_module(module), 0
    for number, call in enumerate(calls):
        first = outcome(loaded, call)
        is_long = first["kind"] == LONG
        long += is_long
        tell("result", number, first if is_long or first == outcome(loaded, call) else None)
        if long >= MOST_LONG:
            break


def _limited(cpu_seconds: float, wall_seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    signal.setitimer(signal.ITIMER_REAL, wall_seconds)


def _too_long(*_: Any) -> None:
    raise TooLongError


def outcome(module: Any, call: dict[str, str]) -> dict[str, str]:
    """Make one call and describe its result, as a dict of texts.

    Returns:
        A dict with these keys. `kind`: ``returns``, ``raises`` or `LONG`. `form`: see `_form`. `base`: the nearest
        builtin class of the error. The other keys are those of `_told` for each of three parts of the result. The part
        `value` is the returned value or the error's name. The part `after` is the arguments, if the call changed them.
        The part `state` is a method's object after the call.
    """
    owner, _, last = call["name"].rpartition(".")
    holder = functools.reduce(getattr, owner.split("."), module) if owner else module
    args, kwargs = ast.literal_eval(call["args"]), ast.literal_eval(call["kwargs"])
    before = plain((args, kwargs))
    if call["state"]:
        holder = object.__new__(holder)
        vars(holder).update(ast.literal_eval(call["state"]))
    said = {"form": "", "base": "", **_text("value", ""), **_text("after", ""), **_text("state", "")}
    _limited(CPU_SECONDS, WALL_SECONDS)
    try:
        value = getattr(holder, last)(*args, **kwargs)
        said["form"] = _form(value)
        said.update(kind="returns", **_told("value", _settled(value)))
    except TooLongError:
        return {**said, "kind": LONG}
    except BaseException as error:
        said.update(kind="raises", base=_base(type(error)))
        said.update(_text("value", type(error).__name__))
    finally:
        _limited(0, 0)
    if plain((args, kwargs)) != before:
        said.update(_told("after", (args, kwargs) if kwargs else args))
    if call["state"]:
        said.update(_told("state", vars(holder)))
    return said


def _base(kind: type) -> str:
    return next(one.__name__ for one in kind.__mro__ if one.__module__ == "builtins")


def _form(value: Any) -> str:
    """How the result of a call is got from the returned value; empty if the returned value itself is the result."""
    if inspect.isawaitable(value):
        return "awaited"
    return "async listed" if inspect.isasyncgen(value) else "listed" * isinstance(value, types.GeneratorType)


def _settled(value: Any) -> Any:
    """The returned value; for a coroutine the value it returns, for a generator the values it yields."""
    form = _form(value)
    if form == "awaited":
        return asyncio.run(_awaited(value))
    if form == "async listed":
        return asyncio.run(_listed(value))
    return list(itertools.islice(value, MOST_ITEMS)) if form else value


async def _awaited(value: Any) -> Any:
    return await value


async def _listed(values: Any) -> list[Any]:
    return [value async for value in values]


def _told(part: str, value: Any) -> dict[str, str]:
    """A part of a result, as a dict with three keys.

    The key `part` has the literal of the value, or a text that shows the value if it has no literal. The key with
    ``_how`` appended says which of the two it is: ``literal`` or ``shown``. The key with ``_key`` appended has a text
    that is the same for equal values.
    """
    key = {f"{part}_key": _short(plain(value))}
    try:
        return {part: literal(value), f"{part}_how": "literal", **key}
    except Exception:
        text = _repr(value)
    shown = plain(value) if ADDRESS.search(text) else text
    return {part: shown if len(shown) <= MOST_SHOWN else shown[:MOST_SHOWN] + "...", f"{part}_how": "shown", **key}


def _text(part: str, text: str) -> dict[str, str]:
    return {part: text, f"{part}_how": "shown" * bool(text), f"{part}_key": text}


def _short(key: str) -> str:
    if len(key) <= MOST_SHOWN:
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _repr(value: Any) -> str:
    """The repr of a value, or the name of the value's class if `repr` raises an error."""
    try:
        return repr(value)
    except TooLongError:
        raise
    except BaseException:
        return f"<{type(value).__name__}>"


def plain(value: Any, depth: int = 8) -> str:
    """A text that is the same for equal values: numbers by value, sets and dicts in sorted order."""
    if isinstance(value, (bool, int)) and not isinstance(value, complex):
        # Python refuses to write long integers in decimal
        return str(int(value)) if abs(value) < 1 << 64 else hex(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.9g}"
    if isinstance(value, (str, bytes)) or value is None or depth == 0:
        return ADDRESS.sub("", _repr(value))
    if isinstance(value, dict):
        pairs = sorted(f"{plain(key, depth - 1)}: {plain(one, depth - 1)}" for key, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(plain(one, depth - 1) for one in value)) + "}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(plain(one, depth - 1) for one in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    if hasattr(value, "__dict__") and not isinstance(value, (type, types.FunctionType, types.ModuleType)):
        return f"{type(value).__name__}({plain(vars(value), depth - 1)})"
    return ADDRESS.sub("", _repr(value))
