"""Command options that say how a model is reached: `--backend`, `--url`, `--api`, `--key-env`, `--setting`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isobudget.backends.registry import backends_with
from isobudget.errors import InputError
from isobudget.files.toml import parse_toml
from isobudget.models.catalog import declared_models
from isobudget.study.study import StatedModel


def flagged_fields(
    model: Mapping[str, Any] | None, settings: Sequence[str], options: Mapping[str, str | None]
) -> dict[str, Any]:
    """A model's fields, as in a study, completed by the options of a command.

    An option that only one backend has selects that backend: ``--url`` selects a server.

    Args:
        model: the model's fields, including `name`; None if no model is named.
        settings: any settings of its backend, as ``NAME=VALUE``.
        options: values of the settings that have an option of their own, by field; None if not stated.

    Raises:
        InputError: options are given without a model, or belong to another backend.
    """
    refuse_twice(settings, options)
    given = {field: str(value) for field, value in options.items() if value is not None}
    flags = [_flag(field) for field in given] + ["--setting"] * bool(settings)
    if model is None:
        if flags:
            raise InputError(f"{' and '.join(flags)} cannot be used without --model: which model is meant?")
        return {}
    fields = {**model, **dict(map(read_setting, settings)), **given}
    owners = {field: backends_with(field) for field in given if field != "backend" and backends_with(field)}
    single = [own[0] for own in owners.values() if len(own) == 1]
    if single and "backend" not in fields and fields.get("model", fields["name"]) not in declared_models():
        fields["backend"] = single[0]
    backend = StatedModel.divided(fields)["settings"]["backend"]
    for field, own in owners.items():
        if backend not in own:
            only = " or ".join(own)
            raise InputError(f"{_flag(field)} cannot be used with --backend {backend}, only with --backend {only}")
    return fields


def refuse_twice(settings: Sequence[str], options: Mapping[str, str | None]) -> None:
    """Refuse a setting that is stated twice, because one of its values would be ignored.

    Raises:
        InputError: a setting is stated twice.
    """
    stated = {field: _flag(field) for field, value in options.items() if value is not None}
    for text in settings:
        name, _ = read_setting(text)
        if name in stated:
            raise InputError(f"--setting {text} cannot be used with {stated[name]}: state {name} once")
        stated[name] = f"--setting {text}"


def _flag(field: str) -> str:
    return "-n" if field == "n" else f"--{field.replace('_', '-')}"


def read_setting(text: str) -> tuple[str, Any]:
    """Parse a setting, ``NAME=VALUE``, into name and value; the value is read as TOML, or else as plain text.

    Raises:
        InputError: the text has another form.
    """
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise InputError(f"a setting is written NAME=VALUE, such as dtype=bfloat16, not {text!r}")
    try:
        document = parse_toml(f"value = {value}", text)
    except InputError:
        document = {}
    return name.strip(), document["value"] if len(document) == 1 else value.strip()
