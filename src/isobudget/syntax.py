"""Python source as Python's own parser reads it: never executed, nothing warned of, one thread at a time.

One at a time because of CPython before 3.11.8: all threads count the depth of the trees that they build in one counter
(python/cpython#106905). If the collector of garbage lets another thread parse in the middle, the one that was building
gets a SystemError, or is told that a flat source is nested too deeply. What is warned of is shared by all threads too.
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
#: what the parser raises of text that is no Python, or none that it can hold
NOT_PYTHON = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, OverflowError)

_lock = threading.RLock()  # a finalizer that the collector runs in the middle may parse, too


def _after_fork() -> None:
    """The thread that held the lock is not in the child."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """While this thread alone parses, and nothing is warned of."""
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parse(source: str | bytes) -> ast.Module:
    """The syntax tree.

    Raises:
        SyntaxError, and the others of `NOT_PYTHON`.
    """
    with quiet():
        return ast.parse(source)


def literal(source: str) -> Any:
    """The value of a literal.

    Raises:
        SyntaxError, and the others of `NOT_PYTHON`.
    """
    with quiet():
        return ast.literal_eval(source)


def tolerantly(read: Callable[..., T], *arguments: object, otherwise: T | None = None, **options: Any) -> T | None:
    """What `read` makes of a source; `otherwise` of what is not Python, or too deep or long."""
    with quiet(), contextlib.suppress(*NOT_PYTHON):
        return read(*arguments, **options)
    return otherwise


def parsed(source: str | bytes) -> ast.Module | None:
    """The syntax tree; None for what does not parse."""
    return tolerantly(ast.parse, source)


def expression(source: str) -> ast.expr | None:
    """The syntax tree of one expression; None for anything else."""
    tree = tolerantly(ast.parse, source, mode="eval")
    return tree and tree.body


def is_python(program: str) -> bool:
    """Whether a program is one for this Python, and short enough to be looked at."""
    short = len(program) <= MAX_PARSED_CHARS
    return short and tolerantly(compile, program, "<program>", "exec", dont_inherit=True) is not None
