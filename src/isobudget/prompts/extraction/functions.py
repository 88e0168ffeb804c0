"""Finds, by parsing, the program in a text that continues a function or holds a whole one.

**A text that continues its head** (source with the beginning of the entry point): the rest of the entry point is kept,
and the code after it that it needs (`isobudget.prompts.extraction.definitions`). An unfinished end of the body is
cut back to the longest part that is whole (`isobudget.prompts.extraction.cutting`).

**A text that holds the whole definition**: the first definition with a real body is kept, or in a block the last, cut
back and extended in the same way. The head's statements are put before it, except those that the text redefines.

The first reading is used if the head's definition then has a real body (more than a docstring, ``pass``, ``...``), even
if the text first repeats the end of the head. Otherwise the second is tried. If neither fits, the indentation is
repaired (a first line that lost it, a body at another column than the head's), and the end of a docstring that the text
did not open is left out.

The cost is linear in the length of the text; cutting an unfinished definition takes a few more passes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from isobudget.prompts.extraction.cutting import whole_lines
from isobudget.prompts.extraction.definitions import CandidateProgram, end_of_needed, find_definitions
from isobudget.prompts.extraction.edited import all_lines_at, first_line_at, short_lines_at
from isobudget.prompts.extraction.effects import running
from isobudget.prompts.extraction.lines import scan
from isobudget.prompts.extraction.statements import Failure, find_definition, has_substance, is_code, parse, split

#: how much of the end of a head is looked for at the beginning of a text; prompts are shorter
MAX_REPEATED_CHARS = 2**13

_QUOTES_LINE = re.compile(r"(?:\"{3}|\'{3})(?P<rest>[^\r\n]*)(?:\r\n|\r|\n)")


def find_function(head: str, text: str, entry_point: str, *, last: bool) -> CandidateProgram | None:
    """The program of a text that continues the function of its head, or holds all of it; None if it does neither.

    Args:
        head: source that the text follows.
        text: what the model wrote, or a fenced block of it.
        entry_point: the function that is wanted.
        last: of several definitions the last is meant, as in a block; otherwise the first.
    """
    if (continued := continue_function(head, text, entry_point)) is not None and continued.answers:
        return continued
    unfinished: CandidateProgram | None = None
    for candidate in _others(head, text, entry_point, last=last):
        if candidate is not None and candidate.answers and candidate.whole:
            return candidate
        unfinished = unfinished or (candidate if candidate and candidate.answers else None)
    return unfinished


def _others(head: str, text: str, entry_point: str, *, last: bool) -> Iterator[CandidateProgram | None]:
    """Further readings of a text that does not simply continue its head."""
    if head:
        yield _continued_again(head, text, entry_point)
    yield find_definitions(head, text, entry_point, last=last)
    if head:
        yield _continued_at_column(head, text, entry_point)
        yield _continued_behind_docstring(head, text, entry_point)
        yield _body_at_column_0(head, text, entry_point)


def continue_function(head: str, text: str, entry_point: str) -> CandidateProgram | None:
    """The program in which the text continues the definition that the head begins; None if the head begins none.

    The definition need not have a real body. Lines that are indented a little less than its body belong to it, if it
    does not return before them and is whole with them.
    """
    candidate = _continued(head, text, entry_point) if head and entry_point else None
    if candidate is None or candidate.whole or not candidate.answers or _returns(candidate.program, entry_point):
        return candidate
    column = _body_column(head) or 0
    edited = short_lines_at(text, column)
    mended = _continued(head, edited.text, entry_point) if edited.places else None
    return mended.before_edit(edited) if mended and mended.whole else candidate


def _returns(program: str, entry_point: str) -> bool:
    """Whether the definition of the entry point ends with a ``return`` or ``raise``."""
    nodes = parse(program)
    definition = None if isinstance(nodes, Failure) else find_definition(nodes, entry_point)
    body = getattr(definition, "body", None)
    return isinstance(body, list) and isinstance(body[-1], ast.Return | ast.Raise)


def _continued(head: str, text: str, entry_point: str) -> CandidateProgram | None:
    """What continues the definition that the head begins; None if the head begins none, or no part of it is whole."""
    source = head + text
    statements = split(scan(source), source)
    place = sum(statement.start < len(head) for statement in statements) - 1
    if place < 0:
        return None
    last = statements[place]
    count = whole_lines(source, last.lines)
    end = last.lines[count - 1].end if count else 0
    if end < len(head.rstrip()):
        return None
    nodes = parse(source[last.start : end])
    definition = None if isinstance(nodes, Failure) else find_definition(nodes, entry_point)
    if definition is None:
        return None
    following = statements[place + 1 :]
    whole = count == len(last.lines)
    if whole:
        end = end_of_needed(source, statements[: place + 1], following, entry_point, end)
    end = max(end, len(head))
    answers = has_substance(definition) and bool(source[len(head) : end].strip())
    return CandidateProgram(source[:end], 0, end - len(head), answers, whole)


def _continued_again(head: str, text: str, entry_point: str) -> CandidateProgram | None:
    """What continues the head if the text first repeats the end of it; None if it does not, or nothing follows."""
    count = _overlap(head[-MAX_REPEATED_CHARS:], text[:MAX_REPEATED_CHARS])
    if not text[:count].strip() or re.search(rf"\bdef[ \t]+{re.escape(entry_point)}\b", text[:count]):
        return None
    candidate = _continued(head, text[count:], entry_point)
    return candidate.moved(count) if candidate else None


def _overlap(head: str, text: str) -> int:
    """The length of the longest beginning of the text that is an end of the head."""
    return next((count for count in range(min(len(head), len(text)), 0, -1) if head.endswith(text[:count])), 0)


def _continued_behind_docstring(head: str, text: str, entry_point: str) -> CandidateProgram | None:
    """What continues the head if the text first closes a docstring that it did not open."""
    ending = _QUOTES_LINE.search(text, 0, MAX_REPEATED_CHARS)
    if ending is None or ending["rest"].strip():
        return None
    candidate = _continued(head, text[ending.end() :], entry_point)
    return candidate.moved(ending.end()) if candidate else None


def _continued_at_column(head: str, text: str, entry_point: str) -> CandidateProgram | None:
    """What continues the head once the first line, or the whole body, is indented as the head's function demands."""
    column = _body_column(head)
    if column is None:
        return None
    spaces = text.lstrip("\r\n").startswith(" ")
    tries = [(first_line_at(text, column), 2), (all_lines_at(text, column) if spaces else None, 1)]
    if head.rstrip().endswith(":"):  # the body may be indented as it likes
        tries += [(first_line_at(text, width), 2) for width in range(1, column)]
    for edited, least in tries:
        candidate = _continued(head, edited.text, entry_point) if edited else None
        if edited is None or candidate is None or not candidate.answers:
            continue
        if len(scan(edited.text[: candidate.end]).lines) >= least:  # else the line that was moved fits, and no other
            return candidate.before_edit(edited)
    return None


def _body_at_column_0(head: str, text: str, entry_point: str) -> CandidateProgram | None:
    """A body at column 0, put into the definition that the head begins: parsing statements with a ``return``."""
    column = _body_column(head)
    end, returns = 0, False
    for statement in split(scan(text), text) if column is not None else []:
        nodes = parse(text[statement.start : statement.end])
        if isinstance(nodes, Failure) or (returns and not is_code(nodes)):
            break
        end = statement.end
        returns = returns or any(isinstance(node, ast.Return) for node in running(nodes))
    edited = all_lines_at(text[:end], column) if column is not None and returns else None
    candidate = _continued(head, edited.text, entry_point) if edited else None
    return candidate.before_edit(edited) if edited and candidate else None


def _body_column(head: str) -> int | None:
    """The column at which the body continues after the head; None if the head has no code."""
    lines = scan(head).lines
    if not lines:
        return None
    return lines[-1].column + 4 if lines[-1].opens or lines[-1].column == 0 else lines[-1].column
