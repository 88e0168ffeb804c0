"""Runs whole programs as the interpreter runs a file: once, or repeatedly in one process.

This code is in the sample's process. The descriptors 0, 1 and 2 of this process are files in memory.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import io
import marshal
import os
import sys
import types
from _weakref import ref
from typing import Any, NoReturn

from isobudget.judge import wire
from isobudget.judge.untrusted.loading import (
    EXITED,
    NO_MEMORY,
    NOT_COMPILED,
    RAISED,
    compiled,
    describe,
    new_module,
)

PROGRAM_FILE = "/scratch/main.py"


def run(descriptor: int, *, one_process: bool) -> None:
    """Run the program that comes over the wire."""
    if one_process:
        _run_again(descriptor)
    else:
        _run_once(descriptor)


def _run_once(descriptor: int) -> NoReturn:
    kind, text, before = wire.receive(descriptor)
    try:
        if kind == "source":
            form = _compile(text, before)
            wire.send(descriptor, _handed_on(form))
        else:
            form = marshal.loads(bytes.fromhex(text))
    except wire.ClosedError:
        os._exit(RAISED)
    except BaseException as error:
        print(describe(error)[2], file=sys.stderr, flush=True)
        os._exit(NOT_COMPILED)
    status = _run_main(form)
    try:
        _finish()
    except BaseException:
        status = status or RAISED
    os._exit(status)


def _handed_on(form: tuple[types.CodeType, ...]) -> str:
    """The compiled program for later processes.

    The text is empty if the compiled program is too long for a message. Then each process compiles the program itself.
    """
    data = marshal.dumps(form)
    return data.hex() if len(data) < wire.TEXT_BYTES // 2 else ""


def _compile(text: str, before: str) -> tuple[types.CodeType, ...]:
    """The program's code, preceded by the code that its benchmark supplies."""
    code = compiled(text)
    return (compile(before, "<given>", "exec", dont_inherit=True), code) if before else (code,)


def _run_main(form: tuple[types.CodeType, ...]) -> int:
    """Run a program with streams of its own, and return its exit status."""
    _open_streams()
    space = new_module("__main__").__dict__
    space |= {"__file__": PROGRAM_FILE, "__builtins__": builtins}
    try:
        for code in form:
            exec(code, space)
    except SystemExit as stop:
        return _exited(stop)
    except MemoryError:
        return NO_MEMORY
    except BaseException as error:
        return _excepted(error)
    return 0


def _exited(stop: SystemExit) -> int:
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        # The system keeps eight bits of it.
        return EXITED if stop.code & 0xFF else 0
    _complain(str(stop.code))
    return EXITED


def _excepted(error: BaseException) -> int:
    """Pass an error to the program's own `sys.excepthook`, if the program has set one, and return the exit status."""
    try:
        if sys.excepthook is not sys.__excepthook__:
            sys.excepthook(type(error), error, error.__traceback__)
    except SystemExit as stop:
        return _exited(stop)
    except BaseException:
        pass
    _complain(describe(error)[2])
    return RAISED


def _complain(text: str) -> None:
    with contextlib.suppress(BaseException):
        print(text, file=sys.stderr, flush=True)


def _open_streams() -> None:
    """Standard streams as CPython creates them, with the originals also as `sys.__stdin__` and so on."""
    # The descriptors stay open whatever the program does to its streams: what is printed belongs to them.
    sys.stdin = sys.__stdin__ = _stream(0, "r", "<stdin>", "strict")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, "w", "<stdout>", "strict")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, "w", "<stderr>", "backslashreplace")  # type: ignore[misc]


def _stream(descriptor: int, mode: str, name: str, errors: str) -> io.TextIOWrapper:
    raw: Any = io.FileIO(descriptor, mode, closefd=False)
    raw.name = name
    buffer: Any = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    text = io.TextIOWrapper(buffer, encoding="utf-8", errors=errors, line_buffering=descriptor == 2)
    text.mode = mode  # type: ignore[misc]
    return text


def _run_again(descriptor: int) -> None:
    """Run a screened program repeatedly, each time on the input that the tester has prepared."""
    from isobudget.judge.untrusted import screening

    text, before = wire.receive(descriptor)
    try:
        form = _compile(text, before)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        wire.send(descriptor, ["not compiled", *describe(error)])
        return
    if screening.objection(form[-1]):
        wire.send(descriptor, ["refused", _handed_on(form)])
        return
    wire.send(descriptor, ["ready"])
    recursion = sys.getrecursionlimit()
    while True:
        wire.receive(descriptor)
        status = _run_main(form)
        sys.setrecursionlimit(recursion)
        try:
            _flush()
        except BaseException:
            status = status or RAISED
        wire.send(descriptor, ["ended", status])


def _finish() -> None:
    # Neither is imported for programs that did not: most of them are done sooner than the import would be.
    if (threading := sys.modules.get("threading")) is not None:
        threading._shutdown()
    if (atexit := sys.modules.get("atexit")) is not None:
        atexit._run_exitfuncs()
    _flush()
    # As the interpreter does: streams that the program has put in their place go while its names are there.
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, name, getattr(sys, f"__{name}__", None))
    # Files that the program has left open are written when they go, and finalizers run while its names are there.
    mark: set[str] = set()
    left = ref(mark)
    sys.modules.pop("__main__").__dict__["__end__"] = mark
    del mark
    gc.collect()
    if left() is not None:
        for holder in gc.get_referrers(left()):
            if type(holder) is dict:
                holder.clear()
        gc.collect()
    with contextlib.suppress(BaseException):
        _flush()


def _flush() -> None:
    """Flush all printed output. An error of the program's own stream is raised, as the interpreter would see it."""
    stream = getattr(sys, "stdout", None)
    if stream is not None and not _is_closed(stream):
        stream.flush()
    # The first one may be closed or detached, which the interpreter does not hold against a program.
    with contextlib.suppress(BaseException):
        sys.__stdout__.flush()  # type: ignore[union-attr]


def _is_closed(stream: Any) -> bool:
    try:
        return bool(stream.closed)
    except Exception:
        return False
