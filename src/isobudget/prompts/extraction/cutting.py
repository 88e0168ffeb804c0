"""Finds the longest complete part of a definition, for outputs that are cut off or continue with prose.

A prefix of k logical lines is *closable* if it parses once every block that it leaves open is closed by a filler:
``pass`` after a colon, ``finally: pass`` after a ``try``. A prefix that contains a wrong line is never closable again.
So the longest closable prefix ends where the parser reports its error. Two parses check whether it does; if the report
is misleading, bisection finds the end of the prefix. From there lines are dropped until no filler is needed: an open
``if`` without a body, a ``try`` without its handler (as a whole), a decorator without its function.

Cost: a few passes of the parser, about log2 of the lines in the worst case; each pass is linear.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isobudget.prompts.extraction.lines import LogicalLine
from isobudget.prompts.extraction.statements import Failure, parse

#: Python's own limit on nested blocks
MAX_BLOCKS = 100

_LINE_BREAK = re.compile(r"\r\n?|\n")
_TRY = re.compile(r"try\s*:")
_MATCH = re.compile(r"match\b")


@dataclass(frozen=True, slots=True)
class _Open:
    """What is open after a line: blocks of ``try`` that have no clause yet, as line indexes, outermost first."""

    tries: tuple[int, ...]


def whole_lines(source: str, lines: Sequence[LogicalLine]) -> int:
    """How many of a statement's logical lines make its longest whole part; 0 if none do.

    Args:
        source: the text that the lines are offsets into.
        lines: the logical lines of one top-level statement.
    """
    lines = lines[: _too_deep(lines)]
    if not lines:
        return 0
    result = parse(_prefix(source, lines, len(lines)))
    if not isinstance(result, Failure):
        return len(lines)
    opened = list(_opened(source, lines))
    count = _closable(source, lines, opened, _reported(source, lines, result))
    while count and (waits := _waits(source, lines, opened, count)) is not None:
        count = waits
    return count if count and not isinstance(parse(_prefix(source, lines, count)), Failure) else 0


def _closable(source: str, lines: Sequence[LogicalLine], opened: Sequence[_Open], hint: int) -> int:
    """The largest number of lines that are closable; `hint` is tried first."""
    fits, fails = 0, len(lines) + 1
    for probe in (hint, hint + 1, len(lines)):
        if fits < probe < fails:
            if _parses_closed(source, lines, opened, probe):
                fits = probe
            else:
                fails = probe
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if _parses_closed(source, lines, opened, middle):
            fits = middle
        else:
            fails = middle
    return fits


def _parses_closed(source: str, lines: Sequence[LogicalLine], opened: Sequence[_Open], count: int) -> bool:
    closed = _prefix(source, lines, count) + _filler(source, lines, opened, count)
    return not isinstance(parse(closed), Failure)


def _filler(source: str, lines: Sequence[LogicalLine], opened: Sequence[_Open], count: int) -> str:
    """Text that closes every block that the first `count` lines leave open."""
    last = lines[count - 1]
    indent = _indent(source, last)
    closed = ["", ""]
    if source[last.first] == "@":
        closed.append(f"{indent}def _(): pass")
    elif last.opens:
        closed.append(f"{indent} case _: pass" if _MATCH.match(source, last.first) else f"{indent} pass")
    closed += [f"{_indent(source, lines[index])}finally: pass" for index in reversed(opened[count - 1].tries)]
    return "\n".join(closed) + "\n"


def _waits(source: str, lines: Sequence[LogicalLine], opened: Sequence[_Open], count: int) -> int | None:
    """How many lines remain after an incomplete construct is dropped; None if no construct is incomplete."""
    if opened[count - 1].tries:
        return opened[count - 1].tries[0]
    last = lines[count - 1]
    return count - 1 if last.opens or source[last.first] == "@" else None


def _opened(source: str, lines: Sequence[LogicalLine]) -> Iterator[_Open]:
    """For each line, what is open after it."""
    tries: list[int] = []
    for index, line in enumerate(lines):
        while tries and lines[tries[-1]].column >= line.column:
            tries.pop()
        if _TRY.match(source, line.first):
            tries.append(index)
        yield _Open(tuple(tries))


def _too_deep(lines: Sequence[LogicalLine]) -> int:
    """The index of the first line that is nested more deeply than Python allows, or the number of lines."""
    columns = [0]
    for index, line in enumerate(lines):
        while columns[-1] > line.column:
            columns.pop()
        if line.column > columns[-1]:
            columns.append(line.column)
        if len(columns) > MAX_BLOCKS:
            return index
    return len(lines)


def _reported(source: str, lines: Sequence[LogicalLine], failure: Failure) -> int:
    """The number of logical lines before the one that the parser complains of."""
    if not failure.line:
        return len(lines)
    begin = lines[0].start
    offset = begin
    for _ in range(failure.line - 1):
        line_break = _LINE_BREAK.search(source, offset)
        if line_break is None:
            break
        offset = line_break.end()
    return max(0, bisect_right([line.start for line in lines], offset) - 1)


def _prefix(source: str, lines: Sequence[LogicalLine], count: int) -> str:
    return source[lines[0].start : lines[count - 1].end]


def _indent(source: str, line: LogicalLine) -> str:
    return source[line.start : line.first]
