"""A command's options, taken from the function of `isobudget.api` that it calls.

Names, types and defaults come from the signature of the function, help texts from ``Args:`` in its docstring. From the
line

    workers: samples judged at once; by default one per core. In Python also 0.

the help is "Samples judged at once.", with "one per core" as the displayed default. A sentence that begins with "In
Python" is left out on the command line; "as in `judge`." stands for that function's line. A default ``()`` makes an
option that can be repeated. Parameters that cannot be given as text (progress, backends) are not options. A command may
add details of an option for Typer: flags, placeholders and bounds.
"""

from __future__ import annotations

import builtins
import collections.abc
import copy
import re
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature, cleandoc, signature
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer

from isobudget.cli.grouped import grouped, two_groups
from isobudget.cli.options import SHARED, one_form

Command = Callable[..., None]

#: types that can be given as text; a union counts as the first of these that it has
_FROM_TEXT = (bool, Path, str, int, float)


def of_api(function: str, **shown: Any) -> Callable[[Command], Command]:
    """Mark a command that shows the result of a function in `isobudget.api`.

    The command is called with the stated options, by name, and with its own options, which its signature declares. A
    command with a parameter `form` prints tables: it gets the options of `one_form` and the chosen form.

    Args:
        function: name of the function in `isobudget.api`.
        shown: details of options: `typer.Option`, `typer.Argument`, or these with another type, as ``Annotated[T,
            ...]``; None hides a parameter.
    """

    def marked(command: Command) -> Command:
        command.of_api = (function, shown)  # type: ignore[attr-defined]
        return command

    return marked


def with_options(command: Command) -> Command:
    """A command with all its options, in the form for Typer; a command without a mark is returned unchanged."""
    if not hasattr(command, "of_api"):
        return command
    own, forms = _own(command), _own(one_form) if "form" in signature(command).parameters else []

    def called(**values: Any) -> None:
        mine = {one.name: values.pop(one.name) for one in own}
        if forms:
            mine["form"] = one_form(**{one.name: values.pop(one.name) for one in forms})
        command({name: value for name, value in values.items() if value is not None}, **mine)

    every = [*declared_options(*command.of_api), *own, *forms]
    groups, texts = getattr(command, "groups", ({}, {}))
    parameters = grouped(every, groups or two_groups(every), texts)
    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    called.__name__, called.__doc__ = command.__name__, command.__doc__
    return called


def _own(command: Callable[..., Any]) -> list[Parameter]:
    """The options that a command declares itself."""
    parameters = signature(command, eval_str=True).parameters.values()
    return [one.replace(kind=one.KEYWORD_ONLY) for one in parameters if one.default is not one.empty]


def declared_options(function: str, shown: Mapping[str, Any]) -> list[Parameter]:
    """The options that a function of `isobudget.api` declares, as parameters for Typer."""
    from isobudget import api

    called, texts = getattr(api, function), described(function)
    typed = [(one, _option_type(one, _Names(called.__globals__))) for one in signature(called).parameters.values()]
    return [
        _option(one, type_, shown.get(one.name) or _shared(one), texts.get(one.name, ""))
        for one, type_ in typed
        if type_ is not None and shown.get(one.name, ...) is not None
    ]


def _option(parameter: Parameter, type_: Any, shown: Any, text: str) -> Parameter:
    """A parameter of a function as an option: its type, default and help."""
    if get_origin(shown) is Annotated:
        type_, shown = get_args(shown)
    info = copy.copy(shown) if shown else _plain_option(parameter)
    default, default_text = _default(parameter, type_)
    help_text, said = _help(text)
    info.help = info.help or help_text
    if info.show_default is True:
        info.show_default = said or default_text or True
    return Parameter(parameter.name, parameter.KEYWORD_ONLY, default=default, annotation=Annotated[type_, info])


def _default(parameter: Parameter, type_: Any) -> tuple[Any, str]:
    """An option's default, and for a list, which has no default in Typer, the displayed default."""
    kinds = get_args(type_)
    if parameter.default is parameter.empty:
        return None if type(None) in kinds else parameter.empty, ""
    if any(get_origin(kind) is list for kind in kinds):
        return None, parameter.default if isinstance(parameter.default, str) else ", ".join(parameter.default)
    return (",".join(map(str, parameter.default)) or None) if isinstance(
        parameter.default, tuple
    ) else parameter.default, ""


def _shared(parameter: Parameter) -> Any:
    """The details of an option that are the same in every command; None for an argument."""
    return None if parameter.default is parameter.empty else SHARED.get(parameter.name)


def _plain_option(parameter: Parameter) -> Any:
    """The default form of an option: an argument if required, a flag without ``--no-`` if it is off by default."""
    if parameter.default is parameter.empty:
        return typer.Argument(metavar=parameter.name.upper())
    return typer.Option(*[f"--{parameter.name.replace('_', '-')}"] * (parameter.default is False))


class _Names(dict[str, Any]):
    """Names in annotations: a module's and Python's. Names imported only for type checkers cannot be given as text."""

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, object)


def _option_type(parameter: Parameter, names: _Names) -> Any:
    """The type of an option; None if it cannot be given as text."""
    annotation = eval(parameter.annotation, {}, names)
    parts = _parts(annotation)
    if Any in parts or parameter.default == () or get_origin(annotation) is Sequence:
        return list[str] if parameter.default is parameter.empty else list[str] | None
    kind = next((kind for kind in _FROM_TEXT if kind in parts), None)
    return kind | None if kind and parameter.default is None else kind


def _parts(annotation: Any) -> set[Any]:
    """The member types of a union, including those in its sequences."""
    if get_origin(annotation) is collections.abc.Callable:
        return set()
    return set().union(*map(_parts, get_args(annotation))) if get_args(annotation) else {annotation}


def described(function: str) -> dict[str, str]:
    """The description of each parameter in a function's docstring, on one line."""
    from isobudget import api

    lines = cleandoc(getattr(api, function).__doc__ or "").partition("\nArgs:\n")[2].partition("\n\n")[0]
    texts: dict[str, str] = {}
    for names, text in re.findall(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", lines, re.MULTILINE):
        whole = re.sub(r"\n +", " ", text).partition(" In Python")[0]
        other = re.fullmatch(r"as (?:`(\w+)` )?in `(\w+)`\.", whole)
        for name in names.split(", "):
            texts[name] = described(other[2])[other[1] or name] if other else whole
    return texts


def _help(text: str) -> tuple[str, str]:
    """The help of an option and its displayed default, from the docstring."""
    text = text.replace("``", "`")
    default = re.search(r"; by default (.*?)\.(?= [A-Z]|$)", text)
    text = text.replace(default[0], ".") if default else text
    return text[:1].upper() + text[1:], default[1] if default else ""
