"""The program in an answer that may hold prose, fenced blocks, drafts and examples.

**If a function is wanted**: the last block that defines it, or continues the head's beginning of it, and has a real
body. A block with a truncated definition is used only if none is complete, and a block in another language only if
there is no other. An answer without such a block is searched as if it had no fences.

**If a whole program is wanted**: the block is chosen by what it does (`isobudget.prompts.extraction.programs`) and used
unchanged. In an answer without fences, the runs of statements that parse are the candidates.

Names that the chosen code uses but does not define are taken from the rest of the answer if they are defined there: a
helper or an import in another block, or before a draft of the function in the same block.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from isobudget.prompts.extraction.definitions import CandidateProgram, join, longest_run, put_before, runs
from isobudget.prompts.extraction.edited import Edited, all_lines_at
from isobudget.prompts.extraction.effects import functions_of, prepares
from isobudget.prompts.extraction.fences import Block, content, find_blocks, indented_blocks
from isobudget.prompts.extraction.functions import continue_function, find_function
from isobudget.prompts.extraction.lines import scan
from isobudget.prompts.extraction.names import Supply, bound, missing_names
from isobudget.prompts.extraction.programs import choose_program
from isobudget.prompts.extraction.statements import Failure, defined, find_definition, is_helper, parse, split


@dataclass(frozen=True, slots=True)
class Wanted:
    """The names that a program must define: the entry point, empty if there is none, and names that tests import."""

    entry_point: str
    imported: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Part:
    """Code in the answer that a program may need: its place in the text, and its statements."""

    start: int
    end: int
    code: str
    nodes: list[ast.stmt]

    def overlaps(self, candidate: CandidateProgram) -> bool:
        """Whether a candidate contains part of this code."""
        return self.start < candidate.end and self.end > candidate.start


def names_imported(source: str, module: str) -> frozenset[str]:
    """The names that a test file imports from a module."""
    nodes = parse(source)
    return frozenset(
        alias.name
        for node in ([] if isinstance(nodes, Failure) else nodes)
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
        if alias.name != "*"
    )


def find_in_answer(head: str, text: str, wanted: Wanted, *, last: bool) -> CandidateProgram:
    """The program in an answer.

    Args:
        head: source that a body in the answer continues, and whose helpers the program keeps.
        text: the answer.
        wanted: the names that the program must define.
        last: whether the last of several definitions outside of blocks is used, instead of the first.
    """
    blocks = find_blocks(text)
    if wanted.entry_point:
        return _find_function(head, text, blocks, wanted, last=last)
    return _find_program(head, text, blocks, wanted)


def _find_function(head: str, text: str, blocks: Sequence[Block], wanted: Wanted, *, last: bool) -> CandidateProgram:
    """The best candidate for a function, with what it needs."""
    name = wanted.entry_point
    own = [block for block in blocks if not block.is_foreign]
    for some in (own, [block for block in blocks if block.is_foreign]):
        answering = [one for block in some if (one := _function_in_block(head, text, block, name)) is not None]
        if answering:
            chosen = next((one for one in reversed(answering) if one.whole), answering[-1])
            return _Rest(text, own, name).complete(chosen, wanted.imported)
    bare = find_function(head, text, name, last=last)
    for block in reversed(indented_blocks(text) if bare is None and not blocks else []):
        bare = bare or _function_in_block(head, text, block, name)
    if bare is None:
        return _without_function(head, text, blocks, name)
    return _Rest(text, [Block(0, len(text), True, False, "")], name).complete(bare, wanted.imported) if last else bare


def _function_in_block(head: str, text: str, block: Block, entry_point: str) -> CandidateProgram | None:
    """The program in a block that defines the entry point or continues its head; None if it does neither."""
    inside = content(text, block)
    candidate = find_function(head, inside.text, entry_point, last=True)
    if candidate is None:
        moved = _at_column_0(inside.text)
        candidate = find_function(head, moved.text, entry_point, last=True) if moved else None
        candidate = candidate.before_edit(moved) if moved and candidate else None
    return candidate.before_edit(inside).moved(block.start) if candidate else None


def _without_function(head: str, text: str, blocks: Sequence[Block], entry_point: str) -> CandidateProgram:
    """The program of an answer that does not define the entry point, from which the judge can tell what is missing.

    Of several blocks, the longest that parses is used. If there are no blocks, and the answer defines nothing, the
    program is the head alone.
    """
    block = _longest(text, [block for block in blocks if not block.is_foreign] or list(blocks))
    if block is None:
        if (begun := continue_function(head, text, entry_point)) is not None:
            return begun
        run = longest_run(text, entry_point)
        nodes = parse(run.program)
        if head and (isinstance(nodes, Failure) or not defined(nodes)):
            return CandidateProgram(head, 0, 0, False)
        return replace(run, program=join(head, run.program, entry_point))
    code = content(text, block).text
    run = longest_run(code, entry_point)
    nodes = parse(run.program)
    if isinstance(nodes, Failure) or not defined(nodes):
        return CandidateProgram(head + code, block.start, block.end, False)
    inside = run.before_edit(content(text, block)).moved(block.start)
    return replace(inside, program=join(head, run.program, entry_point))


def _longest(text: str, blocks: Sequence[Block]) -> Block | None:
    """The longest block that parses, or else the longest block. If some blocks name Python, only these count."""
    named = [block for block in blocks if block.is_python] or list(blocks)
    parsing = [block for block in named if not isinstance(parse(content(text, block).text), Failure)]
    return max(parsing or named, key=lambda one: one.end - one.start, default=None)


def _find_program(head: str, text: str, blocks: Sequence[Block], wanted: Wanted) -> CandidateProgram:
    """The best candidate for a whole program."""
    own = [block for block in blocks if not block.is_foreign] or list(blocks)
    pieces = [_program_of(text, block) for block in own or indented_blocks(text)]
    if own:
        rest = _Rest(text, own, "")
        pieces = [rest.complete(piece, wanted.imported) for piece in pieces]
    else:
        bare = [CandidateProgram(text[start:end], start, end, False) for start, end in runs(text, "")]
        pieces = sorted([*pieces, *bare], key=lambda one: one.start)
    chosen = choose_program(pieces, wanted.imported) or CandidateProgram(text, 0, len(text), False)
    return replace(chosen, program=head + chosen.program)


def _program_of(text: str, block: Block) -> CandidateProgram:
    """The code of a block, moved to column 0 if it does not parse as it is."""
    inside = content(text, block)
    code = inside.text
    if isinstance(parse(code), Failure) and (moved := _at_column_0(code)) is not None:
        code = moved.text
    return CandidateProgram(code, block.start, block.end, False)


def _at_column_0(code: str) -> Edited | None:
    """Code that begins indented, moved to the left by that indentation; None if its first line is not indented."""
    return all_lines_at(code, 0) if code.lstrip("\r\n")[:1].isspace() else None


class _Rest:
    """The rest of an answer, from which a candidate can be completed.

    Args:
        text: the answer.
        blocks: the parts of the answer that hold code.
        entry_point: the function that is wanted. Code that defines or calls this function, or reads input, is not used.
    """

    def __init__(self, text: str, blocks: Sequence[Block], entry_point: str) -> None:
        self._text = text
        self._blocks = blocks
        self._entry_point = entry_point

    def complete(self, candidate: CandidateProgram, imported: frozenset[str]) -> CandidateProgram:
        """The candidate, preceded by definitions from the rest of the answer for names that it lacks.

        It lacks a name if it does not define the name, but uses it or the tests import it.
        """
        nodes = parse(candidate.program)
        if isinstance(nodes, Failure):
            return candidate
        lacking = missing_names(nodes) | (imported - bound(nodes))
        if not lacking:
            return candidate
        inside = [place for place, part in enumerate(self._help) if part.overlaps(candidate)]
        parts = [self._help[place] for place in sorted(self._supply.needed(lacking, bound(nodes), inside))]
        if not parts:
            return candidate
        program = put_before([part.code for part in parts], candidate.program)
        start, end = min(candidate.start, parts[0].start), max(candidate.end, parts[-1].end)
        return replace(candidate, program=program, start=start, end=end)

    @cached_property
    def _help(self) -> list[_Part]:
        """The parts that may supply missing names; computed only when needed."""
        parts = [part for block in self._blocks for part in _parts(self._text, block)]
        functions = functions_of(node for part in parts for node in part.nodes)
        names = {name for part in parts for name in bound(part.nodes)}
        wanted = self._entry_point
        return [
            part
            for part in parts
            if find_definition(part.nodes, wanted) is None
            and (is_helper(part.nodes, wanted or None) or prepares(part.nodes, wanted, names, functions))
        ]

    @cached_property
    def _supply(self) -> Supply:
        return Supply([part.nodes for part in self._help])


def _parts(text: str, block: Block) -> Iterator[_Part]:
    """The statements of a block that parse."""
    inside = content(text, block)
    for statement in split(scan(inside.text, resume=True), inside.text):
        code = inside.text[statement.start : statement.end]
        nodes = parse(code)
        if not isinstance(nodes, Failure):
            yield _Part(
                block.start + inside.origin(statement.start), block.start + inside.origin(statement.end), code, nodes
            )
