"""Writes the test that is proposed for an input on which passing programs differ.

A proposed test is valid Python, and it passes with the programs of the largest group. What has no literal is not
asserted; a comment says so. What a program reports may be forged, so it is only used if it is a literal.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any

from isobudget import syntax
from isobudget.grid import printable
from isobudget.tasks.inputs import Call

#: the parts of a result that are compared
PARTS = ("value", "after", "state")
_NAMES = {"value": "the result", "after": "the arguments", "state": "the object"}
_ASYNC = {"awaited": "await {}", "async listed": "[value async for value in {}]"}


def one_line(text: str) -> str:
    """The text as one printable line, fit for a comment."""
    return printable(text).replace("\n", " ").replace("\t", " ")


def proposed_test(
    module: str, call: Call, group: Sequence[Mapping[str, str]], parts: Sequence[str], others: str, number: int
) -> str:
    """A test that states what the largest group of programs does.

    Args:
        module: name of the module to import.
        call: the call.
        group: the results of the group's programs.
        parts: the parts in which programs differ.
        others: a comment about the other groups.
        number: number of the test, for its name.
    """
    owner, _, plain = call.name.rpartition(".")
    lines = _body(call, group, parts)
    used = [name for name in ("asyncio", "itertools", "pytest") if any(f"{name}." in line for line in lines)]
    imports = [*(f"import {name}" for name in used), "" if used else None]
    imports += [f"from {module} import {owner.split('.')[0] or plain}", ""]
    body = [*(one for one in imports if one is not None), *lines]
    text = [f"# {one_line(others)}", f"def test_{plain}_{number}():", *(f"    {line}" for line in body)]
    return "\n".join(line.rstrip() for line in text) + "\n"


def _body(call: Call, group: Sequence[Mapping[str, str]], parts: Sequence[str]) -> list[str]:
    result = group[0]
    owner, _, plain = call.name.rpartition(".")
    is_named = "after" in parts
    given = (f"*args{', **kwargs' if _has_keywords(call) else ''}") if is_named else call.arguments
    made = f"{f'one.{plain}' if call.state else call.name}({given})"
    if result["kind"] not in ("returns", "raises"):
        return [f"# {made} took too long, which a test cannot state", "pass"]
    lines = [f"one = object.__new__({owner})", f"vars(one).update({call.state})"] if call.state else []
    if is_named:
        lines += [f"args = {call.args}", *([f"kwargs = {call.kwargs}"] if _has_keywords(call) else [])]
    before, made = _settling(result, made)
    lines += before
    if result["kind"] == "raises":
        lines += [f"with pytest.raises({_raised(result)}):", f"    {made}"]
    elif list(parts) == ["value"] and _literals(group, "value"):
        return [*lines, *_stated(group, "value", made)]
    else:
        lines += [f"result = {made}" if "value" in parts and _literals(group, "value") else made]
        lines += _stated(group, "value", "result") if "value" in parts else []
    if is_named:
        lines += _stated([_with_after(call, one) for one in group], "after", _both("args", "kwargs", call))
    return lines + (_stated(group, "state", "vars(one)") if "state" in parts else [])


def _with_after(call: Call, result: Mapping[str, str]) -> Mapping[str, str]:
    """The result with the arguments after the call, even if the call does not change them."""
    unchanged = {"after": _both(call.args, call.kwargs, call), "after_how": "literal"}
    return result if result["after_how"] else {**result, **unchanged}


def _both(args: str, kwargs: str, call: Call) -> str:
    return f"({args}, {kwargs})" if _has_keywords(call) else args


def _has_keywords(call: Call) -> bool:
    return bool(syntax.literal(call.kwargs))


def _settling(result: Mapping[str, str], made: str) -> tuple[list[str], str]:
    """The lines before the call, and the call itself.

    Together they await a coroutine, or make a list of what a generator yields.
    """
    if form := _ASYNC.get(result["form"]):
        return ["async def settled():", f"    return {form.format(made)}", ""], "asyncio.run(settled())"
    if result["form"] != "listed":
        return [], made
    ends = result["kind"] == "raises" or result["value_how"] == "literal"
    return [], f"list({made})" if ends else f"list(itertools.islice({made}, 1000))"


def _stated(group: Sequence[Mapping[str, str]], part: str, expression: str) -> list[str]:
    """The assertion on a part, or a comment that says why there is none."""
    name, text = _NAMES[part], group[0][part]
    values = _literals(group, part)
    if not values:
        return [f"# {name}: {one_line(text)} (it cannot be written as a literal, so nothing is asserted)"]
    if all(one == values[0] for one in values):
        return [f"assert {expression} {'is' if text == 'None' else '=='} {text}"]
    if isinstance(values[0], int | float):
        return [f"assert {expression} == pytest.approx({text})"]
    return [f"# {name}: about {text} (it varies slightly between these programs, so nothing is asserted)"]


def _literals(group: Sequence[Mapping[str, str]], part: str) -> list[Any]:
    """The values of a part, one for each program; empty if one of the values has no literal."""
    found = []
    for one in group:
        try:
            if one[f"{part}_how"] != "literal" or not one[part].isprintable():
                return []
            found.append(syntax.literal(one[part]))
        except syntax.NOT_PYTHON:
            return []
    return found


def _raised(result: Mapping[str, str]) -> str:
    """The error's class if it is a builtin, else the nearest builtin class."""
    kind = getattr(builtins, result["base"], None)
    return result["base"] if isinstance(kind, type) and issubclass(kind, BaseException) else "Exception"
