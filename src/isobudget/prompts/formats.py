"""Prompt formats: data that defines how a problem becomes a prompt, and how the program is extracted from the answer.

The formats that ship are in `formats.toml` beside this module; that file also explains the keys. A format in a user's
own file of the same form is named ``PATH.toml#NAME``. All mistakes in a file are reported, each with its format and
key, before anything is generated. Sources of the published prompts: comments in `formats.toml`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from isobudget.errors import InputError
from isobudget.files.hints import did_you_mean
from isobudget.files.toml import read_toml, shipped_toml
from isobudget.files.values import Check, is_whole, mistakes_of
from isobudget.grid import counted
from isobudget.models.catalog import NewlineRule
from isobudget.prompts.template import Template, parse_template

#: the rules that `isobudget.prompts.extraction.extract` knows
EXTRACTIONS = ("none", "function", "block", "program")

#: more examples than any context holds; a mistyped number should not build a prompt of gigabytes
MAX_EXAMPLES = 100


class PromptKind(StrEnum):
    """What the model is given: source to continue, text to continue, a conversation, or source with a hole."""

    COMPLETION = "completion"
    TEXT = "text"
    CHAT = "chat"
    FILL_IN = "fill-in"


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """How a problem becomes a prompt.

    Attributes:
        name: of a format that ships, or ``PATH.toml#NAME``.
        title: a description for people.
        kind: see `PromptKind`.
        template: text of the prompt for the problem; empty for completion, where the prompt is used unchanged.
        needs_examples: number of solved problems shown before it.
        example: for text prompts, the template of each solved problem.
        answer: for chat, the assistant's turn of each solved problem.
        separator: for text prompts, the text between examples, and before the problem.
        system: for chat, the system message; None if there is none.
        extraction: the rule by which the program is taken out of the answer, one of `EXTRACTIONS`.
        stop: texts that end generation; None leaves the benchmark's own.
        newline: whether newlines where the model continues are kept or stripped; None leaves it to the model's rule.
        instead: the format that the message names if there are too few solved problems.
    """

    name: str
    title: str
    kind: PromptKind
    template: Template = field(default_factory=Template)
    needs_examples: int = 0
    example: Template = field(default_factory=Template)
    answer: Template = field(default_factory=Template)
    separator: str = ""
    system: str | None = None
    extraction: str = "none"
    stop: tuple[str, ...] | None = None
    newline: NewlineRule | None = None
    instead: str = ""


def formats() -> dict[str, PromptFormat]:
    """The formats that ship, by name, in the order of the file."""
    return dict(_shipped())


def find_format(name: str) -> PromptFormat:
    """The format with this name; one in a file of your own is named ``PATH.toml#NAME``.

    Raises:
        InputError: there is no such format, or the file cannot be read or has mistakes.
    """
    path, mark, inner = name.rpartition("#")
    if mark or name.endswith(".toml"):
        return _own(Path(path or inner), inner if mark else "")
    if name in _shipped():
        return _shipped()[name]
    raise InputError(
        f"unknown prompt format {name[:80]!r}.{did_you_mean(name, _shipped())} Known formats: {', '.join(_shipped())}; "
        "name a format of your own as PATH.toml#NAME"
    )


def parse_formats(document: dict[str, Any], origin: str) -> dict[str, PromptFormat]:
    """The formats of a file. `origin` names it in messages and in the formats; empty for those that ship."""
    file = origin or "formats.toml"
    mistakes = [f"unknown key {key!r}; formats are tables [formats.NAME]" for key in document if key != "formats"]
    tables = document.get("formats")
    if not isinstance(tables, dict) or not tables:
        raise InputError(f"{file}: has no table [formats.NAME]")
    parsed = {name: _read(name, table, origin, mistakes) for name, table in tables.items()}
    if mistakes:
        listed = "".join(f"\n  {mistake}" for mistake in mistakes)
        raise InputError(f"{file}: {counted(len(mistakes), 'mistake')}{listed}")
    return cast(dict[str, PromptFormat], parsed)


@functools.cache
def _shipped() -> dict[str, PromptFormat]:
    return parse_formats(shipped_toml("isobudget.prompts", "formats.toml"), "")


def _own(path: Path, name: str) -> PromptFormat:
    own = parse_formats(read_toml(path), str(path))
    if name in own:
        return own[name]
    if not name:
        raise InputError(f"{path}: name one of its formats: {', '.join(f'{path}#{known}' for known in own)}")
    raise InputError(f"{path}: has no format {name[:80]!r}.{did_you_mean(name, own)} It has {', '.join(own)}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


_TEXT: Check = (_is_text, "a string")
_KEYS: dict[str, Check] = {
    "kind": (lambda value: value in tuple(PromptKind), f"one of {', '.join(PromptKind)}"),
    **dict.fromkeys(("title", "template", "example", "answer", "separator", "system", "instead"), _TEXT),
    "examples": (lambda value: is_whole(value, 0, MAX_EXAMPLES), f"a whole number from 0 to {MAX_EXAMPLES}"),
    "extraction": (lambda value: value in EXTRACTIONS, f"one of {', '.join(EXTRACTIONS)}"),
    "stop": (
        lambda value: isinstance(value, list) and all(_is_text(one) and one for one in value),
        "a list of strings, none of them empty",
    ),
    "newline": (lambda value: value in ("keep", "strip"), "'keep' or 'strip'"),
}

_COMMON = ("kind", "title", "extraction", "stop")
#: keys that a kind takes beside the common ones; of these, `_needed` says which it must have
_TAKES = {
    PromptKind.COMPLETION: ("newline",),
    PromptKind.TEXT: ("template", "examples", "example", "separator", "newline", "instead"),
    PromptKind.CHAT: ("template", "examples", "answer", "system", "instead"),
    PromptKind.FILL_IN: ("template", "newline"),
}


def _read(name: str, table: Any, origin: str, mistakes: list[str]) -> PromptFormat | None:
    """One format; None if it has mistakes, which are added to `mistakes`."""
    where = f"formats.{name}"
    if not isinstance(table, dict):
        mistakes.append(f"{where}: must be a table")
        return None
    before = len(mistakes)
    mistakes += mistakes_of(table, _KEYS, f"{where}.")
    if len(mistakes) == before:
        mistakes += [f"{where}.{mistake}" for mistake in _wrong_together(table)]
    templates = {key: _template(table, key, where, mistakes) for key in ("template", "example", "answer")}
    if (
        table.get("kind") == PromptKind.FILL_IN
        and table.get("template")
        and "prompt" not in templates["template"].names
    ):
        mistakes.append(f"{where}.template: must hold {{prompt}}, the text before the hole")
    for place in sorted(templates["template"].names & {"solution", "completion"}):
        mistakes.append(f"{where}.template: {{{place}}} can be used for solved examples only")
    if len(mistakes) > before:
        return None
    return _build(f"{origin}#{name}" if origin else name, table, templates)


def _build(name: str, table: dict[str, Any], templates: dict[str, Template]) -> PromptFormat:
    values = {"title": name, **table, **templates, "kind": PromptKind(table["kind"])}
    values["needs_examples"] = values.pop("examples", 0)
    values["stop"] = tuple(table["stop"]) if "stop" in table else None
    return PromptFormat(name, **values)


def _template(table: dict[str, Any], key: str, where: str, mistakes: list[str]) -> Template:
    text = table.get(key, "")
    try:
        return parse_template(text) if isinstance(text, str) else Template()
    except ValueError as error:
        mistakes.append(f"{where}.{key}: {error}")
        return Template()


def _wrong_together(table: dict[str, Any]) -> list[str]:
    """Keys that are missing, or that do not belong to this kind, as ``key: what is wrong``."""
    if "kind" not in table:
        return [f"kind: is missing; it is one of {', '.join(PromptKind)}"]
    kind = PromptKind(table["kind"])
    takes = (*_COMMON, *_TAKES[kind])
    wrong = [f"{key}: is not a key of formats of kind {kind}" for key in table if key not in takes]
    missing = (key for key in _needed(kind, table) if not table.get(key))
    wrong += [f"{key}: is missing; a format of kind {kind} needs it" for key in missing]
    return wrong


def _needed(kind: PromptKind, table: dict[str, Any]) -> tuple[str, ...]:
    shown = {PromptKind.TEXT: "example", PromptKind.CHAT: "answer"}.get(kind)
    template = () if kind is PromptKind.COMPLETION else ("template",)
    return (*template, shown) if shown and table.get("examples") else template
