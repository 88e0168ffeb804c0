"""The code of a sample's own process: loads the program and answers calls, or runs it as a program or with its tests.

Nothing in this module is trusted, because the program may replace all of it. The program can only send plain data to
the tester over one descriptor, and the tester alone decides what to believe.
"""

from __future__ import annotations

import gc
import os
import types
from collections.abc import Callable
from resource import setrlimit
from typing import Any, NamedTuple, NoReturn

from isobudget.judge import wire
from isobudget.judge.confinement import confine, seccomp
from isobudget.judge.packing import SCALARS, Packer
from isobudget.judge.unpacking import Unpacker
from isobudget.judge.untrusted.loading import DETAIL_CHARS, NOT_CONFINED, compiled, describe, new_module

CALLS, PROGRAM, SHARED, ONE_PROCESS = b"c", b"p", b"s", b"o"
WIRE = 3


class SampleStart(NamedTuple):
    """What a sample's process starts with.

    Attributes:
        mode: `CALLS`, `PROGRAM`, `SHARED` or `ONE_PROCESS`.
        wire: descriptor of the sample's end of the wire.
        places: descriptors of input and errors, for whole programs.
        limits: resource limits.
        sieve: filter of system calls to install; None for no filter.
        served: a `Served` object made in advance and not yet used.
    """

    mode: bytes
    wire: int
    places: tuple[int, int]
    limits: confine.ResourceLimits
    sieve: seccomp.Installer | None
    served: Served


def main(begun: SampleStart) -> NoReturn:
    """Take over the descriptors, give up the zygote's rights, and serve requests."""
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
        elif mode in (PROGRAM, ONE_PROCESS):
            from isobudget.judge.untrusted import whole_program

            whole_program.run(WIRE, one_process=mode == ONE_PROCESS)
        else:
            from isobudget.judge.untrusted import shared_tests

            shared_tests.run(WIRE)
    except wire.ClosedError:
        pass
    finally:
        os._exit(0)


def _take_up(own: int, places: tuple[int, int]) -> None:
    """Make the wire descriptor 3, input 0 and errors 2; output is 1 already. All other descriptors are closed."""
    source, errors = places
    if own != WIRE:
        os.dup2(own, WIRE)
    if source != 0:
        os.dup2(source, 0)
    os.dup2(errors, 2)
    os.closerange(WIRE + 1, 1 << 16)


class Served:
    """A loaded program, whose functions and objects the tester uses by their handles."""

    def __init__(self, descriptor: int = WIRE) -> None:
        self.descriptor = descriptor
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.packer = Packer(self.export)
        self.unpacker = Unpacker(self.resolve, arrays=True)
        self.names: dict[str, Any] = {}

    def export(self, value: Any) -> dict[str, Any]:
        """Keep an object and return its handle."""
        number = self.numbers.get(id(value))
        if number is None:
            number = self.numbers[id(value)] = len(self.objects)
            self.objects.append(value)
        name = type.__getattribute__(type(value), "__name__")
        return {"handle": {"mine": number, "type": name[:DETAIL_CHARS]}}

    def resolve(self, handle: dict[str, Any]) -> Any:
        """The object behind a handle: an object of the sample, or a stand-in for a function of the tests."""
        if "mine" in handle:
            return self.objects[handle["mine"]]
        number = handle["yours"]
        return lambda *args: self.ask_back(number, args)

    def ask_back(self, number: int, args: tuple[Any, ...]) -> Any:
        """Call a function that the tests passed to the sample."""
        wire.send(self.descriptor, ["back", number, [self.packer.pack(arg) for arg in args]])
        kind, form = wire.receive(self.descriptor)
        if kind == "raised":
            raise RuntimeError(form)
        return self.unpacker.unpack(form)

    def serve(self) -> None:
        """Answer requests until the tester closes the wire."""
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
        """Compile and run the program in a new module. The answer has those of `names` that the program defines."""
        try:
            code = compiled(program)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            return ["not compiled", *describe(error)]
        self.names = new_module("sample").__dict__
        if prelude:
            exec(prelude, self.names)
        given = {name: self.names[name] for name in names if name in self.names}
        exec(code, self.names)
        # What was there before it is not the program's.
        own = [name for name in names if name in self.names and self.names[name] is not given.get(name, self)]
        return ["loaded", dict(zip(own, self.packer.pack_all(self.names[name] for name in own), strict=True))]

    def use(self, kind: str, number: int, forms: list[Any], names: list[str]) -> list[Any]:
        """Use one object in one of the ways in `USES`.

        The answer is the value, and the arguments if any was changed.
        """
        values = self.unpacker.unpack_all(forms)
        plain = len(values) - len(names)
        result = USES[kind](self.objects[number], *values[:plain], **dict(zip(names, values[plain:], strict=True)))
        form = self.packer.pack(result)
        places = [place for place, value in enumerate(values) if type(value) not in SCALARS]
        if places:
            after = self.packer.pack_all(values)
            if after != forms:
                # All of them, since one may refer to what is in another.
                return ["value", form, [places, [after[place] for place in places]]]
        return ["value", form]


def _nodes() -> types.ModuleType:
    from isobudget.judge.untrusted import nodes

    return nodes


USES: dict[str, Callable[..., Any]] = {
    "call": lambda target, *args, **named: target(*args, **named),
    "call with nodes": lambda target, *args: _nodes().call(target, *args),
    "get": getattr,
    "set": setattr,
}
