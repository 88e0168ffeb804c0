"""Call tests with JSON data, like those of APPS and LiveCodeBench, and tests against a reference, like EvalPlus's.

Both run over the same wire as function tests. The entry point is a function, or a method of the program's `class
Solution`. Results are compared by the rules in `compare`. In JSON tests, if a function returns None and something else
is expected, the first argument counts as the answer, since the function may have changed that argument.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import json
import random
import sys
from collections.abc import Iterator
from typing import Any

from isobudget.judge import wire
from isobudget.judge.messages import Case
from isobudget.judge.packing import Packer
from isobudget.judge.trusted import compare, given, remote
from isobudget.judge.trusted.host import Host
from isobudget.judge.trusted.session import judge_over_wire
from isobudget.judge.unpacking import Unpacker
from isobudget.judge.verdict import Verdict

#: tolerance relative to the expected number, added to the problem's own absolute one unless that is 0: EvalPlus
#: compares by numpy's `assert_allclose`, whose default this is
RELATIVE = 1e-7


class _Numbered:
    """Base of tests by single calls: the calls are numbered, and a failure is reported by the number of its call."""

    prelude = ""
    entry_point: str
    total: int
    running = 0

    def run(self, defined: dict[str, Any], held: set[int]) -> None:
        """Make every call and compare."""
        raise NotImplementedError

    def judge(self, host: Host, program: str) -> Verdict:
        """Judge a program over the wire."""
        return judge_over_wire(self, host, program).verdict

    @property
    def asked(self) -> list[str]:
        """The entry point, and the class `Solution`, because the entry point may be a method of it."""
        return [self.entry_point, "Solution"]

    def first_failing(self, _error: BaseException) -> str:
        """The display name of the call that failed."""
        return f"call {self.running + 1} of {self.total}"

    def missing_name(self, defined: dict[str, Any]) -> str:
        """The name that the program should define but does not; an empty string if there is none."""
        return "" if defined else self.entry_point


class CallTests(_Numbered):
    """Calls with JSON arguments and their expected results."""

    def __init__(self, case: Case) -> None:
        tests = case.tests
        self.entry_point = case.entry_point
        self.rules: str = tests.get("rules", "own")
        self.tolerance = compare.stated(tests.get("tolerance"), compare.RESULT)
        with _long_numbers():
            _require_carried(tests["arguments"])
            self.arguments = [json.loads(text) for text in tests["arguments"]]
            self.results = [json.loads(text) for text in tests["results"]]
        self.total = len(self.results)
        self.nodes = False

    def judge(self, host: Host, program: str) -> Verdict:
        """Judge a program over the wire, after the definitions that its benchmark supplies."""
        self.prelude = given.before(program, self.rules, calls=True)
        self.nodes = given.has_nodes(program)
        return super().judge(host, program)

    def run(self, defined: dict[str, Any], held: set[int]) -> None:
        """Make every call and compare."""
        for number, (arguments, expected) in enumerate(zip(self.arguments, self.results, strict=True)):
            self.running = number
            function = function_of(defined, self.entry_point)
            mine = copy.deepcopy(arguments)
            result = remote.call_with_nodes(function, mine) if self.nodes else function(*mine)
            if result is None and expected is not None and mine:
                result = mine[0]
            if not self._same(result, expected):
                raise AssertionError(f"returned {_shown(result)}, expected {_shown(expected)}")
            held.add(number)

    def _same(self, result: Any, expected: Any) -> bool:
        if self.rules == "livecodebench":
            return bool((list(result) if isinstance(result, tuple) else result) == expected)
        result = compare.plain(result)
        same = compare.same_result(result, expected, self.tolerance)
        single = self.rules == "apps" and isinstance(expected, list) and len(expected) == 1
        return same or (single and compare.same_result(result, expected[0], self.tolerance))


class ReferenceTests(_Numbered):
    """Calls whose results must equal those of a reference, which runs here, on the trusted side.

    If the reference raises an error, the right answer is an error of the same name.
    """

    def __init__(self, case: Case) -> None:
        tests = case.tests
        self.entry_point = case.entry_point
        absolute: float = tests["tolerance"]
        self.tolerance = compare.Tolerance(RELATIVE if absolute else 0.0, absolute=absolute)
        self.inputs = [ast.literal_eval(text) for text in tests["inputs"]]
        self.total = len(self.inputs)
        space: dict[str, Any] = {"__name__": "reference"}
        exec(compile(tests["reference"], "<reference>", "exec", dont_inherit=True), space)
        random.seed(0)
        self.results = [_outcome(space[self.entry_point], arguments) for arguments in self.inputs]

    def run(self, defined: dict[str, Any], held: set[int]) -> None:
        """Make every call and compare with what the reference returned."""
        function = function_of(defined, self.entry_point)
        for number, (arguments, (form, error)) in enumerate(zip(self.inputs, self.results, strict=True)):
            self.running = number
            if error:
                _expect(error, function, arguments)
            else:
                result, expected = function(*copy.deepcopy(arguments)), _UNPACKER.unpack(form)
                if not self._same(result, expected):
                    raise AssertionError(f"returned {_shown(result)}, expected {_shown(_UNPACKER.unpack(form))}")
            held.add(number)

    def _same(self, result: Any, expected: Any) -> bool:
        return compare.same_result(result, expected, self.tolerance)


def _require_carried(texts: list[str]) -> None:
    """Raise if a test's data is too long for a message: that is a fault of the tests, not of a sample."""
    longest = max(map(len, texts), default=0)
    if longest > wire.FRAME_BYTES:
        most = wire.FRAME_BYTES >> 20
        raise ValueError(f"arguments of {longest >> 20} MiB, but a message holds at most {most} MiB")


def _no_handle(value: Any) -> dict[str, Any]:
    raise TypeError(f"the reference returns a {type(value).__name__}, which is not plain data")


def _no_value(_handle: Any) -> Any:
    raise wire.WireError("a handle")


#: encode and decode the reference's results, so that they are compared in the form of a sample's results
_PACKER, _UNPACKER = Packer(_no_handle), Unpacker(_no_value)


def _outcome(reference: Any, arguments: list[Any]) -> tuple[Any, str]:
    """The reference's result in wire form and an empty text; or None and the name of the error that it raises."""
    try:
        result = reference(*copy.deepcopy(arguments))
    except Exception as error:
        return None, type(error).__name__
    form = _PACKER.pack(result)
    if len(wire.encode(form)) > wire.FRAME_BYTES:
        raise ValueError(f"the reference returns more than a message holds ({wire.FRAME_BYTES >> 20} MiB)")
    return form, ""


def _expect(name: str, function: Any, arguments: list[Any]) -> None:
    """Call a function that must raise an error of this name."""
    try:
        result = function(*copy.deepcopy(arguments))
    except Exception as error:
        own = isinstance(error, remote.SampleRaisedError)
        if (str(error).partition(":")[0] if own else type(error).__name__) != name:
            raise
        return
    raise AssertionError(f"returned {_shown(result)}, expected {name}")


def function_of(defined: dict[str, Any], entry_point: str) -> Any:
    """The entry point: a function, or a method of a new `Solution`."""
    if entry_point in defined:
        return defined[entry_point]
    return remote.attribute(defined["Solution"](), entry_point)


@contextlib.contextmanager
def _long_numbers() -> Iterator[None]:
    """Let the tests use whole numbers of any length. Python's limit applies again to what samples return."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(before)


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a number too long to show"
    return text if len(text) <= 100 else text[:97] + "..."
