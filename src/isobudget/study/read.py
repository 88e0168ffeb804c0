"""Reading study files: every mistake is listed at once, with its line.

A study is named by the path of its TOML file, by the name of one that ships, or by the name of a benchmark (or the path
of a JSONL file of problems) together with the models to run on it.
"""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from isobudget.errors import InputError, StudyError
from isobudget.study.study import Study

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
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{origin}: not valid TOML: {error}") from None
    _apply(fields, overrides or {})
    try:
        study = Study.model_validate(fields)
    except ValidationError as error:
        lines = [f"  {_describe(mistake, text)}" for mistake in error.errors()]
        raise StudyError(f"{origin}: {len(lines)} mistake{'s' * (len(lines) > 1)}\n" + "\n".join(lines)) from None
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
    from isobudget.problems import load_benchmark

    try:
        benchmark = load_benchmark(name)
    except InputError as error:
        if Path(name).exists():
            raise
        close = get_close_matches(name, shipped, n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise StudyError(f"no study {name!r}. {hint}Studies that ship: {', '.join(shipped)}. {error}") from None
    if not models:
        raise StudyError(f"{name!r} is a benchmark: say which models to run on it, such as --model smollm2-135m -n 10")
    label = re.sub(r"[^A-Za-z0-9._-]+", "-", benchmark.name).strip("-._") or "problems"
    return f"name = {label!r}\nbenchmarks = [{name!r}]\nmodels = []\n"


def _apply(fields: dict[str, Any], overrides: dict[str, Any]) -> None:
    """Put what the caller overrides into the study's fields. Wrong values are left for the check to name."""
    if overrides.get("models"):
        known = {model.get("name"): model for model in fields.get("models", []) if isinstance(model, dict)}
        fields["models"] = [_flagged_model(flag, known) for flag in overrides["models"]]
    if overrides.get("n") is not None:
        for model in fields.get("models", []):
            if isinstance(model, dict):
                model["n"] = overrides["n"]
    if overrides.get("problems") is not None:
        fields["problems"] = overrides["problems"]


def _flagged_model(flag: str, known: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    match = _MODEL_FLAG.fullmatch(flag)
    assert match is not None  # any text matches
    model = {"n": 1, **known.get(match["name"], {}), "name": match["name"]}
    if match["n"] is not None:
        model["n"] = int(match["n"])
    return model


def _describe(mistake: Any, text: str) -> str:
    """One mistake: its line, its field, what is wrong."""
    location = mistake["loc"]
    field = ".".join(str(part) for part in location) or "the study"
    line = find_line(text, location)
    if mistake["type"] == "extra_forbidden":
        owner = _model_at(location[:-1])
        known = ", ".join(owner.model_fields) if owner is not None else ""
        return f"{line}{field}: unknown key; known keys: {known}"
    if mistake["type"] == "missing":
        return f"{line}{field}: is missing"
    message = mistake["msg"].removeprefix("Value error, ")
    return f"{line}{field}: {message[0].lower()}{message[1:]}, not {mistake['input']!r}" if location else message


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


def find_line(text: str, location: tuple[Any, ...]) -> str:
    """``line 7: `` for the place in a TOML text, or an empty string where it cannot be told.

    TOML readers give no positions; this follows table headers and keys, which is enough for the flat files of studies.
    """
    names = [part for part in location if isinstance(part, str)]
    indexes = [part for part in location if isinstance(part, int)]
    if not names:
        return ""
    table: list[str] = []
    seen: dict[str, int] = {}
    header_line = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[(\[)?\s*([\w.\"-]+)\s*\]", line):
            table = header[2].replace('"', "").split(".")
            seen[header[2]] = seen.get(header[2], -1) + 1
            if table == names[: len(table)] and (not header[1] or indexes[:1] == [seen[header[2]]]):
                header_line = f"line {number}: "
        elif key := re.match(r"\s*([\w\"-]+)\s*=", line):
            here = [*table, key[1].strip('"')]
            right_item = not indexes or ".".join(table) not in seen or seen[".".join(table)] == indexes[0]
            if here == names[: len(here)] and len(here) > len(table) and right_item:
                return f"line {number}: "
    return header_line
