"""Reads study files, and reports all mistakes at once, with their lines.

A study is named by the path of its TOML file, by the name of one that ships, or by the name of a benchmark (or the path
of a JSONL file of problems) together with the models to run on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from isobudget.backends.registry import BACKENDS
from isobudget.backends.settings import BackendSettings
from isobudget.errors import InputError, StudyError
from isobudget.files.hints import did_you_mean
from isobudget.files.near import near_paths
from isobudget.files.store_path import place
from isobudget.files.toml import parse_toml
from isobudget.files.whole import read_text
from isobudget.models.catalog import declared_models, load_catalog
from isobudget.study.check import SETTINGS, Mistake, field_mistakes, plain_name, raise_mistakes
from isobudget.study.flags import flagged_fields, refuse_twice
from isobudget.study.lines import Place
from isobudget.study.resolve import resolve
from isobudget.study.study import Study, StudyModel, StudyPrompt, StudySampling

T = TypeVar("T", bound=BaseModel)

_MODEL_FLAG = re.compile(r"(?P<name>.+?)(?:=(?P<n>\d+))?")
#: the end of a --model text that is a number, but cannot be a number of samples
_NO_COUNT = re.compile(r"=\s*(?:[-+]\s*[\d.]+|\d*\.\d*|0+)\s*$")


def shipped_studies() -> dict[str, str]:
    """The texts of the studies that come with isobudget, by name."""
    folder = files("isobudget.study").joinpath("data")
    studies = {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return {name: studies[name].read_text(encoding="utf-8") for name in sorted(studies)}


def load_study(
    name: str,
    *,
    models: list[str] | None = None,
    n: int | None = None,
    problems: int | None = None,
    settings: Sequence[str] = (),
    options: Mapping[str, str | None] | None = None,
) -> Study:
    """Load the study of this name or path, and apply the arguments that override it.

    Args:
        name: a TOML file, a shipped study, a known benchmark, or a JSONL file of problems.
        models: the models to run, each ``NAME`` or ``NAME=N``; they replace the study's.
        n: samples of each problem, for every model.
        problems: only the first N problems of each benchmark.
        settings, options: how `models` are reached, see `study.flags.flagged_fields`. Models that are reached by chat
            get the prompt format ``chat`` if the study states none.

    Raises:
        InputError: `settings` or `options` are given without `models`, or belong to another backend.
        StudyError: the file cannot be read or is wrong; every mistake is in the message.
    """
    path = place(name)
    if path.suffix == ".toml" or (path.is_file() and not name.endswith((".jsonl", ".jsonl.gz"))):
        text, origin = _read(path), name
    else:
        text, origin = _named(name, models), f"study {name!r}"
    if not models:
        flagged_fields(None, settings, options or {})
    overrides = {"models": models, "n": n, "problems": problems, "settings": settings, "options": options or {}}
    return parse_study(text, origin, overrides)


def parse_study(text: str, origin: str, overrides: dict[str, Any] | None = None) -> Study:
    """Parse and check the text of a study. `origin` names it in errors; see `load_study` for the overrides."""
    fields = parse_toml(text, origin, StudyError)
    overrides = overrides or {}
    _apply(fields, overrides)
    names: list[Any] = []
    if overrides.get("models"):
        text = ""  # lines in it would be about the models that were replaced
        names = [model["name"] for model in fields["models"]]
    mistakes, wrong = [], set()
    try:
        study = Study.model_validate(fields)
    except ValidationError as error:
        mistakes = field_mistakes(error, Study)
        wrong = {mistake.place for mistake in mistakes}
        study = _sound_part(fields, wrong)
    mistakes += [one for one in _combination_mistakes(study) if one.place not in wrong]
    if mistakes:
        # which weights a model's name stands for depends on these
        wrong |= {(*place[:2], "name") for place in wrong if place[2:] in (("backend",), ("model",))}
        mistakes += [one for one in resolve(study).mistakes if one.place not in wrong]
    raise_mistakes(mistakes, text, origin, names)
    study.remember(text, origin)
    return study


def _read(path: Path) -> str:
    if not path.exists():
        raise StudyError(
            f"{path}: no such study file. Studies that ship: {', '.join(shipped_studies())}{near_paths(path)}"
        )
    return read_text(path, StudyError)


def _named(name: str, models: list[str] | None) -> str:
    shipped = shipped_studies()
    if name in shipped:
        return shipped[name]
    from isobudget.problems import benchmark_names, load_benchmark

    try:  # one that is known by name is loaded where the study is looked at: a dry run must not fetch its data
        called = name if name in benchmark_names() else load_benchmark(name).name
    except InputError as error:
        if name.partition("=")[0] in benchmark_names() or place(name).exists():
            raise
        hint = did_you_mean(name, shipped)
        told = f"no study {name!r}.{hint} Studies that ship: {', '.join(shipped)}. As a benchmark: {error}"
        raise StudyError(told) from None
    if not models:
        raise StudyError(f"{name!r} is a benchmark: say which models to run on it, such as --model smollm2-135m -n 10")
    label = re.sub(r"[^A-Za-z0-9._-]+", "-", called).strip("-._") or "problems"
    return f"name = {label!r}\nbenchmarks = [{name!r}]\nmodels = []\n"


def _apply(fields: dict[str, Any], overrides: dict[str, Any]) -> None:
    """Put the caller's overrides into the study's fields. The check reports wrong values."""
    if overrides.get("models"):
        known = {model.get("name"): model for model in fields.get("models", []) if isinstance(model, dict)}
        flagged = [_flagged_model(flag, known, "budget" in fields) for flag in overrides["models"]]
        fields["models"] = [_reached(model, fields, overrides) for model in flagged]
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
    if _NO_COUNT.search(flag) or (match["n"] is None and _is_model(flag.rpartition("=")[0], known)):
        raise StudyError(f"--model {flag}: n, the number of samples, must be a whole number of 1 or more")
    model = {**known.get(match["name"], {}), "name": match["name"]}
    if match["n"] is not None:
        model["n"] = int(match["n"])
        model.pop("budget", None)
    elif not has_budget and "budget" not in model:
        model.setdefault("n", 1)
    return model


def _is_model(name: str, known: Mapping[Any, object]) -> bool:
    """Whether a name is known as a model (in the study, the catalogue, or the models file), or names a GGUF file."""
    return name in known or name.endswith(".gguf") or name in load_catalog() or name in declared_models()


def _reached(model: dict[str, Any], study: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """The model's fields with the options that say how it is reached."""
    settings, options = overrides.get("settings", ()), overrides.get("options", {})
    if not settings and not any(options.values()):
        return model
    if overrides.get("n") is not None:
        refuse_twice(settings, {"n": str(overrides["n"])})
    model = flagged_fields(model, settings, options)
    prompt = study.get("prompt")
    if model.get("api") == "chat" and not (isinstance(prompt, dict) and prompt.get("format")):
        model.setdefault("prompt", "chat")
    return model


def _combination_mistakes(study: Study) -> Iterator[Mistake]:
    """Mistakes in combinations of fields: n and budgets, names of benchmarks in tables."""
    known = [plain_name(name) for name in study.benchmarks if name]  # as far as their text tells
    for at, model in enumerate(study.models):
        yield from _sample_mistakes(("models", at), model, known, has_budget=study.budget is not None)
        yield from _table_mistakes(("models", at, "n"), model.n, known)
        yield from _table_mistakes(("models", at, "prompt"), model.prompt, known)
    yield from _table_mistakes(("prompt", "format"), study.prompt.format, known)
    yield from _table_mistakes(("prompt", "extraction"), study.prompt.extraction, known)


def _sample_mistakes(place: Place, model: StudyModel, known: list[str], *, has_budget: bool) -> Iterator[Mistake]:
    if model.n is not None and model.budget is not None:
        yield Mistake((*place, "budget"), "cannot be combined with n; keep one of them")
    if model.n is None and model.budget is None and not has_budget:
        yield Mistake((*place, "n"), "is missing (or give the study a [budget])")
    lacking = [name for name in known if name not in model.n] if isinstance(model.n, dict) else []
    if lacking and not has_budget:
        yield Mistake((*place, "n"), f"lacks {', '.join(lacking)}")


def _table_mistakes(place: Place, table: object, known: list[str]) -> Iterator[Mistake]:
    """Mistakes for benchmarks that a table names but the study does not."""
    for name in table if isinstance(table, dict) else ():
        if name not in known:
            yield Mistake((*place, name), f"no such benchmark in this study; it has: {', '.join(known)}")


def _sound_part(fields: dict[str, Any], wrong: set[Place]) -> Study:
    """The study without its wrong fields, unchecked, so that the others can be checked and all mistakes shown."""
    left = _without(fields, wrong)
    models = left.get("models")
    return Study.model_construct(
        name=str(left.get("name")),
        benchmarks=left.get("benchmarks", []),
        budget=fields.get("budget"),  # that there is one counts
        sampling=_constructed(StudySampling, left.get("sampling")),
        prompt=_constructed(StudyPrompt, left.get("prompt")),
        models=[_sound_model(model) for model in (models if isinstance(models, list) else [])],
    )


def _without(value: Any, wrong: set[Place], place: Place = ()) -> Any:
    """A copy of plain fields without the values at these places; in lists they are replaced by None."""
    if isinstance(value, dict):
        return {key: _without(one, wrong, (*place, key)) for key, one in value.items() if (*place, key) not in wrong}
    if isinstance(value, list):
        items = enumerate(value)
        return [None if (*place, at) in wrong else _without(one, wrong, (*place, at)) for at, one in items]
    return value


def _sound_model(fields: Any) -> StudyModel:
    divided = StudyModel.divided({"name": "", **fields} if isinstance(fields, dict) else {"name": "", "n": 1})
    settings = BACKENDS.get(str(divided[SETTINGS]["backend"]), BackendSettings)
    return _constructed(StudyModel, divided | {SETTINGS: _constructed(settings, divided[SETTINGS])})


def _constructed(kind: type[T], fields: Any) -> T:
    return kind.model_construct(**(fields if isinstance(fields, dict) else {}))
