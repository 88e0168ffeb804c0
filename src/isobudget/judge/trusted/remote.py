"""The tests' side of the wire: a session with one sample, and the stand-ins through which tests use what it defines.

A stand-in forwards calls, attributes, items, length, iteration, truth and text to the sample and hands back plain data.
It never forwards a comparison or arithmetic: two stand-ins are equal when they are the same object, and a stand-in is
equal to no plain value, whatever the sample's own `__eq__` would say.
"""

from __future__ import annotations

import builtins
import os
from typing import Any, NoReturn, TypeVar

from isobudget.judge import wire

_T = TypeVar("_T")
#: a longer name of a type is not believed
NAME_CHARS = 100


class SampleEnded(BaseException):
    """The sample's process is gone, or does not keep to the wire: no test can go on, whatever it catches."""


class SampleRaisedError(Exception):
    """The sample raised an error that is not one of Python's own, or could not be made here."""


class Session:
    """A conversation with one sample over one descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.stand_ins: dict[int, StandIn] = {}
        self.functions: list[Any] = []
        self.packer = wire.Packer(self._export)
        self.unpacker = wire.Unpacker(self._resolve)
        #: the last error that the sample raised, as one line
        self.raised: BaseException | None = None
        self.said = ""
        self.fault = ""
        #: whether the tests have given the sample what cannot cross
        self.uncrossable = False

    def load(self, prelude: str, program: str, names: list[str]) -> tuple[str, dict[str, Any]]:
        """Have the program compiled and run; returns what became of it and those of the names that it defines."""
        answer = self._ask(["load", prelude, program, names])
        if answer[0] != "loaded":
            self._keep_error(answer)
            return str(answer[0]), {}
        if len(answer) != 2 or type(answer[1]) is not dict:
            self._broken("malformed names")
        try:
            return "loaded", {name: self.unpacker.unpack(answer[1][name]) for name in names if name in answer[1]}
        except wire.WireError as error:
            self._broken(str(error))

    def use(self, kind: str, number: int, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Use one of the sample's objects; arguments that it changed are changed here too."""
        pack = self.packer.pack
        forms = [pack(arg) for arg in args]
        named_forms = {name: pack(arg) for name, arg in named.items()} if named else named
        try:
            answer = self._ask([kind, number, forms, named_forms])
            while answer[0] == "back" and len(answer) == 3:
                answer = self._ask(self._call_back(answer[1], answer[2]))
            if answer[0] == "raised":
                raise self._error(answer)
            if answer[0] != "value" or len(answer) not in (2, 3):
                self._broken("an unknown answer")
            if len(answer) == 3:
                for key, form in answer[2]:
                    _assign(args[key] if type(key) is int else named[key], self.unpacker.unpack(form))
            return self.unpacker.unpack(answer[1])
        except (wire.WireError, IndexError, KeyError, TypeError, ValueError) as error:
            if error is self.raised:
                raise
            self._broken(f"a malformed answer ({error})")

    def _ask(self, message: list[Any]) -> list[Any]:
        try:
            wire.send(self.descriptor, message)
            answer = wire.receive(self.descriptor)
        except wire.ClosedError:
            self.fault = self.fault or "ended"
            raise SampleEnded from None
        except wire.WireError as error:
            self._broken(str(error))
        if type(answer) is not list or not answer or type(answer[0]) is not str:
            self._broken("an unknown answer")
        parts: list[Any] = answer
        return parts

    def _broken(self, what: str) -> NoReturn:
        self.fault, self.said = "broken", f"the sample's answer cannot be read: {what}"
        raise SampleEnded from None

    def _keep_error(self, answer: list[Any]) -> None:
        self.said = str(answer[3])[:300] if len(answer) == 4 else "an error"

    def _error(self, answer: list[Any]) -> BaseException:
        self._keep_error(answer)
        name, message = (str(part) for part in answer[1:3]) if len(answer) == 4 else ("Exception", "")
        kind = getattr(builtins, name, None)
        try:
            known = isinstance(kind, type) and issubclass(kind, Exception)
            error = kind(message) if known else SampleRaisedError(self.said)  # type: ignore[misc]
        except TypeError:
            error = SampleRaisedError(self.said)
        self.raised = error
        return error

    def _call_back(self, number: int, forms: list[Any]) -> list[Any]:
        """Call a function of the tests for the sample."""
        function = self.functions[number]
        try:
            return ["value", self.packer.pack(function(*(self.unpacker.unpack(form) for form in forms)))]
        except Exception as error:
            return ["raised", f"{type(error).__name__}: {error}"[:300]]

    def _export(self, value: Any) -> dict[str, Any]:
        if type(value) is StandIn:
            return {"handle": {"mine": object.__getattribute__(value, "_number")}}
        if not callable(value):
            self.uncrossable = True
            raise CannotCrossError(f"a {type(value).__name__} of the tests cannot be given to the sample")
        self.functions.append(value)
        return {"handle": {"yours": len(self.functions) - 1}}

    def _resolve(self, handle: dict[str, Any]) -> Any:
        if "yours" in handle:
            return self.functions[handle["yours"]]
        number, name = handle["mine"], handle.get("type")
        if type(number) is not int:
            raise wire.WireError("a malformed handle")
        if number not in self.stand_ins:
            name = name if type(name) is str and len(name) <= NAME_CHARS and name.isidentifier() else "object"
            self.stand_ins[number] = StandIn(self, number, name)
        return self.stand_ins[number]

    def close(self) -> None:
        """Close the descriptor; the sample sees the end of the conversation."""
        os.close(self.descriptor)


class CannotCrossError(TypeError):
    """The tests give the sample something that is neither plain data nor a function."""


class StandIn:
    """What the tests see in place of a function, class or object of the sample."""

    __slots__ = ("_number", "_session", "_type")

    def __init__(self, session: Session, number: int, kind: str) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_type", kind)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call the sample's function."""
        return _use(self, "call", *args, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__name__", "__doc__", "__dict__"):
            raise AttributeError(name)
        return _use(self, "get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _use(self, "set", name, value)

    def __getitem__(self, key: Any) -> Any:
        return _use(self, "item", key)

    def __len__(self) -> int:
        return _plain(_use(self, "length"), int)

    def __contains__(self, item: Any) -> bool:
        return _plain(_use(self, "contains", item), bool)

    def __iter__(self) -> Any:
        return iter(_use(self, "iterate"))

    def __bool__(self) -> bool:
        return _plain(_use(self, "truth"), bool)

    def __str__(self) -> str:
        return _plain(_use(self, "text"), str)

    def __repr__(self) -> str:
        return _plain(_use(self, "repr"), str)

    def __instancecheck__(self, value: Any) -> bool:
        return _plain(_use(self, "instance", value), bool)


def type_name(stand_in: StandIn) -> str:
    """The name of its object's type, as the sample says it."""
    name: str = object.__getattribute__(stand_in, "_type")
    return name


def _use(stand_in: StandIn, kind: str, *args: Any, **named: Any) -> Any:
    session: Session = object.__getattribute__(stand_in, "_session")
    return session.use(kind, object.__getattribute__(stand_in, "_number"), args, named)


def _plain(value: Any, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, the sample gave {type(value).__name__}")
    return value


def _assign(target: Any, value: Any) -> None:
    """Give a mutable argument the contents that the sample left in its copy, down to nested ones of the same shape."""
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
