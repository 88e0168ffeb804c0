"""Mistakes in a study, each with its place; all are reported at once, with their lines."""

from __future__ import annotations

import re
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from isobudget.backends.registry import BACKENDS, backends_with
from isobudget.errors import IsobudgetError, MissingExtraError, StudyError
from isobudget.files.field_errors import EMPTY, field_message
from isobudget.files.hints import unknown_key
from isobudget.files.store_path import place
from isobudget.grid import counted
from isobudget.study.lines import Place, line_of

#: the field of a model that holds its backend's settings, which are among its other fields in a study
SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake in a study: its place, a description, and the underlying error if there is one."""

    place: Place
    message: str
    error: IsobudgetError | None = None


def field_mistakes(error: ValidationError, owner: type[BaseModel]) -> list[Mistake]:
    """The mistakes that the check of an `owner`'s fields raised, one for each place.

    A field of several types, for which the check raises an error per type, has one mistake that names all of them.
    """
    mistakes: dict[Place, Mistake] = {}
    for mistake in (_field_mistake(each, owner) for each in error.errors()):
        before = mistakes.get(mistake.place)
        mistakes[mistake.place] = (
            mistake if before is None else Mistake(mistake.place, f"{before.message}; or {mistake.message}")
        )
    return list(mistakes.values())


def _field_mistake(error: Any, owner: type[BaseModel]) -> Mistake:
    location = tuple(part for part in error["loc"] if _is_place(part))
    place, backend = _without_settings(location)
    match error["type"]:
        case "extra_forbidden":
            return Mistake(place, _unknown_key(location, backend, owner))
        case "missing" if backend:
            field = BACKENDS[backend].model_fields[str(place[-1])]
            such = "".join(f', such as "{one}"' for one in field.examples or ())
            return Mistake(place[:-1], f'a model of the backend "{backend}" needs a {place[-1]}{such}')
        case "missing":
            return Mistake(place, "is missing")
        case "union_tag_invalid":
            *others, last = map(repr, BACKENDS)
            given = error["input"]["backend"]
            return Mistake((*place, "backend"), f"must be {', '.join(others)} or {last}, not {given!r}")
        case "secret":
            return Mistake(place, error["msg"])
        case "twice":
            return Mistake(error["ctx"]["place"], error["msg"])
    message = field_message(error)
    if not place or message == EMPTY:
        return Mistake(place, message)
    return Mistake(place, f"{message[0].lower()}{message[1:]}, not {error['input']!r}")


def _is_place(part: str | int) -> bool:
    """Whether a part of a location is a key or a position, and not the name of one of several types."""
    return isinstance(part, int) or part.isidentifier() or part in BACKENDS or not re.search(r"[\[\]()']", part)


def _without_settings(location: Place) -> tuple[Place, str]:
    """The place in the study, where settings are among a model's other fields; and the backend, or an empty string."""
    if SETTINGS not in location:
        return location, ""
    at = location.index(SETTINGS)
    backend = location[at + 1] if len(location) > at + 1 else ""
    return (*location[:at], *location[at + 2 :]), str(backend)


def _unknown_key(location: Place, backend: str, root: type[BaseModel]) -> str:
    owners = backends_with(str(location[-1])) if backend else []
    if owners:
        shown = " and ".join(f'"{name}"' for name in owners)
        return f"belongs to the backend {shown}, not to {backend!r}"
    for table, field in root.model_fields.items():
        if location[0] != table and str(location[-1]) in getattr(field.annotation, "model_fields", {}):
            return f"belongs to the study's table {table!r}"
    owner = _model_at(location[: location.index(SETTINGS)] if backend else location[:-1], root)
    fields = [name for name in owner.model_fields if name != SETTINGS] if owner else []
    fields += [name for name in (BACKENDS[backend].model_fields if backend else ()) if name not in fields]
    return unknown_key(str(location[-1]), fields)


def _model_at(location: Place, root: type[BaseModel]) -> type[BaseModel] | None:
    """The class that describes the table at `location`."""
    owner: Any = root
    for part in location:
        if isinstance(part, str) and owner is not None:
            annotation = owner.model_fields[part].annotation
            inner = [one for one in (*typing.get_args(annotation), annotation) if hasattr(one, "model_fields")]
            owner = inner[0] if inner else None
    return owner  # type: ignore[no-any-return]


def raise_mistakes(mistakes: Sequence[Mistake], text: str, origin: str, models: Sequence[object] = ()) -> None:
    """Raise all mistakes as one error, with their lines; do nothing if there are none.

    Without a text there are no lines, and the places of models are named by the names in `models`.

    Raises:
        StudyError: there is a mistake. Without a text, a single mistake that has an underlying error, such as a part
            that is not installed, is raised as that error.
    """
    if not mistakes:
        return
    distinct = _together(mistakes)
    first = distinct[0][0]
    if len(distinct) == 1 and first.error is not None and not text:
        raise first.error
    shown = [f"{origin}: {counted(len(distinct), 'mistake')}"]
    for same in distinct:
        places = [(line_of(text, one.place), _shown(one.place, () if text else models)) for one in same]
        where = ", ".join(f"line {line}: {name}" if line else name for line, name in places)
        shown.append(f"  {where}: {same[0].message}")
    raise StudyError("\n".join(shown))


def _shown(place: Place, models: Sequence[object]) -> str:
    """A place as people read it: with the model's name, if `models` has it, else with its number."""
    if place[:1] == ("models",) and len(place) > 1 and isinstance(at := place[1], int) and at < len(models):
        return ": ".join([f"model {models[at]!r}", *[".".join(map(str, place[2:]))] * (len(place) > 2)])
    return ".".join(map(str, place)) or "the study"


def _together(mistakes: Sequence[Mistake]) -> list[list[Mistake]]:
    """The mistakes, grouped if they say that the same package is not installed."""
    together: dict[object, list[Mistake]] = {}
    for at, mistake in enumerate(mistakes):
        key = mistake.message if isinstance(mistake.error, MissingExtraError) else at
        together.setdefault(key, []).append(mistake)
    return list(together.values())


def plain_name(benchmark: str) -> str:
    """The name of a benchmark as a study writes it: ``mbpp=data/mbpp.jsonl`` is mbpp, ``my/own.jsonl`` is own."""
    from isobudget.problems import benchmark_names
    from isobudget.problems.own.lines import own_name

    name = benchmark.partition("=")[0]
    if name in benchmark_names():
        return name
    path = place(benchmark).absolute()
    return own_name(path, (), "") if path.is_dir() else own_name(path, benchmark_names(), ".jsonl")
