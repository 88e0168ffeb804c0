"""The tests' side of the wire: a session with one sample, and stand-ins for the functions and objects of the sample.

The tests can call the stand-in of a function or class. They can set and read attributes of the stand-in of an instance,
and pass this stand-in back to the sample. That is all. Comparison, arithmetic, `in`, truth value and conversion to text
are not supported. So a sample that returns an object where plain data is expected fails, whatever the object's own
`__eq__` would say.
"""

from __future__ import annotations

import builtins
import os
from _thread import RLock
from collections.abc import Callable
from typing import Any, NoReturn

from isobudget.judge import wire
from isobudget.judge.packing import Packer
from isobudget.judge.unpacking import Array, Unpacker

#: most CPU seconds that a sample's process spends on a request of the tests with its answer, and on each of their bytes
MESSAGE_SECONDS, BYTE_SECONDS = 60e-6, 40e-9
#: these CPU seconds are reported when they add up to this many
REPORTED_SECONDS = 0.05
#: messages by which the tests answer a call of the sample; all others are requests
ANSWERS = ("value", "raised")
#: longest name of a type that is accepted from a sample
NAME_CHARS = 100
#: errors that would silently end a loop of the tests
SILENT = ("StopIteration", "StopAsyncIteration", "GeneratorExit")
_MUTABLE = (list, dict, set, bytearray, Array)


class SampleEnded(BaseException):
    """The sample's process is gone or broke the protocol. No test can go on, whatever errors it catches."""


class SampleRaisedError(Exception):
    """The sample raised an error that is not one of Python's own, or that could not be recreated in the tester."""


class SampleSession:
    """A conversation with one sample over one descriptor."""

    def __init__(self, descriptor: int, on_work: Callable[[float], None] = lambda _seconds: None) -> None:
        self.descriptor = descriptor
        #: called with the CPU seconds that the wire costs the sample's process, for which the sample is not charged
        self.on_work = on_work
        self.owed = 0.0
        #: held during a request: one at a time, even if the tests have threads
        self.lock = RLock()
        self.stand_ins: dict[int, StandIn] = {}
        self.functions: list[Any] = []
        self.packer = Packer(self._export)
        self.unpacker = Unpacker(self._resolve)
        #: the last error that the sample raised; `said` is its text in one line
        self.raised: BaseException | None = None
        self.said = ""
        #: why no test can go on: the process has ended, or its answer cannot be used
        self.fault = ""
        #: numbers of stand-ins that came as attributes of others
        self.uncallable: set[int] = set()
        #: whether the sample has returned something that it could change later
        self.returned_mutable = False

    def load(self, prelude: str, program: str, names: list[str]) -> tuple[str, dict[str, Any]]:
        """Compile and run the program in the sample.

        Returns `loaded`, `not compiled` or `raised`, and by name the stand-ins and values that the program defines.
        """
        answer = self._ask(["load", prelude, program, names])
        if answer[0] in ("not compiled", "raised"):
            self._keep_error(answer)
            return answer[0], {}
        if answer[0] != "loaded" or len(answer) != 2 or type(answer[1]) is not dict:
            self._broken("malformed names")
        defined = [name for name in names if name in answer[1]]
        try:
            return "loaded", dict(
                zip(defined, self.unpacker.unpack_all([answer[1][name] for name in defined]), strict=True)
            )
        except wire.WireError as error:
            self._broken(str(error))

    def use(self, kind: str, number: int, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Use one of the sample's objects. If the sample changed an argument, the tests' argument is changed too."""
        values = [*args, *named.values()]
        try:
            with self.lock:
                answer = self._ask([kind, number, self.packer.pack_all(values), list(named)])
                while answer[0] == "back" and len(answer) == 3:
                    answer = self._ask(self._call_back(answer[1], answer[2]))
            if answer[0] == "raised":
                raise self._error(answer)
            if answer[0] != "value" or len(answer) not in (2, 3):
                self._broken("an unknown answer")
            if len(answer) == 3:
                places, forms = answer[2]
                for place, value in zip(places, self.unpacker.unpack_all(forms), strict=True):
                    _assign(values[place], value)
            result = self.unpacker.unpack(answer[1])
        except (wire.WireError, IndexError, KeyError, TypeError, ValueError) as error:
            if error is self.raised or isinstance(error, UnsendableError):
                raise
            self._broken(f"a malformed answer ({type(error).__name__}: {error})")
        self.returned_mutable |= holds_mutable(result)
        return result

    def attribute(self, stand_in: StandIn, name: str) -> Any:
        """An attribute of an object. If it is a method, the tests cannot call it: it could see the expected values."""
        known = set(self.stand_ins)
        value = _use(stand_in, "get", (name,), {})
        if type(value) is StandIn and (number := object.__getattribute__(value, "_number")) not in known:
            self.uncallable.add(number)
        return value

    def _ask(self, message: list[Any]) -> list[Any]:
        if self.fault:
            raise SampleEnded
        try:
            size = wire.send(self.descriptor, message)
        except wire.ClosedError:
            self.fault = "ended"
            raise SampleEnded from None
        except wire.WireError as error:
            raise UnsendableError(str(error)) from None
        try:
            answer, more = wire.receive_counted(self.descriptor)
        except wire.ClosedError:
            self.fault = "ended"
            raise SampleEnded from None
        except wire.WireError as error:
            self._broken(str(error))
        if type(answer) is not list or not answer or type(answer[0]) is not str:
            self._broken("an unknown answer")
        if message[0] not in ANSWERS:
            # What the sample asks of the tests is its own work.
            self._count(size + more)
        parts: list[Any] = answer
        return parts

    def _count(self, size: int) -> None:
        self.owed += MESSAGE_SECONDS + size * BYTE_SECONDS
        if self.owed > REPORTED_SECONDS:
            self.on_work(self.owed)
            self.owed = 0.0

    def _broken(self, what: str) -> NoReturn:
        self.refuse(f"the sample's answer cannot be read: {what}")

    def refuse(self, why: str) -> NoReturn:
        """End the session with this sample."""
        self.fault, self.said = self.fault or "broken", why
        raise SampleEnded from None

    def _keep_error(self, answer: list[Any]) -> None:
        self.said = str(answer[3])[:300] if len(answer) == 4 else "an error"

    def _error(self, answer: list[Any]) -> BaseException:
        self._keep_error(answer)
        name, message = (str(part) for part in answer[1:3]) if len(answer) == 4 else ("Exception", "")
        kind = getattr(builtins, name, None)
        try:
            known = isinstance(kind, type) and issubclass(kind, Exception) and name not in SILENT
            error = kind(message) if known else SampleRaisedError(self.said)  # type: ignore[misc]
        except TypeError:
            error = SampleRaisedError(self.said)
        self.raised = error
        return error

    def _call_back(self, number: int, forms: list[Any]) -> list[Any]:
        """Call a function of the tests on behalf of the sample."""
        if type(number) is not int or not 0 <= number < len(self.functions) or type(forms) is not list:
            raise wire.WireError("a malformed call")
        values = self.unpacker.unpack_all(forms)
        try:
            return ["value", self.packer.pack(self.functions[number](*values))]
        except Exception as error:
            return ["raised", f"{type(error).__name__}: {error}"[:300]]

    def _export(self, value: Any) -> dict[str, Any]:
        if type(value) is StandIn:
            return {"handle": {"mine": object.__getattribute__(value, "_number")}}
        if not callable(value):
            raise UnsendableError(f"a {type(value).__name__} of the tests cannot be given to the sample")
        self.functions.append(value)
        return {"handle": {"yours": len(self.functions) - 1}}

    def _resolve(self, handle: dict[str, Any]) -> Any:
        if "yours" in handle:
            number = handle["yours"]
            if type(number) is not int or not 0 <= number < len(self.functions):
                raise wire.WireError("a malformed handle")
            return self.functions[number]
        number, name = handle["mine"], handle.get("type")
        if type(number) is not int:
            raise wire.WireError("a malformed handle")
        if number not in self.stand_ins:
            name = name if type(name) is str and len(name) <= NAME_CHARS and name.isidentifier() else "object"
            self.stand_ins[number] = StandIn(self, number, name)
        return self.stand_ins[number]

    def close(self) -> None:
        """Close the descriptor, which tells the sample that the session has ended."""
        os.close(self.descriptor)


class UnsendableError(TypeError):
    """The tests pass the sample a value that is neither plain data nor a function, or is too large."""


class StandIn:
    """What the tests see in place of a function, class or object of the sample."""

    __slots__ = ("_number", "_session", "_type")

    def __init__(self, session: SampleSession, number: int, kind: str) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_type", kind)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call the sample's function."""
        session: SampleSession = object.__getattribute__(self, "_session")
        if object.__getattribute__(self, "_number") in session.uncallable:
            _refuse(self)
        return _use(self, "call", args, named)

    def __setattr__(self, name: str, value: Any) -> None:
        _use(self, "set", (name, value), {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_", "pytest")):
            # pytest and other libraries look for these on whatever they see; that it has none is no answer.
            raise AttributeError(name)
        session: SampleSession = object.__getattribute__(self, "_session")
        return session.attribute(self, name)


def _refuse(stand_in: StandIn, *_: object, **__: object) -> NoReturn:
    session: SampleSession = object.__getattribute__(stand_in, "_session")
    session.refuse(f"the program returned an object of type {type_name(stand_in)}, which is not plain data")


_REFUSED = """
    eq ne lt le gt ge hash bool len contains iter getitem setitem delitem str repr format bytes int float complex
    index round abs neg pos invert add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod divmod pow
    rpow and rand or ror xor rxor lshift rlshift rshift rrshift matmul rmatmul iadd isub imul instancecheck enter exit
    reversed
"""
for _name in _REFUSED.split():
    setattr(StandIn, f"__{_name}__", _refuse)


def attribute(stand_in: StandIn, name: str) -> Any:
    """An attribute of the stand-in's object, such as a method, for the judge's own use and not for the tests."""
    return _use(stand_in, "get", (name,), {})


def call_with_nodes(function: StandIn, arguments: list[Any]) -> Any:
    """Call a function of the sample, converting lists and trees to nodes where its annotations ask for nodes."""
    return _use(function, "call with nodes", tuple(arguments), {})


def type_name(stand_in: StandIn) -> str:
    """The name of the object's type, as reported by the sample."""
    name: str = object.__getattribute__(stand_in, "_type")
    return name


def _use(stand_in: StandIn, kind: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    session: SampleSession = object.__getattribute__(stand_in, "_session")
    return session.use(kind, object.__getattribute__(stand_in, "_number"), args, named)


def holds_mutable(value: Any) -> bool:
    """Whether the value is mutable, so that the sample could change it after returning it."""
    if type(value) is StandIn:
        # The object itself, wherever it goes.
        return False
    if isinstance(value, tuple):
        return any(map(holds_mutable, value))
    return isinstance(value, _MUTABLE) or hasattr(type(value), "appendleft") or hasattr(type(value), "__next__")


def _assign(target: Any, value: Any) -> None:
    """Give a mutable argument the contents of the sample's copy, and likewise the mutable values nested in it."""
    if type(target) is not type(value):
        return
    if type(target) is list:
        if len(target) == len(value):
            for index, item in enumerate(value):
                target[index] = _merged(target[index], item)
        else:
            target[:] = value
    elif isinstance(target, dict):
        merged = {key: _merged(target[key], item) if key in target else item for key, item in value.items()}
        target.clear()
        target.update(merged)
    elif isinstance(target, set):
        target.clear()
        target.update(value)
    elif isinstance(target, bytearray):
        target[:] = value
    elif hasattr(target, "appendleft"):
        target.clear()
        target.extend(value)


def _merged(old: Any, new: Any) -> Any:
    if type(old) is type(new) and isinstance(old, list | dict | set | bytearray):
        _assign(old, new)
        return old
    return new
