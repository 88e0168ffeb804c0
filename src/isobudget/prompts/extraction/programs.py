"""Which of several pieces of code is the whole program that was asked for: by what they do, not by their length.

Of the pieces that read standard input and print, the last; one that only repeats a part of an earlier one does not
count. Where none does both (a task without input, a module for tests): of those that parse the longest.
"""

from __future__ import annotations

from collections.abc import Sequence

from isobudget.prompts.extraction.definitions import Candidate
from isobudget.prompts.extraction.effects import reads_and_prints
from isobudget.prompts.extraction.names import bound
from isobudget.prompts.extraction.statements import Failure, parse


def choose_program(pieces: Sequence[Candidate], names: frozenset[str] = frozenset()) -> Candidate | None:
    """The piece that is the program; None if there are none.

    Args:
        pieces: in the order of the text.
        names: those that the tests import; if there are any, a piece counts that binds them all.
    """
    parsed = [parse(piece.program) for piece in pieces]
    answering = [
        piece
        for place, (piece, nodes) in enumerate(zip(pieces, parsed, strict=True))
        if not isinstance(nodes, Failure)
        and (names <= bound(nodes) if names else reads_and_prints(nodes))
        and not any(piece.program.strip() in earlier.program for earlier in pieces[:place])
    ]
    if answering:
        return answering[-1]
    parsing = [piece for piece, nodes in zip(pieces, parsed, strict=True) if not isinstance(nodes, Failure)]
    return max(parsing or pieces, key=lambda one: one.end - one.start, default=None)
