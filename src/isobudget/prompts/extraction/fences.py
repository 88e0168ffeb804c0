"""Fenced blocks of an answer in Markdown.

A fence is a line of three or more backticks or tildes (CommonMark, section 4.5); it may be indented or quoted, as in
lists, and the last block need not be closed. Code may be glued to a fence, before or after it. A fence within a string
of triple quotes does not count. A fence that names a language also ends a block that was not closed. Where the answer
begins with code and its first fence has no language, that fence closes: the opening one was left out, or stands in the
prompt. In an answer without fences, paragraphs that are indented as code blocks of Markdown (section 4.4) count as
blocks.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from isobudget.prompts.extraction.edited import Edited, without_prefix
from isobudget.prompts.extraction.lines import scan
from isobudget.prompts.extraction.statements import Failure, parse
from isobudget.syntax import MAX_PARSED_CHARS

_FENCE = re.compile(
    r"""
    (?:^|(?<=[\r\n]))(?P<indent>[ \t]*+(?:>[ \t]?)*+[ \t]*+(?:(?:[-*+]|\d{1,3}[.)])[ \t]++)?)
    (?P<mark>`{3,}+|~{3,}+)(?P<info>[^`\r\n]*+)(?P<closed>`{3,}+[ \t]*+)?(?:\r\n|\r|\n|\Z)
    """,
    re.VERBOSE,
)
_PYTHON = re.compile(r"[{.\s]*(?:i?python|py|pypy)[ ]?[\d.]*(?!\w|-[a-z])|[{.\s]*[\w./-]+\.py(?!\w)", re.IGNORECASE)
_UNNAMED = {"", "text", "txt", "plaintext", "plain", "code", "none", "markdown", "md"}
#: the beginning of code that is glued to a fence, as opposed to attributes of the fence
_GLUED = re.compile(
    r"(?:i?python3?[ \t]*|py[ \t]+)?(?P<code>\#.*"
    r"|(?:(?:async[ \t]+)?def|class|import|from|for|while|if|with|try|return)\b.*"
    r"|\w+[ \t]+=[ \t]|\w+(?:[ \t]*,[ \t]*\w+)+[ \t]*=|\w+[ \t]*[-+*/]?=[ \t]*\w*\(|[\w.]+\(.*\)[ \t]*$|@\w)"
)
_GLUED_END = re.compile(r"(?<=[^`~\s])[ \t]*(?:`{3,}|~{3,})[ \t\r]*$", re.MULTILINE)
#: blocks of one answer that are looked at; of more, the last ones
MAX_BLOCKS = 100

#: most fences that a string in a block may hold
MAX_HELD_FENCES = 8


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        start, end: offsets of its content.
        is_python: whether its fence names Python, or code is glued to the fence or stands in its place.
        is_foreign: whether its fence names another language.
        indent: what stands before its fence: indentation, marks of a quotation or of a list.
    """

    start: int
    end: int
    is_python: bool
    is_foreign: bool
    indent: str


def find_blocks(text: str) -> list[Block]:
    """The last blocks of an answer, in their order."""
    fences = list(_FENCE.finditer(text))
    return list(_fenced(text, fences))[-MAX_BLOCKS:] if fences else []


def content(text: str, block: Block) -> Edited:
    """The text of a block, without the indentation or quotation marks of its fence if its first line has them, too."""
    return without_prefix(text[block.start : block.end], block.indent)


def _fenced(text: str, fences: Sequence[re.Match[str]]) -> Iterator[Block]:
    place = 0
    if not fences[0]["info"].strip() and _begins_with_code(text[: fences[0].start()]):
        yield Block(0, fences[0].start(), True, False, "")
        place = 1
    while place < len(fences):
        opening = fences[place]
        if opening["closed"] is not None:
            yield _block(opening, opening.start("closed"))
            place += 1
            continue
        ending, closes = _ending(text, fences, place)
        end = fences[ending].start() if ending < len(fences) else len(text)
        following = ending + closes
        glued = _glued_end(text, opening.end(), end)
        if glued is not None:
            end, following = glued, place + 1
        yield _block(opening, end)
        place = following


def _block(opening: re.Match[str], end: int) -> Block:
    """The block after a fence, with code that is glued to it."""
    info = opening["info"].strip()
    glued = _GLUED.match(info)
    start = opening.start("info") + opening["info"].index(info) + glued.start("code") if glued else opening.end()
    is_python = bool(_PYTHON.match(info)) or glued is not None
    start = min(start, end)
    is_foreign = not is_python and info.casefold() not in _UNNAMED
    return Block(start, max(start, end), is_python, is_foreign, opening["indent"])


def _ending(text: str, fences: Sequence[re.Match[str]], place: int) -> tuple[int, bool]:
    """The index of the fence that ends a block, and whether it closes the block or opens another one."""
    opening = fences[place]
    first, held = (len(fences), False), 0
    for later in range(place + 1, len(fences)):
        fence = fences[later]
        if fence["closed"] is not None:
            continue
        named = bool(fence["info"].strip())
        closes = not named and fence["mark"].startswith(opening["mark"])
        inside = text[opening.end() : min(fence.start(), opening.end() + MAX_PARSED_CHARS)]
        if not closes and not named and (inside.strip() or _PYTHON.match(opening["info"].strip())):
            continue
        if held == MAX_HELD_FENCES or not scan(inside).in_string:
            return later, closes
        first, held = min(first, (later, closes)), held + 1
    return first


def _glued_end(text: str, start: int, end: int) -> int | None:
    """Where a block ends at a fence that is glued to code; None if there is none, or if the block parses with it."""
    glued = _GLUED_END.search(text, start, end)
    if glued is None or scan(text[start : glued.start()]).in_string or not isinstance(parse(text[start:end]), Failure):
        return None
    return glued.start()


def indented_blocks(text: str) -> list[Block]:
    """Indented code after prose and an empty line, as Markdown has it."""
    blocks: list[Block] = []
    position, goes_on, blank, prose = 0, False, False, False
    for line in text.splitlines(keepends=True):
        empty, deep = not line.strip(), line.startswith(("    ", "\t"))
        end = position + len(line)
        if not empty and deep and goes_on:
            blocks[-1] = replace(blocks[-1], end=end)
        elif not empty and deep and blank and prose:
            blocks.append(Block(position, end, False, False, line[: 1 if line[0] == "\t" else 4]))
            goes_on = True
        elif not empty:
            goes_on = False
            prose = True
        blank, position = empty, end
    return blocks[-MAX_BLOCKS:]


def _begins_with_code(text: str) -> bool:
    """Whether a text is Python, and more than words that may stand before a block (``Solution``, ``Answer: this``)."""
    nodes = parse(text)
    return not isinstance(nodes, Failure) and any(
        not isinstance(node, ast.Expr | ast.AnnAssign) or isinstance(node.value, ast.Call) for node in nodes
    )
