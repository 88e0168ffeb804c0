"""Reading study files: every mistake is listed at once, with its line.

A study is named by the path of its TOML file, by the name of one that ships, or by the name of a benchmark (or the path
of a JSONL file of problems) together with the models to run on it.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from isobudget.errors import InputError, StudyError
from isobudget.files.hints import did_you_mean
from isobudget.files.toml import parse_toml
from isobudget.study.check import Mistake, combination_mistakes, raise_mistakes
from isobudget.study.study import Study
from isobudget.study.world import look_around

_MODEL_FLAG = re.compile(r"(?P<name>.+?)(?:=(?P<n>\d+))?")


def shipped_studies() -> dict[str, str]:
    """The texts of the studies that come with isobudget, by name."""
    folder = files("isobudget.study").joinpath("data")
    found = {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return {name: found[name].read_text(encoding="utf-8") for name in sorted(found)}


def load_study(
    name: str, *, models: list[str] | None = None, n: int | None = None, problems: int | None = None
) -> Study:
    """The study of that name or path, with what the arguments override.

    Args:
        name: a TOML file, a shipped study, a known benchmark, or a JSONL file of problems.
        models: the models to run, each ``NAME`` or ``NAME=N``; they replace the study's.
        n: samples of each problem, for every model.
        problems: only the first so many problems of each benchmark.

    Raises:
        StudyError: the file cannot be read or is wrong; every mistake is in the message.
    """
    path = Path(name)
    if path.suffix == ".toml" or (path.is_file() and not name.endswith((".jsonl", ".jsonl.gz"))):
        text, origin = _read(path), name
    else:
        text, origin = _named(name, models), f"study {name!r}"
    return parse_study(text, origin, {"models": models, "n": n, "problems": problems})


def parse_study(text: str, origin: str, overrides: dict[str, Any] | None = None) -> Study:
    """Check a study's text. `origin` names it in errors; see `load_study` for the overrides."""
    fields = parse_toml(text, origin, StudyError)
    overrides = overrides or {}
    _apply(fields, overrides)
    if overrides.get("models"):
        text = ""  # its lines would be those of the models that were replaced
    try:
        study = Study.model_validate(fields)
    except ValidationError as error:
        mistakes = _joined([_mistake(one) for one in error.errors()])
        study = None
    else:
        mistakes = []
    wrong = {mistake.place for mistake in mistakes}
    mistakes += [one for one in combination_mistakes(fields) if one.place not in wrong]
    if mistakes:
        mistakes += [one for one in look_around(fields).mistakes if one.place not in wrong]
    raise_mistakes(mistakes, text, origin)
    assert study is not None
    study.remember(text, origin)
    return study


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StudyError(f"{path}: no such study file. Studies that ship: {', '.join(shipped_studies())}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: cannot be read: {error}") from None


def _named(name: str, models: list[str] | None) -> str:
    shipped = shipped_studies()
    if name in shipped:
        return shipped[name]
    from isobudget.problems import benchmark_names, load_benchmark

    try:  # one that is known by name is loaded where the study is looked at: a dry run must not fetch its data
        called = name if name in benchmark_names() else load_benchmark(name).name
    except InputError as error:
        if name.partition("=")[0] in benchmark_names() or Path(name).exists():
            raise
        hint = did_you_mean(name, shipped)
        raise StudyError(f"no study {name!r}.{hint} Studies that ship: {', '.join(shipped)}. {error}") from None
    if not models:
        raise StudyError(f"{name!r} is a benchmark: say which models to run on it, such as --model smollm2-135m -n 10")
    label = re.sub(r"[^A-Za-z0-9._-]+", "-", called).strip("-._") or "problems"
    return f"name = {label!r}\nbenchmarks = [{name!r}]\nmodels = []\n"


def _apply(fields: dict[str, Any], overrides: dict[str, Any]) -> None:
    """Put what the caller overrides into the study's fields. Wrong values are left for the check to name."""
    if overrides.get("models"):
        known = {model.get("name"): model for model in fields.get("models", []) if isinstance(model, dict)}
        fields["models"] = [_flagged_model(flag, known, "budget" in fields) for flag in overrides["models"]]
    if overrides.get("n") is not None:
        for model in fields.get("models", []):
            if isinstance(model, dict):
                model["n"] = overrides["n"]
                model.pop("budget", None)
    if overrides.get("problems") is not None:
        fields["problems"] = overrides["problems"]


def _flagged_model(flag: str, known: dict[Any, dict[str, Any]], has_budget: bool) -> dict[str, Any]:
    match = _MODEL_FLAG.fullmatch(flag)
    assert match is not None  # any text matches
    model = {**known.get(match["name"], {}), "name": match["name"]}
    if match["n"] is not None:
        model["n"] = int(match["n"])
        model.pop("budget", None)
    elif not has_budget and "budget" not in model:
        model.setdefault("n", 1)
    return model


def _mistake(mistake: Any) -> Mistake:
    """A mistake that the check of a field found: what is wrong, at its place."""
    place = tuple(part for part in mistake["loc"] if _is_place(part))
    if mistake["type"] == "extra_forbidden":
        owner = _model_at(place[:-1])
        known = ", ".join(owner.model_fields) if owner is not None else ""
        return Mistake(place, f"unknown key; known keys: {known}")
    if mistake["type"] == "missing":
        return Mistake(place, "is missing")
    message = mistake["msg"].removeprefix("Value error, ")
    if not place:
        return Mistake(place, message)
    return Mistake(place, f"{message[0].lower()}{message[1:]}, not {mistake['input']!r}")


def _joined(mistakes: list[Mistake]) -> list[Mistake]:
    """One mistake for each place: a field that may be of several types has one for every type."""
    found: dict[Any, Mistake] = {}
    for one in mistakes:
        before = found.get(one.place)
        found[one.place] = one if before is None else Mistake(one.place, f"{before.message}; or {one.message}")
    return list(found.values())


def _is_place(part: str | int) -> bool:
    """Whether a part of a location is a key or a position, and not the name of one of several types."""
    return isinstance(part, int) or part.isidentifier() or not re.search(r"[\[\]()']", part)


def _model_at(location: tuple[Any, ...]) -> Any:
    """The class that describes the table at `location`."""
    import typing

    owner: Any = Study
    for part in location:
        if isinstance(part, str):
            annotation = owner.model_fields[part].annotation
            inner = [one for one in (*typing.get_args(annotation), annotation) if hasattr(one, "model_fields")]
            owner = inner[0] if inner else None
        if owner is None:
            return None
    return owner
