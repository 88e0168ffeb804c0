"""The rule "function": a program out of a text that goes on a function, or that holds one, by parsing.

**A text that continues its head** (source with the beginning of the entry point): what is kept is the rest of the entry
point, and what follows at top level up to the last statement that it needs (`isobudget.prompts.extraction.names`), as
long as statements parse and only define, import or assign. It is cut at the latest before the first top-level
statement of another kind (a print, a test, a main guard), before an assignment that reads input or calls the entry
point, and before a second definition of the entry point. An unfinished end of the body is cut back to the longest part
that is whole (`isobudget.prompts.extraction.cutting`).

**A text that holds the whole definition**: the first definition of the entry point that does something, cut back to its
longest whole part; what precedes it without a gap and parses; and what follows, as above. The head gives its own
statements, but for those that the text defines anew.

Which of the two it is: the first, if the head's definition has a body then that does something (more than a docstring,
``pass``, ``...``), also if the text says the end of the head again before it goes on; else the second. In a fenced
block, a body at column 0 is indented into the head's definition.

All of this is linear in the length of the text, but for the cutting of an unfinished definition: a few passes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from isobudget.prompts.extraction.cutting import whole_lines
from isobudget.prompts.extraction.lines import scan
from isobudget.prompts.extraction.names import bound, last_needed
from isobudget.prompts.extraction.statements import (
    MAX_PARSED_CHARS,
    Failure,
    Statement,
    defined,
    find_definition,
    has_substance,
    is_code,
    is_helper,
    parse,
    running,
    split,
)

#: how much of the end of a head is looked for at the beginning of a text; prompts are shorter
MAX_REPEATED_CHARS = 2**13

_FUTURE = re.compile(r"from[ \t]+__future__\b")


@dataclass(frozen=True, slots=True)
class Found:
    """A program, and the part of the text that it was made of: offsets.

    Attributes:
        program: the whole program.
        start, end: of the kept part of the text.
        answers: whether it defines the entry point and does something.
    """

    program: str
    start: int
    end: int
    answers: bool


def find_function(head: str, text: str, entry_point: str, *, indent: bool = False) -> Found:
    """The program by the rule "function"; everything, unchanged, where no rule applies.

    Args:
        head: source that the text stands behind.
        text: what the model wrote, or a fenced block of it.
        entry_point: the function that is wanted; empty if it is a whole program.
        indent: whether a body at column 0 is indented into the head.
    """
    most = max(0, MAX_PARSED_CHARS - len(head))
    text = text[:most]
    continued = _continued(head, text, entry_point) if head else None
    if continued is not None and continued.answers:
        return continued
    again = _continued_again(head, text, entry_point)
    if again is not None:
        return again
    whole = _defined_in(head, text, entry_point) if entry_point else None
    if whole is None and indent:
        whole = _indented(head, text, entry_point) or _without_definition(head, text, entry_point)
    everything = Found(head + text, 0, len(text), False)
    return whole or continued or (everything if indent and entry_point else _parseable(head, text))


def _continued(head: str, text: str, entry_point: str) -> Found | None:
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
    if count == len(last.lines):
        end = _following(source, statements[: place + 1], following, entry_point, end)
    end = max(end, len(head))
    return Found(source[:end], 0, end - len(head), has_substance(definition))


def _continued_again(head: str, text: str, entry_point: str) -> Found | None:
    """What continues the head behind a text that says the end of it once more; None if it does not, or nothing does."""
    count = _overlap(head[-MAX_REPEATED_CHARS:], text[:MAX_REPEATED_CHARS])
    if not text[:count].strip() or re.search(rf"\bdef[ \t]+{re.escape(entry_point)}\b", text[:count]):
        return None
    found = _continued(head, text[count:], entry_point)
    return Found(found.program, count + found.start, count + found.end, True) if found and found.answers else None


def _overlap(head: str, text: str) -> int:
    """The length of the longest beginning of the text that is an end of the head."""
    return next((count for count in range(min(len(head), len(text)), 0, -1) if head.endswith(text[:count])), 0)


def _following(
    source: str, kept: Sequence[Statement], statements: Sequence[Statement], entry_point: str, end: int
) -> int:
    """The end of what the definition, the last of the kept statements, needs behind its own `end`."""
    if not statements:
        return len(source)
    trees = [nodes for one in kept if not isinstance(nodes := parse(source[one.start : one.end]), Failure)]
    own = bound(trees[-1])
    helpers: list[list[ast.stmt]] = []
    for statement in statements:
        nodes = parse(source[statement.start : statement.end])
        if isinstance(nodes, Failure) or not is_helper(nodes, entry_point) or _defines(nodes, own):
            break
        helpers.append(nodes)
    known = {name for nodes in trees[:-1] for name in bound(nodes)}
    count = last_needed(trees[-1], known, helpers)
    if not count:
        return end
    return len(source) if count == len(statements) else statements[count - 1].end


def _defines(nodes: Sequence[ast.stmt], names: set[str]) -> bool:
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name in names for node in nodes
    )


def _defined_in(head: str, text: str, entry_point: str) -> Found | None:
    """The first definition of the entry point in the text that is whole and does something, with what belongs to it."""
    name = re.escape(entry_point)
    may_define = re.compile(rf"\b(?:def|class)[ \t\\]+{name}\b|^{name}[ \t]*[:=]", re.MULTILINE)
    statements = split(scan(text, resume=True), text)
    for place, statement in enumerate(statements):
        if not may_define.search(text, statement.start, statement.end):
            continue
        count = whole_lines(text, statement.lines)
        end = statement.lines[count - 1].end if count else statement.start
        nodes = parse(text[statement.start : end])
        if isinstance(nodes, Failure) or not is_helper(nodes, entry_point):
            continue
        definition = find_definition(nodes, entry_point)
        if definition is None or not has_substance(definition):
            continue
        if count == len(statement.lines):
            end = _following(text, statements[place : place + 1], statements[place + 1 :], entry_point, end)
        start = _preceding(text, statements[:place], entry_point, statement.start)
        return Found(join(head, text[start:end], entry_point), start, end, True)
    return None


def _preceding(text: str, statements: Sequence[Statement], entry_point: str, start: int) -> int:
    """Where the code begins that precedes a definition at `start` without a gap."""
    for statement in reversed(statements):
        nodes = parse(text[statement.start : statement.end])
        if isinstance(nodes, Failure) or not is_code(nodes, entry_point):
            return start
        start = statement.start
    return 0


def join(head: str, code: str, entry_point: str) -> str:
    """The head's statements that the code lacks, then the code, whose ``from __future__`` imports must stay first."""
    kept: list[str] = []
    added = parse(code)
    begin = 0 if isinstance(added, Failure) else _after_future(code)
    names = {entry_point} | (set() if isinstance(added, Failure) else defined(added))
    for statement in split(scan(head), head):
        nodes = parse(head[statement.start : statement.end])
        if isinstance(nodes, Failure) or find_definition(nodes, entry_point) or (defined(nodes) & names):
            continue
        kept.append(head[statement.start : statement.end])
    before = "".join(part if part.endswith(("\n", "\r")) else part + "\n" for part in kept)
    return code[:begin] + before + code[begin:]


def _after_future(code: str) -> int:
    """Where the code goes on behind its ``from __future__`` imports; 0 if it has none."""
    ends = [one.end for one in split(scan(code), code) if _FUTURE.match(code, one.lines[0].first)]
    return ends[-1] if ends else 0


def _indented(head: str, text: str, entry_point: str) -> Found | None:
    """A body at column 0, put into the definition that the head begins."""
    nodes = parse(text)
    heads = scan(head).lines
    if isinstance(nodes, Failure) or not heads or not any(isinstance(node, ast.Return) for node in running(nodes)):
        return None
    last = heads[-1]
    column = last.column + 4 if last.opens or last.column == 0 else last.column
    body = _shifted(text, " " * column)
    nodes = parse(head + body)
    definition = None if isinstance(nodes, Failure) else find_definition(nodes, entry_point)
    if definition is None or not has_substance(definition):
        return None
    return Found(head + body, 0, len(text), True)


def _without_definition(head: str, text: str, entry_point: str) -> Found | None:
    """What parses of a block that defines other names, so that the judge says what is missing; None if nothing does."""
    found = _parseable("", text)
    if not (nodes := parse(found.program)) or isinstance(nodes, Failure) or not defined(nodes):
        return None
    return Found(join(head, found.program, entry_point), found.start, found.end, False)


def _shifted(text: str, indent: str) -> str:
    """The text with its logical lines indented; lines within strings and brackets stay as they are."""
    parts: list[str] = []
    position = 0
    for line in scan(text).lines:
        parts += [text[position : line.start], indent]
        position = line.start
    return "".join([*parts, text[position:]])


def _parseable(head: str, text: str) -> Found:
    """The longest run of statements that parse; everything if none does."""
    statements = split(scan(text, resume=True), text)
    best, start = (0, 0), None
    for place, statement in enumerate(statements):
        nodes = parse(text[statement.start : statement.end])
        if isinstance(nodes, Failure) or not is_code(nodes, ""):
            start = None
            continue
        start = place if start is None else start
        run = (statements[start].start, statement.end)
        best = max(best, run, key=lambda one: one[1] - one[0])
    if best == (0, 0):
        return Found(head + text, 0, len(text), False)
    first = 0 if statements[0].start == best[0] else best[0]
    last = len(text) if statements[-1].end == best[1] else best[1]
    return Found(head + text[first:last], first, last, False)
