"""Detects weak tests: calls all passing programs with inputs near those of the tests, and shows where they differ.

One of the programs runs the tests once more while the calls of the function are recorded (`caller`). Every program is
then called with inputs near the recorded ones (`inputs`), each program in a confined process of its own. The results
are compared: the returned value or the error, and the arguments and a method's object after the call. A call whose
result changes from one time to the next is left out. If programs differ, at least one of them is wrong, or the task
leaves the case open. Then a test is proposed that expects what the largest group of passing samples does. This group is
not always right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.grid import counted
from isobudget.judge.guest import GuestGoneError
from isobudget.tasks.body import plain_name
from isobudget.tasks.inputs import Call, inputs_near
from isobudget.tasks.project_tests import TargetTests
from isobudget.tasks.proposal import PARTS, one_line, proposed_test
from isobudget.tasks.stub import names_from
from isobudget.tasks.target import Target

_CALLER = Path(__file__).with_name("caller.py")
#: most inputs tried, most differences shown, and how many of these may split the programs as another one does
_INPUTS, _SHOWN, _MORE = 300, 5, 2
_KINDS = ("returns", "raises", "takes too long")


@dataclass(frozen=True, slots=True)
class AgreeingGroup:
    """Programs that give the same result for an input.

    Attributes:
        samples: number of passing samples with such a program.
        chosen: whether the returned solution is one of these programs.
        said: the result in words, such as ``returns 'a-b'``.
    """

    samples: int
    chosen: bool
    said: str


@dataclass(frozen=True, slots=True)
class InputDifference:
    """An input on which passing programs differ.

    Attributes:
        call: the call as source code, such as ``slugify('a  b')``.
        answers: groups of programs with the same result, most samples first.
        test: a proposed test that states the result of the largest group.
    """

    call: str
    answers: tuple[AgreeingGroup, ...]
    test: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Result of comparing the samples that passed.

    Attributes:
        passed: number of samples that passed all tests.
        programs: number of different programs among them.
        inputs: number of inputs on which the programs were compared.
        differing: number of inputs on which the programs differ.
        differences: the simplest of these inputs.
        note: why not everything was compared; else empty.
    """

    passed: int
    programs: int
    inputs: int
    differing: int
    differences: tuple[InputDifference, ...]
    note: str = ""

    @property
    def summary(self) -> str:
        """A readable summary in a few lines, without the proposed tests."""
        if self.programs == 1 < self.passed:
            return f"{self.passed} samples passed and are the same program, so there is nothing to compare."
        head = f"{counted(self.passed, 'sample')} passed, {counted(self.programs, 'different program')}"
        if self.note:
            head += f": {self.note}"
        if not self.inputs:
            return f"{head}."
        found = f"they differ on {self.differing} of {self.inputs} inputs near those of the tests"
        lines = [
            f"{head}; {found if self.differing else f'they agree on {self.inputs} inputs near those of the tests'}."
        ]
        for one in self.differences:
            lines.append(f"  {one.call}")
            for answer in one.answers:
                mark = ", the chosen one" if answer.chosen else ""
                lines.append(f"    {answer.said} ({counted(answer.samples, 'sample')}{mark})")
        return "\n".join(lines)

    @property
    def tests(self) -> str:
        """The proposed tests as one text; empty if there are no differences."""
        return "\n\n".join(one.test for one in self.differences)


def confirm(tests: TargetTests, programs: Mapping[str, int]) -> Confirmation:
    """Compare programs that pass.

    Args:
        tests: the project's tests, prepared.
        programs: for each text of the target's file, the number of passing samples that have this text. The chosen
            text comes first.
    """
    passed, different = sum(programs.values()), len(programs)

    def nothing(note: str) -> Confirmation:
        return Confirmation(passed, different, 0, 0, (), note)

    if passed < 2:
        return nothing("no other sample passed within the budget, so there is nothing to compare")
    if different < 2:
        return nothing("")
    try:
        calls = _calls(tests, next(iter(programs)))
    except GuestGoneError as error:
        return nothing(f"the tests could not be run again ({error})")
    if not calls:
        return nothing("the tests call the function only with values that have no literal, so no inputs can be made")
    inputs = inputs_near(calls, _INPUTS)
    results = [_results(tests, text, inputs) for text in programs]
    return _compared(tests.target, inputs, results, list(programs.values()))


def _calls(tests: TargetTests, text: str) -> list[Call]:
    """The calls that the tests make to the target's functions."""
    names = list(tests.target.names or _public_names(tests))
    newline = "" if text.endswith("\n") else "\n"
    noted = f'{text}{newline}__import__("builtins").__isobudget_calls__(globals(), {names!r})\n'
    program = f"{_caller()}\nimport builtins\nbuiltins.__isobudget_calls__ = Calls(tell).wrap\n"
    told = tests.told(noted, tests.arguments, program)
    calls = (Call.of(one) for kind, *rest in told if kind == "call" for one in rest)
    return [one for one in dict.fromkeys(calls) if one is not None and one.name in names]


def _public_names(tests: TargetTests) -> list[str]:
    return names_from(tests.target, tests.tests.files.values())


def _results(tests: TargetTests, text: str, inputs: Sequence[Call]) -> dict[int, dict[str, str]]:
    """A program's results by the index of the input. Inputs whose result is unknown or varies are missing."""
    program = f"{_caller()}\ncall_all(tell, {tests.target.module!r}, {[one.to_dict() for one in inputs]!r})\n"
    try:
        told = tests.told(text, None, program)
    except GuestGoneError:
        return {}
    found = {}
    for kind, *rest in told:
        if kind == "result" and len(rest) == 2 and isinstance(rest[0], int) and _is_result(rest[1]):
            found[rest[0]] = {name: str(value) for name, value in rest[1].items()}
    return found


def _is_result(value: Any) -> bool:
    fields = ("kind", "form", "base", *(part + kind for part in PARTS for kind in ("", "_how", "_key")))
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in fields)


def _caller() -> str:
    return _CALLER.read_text(encoding="utf-8")


def _compared(
    target: Target, inputs: Sequence[Call], results: Sequence[Mapping[int, Mapping[str, str]]], weights: Sequence[int]
) -> Confirmation:
    known = [number for number in range(len(inputs)) if all(number in own for own in results)]
    groups: dict[int, dict[tuple[str, ...], list[int]]] = {}
    for number in known:
        groups[number] = {}
        for place, own in enumerate(results):
            key = tuple(own[number][name] for name in ("kind", *(f"{part}_key" for part in PARTS)))
            groups[number].setdefault(key, []).append(place)
    differing = [number for number in known if len(groups[number]) > 1]
    chosen = _telling(differing, groups, inputs)
    differences = [
        _difference(target, inputs[number], groups[number], [own[number] for own in results], weights, at)
        for at, number in enumerate(chosen, start=1)
    ]
    note = "" if known else "no input gave the same result twice in every program"
    return Confirmation(sum(weights), len(weights), len(known), len(differing), tuple(differences), note)


def _telling(
    differing: Sequence[int], groups: Mapping[int, Mapping[tuple[str, ...], Sequence[int]]], inputs: Sequence[Call]
) -> list[int]:
    """The inputs to show: one for each way in which the programs split into groups, then up to `_MORE` others.

    Inputs for which more groups return a value come first, and among them short inputs.
    """

    def rank(number: int) -> tuple[int, int]:
        kinds = [_KINDS.index(key[0]) if key[0] in _KINDS else len(_KINDS) for key in groups[number]]
        return -sum(kind == 0 for kind in kinds), len(inputs[number].args) + len(inputs[number].kwargs)

    seen: set[frozenset[tuple[int, ...]]] = set()
    firsts: list[int] = []
    others: list[int] = []
    for number in sorted(differing, key=rank):
        parts = frozenset(tuple(places) for places in groups[number].values())
        (others if parts in seen else firsts).append(number)
        seen.add(parts)
    return (firsts + others[:_MORE])[:_SHOWN]


def _difference(
    target: Target,
    call: Call,
    groups: Mapping[tuple[str, ...], Sequence[int]],
    results: Sequence[Mapping[str, str]],
    weights: Sequence[int],
    number: int,
) -> InputDifference:
    ordered = sorted(groups.values(), key=lambda own: (-sum(weights[one] for one in own), 0 not in own))
    answers = tuple(
        AgreeingGroup(sum(weights[one] for one in own), 0 in own, _in_words(results[own[0]])) for own in ordered
    )
    plain = plain_name(call.name)
    shown = (
        f"{plain}({call.arguments})" if not call.state else f"{call.name} on {call.state}: {plain}({call.arguments})"
    )
    others = "; ".join(f"{answer.said} ({answer.samples})" for answer in answers[1:])
    comment = f"{counted(answers[0].samples, 'passing sample')} did this; others: {others}"
    group = [results[one] for one in ordered[0]]
    test = proposed_test(target.module, call, group, _differing_parts(groups), comment, number)
    return InputDifference(shown, answers, test)


def _differing_parts(keys: Iterable[tuple[str, ...]]) -> list[str]:
    """The parts of the results (`PARTS`) in which the groups of programs differ, from the keys of the groups.

    A key has the kind of the result, such as ``returns``, and one text for each part. Results of different kinds, such
    as a returned value and an error, always differ in the part `value`, even if their texts are equal.
    """
    kinds, *columns = zip(*keys, strict=True)
    return [
        part
        for part, column in zip(PARTS, columns, strict=True)
        if len(set(column)) > 1 or (part == "value" and len(set(kinds)) > 1)
    ]


def _in_words(result: Mapping[str, str]) -> str:
    said = f"{result['kind']} {result['value']}".strip()
    if result["after"]:
        said += f" and changes its arguments to {result['after']}"
    return one_line(said + (f" and leaves {result['state']}" if result["state"] else ""))
