"""Functions for every way of running a sample: compile it, make a module for it, and describe its errors."""

from __future__ import annotations

import sys
import types

DETAIL_CHARS = 300
#: characters of a program that are searched for a line with its encoding: the interpreter looks at two lines
_CODING_CHARS = 400
#: exit statuses of whole programs that the tester tells apart
RAISED, NOT_COMPILED, NO_MEMORY, EXITED, NOT_CONFINED = 1, 2, 3, 4, 99


def compiled(program: str) -> types.CodeType:
    """Compile a program as a UTF-8 file would be: a byte order mark is ignored, and a coding line counts.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError, OverflowError: the program does not compile.
    """
    source: str | bytes = program.removeprefix("\ufeff")
    if "coding" in program[:_CODING_CHARS]:
        # Of a text the interpreter ignores it, of bytes it does not.
        source = program.encode("utf-8", "surrogatepass")
    return compile(source, "<sample>", "exec", dont_inherit=True)


def new_module(name: str) -> types.ModuleType:
    """An empty module for the program, registered under `name`, so that the program's classes can find their module."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    return module


def describe(error: BaseException) -> list[str]:
    """The name of the error's type, its message, and both in one line. Also safe if the error cannot be printed."""
    try:
        name, message = type(error).__name__, str(error)[:DETAIL_CHARS]
        return [str(name), str(message), " ".join(f"{name}: {message}".split())[:DETAIL_CHARS]]
    except BaseException:
        return ["Exception", "", "an error that cannot be printed"]
