"""Finds logical lines of Python source, even of source that does not parse.

A logical line may span physical lines by brackets, by strings and by a backslash (Python reference, section 2.1).
Finding them is lexing, which a regular expression does in one pass; whether they are Python is left to the parser.
Python's own `tokenize` is not used: what it does with broken source differs between versions of Python.

Not covered: strings nested in f-strings by the same quotes (Python 3.12) if the inner string holds a bracket or quote.
Such a line ends in the wrong place, the parser refuses it, and extraction cuts it off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<comment>\#[^\r\n]*)
    | (?P<string>\"{3}(?:[^\\"]|\\[\s\S]|"(?!""))*+\"{3} | '{3}(?:[^\\']|\\[\s\S]|'(?!''))*+'{3}
        | "(?!"")(?:[^\\"\r\n]|\\(?:\r\n|[\s\S]))*+" | '(?!'')(?:[^\\'\r\n]|\\(?:\r\n|[\s\S]))*+' )
    | (?P<unclosed>\"{3}|'{3})
    | (?P<broken>["'][^\r\n]*)
    | (?P<joined>\\(?:\r\n|\r|\n))
    | (?P<newline>\r\n|\r|\n)
    | (?P<opening>[(\[{])
    | (?P<closing>[)\]}])
    | (?P<space>[ \t\f]+)
    | (?P<colon>:)
    | (?P<other>[^\s#"'\\()\[\]{}:]+|[\s\S])
    """,
    re.VERBOSE,
)

#: where a resumed scan may go on after a line that never ended: what can begin a definition, or follows an empty line
_RESUME = re.compile(
    r"^(?:(?:async[ \t]+def|def|class|import|from)\b|@\w)|(?:(?<=\n\n)|(?<=\n\r\n))(?=[^\s)\]}])", re.MULTILINE
)

#: how often at most a scan is resumed after a line that never ends; each time costs one pass over the rest
MAX_RESUMED = 16


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """One logical line.

    Attributes:
        start: offset at which its first physical line begins.
        first: offset of its first token.
        end: offset after its line break.
        column: of the first token; tabs go to multiples of eight, a form feed starts over.
        opens: whether it ends with a colon, so that a block must follow.
    """

    start: int
    first: int
    end: int
    column: int
    opens: bool


@dataclass(frozen=True, slots=True)
class Scan:
    """All logical lines of a source, blank lines and comments left out.

    Attributes:
        lines: in their order.
        in_string: whether the source ends within a string of triple quotes.
    """

    lines: tuple[LogicalLine, ...]
    in_string: bool = False


def scan(source: str, *, resume: bool = False) -> Scan:
    """Find the logical lines. Linear in the length of the source.

    Args:
        source: any text.
        resume: whether to cut a line that never ends, because a bracket or triple quotes are left open. The line is cut
            before the next definition or import at column 0, or the next line at column 0 after an empty one. This is
            done at most `MAX_RESUMED` times.
    """
    lines: list[LogicalLine] = []
    position = 0
    for _ in range(MAX_RESUMED if resume else 0):
        logical_lines, unended, _ = _scan(source, position)
        again = _RESUME.search(source, unended + 1) if unended is not None else None
        if again is None:
            break
        lines += logical_lines[:-1]
        lines.append(_shortened(logical_lines[-1], again.start()))
        position = again.start()
    logical_lines, _, in_string = _scan(source, position)
    return Scan((*lines, *logical_lines), in_string)


def _shortened(line: LogicalLine, end: int) -> LogicalLine:
    return LogicalLine(line.start, line.first, end, line.column, False)


def _scan(source: str, position: int) -> tuple[list[LogicalLine], int | None, bool]:
    """The lines from `position`; the start of a last line that never ended, or None; and whether a string is open."""
    lines: list[LogicalLine] = []
    start, first, depth, last_is_colon = position, -1, 0, False
    while position < len(source):
        token = _TOKEN.match(source, position)
        assert token is not None  # the last alternative matches any character
        kind = token.lastgroup
        position = token.end()
        if kind == "newline" and depth == 0:
            if first >= 0:
                lines.append(LogicalLine(start, first, position, _column(source, start, first), last_is_colon))
            start, first = position, -1
            continue
        if kind in ("comment", "space", "joined", "newline"):
            if kind == "joined" and first < 0:
                first = token.start()
            continue
        if first < 0:
            first = token.start()
        if kind == "unclosed":
            lines.append(LogicalLine(start, first, len(source), _column(source, start, first), False))
            return lines, start, True
        depth += (kind == "opening") - (kind == "closing" and depth > 0)
        last_is_colon = kind == "colon"
    if first >= 0:
        ended = last_is_colon and depth == 0
        lines.append(LogicalLine(start, first, len(source), _column(source, start, first), ended))
    return lines, start if depth else None, False


def _column(source: str, start: int, first: int) -> int:
    return len(source[start:first].rpartition("\f")[2].expandtabs(8))
