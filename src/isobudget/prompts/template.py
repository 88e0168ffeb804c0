"""Templates of prompts: text with named placeholders.

`{name}` is replaced by the text of that name. `{#name}...{/name}` is shown if that text is not empty,
`{^name}...{/name}` if it is empty; sections may be nested. `{{` and `}}` are single braces. Any other brace is a
mistake, and the message says where it is. Texts are inserted as they are, so braces in a problem stay braces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: what templates may name: the texts of one problem, see `isobudget.prompts.render`
PLACES = ("prompt", "source", "task", "starter", "tests", "entry_point", "stdin", "solution", "completion")

_MARK = re.compile(r"\{\{|\}\}|\{(?P<kind>[#^/]?)(?P<name>\w+)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A place that is filled with a text."""

    name: str


@dataclass(frozen=True, slots=True)
class Section:
    """Parts that are shown if the named text is not empty (`shown_if` is true), or if it is empty (false)."""

    name: str
    shown_if: bool
    parts: tuple[Part, ...]


Part = str | Placeholder | Section


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template."""

    parts: tuple[Part, ...] = ()

    def fill(self, texts: Mapping[str, str]) -> str:
        """The text, with every place filled from `texts`, which must name all of `PLACES`."""
        return _fill(self.parts, texts)

    @property
    def names(self) -> frozenset[str]:
        """The names of the placeholders, without names that only decide whether a section is shown."""
        return frozenset(_names(self.parts))


def parse_template(text: str) -> Template:
    """Read a template; a `ValueError` says where a brace, a name or a section is wrong."""
    open_sections: list[tuple[str, bool, list[Part]]] = []
    parts: list[Part] = []
    position = 0
    for mark in _MARK.finditer(text):
        _add_text(parts, text[position : mark.start()])
        position = mark.end()
        if mark[0] in ("{{", "}}"):
            _add_text(parts, mark[0][0])
        elif mark["name"] is None:
            raise ValueError(f"a single {mark[0]!r} {_where(text, mark.start())}; double it to print one")
        elif mark["name"] not in PLACES:
            raise ValueError(f"unknown placeholder {mark[0]} {_where(text, mark.start())}; known: {', '.join(PLACES)}")
        elif mark["kind"] == "":
            parts.append(Placeholder(mark["name"]))
        elif mark["kind"] == "/":
            parts = _close(open_sections, parts, mark["name"], _where(text, mark.start()))
        else:
            open_sections.append((mark["name"], mark["kind"] == "#", parts))
            parts = []
    _add_text(parts, text[position:])
    if open_sections:
        raise ValueError(f"the section {open_sections[-1][0]!r} is not closed; write {{/{open_sections[-1][0]}}}")
    return Template(tuple(parts))


def _add_text(parts: list[Part], text: str) -> None:
    if not text:
        return
    if parts and isinstance(parts[-1], str):
        parts[-1] += text
    else:
        parts.append(text)


def _close(open_sections: list[tuple[str, bool, list[Part]]], parts: list[Part], name: str, where: str) -> list[Part]:
    """End the innermost section; returns the parts around it, the section among them."""
    if not open_sections or open_sections[-1][0] != name:
        raise ValueError(f"{{/{name}}} {where} closes no section that is open there")
    opened, shown_if, around = open_sections.pop()
    around.append(Section(opened, shown_if, tuple(parts)))
    return around


def _where(text: str, position: int) -> str:
    return f"in line {text.count(chr(10), 0, position) + 1} of the template"


def _fill(parts: Sequence[Part], texts: Mapping[str, str]) -> str:
    filled: list[str] = []
    for part in parts:
        if isinstance(part, str):
            filled.append(part)
        elif isinstance(part, Placeholder):
            filled.append(texts[part.name])
        elif bool(texts[part.name]) is part.shown_if:
            filled.append(_fill(part.parts, texts))
    return "".join(filled)


def _names(parts: Sequence[Part]) -> set[str]:
    names: set[str] = set()
    for part in parts:
        if isinstance(part, Placeholder):
            names.add(part.name)
        elif isinstance(part, Section):
            names |= _names(part.parts)
    return names
