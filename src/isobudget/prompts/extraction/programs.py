"""Chooses the requested whole program among several pieces of code, by what they do and not by their length.

The last piece that reads standard input and prints is chosen. A piece that only repeats a part of an earlier one does
not count. A piece that tries out another one, with `subprocess` or a replaced standard input, counts only if there is
no other. If no piece reads and prints (a task without input, a module for tests), the longest one that parses is
chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

from isobudget.prompts.extraction.definitions import CandidateProgram
from isobudget.prompts.extraction.effects import answers_input
from isobudget.prompts.extraction.names import bound
from isobudget.prompts.extraction.statements import Failure, parse


def choose_program(pieces: Sequence[CandidateProgram], names: frozenset[str] = frozenset()) -> CandidateProgram | None:
    """The piece that is the program; None if there are none.

    Args:
        pieces: in the order of the text.
        names: those that the tests import; if there are any, the last piece that binds them all is chosen instead.
    """
    if len(pieces) < 2:
        return next(iter(pieces), None)
    parsed = [parse(piece.program) for piece in pieces]
    ranks = [
        0 if isinstance(nodes, Failure) else 2 * (names <= bound(nodes)) if names else answers_input(nodes)
        for nodes in parsed
    ]
    for rank in (2, 1):
        for place in reversed(range(len(pieces))):
            excerpt = any(pieces[place].program.strip() in earlier.program for earlier in pieces[:place])
            if ranks[place] == rank and not excerpt:
                return pieces[place]
    parsing = [piece for piece, nodes in zip(pieces, parsed, strict=True) if not isinstance(nodes, Failure)]
    return max(parsing or pieces, key=lambda one: one.end - one.start, default=None)
