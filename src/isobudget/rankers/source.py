"""Source text of models and prompts: read and compiled, never executed, whatever it is."""

from __future__ import annotations

import ast
import contextlib
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_NO_PYTHON = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, OverflowError)


def tolerantly(read: Callable[..., T], *arguments: object, otherwise: T | None = None, **options: Any) -> T | None:
    """What `read` makes of a source; `otherwise` of what is not Python, or too deep or long. Nothing is warned of."""
    with warnings.catch_warnings(), contextlib.suppress(*_NO_PYTHON):
        warnings.simplefilter("ignore")
        return read(*arguments, **options)
    return otherwise


def parsed(source: str) -> ast.Module | None:
    """The syntax tree; None for what does not parse."""
    return tolerantly(ast.parse, source)


def expression(source: str) -> ast.expr | None:
    """The syntax tree of one expression; None for anything else."""
    tree = tolerantly(ast.parse, source, mode="eval")
    return tree and tree.body


def is_python(program: str) -> bool:
    """Whether a program is Python at all."""
    return tolerantly(compile, program, "sample", "exec", dont_inherit=True) is not None
