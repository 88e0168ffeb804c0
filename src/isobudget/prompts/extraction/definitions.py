"""Finds definitions of a function in a text, and the code that they need from around them and from a head.

Code before a definition is kept as far back as it parses without a gap. Code after it is kept up to the last top-level
statement that the definition needs (`isobudget.prompts.extraction.names`), as long as all statements up to there parse
and only define, import or assign, or prepare what the definition uses (`isobudget.prompts.extraction.effects`). So the
kept code ends at the latest before the first top-level statement of another kind (a print, a test, a main guard),
before an assignment that reads input or calls the entry point, and before a second definition of the entry point.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from isobudget.prompts.extraction.cutting import whole_lines
from isobudget.prompts.extraction.edited import Edited
from isobudget.prompts.extraction.effects import acts, functions_of, prepares, running
from isobudget.prompts.extraction.lines import scan
from isobudget.prompts.extraction.names import Supply, bound, used
from isobudget.prompts.extraction.statements import (
    Failure,
    Statement,
    defined,
    find_definition,
    has_substance,
    is_code,
    is_helper,
    parse,
    split,
)

_FUTURE = re.compile(r"from[ \t]+__future__\b")


@dataclass(frozen=True, slots=True)
class CandidateProgram:
    """A program, and the part of the text from which it was made, as offsets.

    Attributes:
        program: the whole program.
        start, end: ends of the kept part of the text.
        answers: whether it defines the entry point with a real body.
        whole: whether the definition is complete; false if an unfinished end was cut off.
    """

    program: str
    start: int
    end: int
    answers: bool
    whole: bool = True

    def moved(self, by: int) -> CandidateProgram:
        """The same program in a text with `by` more characters in front."""
        return replace(self, start=self.start + by, end=self.end + by)

    def before_edit(self, edited: Edited) -> CandidateProgram:
        """The same program with offsets in the text before an edit."""
        return replace(self, start=edited.origin(self.start), end=edited.origin(self.end))


def find_definitions(head: str, text: str, entry_point: str, *, last: bool) -> CandidateProgram | None:
    """The first or last definition of the entry point in the text that has a real body, with the code that it needs.

    With `last`, it is the last complete one, or the last of all if none is complete.
    """
    statements = split(scan(text, resume=True), text)
    unfinished: CandidateProgram | None = None
    for place, count in _definitions(text, statements, entry_point, last=last):
        statement = statements[place]
        end = statement.lines[count - 1].end
        whole = count == len(statement.lines)
        if not whole and unfinished is not None:
            continue
        if whole:
            end = end_of_needed(text, statements[place : place + 1], statements[place + 1 :], entry_point, end)
        start = _preceding(text, statements[:place], entry_point, statement.start)
        candidate = CandidateProgram(join(head, text[start:end], entry_point), start, end, True, whole)
        if whole or not last:
            return candidate
        unfinished = candidate
    return unfinished


def _definitions(
    text: str, statements: Sequence[Statement], entry_point: str, *, last: bool
) -> Iterator[tuple[int, int]]:
    """Statements that define the entry point and do something: their places, and how many lines of each are whole."""
    name = re.escape(entry_point)
    may_define = re.compile(rf"\b(?:def|class)[ \t\\]+{name}\b|^{name}[ \t]*[:=]", re.MULTILINE)
    places = range(len(statements))
    for place in reversed(places) if last else places:
        statement = statements[place]
        if not may_define.search(text, statement.start, statement.end):
            continue
        count = whole_lines(text, statement.lines)
        nodes = parse(text[statement.start : statement.lines[count - 1].end]) if count else []
        if isinstance(nodes, Failure) or not is_helper(nodes, entry_point):
            continue
        definition = find_definition(nodes, entry_point)
        if definition is not None and has_substance(definition) and not _wraps(definition, entry_point):
            yield place, count


def _wraps(node: ast.stmt, name: str) -> bool:
    """Whether an assignment to a name uses its old value: ``f = cache(f)``."""
    return isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and any(
        isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Load) for part in running([node])
    )


def _preceding(text: str, statements: Sequence[Statement], entry_point: str, start: int) -> int:
    """Where the code begins that precedes a definition at `start` without a gap."""
    for statement in reversed(statements):
        nodes = parse(text[statement.start : statement.end])
        if isinstance(nodes, Failure) or not is_code(nodes) or acts(nodes, entry_point):
            return start
        start = statement.start
    return 0


def end_of_needed(
    source: str, kept: Sequence[Statement], statements: Sequence[Statement], entry_point: str, end: int
) -> int:
    """Where the code ends that follows the definition (the last of `kept`, which ends at `end`) and that it needs."""
    if not statements:
        return len(source)
    trees = [nodes for one in kept if not isinstance(nodes := parse(source[one.start : one.end]), Failure)]
    own = bound(trees[-1])
    reads = own | used(trees[-1])
    helpers: list[list[ast.stmt]] = []
    functions = functions_of(node for nodes in trees for node in nodes)
    for statement in statements:
        nodes = parse(source[statement.start : statement.end])
        if isinstance(nodes, Failure) or _defines(nodes, own):
            break
        if not is_helper(nodes, entry_point) and not prepares(nodes, entry_point, reads, functions):
            break
        helpers.append(nodes)
        reads |= used(nodes)
        functions |= functions_of(nodes)
    known = {name for nodes in trees[:-1] for name in bound(nodes)}
    count = max(Supply(helpers).needed(own | (used(trees[-1]) - known), known), default=-1) + 1
    if not count:
        return end
    return len(source) if count == len(statements) else statements[count - 1].end


def _defines(nodes: Sequence[ast.stmt], names: set[str]) -> bool:
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name in names for node in nodes
    )


def join(head: str, code: str, entry_point: str) -> str:
    """The head's statements that the code lacks, then the code, whose ``from __future__`` imports must stay first."""
    kept: list[str] = []
    added = parse(code)
    names = {entry_point} | (set() if isinstance(added, Failure) else defined(added))
    for statement in split(scan(head), head):
        nodes = parse(head[statement.start : statement.end])
        if isinstance(nodes, Failure) or find_definition(nodes, entry_point) or (defined(nodes) & names):
            continue
        kept.append(head[statement.start : statement.end])
    return put_before(kept, code)


def put_before(parts: Sequence[str], code: str) -> str:
    """Statements, then the code, whose ``from __future__`` imports must stay first."""
    ends = [one.end for one in split(scan(code), code) if _FUTURE.match(code, one.lines[0].first)] if parts else []
    begin = ends[-1] if ends else 0
    before = "".join(part if part.endswith(("\n", "\r")) else part + "\n" for part in parts)
    return code[:begin] + before + code[begin:]


def longest_run(text: str, entry_point: str) -> CandidateProgram:
    """The longest run of statements that parse and do not call the entry point; everything if there is none."""
    start, end = max(runs(text, entry_point), key=lambda one: one[1] - one[0], default=(0, len(text)))
    return CandidateProgram(text[start:end], start, end, False)


def runs(text: str, entry_point: str) -> Iterator[tuple[int, int]]:
    """The offsets of runs of statements that parse; the first and the last statement reach to the ends of the text."""
    statements = split(scan(text, resume=True), text)
    start: int | None = None
    for place, statement in enumerate(statements):
        nodes = parse(text[statement.start : statement.end])
        ends = isinstance(nodes, Failure) or not is_code(nodes) or (bool(entry_point) and acts(nodes, entry_point))
        if not ends and start is None:
            start = statement.start if place else 0
        if ends and start is not None:
            yield start, statements[place - 1].end
            start = None
    if start is not None:
        yield start, len(text)
