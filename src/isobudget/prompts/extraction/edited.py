"""Changes the indentation of code, and maps offsets in the changed text back to the original text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from isobudget.prompts.extraction.lines import LogicalLine, scan

_ODD_INDENT = re.compile(r"(?:^|(?<=[\r\n]))[ \t]*+[\ufeff\u200b\u2060\xa0][ \t\ufeff\u200b\u2060\xa0]*")
_NO_WIDTH = re.compile(r"[\ufeff\u200b\u2060]")
_LINE_START = re.compile(r"(?:^|(?<=[\r\n]))(?=[^\r\n])")


@dataclass(frozen=True, slots=True)
class Edited:
    """A text after changes.

    Attributes:
        text: the text as it is now.
        places: offsets in it at which something changed, ascending.
        shifts: for each of these places, by how many characters the text after it has moved to the left.
    """

    text: str
    places: tuple[int, ...] = ()
    shifts: tuple[int, ...] = ()

    def origin(self, offset: int) -> int:
        """The offset in the original text that corresponds to an offset in this text."""
        count = bisect_left(self.places, offset)
        return offset + (self.shifts[count - 1] if count else 0)


def edit(text: str, changes: Iterable[tuple[int, int, str]]) -> Edited:
    """Change a text; `changes` are ascending offsets, each with a number of characters to remove and a text to add."""
    parts: list[str] = []
    places: list[int] = []
    shifts: list[int] = []
    position = length = 0
    for offset, removed, added in changes:
        parts += [text[position:offset], added]
        length += offset - position
        places.append(length)
        length += len(added)
        position = offset + removed
        shifts.append(position - length)
    return Edited("".join([*parts, text[position:]]), tuple(places), tuple(shifts))


def without_prefix(text: str, prefix: str) -> Edited:
    """The text without a prefix of its lines: an indentation, or the marks of a quotation.

    A line that has only part of the prefix loses that part. If the first line does not have it, nothing changes.
    """
    quoted = prefix.count(">")
    pattern = re.compile(rf"[ \t]*(?:>[ \t]?){{1,{quoted}}}" if quoted else rf"[ \t]{{1,{max(1, len(prefix))}}}")
    first = re.search(r"[^\r\n]", text)
    whole = pattern.match(text, first.start()) if first and prefix else None
    if whole is None or (not quoted and whole.end() - whole.start() < len(prefix)):
        return Edited(text)
    lines = (pattern.match(text, one.start()) for one in _LINE_START.finditer(text))
    return edit(text, [(line.start(), line.end() - line.start(), "") for line in lines if line])


def with_plain_indents(text: str) -> Edited:
    """The text with plain indentation: zero-width characters removed, and no-break spaces made into spaces."""
    odd = ((one.start(), one[0]) for one in _ODD_INDENT.finditer(text))
    return edit(text, [(start, len(blank), _NO_WIDTH.sub("", blank).replace("\xa0", " ")) for start, blank in odd])


def first_line_at(text: str, column: int) -> Edited | None:
    """The text with its first logical line moved to a column.

    None if it is already there, or if the next line does not exist or is indented less than the column.
    """
    lines = scan(text).lines
    if len(lines) < 2 or lines[0].column == column or lines[1].column < column:
        return None
    return edit(text, [(lines[0].start, lines[0].first - lines[0].start, " " * column)])


def short_lines_at(text: str, column: int) -> Edited:
    """The text with logical lines that are indented, but less than to a column, moved to that column."""
    lines = (line for line in scan(text).lines if 0 < line.column < column)
    return edit(text, [(line.start, line.first - line.start, " " * column) for line in lines])


def all_lines_at(text: str, column: int) -> Edited | None:
    """The text with its first logical line moved to a column, and all lines that are as deep or deeper moved as far.

    Lines within strings and brackets stay as they are. None if the first line is already there, or there are no lines.
    """
    lines = scan(text).lines
    if not lines or lines[0].column == column:
        return None
    least, by = lines[0].column, column - lines[0].column
    return edit(text, [_moved(line, by) for line in lines if line.column >= least])


def _moved(line: LogicalLine, by: int) -> tuple[int, int, str]:
    return line.start, line.first - line.start, " " * max(0, line.column + by)
