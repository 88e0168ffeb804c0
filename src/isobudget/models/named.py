"""Architectures by name: the catalogue `data/architectures.toml` and the spellings under which its models are known."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from isobudget.errors import InputError
from isobudget.files.hints import nearest
from isobudget.files.toml import shipped_toml
from isobudget.models.architecture import Architecture

#: endings of model names that change the weights but not the shape (for Code Llama's Python variant, not by more than
#: 0.004 %)
_SAME_SHAPE = frozenset(
    (
        "instruct",
        "python",
        "chat",
        "base",
        "hf",
        "gguf",
        "it",
        "latest",
        "preview",
        "mlx",
        "unsloth",
        "bnb",
        "ud",
        "fp32",
        "fp16",
        "bf16",
        "f32",
        "f16",
        "fp8",
        "nvfp4",
        "mxfp4",
        "awq",
        "gptq",
        "exl2",
        "int4",
        "int8",
        "4bit",
        "8bit",
        "w4a16",
        "w8a8",
        "w8a16",
        "dynamic",
        "quantized",
    )
)
#: llama.cpp's names of quantizations, such as q4_k_m, iq2_xxs and q8_0, at the end of a name
_QUANTISED = re.compile(r"-i?t?q\d(-(k|0|1|2|xs|xxs|s|m|l|xl|nl))*$")


def named(name: str) -> Architecture:
    """The architecture of a known model, such as `codellama-7b` or `meta-llama/Llama-3.1-70B-Instruct`.

    Raises:
        InputError: the name is not in the catalogue; the message names the nearest ones.
    """
    architecture = find_named(name)
    if architecture is not None:
        return architecture
    near = nearest(_simplified(name), _index(), most=3)
    hint = f"nearest known names: {', '.join(near)}" if near else f"known names: {', '.join(_catalogue())}"
    raise InputError(f"unknown architecture {name!r}; {hint}. Or give a config.json or a GGUF file")


def find_named(name: str) -> Architecture | None:
    """Like `named`, but None for an unknown name."""
    key = _index().get(_simplified(name))
    if key is None:
        return None
    fields = {k: v for k, v in _catalogue()[key].items() if k != "aliases"}
    return build(key, fields, source="catalogue")


def known_names() -> tuple[str, ...]:
    """The catalogue's names, in its order."""
    return tuple(_catalogue())


def build(name: str, fields: dict[str, Any], *, source: str) -> Architecture:
    """An architecture from its numbers, with the usual defaults for what is left out.

    Raises:
        InputError: a field is missing, unknown or no whole number.
    """
    what = f"architecture {name!r} ({source})"
    for field, value in fields.items():
        if not isinstance(value, int):
            raise InputError(f"{what}: {field} must be a whole number, not {value!r}")
    for field in ("heads", "hidden"):
        if fields.get(field, 0) < 1:
            raise InputError(f"{what}: {field} must be at least 1")
    values = dict(fields)
    values.setdefault("kv_heads", values["heads"])
    if "head_size" not in values:
        if values["hidden"] % values["heads"]:
            raise InputError(f"{what}: hidden {values['hidden']} is not a multiple of heads; state head_size")
        values["head_size"] = values["hidden"] // values["heads"]
    try:
        return Architecture(name=name, source=source, **values)
    except TypeError as error:
        raise InputError(f"{what}: {error}") from None


@cache
def _catalogue() -> dict[str, dict[str, Any]]:
    return shipped_toml("isobudget.models", "data/architectures.toml")


@cache
def _index() -> dict[str, str]:
    """Simplified name or alias -> the catalogue's name."""
    index = {}
    for name, fields in _catalogue().items():
        for spelling in (name, *fields.get("aliases", ())):
            index[_simplified(spelling)] = name
    return index


def _simplified(name: str) -> str:
    """The name in lower case, without organization and suffixes that do not affect the shape: `codellama-7b`."""
    text = re.split(r"/|--", re.sub(r"[\s_:]+", "-", name.strip().lower()))[-1].removeprefix("meta-")
    text = text.replace("code-llama", "codellama").replace("llama3", "llama-3").replace("llama2", "llama-2")
    text = text.removesuffix(".gguf")
    while (shorter := _shorter(text)) != text:
        text = shorter
    return text


def _shorter(text: str) -> str:
    """The text without its last suffix that does not change the shape."""
    front, _, last = text.rpartition("-")
    return front if front and last in _SAME_SHAPE else _QUANTISED.sub("", text)
