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
    """The literal of a value; raises ValueError if it has none."""
    text = repr(value)
    if len(text) > MOST_LITERAL or ast.literal_eval(text) != value:
        raise ValueError(text[:50])
    return text


class Calls:
    """Reports calls of functions.

    A call of `wrap` with the file's globals and the names of the functions is added at the end of the candidate's file.
    """

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._seen: set[tuple[str, ...]] = set()

    def wrap(self, names: dict[str, Any], targets: list[str]) -> None:
        """Replace functions and methods by wrappers that report their calls; class methods and the like stay as is."""
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
        `kind`: ``returns``, ``raises`` or `LONG`; `value`: the literal of the returned value, else its repr, or the
        name of the error; `key`: a text that is the same for equal values; `how`: ``literal``, ``shown`` or the error's
        module; `after`: the arguments after the call, if it changed them; `state`: the object's attributes after it.
    """
    owner, _, last = call["name"].rpartition(".")
    holder = functools.reduce(getattr, owner.split("."), module) if owner else module
    args, kwargs = ast.literal_eval(call["args"]), ast.literal_eval(call["kwargs"])
    before = plain((args, kwargs))
    if call["state"]:
        holder = object.__new__(holder)
        vars(holder).update(ast.literal_eval(call["state"]))
    _limited(CPU_SECONDS, WALL_SECONDS)
    try:
        said = {"kind": "returns", **_shown(_settled(getattr(holder, last), args, kwargs))}
    except TooLongError:
        return {"kind": LONG, "value": "", "key": "", "how": "", "after": "", "state": ""}
    except BaseException as error:
        name = type(error).__name__
        said = {"kind": "raises", "value": name, "key": name, "how": type(error).__module__}
    finally:
        _limited(0, 0)
    after = plain((args, kwargs))
    said["after"] = "" if after == before else _cut(repr(args))
    said["state"] = plain(vars(holder)) if call["state"] else ""
    return said


def _settled(function: Any, args: Any, kwargs: Any) -> Any:
    """The returned value; for a coroutine the value it returns, for a generator the values it yields."""
    value = function(*args, **kwargs)
    if inspect.isawaitable(value):
        return asyncio.run(_awaited(value))
    if inspect.isasyncgen(value):
        return asyncio.run(_listed(value))
    return list(itertools.islice(value, MOST_ITEMS)) if isinstance(value, types.GeneratorType) else value


async def _awaited(value: Any) -> Any:
    return await value


async def _listed(values: Any) -> list[Any]:
    return [value async for value in values]


def _shown(value: Any) -> dict[str, str]:
    try:
        return {"value": literal(value), "key": plain(value), "how": "literal"}
    except Exception:
        return {"value": _cut(ADDRESS.sub("", repr(value))), "key": plain(value), "how": "shown"}


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "..."


def plain(value: Any, depth: int = 8) -> str:
    """A text that is the same for equal values: numbers by value, sets and dicts in sorted order."""
    if isinstance(value, (bool, int)) and not isinstance(value, complex):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.9g}"
    if isinstance(value, (str, bytes)) or value is None or depth == 0:
        return ADDRESS.sub("", repr(value))
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
    return ADDRESS.sub("", repr(value))
