"""Help that fits a screen of 80 columns: a short line for each option, in groups where a command has many.

An option's full description is in the ``Args:`` of the function of `isobudget.api` (docs/api.md); the help shows the
first clause, and in brackets the default if it is short.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from typing import Annotated, Any, get_args

from typer.models import OptionInfo

#: most letters of a default that is shown
_DEFAULT = 9
#: most letters of a placeholder; a longer one is replaced by that of its type, unless it lists choices as in <a|b>
_PLACEHOLDER = 13
_PLACEHOLDERS = {"int": "N", "float": "X", "Path": "FILE", "str": "TEXT", "list": "TEXT"}


def in_groups(groups: Mapping[str, str], **texts: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a command whose options are shown in groups.

    Args:
        groups: title -> names of parameters, separated by spaces; empty for `two_groups`.
        texts: by name, help of options whose first clause is not enough.
    """

    def marked(command: Callable[..., None]) -> Callable[..., None]:
        command.groups = (groups, texts)  # type: ignore[attr-defined]
        return command

    return marked


def two_groups(parameters: Sequence[Parameter]) -> dict[str, str]:
    """Two groups for a command that states none: its options, and its flags, whose ``--no-`` forms would need space."""
    parts = {one.name: get_args(one.annotation) for one in parameters}
    options = {name: _is_flag(kind) for name, (kind, info) in parts.items() if isinstance(info, OptionInfo)}
    titles = {"Options": False, "Flags": True}
    return {title: " ".join(name for name in options if options[name] is flag) for title, flag in titles.items()}


def _is_flag(kind: Any) -> bool:
    return bool in (kind, *get_args(kind))


def grouped(parameters: Sequence[Parameter], groups: Mapping[str, str], texts: Mapping[str, str]) -> list[Parameter]:
    """Parameters for Typer, each in its group with a one-line help; those in no group unchanged."""
    titles = {name: title for title, names in groups.items() for name in names.split()}
    return [
        _in_group(one, titles[one.name], texts.get(one.name, "")) if one.name in titles else one for one in parameters
    ]


def _in_group(parameter: Parameter, title: str, text: str) -> Parameter:
    kind, info = get_args(parameter.annotation)
    info = copy.copy(info)
    info.rich_help_panel = title
    info.help = (text or short_help(info.help or "")) + _default(parameter.default, info.show_default)
    info.show_default = False
    if info.metavar is None or (len(info.metavar) > _PLACEHOLDER and info.metavar[0] != "<"):
        info.metavar = "" if _is_flag(kind) else _placeholder(kind)
    return parameter.replace(annotation=Annotated[kind, info])


def short_help(text: str) -> str:
    """The first clause of a help text, with "repeatable" for a repeatable option."""
    clause = re.split(r"(?<=\w|\)|`)(?:[:;.] | \()", text)[0].rstrip(".")
    return clause + ", repeatable" * (text.endswith(" Repeatable.") and "epeatable" not in clause)


def _default(value: Any, shown: Any) -> str:
    """The default, if it is short enough for the line, or its description."""
    text = shown if isinstance(shown, str) else "" if value is None or isinstance(value, bool) else str(value)
    return f" ({text})" if 0 < len(text) <= _DEFAULT else ""


def _placeholder(kind: Any) -> str | None:
    """The placeholder for a value of a type, such as N; None if Typer's own is better."""
    names = {getattr(part, "__name__", "") for part in (kind, *get_args(kind))}
    return next((_PLACEHOLDERS[name] for name in _PLACEHOLDERS if name in names), None)
