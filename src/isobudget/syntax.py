"""Parses Python source with Python's own parser: without executing it, without warnings, in one thread at a time.

Only one thread parses at a time, for two reasons. Before CPython 3.11.8, all threads count the depth of their syntax
trees in one counter (python/cpython#106905): if garbage collection lets another thread parse in between, the first one
gets a SystemError, or an error that a flat source is nested too deeply. And all threads share the warning filters.
"""

from __future__ import annotations

import ast
import contextlib
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

#: the longest text that is parsed, in characters: the parser needs a hundred times its size in memory
MAX_PARSED_CHARS = 2**20
#: what the parser raises for text that is not Python, or that is too long or too deeply nested for it
NOT_PYTHON = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, OverflowError)

_lock = threading.RLock()  # a finalizer that the collector runs in the middle may parse, too


def _after_fork() -> None:
    """Replace the lock in a forked child, because the thread that held it does not exist there."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """In this context only this thread parses, and warnings are off."""
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parse(source: str | bytes) -> ast.Module:
    """The syntax tree of a source.

    Raises:
        SyntaxError, and the others of `NOT_PYTHON`.
    """
    with quiet():
        return ast.parse(source)


def literal(source: str) -> Any:
    """The value of a Python literal.

    Raises:
        SyntaxError, and the others of `NOT_PYTHON`.
    """
    with quiet():
        return ast.literal_eval(source)


def tolerantly(read: Callable[..., T], *arguments: object, otherwise: T | None = None, **options: Any) -> T | None:
    """The result of `read` on a source; `otherwise` if the source is not Python, or too deeply nested or too long."""
    with quiet(), contextlib.suppress(*NOT_PYTHON):
        return read(*arguments, **options)
    return otherwise


def parsed(source: str | bytes) -> ast.Module | None:
    """The syntax tree of a source; None if it does not parse."""
    return tolerantly(ast.parse, source)


def expression(source: str) -> ast.expr | None:
    """The syntax tree of one expression; None for anything else."""
    tree = tolerantly(ast.parse, source, mode="eval")
    return tree and tree.body


def is_python(program: str) -> bool:
    """Whether a program is valid for this Python, and short enough to be parsed."""
    short = len(program) <= MAX_PARSED_CHARS
    return short and tolerantly(compile, program, "<program>", "exec", dont_inherit=True) is not None
