"""Source text of models and prompts: read and compiled, never executed, whatever it is."""

from __future__ import annotations

import ast
import contextlib
import warnings
from types import TracebackType

_NO_PYTHON = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, OverflowError)


class Tolerant(contextlib.ExitStack):
    """What is no Python, or too deep or long for the parser, ends the block without an error; nothing is warned of."""

    def __enter__(self) -> Tolerant:
        super().__enter__()
        self.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool:
        super().__exit__(kind, error, trace)
        return isinstance(error, _NO_PYTHON)


def parsed(source: str) -> ast.Module | None:
    """The syntax tree; None for what does not parse."""
    with Tolerant():
        return ast.parse(source)
    return None


def expression(source: str) -> ast.expr | None:
    """The syntax tree of one expression; None for anything else."""
    with Tolerant():
        return ast.parse(source, mode="eval").body
    return None


def compiles(program: str) -> bool:
    """Whether a program is Python at all."""
    with Tolerant():
        compile(program, "sample", "exec", dont_inherit=True)
        return True
    return False
