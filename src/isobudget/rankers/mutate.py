"""Makes inputs like those of a prompt: the arguments of its examples, changed a little, with equal types; seeded.

Without an example, arguments are made up from the annotations of the entry point's parameters, or, without annotations,
from the parameters' names. Numbers stay small and collections short, so that slow programs end. An input may violate
what the task promises: a list that must be sorted may be shuffled. On such inputs right programs agree less often, and
so do wrong ones.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

from isobudget.problems.problem import Problem
from isobudget.syntax import expression, parsed

Arguments = tuple[object, ...]

_MOST_ELEMENTS = 30
_MOST_CHARACTERS = 200
_WORDS = ("a", "b", "abc", "Hello", "hello world", "aba", "xyz123", "A man", "", "zz Top", "racecar", "1 2 3")


def seeded(problem: Problem, seed: int = 0) -> random.Random:
    """The random generator of one problem, so that its inputs do not depend on which other problems there are."""
    text = f"{seed}\0{problem.benchmark}\0{problem.task_id}"
    return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]))


def more_inputs(examples: Sequence[Arguments], count: int, rng: random.Random) -> list[Arguments]:
    """Up to `count` inputs, all different and none of the examples, each an example with one or more changes."""
    seen = {repr(arguments) for arguments in examples}
    made: list[Arguments] = []
    for _ in range(40 * count):
        if len(made) >= count or not examples:
            break
        arguments = copy.deepcopy(rng.choice(examples))
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            if arguments:
                place = rng.randrange(len(arguments))
                arguments = (*arguments[:place], mutate(arguments[place], rng), *arguments[place + 1 :])
        if repr(arguments) not in seen:
            seen.add(repr(arguments))
            made.append(arguments)
    return made


def made_up(problem: Problem, count: int, rng: random.Random, text: str | None = None) -> list[Arguments]:
    """Up to `count` different inputs from the parameters of the entry point; none if its definition is not found."""
    parameters = [maker for _, maker in _parameters(problem, text)]
    if not parameters:
        return []
    made: dict[str, Arguments] = {}
    for _ in range(10 * count):
        if len(made) >= count:
            break
        arguments = tuple(maker(rng) for maker in parameters)
        made.setdefault(repr(arguments), arguments)
    return list(made.values())


# changing values ------------------------------------------------------------------------------------------------------


def mutate(value: object, rng: random.Random) -> object:
    """A value of the same type, a little different."""
    change = _CHANGES.get(type(value))
    return change(value, rng) if change else value


def _int(value: int, rng: random.Random) -> int:
    choices = [value + 1, value - 1, value + rng.randint(2, 12), max(value - rng.randint(2, 12), 0), value // 2]
    choices += [rng.randint(0, 20), 0, 1] + ([2 * value, 3 * value + 1] if abs(value) < 1000 else [])
    choices += [-value] if value < 0 or rng.random() < 0.2 else []
    return rng.choice(choices)


def _float(value: float, rng: random.Random) -> float:
    choices = [value + 1.0, value - 0.5, value / 2, value * 2, round(value), value + rng.choice((0.1, 0.25, 0.01))]
    return float(rng.choice(choices)) if abs(value) < 1e12 else value


def _str(value: str, rng: random.Random) -> str:
    if not value:
        return rng.choice(_WORDS)
    at = rng.randrange(len(value))
    letter = rng.choice(value)
    choices: list[Callable[[], str]] = [
        lambda: value[:at] + value[at + 1 :],
        lambda: value[:at] + letter + value[at:],
        lambda: value[:at] + letter + value[at + 1 :],
        lambda: value[::-1],
        lambda: value.swapcase(),
        lambda: (value + value[: at + 1])[:_MOST_CHARACTERS],
        lambda: value[: at + 1],
        lambda: " ".join(_shuffled(value.split(" "), rng)),
        lambda: re.sub(r"\d+", lambda _: str(rng.randint(0, 20)), value),
    ]
    return rng.choice(choices)()


def _shuffled(words: list[str], rng: random.Random) -> list[str]:
    rng.shuffle(words)
    return words


def _list(value: list[object], rng: random.Random, keep_length: bool = False) -> list[object]:
    if not value:
        return value
    at = rng.randrange(len(value))
    changed = [*value[:at], mutate(value[at], rng), *value[at + 1 :]]
    choices: list[Callable[[], list[object]]] = [lambda: changed, lambda: changed, lambda: changed]
    choices += [lambda: rng.sample(value, len(value)), lambda: value[::-1]]
    if not keep_length:
        choices += [
            lambda: value[:at] + value[at + 1 :],
            lambda: [*value, mutate(value[at], rng)][:_MOST_ELEMENTS],
            lambda: [*value, value[at]][:_MOST_ELEMENTS],
            lambda: (value + changed)[:_MOST_ELEMENTS],
            lambda: value[: at + 1],
        ]
    return rng.choice(choices)()


def _dict(value: dict[object, object], rng: random.Random) -> dict[object, object]:
    if not value:
        return value
    key = rng.choice(list(value))
    rest = {other: held for other, held in value.items() if other != key}
    return rng.choice([rest, value | {key: mutate(value[key], rng)}, rest | {mutate(key, rng): value[key]}])


_CHANGES: dict[type, Callable[[Any, random.Random], object]] = {
    bool: lambda value, _: not value,
    int: _int,
    float: _float,
    str: _str,
    list: _list,
    tuple: lambda value, rng: tuple(_list(list(value), rng, keep_length=True)),
    set: lambda value, rng: set(_list(sorted(value, key=repr), rng)),
    dict: _dict,
}

# making values up -----------------------------------------------------------------------------------------------------

Maker = Callable[[random.Random], object]


def _an_int(rng: random.Random) -> int:
    return rng.choice((0, 1, 2, 3, 5, 7, 10, 12, 16, 25, rng.randint(0, 60)))


_PLAIN: dict[str, Maker] = {
    "int": _an_int,
    "float": lambda rng: rng.choice((0.0, 0.5, 1.0, 2.5, 3.14, round(rng.uniform(0, 20), 2))),
    "str": lambda rng: rng.choice(_WORDS),
    "bool": lambda rng: rng.random() < 0.5,
    "Any": _an_int,
    "object": _an_int,
    "None": lambda _: None,
}


def _several(maker: Maker) -> Maker:
    return lambda rng: [maker(rng) for _ in range(rng.choice((0, 1, 2, 3, 4, 5, 7)))]


def _pairs(key: Maker, value: Maker) -> Maker:
    return lambda rng: {key(rng): value(rng) for _ in range(rng.randint(0, 4))}


#: makers of values for parameters without an annotation, by the parameter's name; the first pattern that fits decides
_NAMES: tuple[tuple[str, Maker], ...] = (
    (r"^(s|str|string|text|word|sentence|message|name|prefix|substring|paragraph|date|txt)\d*$", _PLAIN["str"]),
    (r"^(l|lst|arr|array|list|nums?_?list|nums|numbers|values|xs|elements|operand|game|guess)\d*$", _several(_an_int)),
    (r"(list|lst|arr)", _several(_an_int)),
    (r"^(grid|matrix|board|table)$", _several(_several(_an_int))),
    (r"^(words|strings|planets|tokens)$", _several(_PLAIN["str"])),
    (r"^(d|dict|dictionary|mapping)$", _pairs(_PLAIN["str"], _an_int)),
    (r"(ratio|threshold|price|weight|radius|height|width|side)", _PLAIN["float"]),
    (r"^(is_|has_|flag)", _PLAIN["bool"]),
    ("", _an_int),
)


def _maker(annotation: ast.expr | None) -> Maker:
    """A maker of values of the annotated type; of whole numbers if the type is not known."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _maker(expression(annotation.value))
    if isinstance(annotation, ast.BinOp):
        return _maker(annotation.left)
    if isinstance(annotation, ast.Subscript):
        inner = annotation.slice
        return _generic(_name(annotation.value), list(inner.elts) if isinstance(inner, ast.Tuple) else [inner])
    name = _name(annotation)
    return _PLAIN[name] if name in _PLAIN else _generic(name, [])


def _generic(name: str, inner: list[ast.expr]) -> Maker:
    makers = [_maker(one) for one in inner] or [_an_int]
    first = makers[0]
    lowered = name.lower()
    if lowered in ("list", "sequence", "iterable", "collection"):
        return _several(first)
    if lowered in ("set", "frozenset"):
        return lambda rng: set(_several(first)(rng))  # type: ignore[call-overload]
    if lowered == "tuple":
        return lambda rng: tuple(maker(rng) for maker in makers)
    if lowered in ("dict", "mapping"):
        return _pairs(first, makers[-1])
    return first


def _name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return str(getattr(node, "id", getattr(node, "value", "int")))


def parameter_names(problem: Problem, text: str | None = None) -> tuple[str, ...]:
    """The names of the entry point's positional parameters; empty if its definition is not found."""
    return tuple(name for name, _ in _parameters(problem, text))


def _parameters(problem: Problem, text: str | None) -> list[tuple[str, Maker]]:
    function = _definition(problem, problem.prompt if text is None else text)
    if function is None:
        return []
    return [
        (
            one.arg,
            _maker(one.annotation)
            if one.annotation
            else next(maker for name, maker in _NAMES if re.search(name, one.arg.lower())),
        )
        for one in (*function.args.posonlyargs, *function.args.args)
        if one.arg not in ("self", "cls")
    ]


def _definition(problem: Problem, prompt: str) -> ast.FunctionDef | None:
    """The entry point's definition in the prompt, in the starter, or by its `def` line alone; None if not found.

    A definition without a body is completed with `pass`.
    """
    line = re.search(
        rf"^[ \t]*(def\s+{re.escape(problem.entry_point)}\s*\(.*?\)\s*(?:->[^:\n]*)?:)", prompt, re.M | re.S
    )
    sources = [prompt.rstrip() + "\n    pass\n", problem.starter, problem.starter.rstrip() + "\n        pass\n"]
    sources += [line[1] + "\n    pass\n"] if line else []
    for source in sources:
        tree = parsed(source)
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.FunctionDef) and node.name == problem.entry_point:
                return node
    return None
