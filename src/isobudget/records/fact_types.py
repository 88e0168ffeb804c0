"""The type of each fact in ``run.toml``: the one place where facts are checked, before anything reads them.

Facts that are not listed here are ignored: a later version may have written them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any

from isobudget.errors import InputError
from isobudget.files.values import AMOUNT, COUNT, FLAG, TEXT, Check, is_number, is_whole, mistakes_of
from isobudget.judge.verdict import Limits
from isobudget.models.architecture import Architecture

Table = Mapping[str, Any]
#: the largest whole number that TOML guarantees
_LARGEST_WHOLE = 2**63 - 1

_WHOLE: Check = (lambda value: is_whole(value, 0, _LARGEST_WHOLE), "a whole number of 0 or more")
_ANY_WHOLE: Check = (lambda value: type(value) is int, "a whole number")
_SHARE: Check = (lambda value: isinstance(value, int | float) and is_number(value, 0) and value <= 1, "a share up to 1")
_TEXTS: Check = (lambda value: _is_list_of(value, str), "a list of strings")
_TABLES: Check = (lambda value: _is_list_of(value, dict), "a list of tables")
_TABLE: Check = (lambda value: isinstance(value, dict), "a table")

_RUN: dict[str, Check] = {
    **dict.fromkeys(("name", "created", "isobudget", "unfinished", "extraction"), TEXT),
    **dict.fromkeys(("machine", "benchmarks", "models", "judge", "judge_layers", "judging_anew"), _TABLE),
    "judge_rules": _WHOLE,
    "imported": _TABLES,
}
_ANEW: dict[str, Check] = {"parts": _TEXTS, "judge": _TABLE, "judge_rules": _WHOLE, "extraction": TEXT}
_ANEW_NEEDED = ("parts", "judge", "judge_rules")
_MACHINE = dict.fromkeys(("platform", "processor", "python"), TEXT)
_BENCHMARK: dict[str, Check] = {
    "temperature": AMOUNT,
    "top_p": _SHARE,
    "max_tokens": COUNT,
    "stop": _TEXTS,
    "seed": _ANY_WHOLE,
    "problems": _WHOLE,
    "source": TEXT,
    "stopping": TEXT,
}
_MODEL: dict[str, Check] = {
    **dict.fromkeys(("backend", "model", "title", "engine", "prompt_newline", "url", "api", "served"), TEXT),
    **dict.fromkeys(("file", "licence", "sha256", "architecture_source", "repeatable"), TEXT),
    **dict.fromkeys(("revision", "commit", "dtype", "quantization"), TEXT),
    "notes": _TEXTS,
    "devices": COUNT,
    "counted": FLAG,
    **dict.fromkeys(("price", "architecture", "prompts"), _TABLE),
}
_PROMPTS: dict[str, Check] = {**dict.fromkeys(("format", "newline", "extraction", "sha256"), TEXT), "stop": _TEXTS}
_PROMPTS_NEEDED = ("format", "newline", "extraction")
_OF_TYPE: dict[str, Check] = {"str": TEXT, "int": _WHOLE, "bool": FLAG}
_ARCHITECTURE = {one.name: _OF_TYPE[str(one.type)] for one in fields(Architecture) if one.name != "source"}
_ARCHITECTURE_NEEDED = [one.name for one in fields(Architecture) if one.default is MISSING]
_JUDGE: dict[str, Check] = {
    name: AMOUNT if isinstance(value, float) else _WHOLE for name, value in Limits()._asdict().items()
}


def wrong_facts(facts: Table) -> list[str]:
    """The faults in a run's facts, one text each with the fact, the expected type and the value."""
    if wrong := list(_typed(facts, _RUN, "")):
        return wrong  # tables are only looked into if all of them are tables
    return [
        *_typed(facts.get("machine", {}), _MACHINE, "machine."),
        *mistakes_of(facts.get("judge", {}), _JUDGE, "judge."),
        *_typed(layers := facts.get("judge_layers", {}), dict.fromkeys(layers, FLAG), "judge_layers."),
        *(_typed(facts["judging_anew"], _ANEW, "judging_anew.", _ANEW_NEEDED) if "judging_anew" in facts else ()),
        *_each(facts.get("benchmarks", {}), "benchmarks", _of_benchmark),
        *_each(facts.get("models", {}), "models", _of_model),
    ]


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


def _typed(table: Table, known: Mapping[str, Check], where: str, needed: tuple[str, ...] = ()) -> Iterator[str]:
    """The faults in one table. Unknown keys are allowed."""
    yield from mistakes_of({key: value for key, value in table.items() if key in known}, known, where, needed)


def _each(tables: Table, where: str, mistakes: Callable[[Table, str], Iterator[str]]) -> Iterator[str]:
    for name, table in tables.items():
        if not isinstance(table, dict):
            yield f"{where}.{name}: must be a table, not {table!r}"
        else:
            yield from mistakes(table, f"{where}.{name}.")


def _of_benchmark(stated: Table, where: str) -> Iterator[str]:
    yield from _typed(stated, _BENCHMARK, where)


def _of_prompts(stated: Table, where: str) -> Iterator[str]:
    yield from _typed(stated, _PROMPTS, where, _PROMPTS_NEEDED)


def _of_model(stated: Table, where: str) -> Iterator[str]:
    if wrong := list(_typed(stated, _MODEL, where)):
        yield from wrong
        return
    yield from _each(stated.get("prompts", {}), f"{where}prompts", _of_prompts)
    if "architecture" not in stated:
        return
    shape, inside = stated["architecture"], f"{where}architecture."
    if wrong := mistakes_of(shape, _ARCHITECTURE, inside, _ARCHITECTURE_NEEDED):
        yield from wrong
        return
    try:
        Architecture(**shape)
    except InputError as error:
        yield f"{where}architecture: {error}"
