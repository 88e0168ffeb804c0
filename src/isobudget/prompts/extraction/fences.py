"""Fenced blocks of an answer in Markdown, and which of them is the program.

A fence is a line of three or more backticks or tildes (CommonMark, section 4.5); it may be indented, as in lists, and
the last block need not be closed. A closing fence within a string of triple quotes does not close, if a later one
does. What stands before ``</think>`` is a model talking to itself and is left out. Where the answer begins with code
and its first fence has no language, that fence closes: the opening one was left out, or stands in the prompt.

Which block: of the blocks in Python (or, if there are none, of those in no stated language, or else of all), the last
that defines the entry point and does something; without one, the longest that parses; else the longest.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from isobudget.prompts.extraction.lines import scan
from isobudget.prompts.extraction.statements import MAX_PARSED_CHARS, Failure, parse

_FENCE = re.compile(
    r"(?:^|(?<=[\r\n]))(?P<indent>[ \t]*+(?:(?:[-*+]|\d{1,3}[.)])[ \t]++)?)"
    r"(?P<mark>`{3,}|~{3,})(?P<language>[^`\r\n]*)(?:\r\n|\r|\n|\Z)"
)
_PYTHON = {"python", "python3", "py", "py3", "python 3", "ipython"}

#: blocks of one answer that are looked at; of more, the last ones
MAX_BLOCKS = 100

#: closing fences that a string in a block may hold
MAX_HELD_FENCES = 8


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the offsets of its content, its language in lower case, and how far its fence was indented."""

    start: int
    end: int
    language: str
    indent: str

    @property
    def is_python(self) -> bool:
        """Whether it says that it is Python."""
        return self.language in _PYTHON or self.language.split(" ")[0].strip("{}.") in _PYTHON


def find_blocks(text: str) -> list[Block]:
    """The fenced blocks of an answer, behind its last ``</think>``, in their order."""
    thought = text.rfind("</think>")
    begin = 0 if thought < 0 else thought + len("</think>")
    fences = list(_FENCE.finditer(text, begin))
    blocks: list[Block] = []
    place = 0
    if fences and not fences[0]["language"].strip() and _begins_with_code(text[begin : fences[0].start()]):
        blocks.append(Block(begin, fences[0].start(), "python", ""))
        place = 1
    while place < len(fences):
        opening = fences[place]
        closing = _closing(text, fences, place)
        end = fences[closing].start() if closing is not None else len(text)
        language = opening["language"].strip().casefold()
        blocks.append(Block(opening.end(), max(end, opening.end()), language, opening["indent"]))
        place = len(fences) if closing is None else closing + 1
    return blocks


def candidates(blocks: Sequence[Block]) -> list[Block]:
    """The blocks that may be the program, by their language."""
    python = [block for block in blocks if block.is_python]
    return (python or [block for block in blocks if not block.language] or list(blocks))[-MAX_BLOCKS:]


def content(text: str, block: Block) -> str:
    """What a block holds, without the indentation of its fence if its first line shares it."""
    inside = text[block.start : block.end]
    width = len(block.indent)
    first = inside.lstrip("\r\n")[:width]
    if not width or first.strip(" \t") or len(first) < width:
        return inside
    return re.sub(rf"(?:^|(?<=[\r\n]))[ \t]{{1,{width}}}", "", inside)


def _begins_with_code(text: str) -> bool:
    """Whether a text is Python, and more than words that may stand before a block (``Solution``, ``Answer: this``)."""
    nodes = parse(text)
    return not isinstance(nodes, Failure) and any(
        not isinstance(node, ast.Expr | ast.AnnAssign) or isinstance(node.value, ast.Call) for node in nodes
    )


def _closing(text: str, fences: Sequence[re.Match[str]], place: int) -> int | None:
    """The index of the fence that closes the one at `place`; None if none does."""
    mark = fences[place]["mark"]
    closings = (
        later
        for later in range(place + 1, len(fences))
        if fences[later]["mark"].startswith(mark) and not fences[later]["language"].strip()
    )
    first = None
    for later in islice(closings, MAX_HELD_FENCES + 1):
        first = later if first is None else first
        inside = text[fences[place].end() : fences[later].start()]
        if len(inside) > MAX_PARSED_CHARS or not scan(inside).in_string:
            return later
    return first
