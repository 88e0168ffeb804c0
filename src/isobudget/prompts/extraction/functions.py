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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from isobudget.prompts.extraction.cutting import whole_lines
from isobudget.prompts.extraction.edited import Edited, all_lines_at, first_line_at
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

#: how much of the end of a head is looked for at the beginning of a text; prompts are shorter
MAX_REPEATED_CHARS = 2**13

_FUTURE = re.compile(r"from[ \t]+__future__\b")
_QUOTES_LINE = re.compile(r"(?:\"{3}|\'{3})(?P<rest>[^\r\n]*)(?:\r\n|\r|\n)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program, and the part of the text that it was made of: offsets.

    Attributes:
        program: the whole program.
        start, end: of the kept part of the text.
        answers: whether it defines the entry point and does something.
        whole: whether nothing unfinished was cut off the definition.
    """

    program: str
    start: int
    end: int
    answers: bool
    whole: bool = True

    def moved(self, by: int) -> Candidate:
        """The same in a text that has so much more in front."""
        return replace(self, start=self.start + by, end=self.end + by)

    def before_edit(self, edited: Edited) -> Candidate:
        """The same in the text as it was before a change."""
        return replace(self, start=edited.origin(self.start), end=edited.origin(self.end))


def find_function(head: str, text: str, entry_point: str, *, last: bool) -> Candidate | None:
    """The program of a text that goes on the function of its head, or holds all of it; None if it does neither.

    Args:
        head: source that the text stands behind.
        text: what the model wrote, or a fenced block of it.
        entry_point: the function that is wanted.
        last: of several definitions the last is meant, as in a block; otherwise the first.
    """
    continued = _continued(head, text, entry_point) if head else None
    if continued is not None and continued.answers:
        return continued
    unfinished: Candidate | None = None
    for candidate in _others(head, text, entry_point, last=last):
        if candidate is not None and candidate.answers and candidate.whole:
            return candidate
        unfinished = unfinished or (candidate if candidate and candidate.answers else None)
    return unfinished


def _others(head: str, text: str, entry_point: str, *, last: bool) -> Iterator[Candidate | None]:
    """Other ways to read a text that does not simply go on its head."""
    if head:
        yield _continued_again(head, text, entry_point)
    yield _defined_in(head, text, entry_point, last=last)
    if head:
        yield _continued_at_column(head, text, entry_point)
        yield _continued_behind_docstring(head, text, entry_point)
        yield _body_at_column_0(head, text, entry_point)


def continue_function(head: str, text: str, entry_point: str) -> Candidate | None:
    """What goes on the definition that the head begins, also if it does nothing; None if the head begins none."""
    return _continued(head, text, entry_point) if head and entry_point else None


def _continued(head: str, text: str, entry_point: str) -> Candidate | None:
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
        end = _following(source, statements[: place + 1], following, entry_point, end)
    end = max(end, len(head))
    return Candidate(source[:end], 0, end - len(head), has_substance(definition), whole)


def _continued_again(head: str, text: str, entry_point: str) -> Candidate | None:
    """What continues the head behind a text that says the end of it once more; None if it does not, or nothing does."""
    count = _overlap(head[-MAX_REPEATED_CHARS:], text[:MAX_REPEATED_CHARS])
    if not text[:count].strip() or re.search(rf"\bdef[ \t]+{re.escape(entry_point)}\b", text[:count]):
        return None
    candidate = _continued(head, text[count:], entry_point)
    return candidate.moved(count) if candidate else None


def _continued_behind_docstring(head: str, text: str, entry_point: str) -> Candidate | None:
    """What continues the head behind a text that first ends a docstring which it did not begin."""
    ending = _QUOTES_LINE.search(text, 0, MAX_REPEATED_CHARS)
    if ending is None or ending["rest"].strip():
        return None
    candidate = _continued(head, text[ending.end() :], entry_point)
    return candidate.moved(ending.end()) if candidate else None


def _continued_at_column(head: str, text: str, entry_point: str) -> Candidate | None:
    """What continues the head if the first line, or all of the body, is indented as the head's function is."""
    column = _body_column(head)
    if column is None:
        return None
    spaces = text.lstrip("\r\n").startswith(" ")
    for edited, least in ((first_line_at(text, column), 2), (all_lines_at(text, column) if spaces else None, 1)):
        candidate = _continued(head, edited.text, entry_point) if edited else None
        if edited is None or candidate is None or not candidate.answers:
            continue
        if len(scan(edited.text[: candidate.end]).lines) >= least:  # else the line that was moved fits, and no other
            return candidate.before_edit(edited)
    return None


def _body_at_column_0(head: str, text: str, entry_point: str) -> Candidate | None:
    """A body at column 0, put into the definition that the head begins: statements that parse, a ``return`` in them."""
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
    """The column at which the head's function goes on; None if the head begins no function."""
    lines = scan(head).lines
    if not lines:
        return None
    return lines[-1].column + 4 if lines[-1].opens or lines[-1].column == 0 else lines[-1].column


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


def _defined_in(head: str, text: str, entry_point: str, *, last: bool) -> Candidate | None:
    """The first or last definition of the entry point in the text that does something, with what belongs to it.

    The last is the last that is whole, if one is.
    """
    statements = split(scan(text, resume=True), text)
    unfinished: Candidate | None = None
    for place, count in _definitions(text, statements, entry_point, last=last):
        statement = statements[place]
        end = statement.lines[count - 1].end
        whole = count == len(statement.lines)
        if not whole and unfinished is not None:
            continue
        if whole:
            end = _following(text, statements[place : place + 1], statements[place + 1 :], entry_point, end)
        start = _preceding(text, statements[:place], entry_point, statement.start)
        candidate = Candidate(join(head, text[start:end], entry_point), start, end, True, whole)
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
    """Whether an assignment to a name reads what it was before: ``f = cache(f)``."""
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


def longest_run(text: str, entry_point: str) -> Candidate:
    """The longest run of statements that parse and do not call the entry point; everything if there is none."""
    start, end = max(runs(text, entry_point), key=lambda one: one[1] - one[0], default=(0, len(text)))
    return Candidate(text[start:end], start, end, False)


def runs(text: str, entry_point: str) -> Iterator[tuple[int, int]]:
    """The runs of statements that parse, up to the beginning and end of the text: their offsets."""
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
