"""What runs in a sample's own process: it loads the program and answers calls, or runs it as a whole program.

Nothing here is trusted. The program may replace all of it; what it can say to the tester is plain data over one
descriptor, and the tester alone decides what that is worth.
"""

from __future__ import annotations

import contextlib
import gc
import io
import marshal
import os
import sys
import types
from collections.abc import Callable, Iterable
from resource import setrlimit
from typing import Any, NamedTuple, NoReturn

from isobudget.judge import wire
from isobudget.judge.confinement import confine, seccomp

CALLS, PROGRAM, SHARED, ONE_PROCESS = b"c", b"p", b"s", b"o"
WIRE = 3
DETAIL_CHARS = 300
#: exit statuses of whole programs that the tester tells apart
RAISED, NOT_COMPILED, NO_MEMORY, NOT_CONFINED = 1, 2, 3, 99


class Begun(NamedTuple):
    """What a sample's process begins with.

    Attributes:
        mode: `CALLS`, `PROGRAM`, `SHARED` or `ONE_PROCESS`.
        wire: descriptor of its end of the wire.
        places: descriptors of input and errors, for whole programs.
        limits: resource limits.
        sieve: what the process gives up of system calls; None without a filter.
        served: made ahead, unused.
    """

    mode: bytes
    wire: int
    places: tuple[int, int]
    limits: confine.ResourceLimits
    sieve: seccomp.Installer | None
    served: Served


def main(begun: Begun) -> NoReturn:
    """Take up the descriptors, give up what the zygote may do, and serve."""
    try:
        mode = begun.mode
        _take_up(begun.wire, begun.places if mode in (PROGRAM, ONE_PROCESS) else (0, 1))
        for limit, value in begun.limits:
            setrlimit(limit, value)
        if begun.sieve is not None and not begun.sieve.install():
            os._exit(NOT_CONFINED)
        gc.enable()
        if mode == CALLS:
            begun.served.serve()
        elif mode == PROGRAM:
            run_program()
        elif mode == ONE_PROCESS:
            run_one_process()
        else:
            run_shared()
    except wire.ClosedError:
        pass
    finally:
        os._exit(0)


def _take_up(own: int, places: tuple[int, int]) -> None:
    """The wire becomes 3, and input and errors 0 and 2; output is 1 already. No other descriptor stays."""
    source, errors = places
    if own != WIRE:
        os.dup2(own, WIRE)
    if source != 0:
        os.dup2(source, 0)
    os.dup2(errors, 2)
    os.closerange(WIRE + 1, 1 << 16)


class Served:
    """A loaded program whose functions and objects the tester can use by their handles."""

    def __init__(self, descriptor: int = WIRE) -> None:
        self.descriptor = descriptor
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.packer = wire.Packer(self.export)
        self.unpacker = wire.Unpacker(self.resolve)
        self.names: dict[str, Any] = {}

    def export(self, value: Any) -> dict[str, Any]:
        """Keep an object and give out its number."""
        number = self.numbers.get(id(value))
        if number is None:
            number = self.numbers[id(value)] = len(self.objects)
            self.objects.append(value)
        name = type.__getattribute__(type(value), "__name__")
        return {"handle": {"mine": number, "type": name[:DETAIL_CHARS]}}

    def resolve(self, handle: dict[str, Any]) -> Any:
        """The object behind a number of ours, or a stand-in for a function of the tests."""
        if "mine" in handle:
            return self.objects[handle["mine"]]
        number = handle["yours"]
        return lambda *args: self.ask_back(number, args)

    def ask_back(self, number: int, args: tuple[Any, ...]) -> Any:
        """Call a function that the tests passed in."""
        wire.send(self.descriptor, ["back", number, [self.packer.pack(arg) for arg in args]])
        kind, form = wire.receive(self.descriptor)
        if kind == "raised":
            raise RuntimeError(form)
        return self.unpacker.unpack(form)

    def serve(self) -> None:
        """Answer requests until the tester is gone."""
        while True:
            kind, *rest = wire.receive(self.descriptor)
            try:
                answer = self.use(kind, *rest) if kind in USES else getattr(self, kind)(*rest)
            except wire.ClosedError:
                raise
            except BaseException as error:
                answer = ["raised", *describe(error)]
            try:
                wire.send(self.descriptor, answer)
            except wire.ClosedError:
                raise
            except BaseException as error:
                wire.send(self.descriptor, ["raised", *describe(error)])

    def load(self, prelude: str, program: str, names: list[str]) -> list[Any]:
        """Compile and run the program in a new module; answers with those of the names that it defines."""
        try:
            code = compile(program, "<sample>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            return ["not compiled", *describe(error)]
        self.names = new_module("sample").__dict__
        if prelude:
            exec(prelude, self.names)
        exec(code, self.names)
        return ["loaded", {name: self.packer.pack(self.names[name]) for name in names if name in self.names}]

    def use(self, kind: str, number: int, args: list[Any], named: dict[str, Any]) -> list[Any]:
        """Use one object in one of the ways that `USES` lists; answers with the value and the arguments it changed."""
        unpack, pack = self.unpacker.unpack, self.packer.pack
        values = [unpack(form) for form in args]
        keywords = {name: unpack(form) for name, form in named.items()} if named else named
        form = pack(USES[kind](self.objects[number], *values, **keywords))
        changed: list[Any] = []
        pairs = zip(args, values, strict=True)
        places: Iterable[tuple[int | str, tuple[Any, Any]]] = enumerate(pairs)
        if named:
            places = (*places, *((name, (named[name], keywords[name])) for name in named))
        for key, (before, value) in places:
            if type(value) not in wire.SCALARS:
                after = pack(value)
                if after != before:
                    changed.append([key, after])
        return ["value", form, changed] if changed else ["value", form]


USES: dict[str, Callable[..., Any]] = {
    "call": lambda target, *args, **named: target(*args, **named),
    "get": getattr,
    "set": setattr,
    "item": lambda target, key: target[key],
    "length": len,
    "contains": lambda target, item: item in target,
    "iterate": iter,
    "truth": bool,
    "text": str,
    "repr": repr,
    "instance": lambda target, value: isinstance(value, target),
}


def new_module(name: str) -> types.ModuleType:
    """An empty module for the program, known under its name, so that its classes find their home."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    return module


def describe(error: BaseException) -> list[str]:
    """The name of the error's type, its message, and both as one line. A hostile error may fail at being printed."""
    try:
        name, message = type(error).__name__, str(error)[:DETAIL_CHARS]
        return [str(name), str(message), " ".join(f"{name}: {message}".split())[:DETAIL_CHARS]]
    except BaseException:
        return ["Exception", "", "an error that cannot be printed"]


def run_program() -> NoReturn:
    """Run a whole program that reads its standard input, as the interpreter would run a file."""
    kind, text = wire.receive(WIRE)
    try:
        if kind == "source":
            code = compile(text, "<sample>", "exec", dont_inherit=True)
            wire.send(WIRE, marshal.dumps(code).hex())
        else:
            code = marshal.loads(bytes.fromhex(text))
    except wire.ClosedError:
        os._exit(RAISED)
    except BaseException as error:
        print(describe(error)[2], file=sys.stderr, flush=True)
        os._exit(NOT_COMPILED)
    status = _run_main(code)
    try:
        _finish_program()
    except BaseException:
        status = status or RAISED
    os._exit(status)


def _run_main(code: types.CodeType) -> int:
    """Run a program with streams of its own; returns the exit status that it comes to."""
    # The descriptors stay open whatever the program does to its streams: what is printed belongs to them.
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8", errors="replace")
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8", errors="replace"
    )
    sys.stderr = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False), encoding="utf-8", errors="replace", write_through=True
    )
    try:
        exec(code, new_module("__main__").__dict__)
    except SystemExit as stop:
        return 0 if stop.code in (None, 0) else RAISED
    except MemoryError:
        return NO_MEMORY
    except BaseException as error:
        with contextlib.suppress(BaseException):
            print(describe(error)[2], file=sys.stderr)
        return RAISED
    return 0


def run_one_process() -> None:
    """Run a screened program again and again, each time on what the tester has put into its input."""
    from isobudget.judge.untrusted import screening

    program = wire.receive(WIRE)
    try:
        code = compile(program, "<sample>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        wire.send(WIRE, ["not compiled", *describe(error)])
        return
    if screening.objection(code):
        wire.send(WIRE, ["refused", marshal.dumps(code).hex()])
        return
    wire.send(WIRE, ["ready"])
    recursion = sys.getrecursionlimit()
    while True:
        wire.receive(WIRE)
        status = _run_main(code)
        sys.setrecursionlimit(recursion)
        try:
            _flush()
        except BaseException:
            status = status or RAISED
        wire.send(WIRE, ["ended", status])


def _finish_program() -> None:
    # Neither is imported for programs that did not: most of them are done sooner than the import would be.
    if (threading := sys.modules.get("threading")) is not None:
        threading._shutdown()
    if (atexit := sys.modules.get("atexit")) is not None:
        atexit._run_exitfuncs()
    _flush()


def _flush() -> None:
    # A program may have closed it, which the interpreter does not hold against it either.
    if not sys.stdout.closed:
        sys.stdout.flush()


def run_shared() -> None:
    """Run the program and its tests in this one process; the word that it all went well is given out at the end."""
    program, entry_point, tests = wire.receive(WIRE)
    failure = judge_shared(program, entry_point, tests)
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
    if failure is not None:
        wire.send(WIRE, ["told", *failure])
        return
    wire.send(WIRE, ["completed"])
    wire.send(WIRE, ["word", wire.receive(WIRE)])


def judge_shared(program: str, entry_point: str, tests: dict[str, Any]) -> list[str] | None:
    """Run the program, then its tests in the same namespace; None if all of them passed."""
    names = new_module("sample").__dict__
    try:
        code = compile(program, "<sample>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        return ["syntax_error", describe(error)[2]]
    try:
        exec(code, names)
        if "module" not in tests and "source" in tests:
            candidate = names[entry_point]
            exec(compile(tests["source"], "<tests>", "exec", dont_inherit=True), names)
            names["check"](candidate)
        else:
            exec(compile(tests["setup"], "<setup>", "exec", dont_inherit=True), names)
            for number, line in enumerate(tests["asserts"]):
                exec(compile(line, f"<test {number}>", "exec", dont_inherit=True), names)
    except AssertionError as error:
        return ["failed", describe(error)[2]]
    except MemoryError as error:
        return ["out_of_memory", describe(error)[2]]
    except BaseException as error:
        return ["error", describe(error)[2]]
    return None
