"""Where the data of a benchmark comes from, and whether it is the published data.

The data is looked for in three places, in this order: a path that the user gives (``mbpp=PATH``); the folder that
``$ISOBUDGET_DATA`` names, under the usual file names; the Hugging Face hub at a fixed revision (extra ``hub``).

The rule: a file whose sha256 is that of the published one is *published*. Any other file is accepted only if the
user gave its path, and `Benchmark.source` then says that it is not the published set. From the other two places it is
an error. What the hub stores under a fixed revision counts as published; where its checksum is known, it is compared.
A folder of files has no published checksum: it is accepted where its path is given, and elsewhere if it holds as many
problems as were published.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from isobudget.errors import InputError, MissingExtraError, ModelError
from isobudget.files import hub
from isobudget.files.hub import is_here
from isobudget.files.whole import sha256_of, unreadable
from isobudget.grid import counted

#: the environment variable that names a folder with benchmark data
DATA_VARIABLE = "ISOBUDGET_DATA"


class Way(Enum):
    """How the data was obtained."""

    GIVEN = "path given"
    FOLDER = "data folder"
    HUB = "hub"
    PACKAGE = "installed package"


@dataclass(frozen=True, slots=True)
class Hub:
    """Files of a dataset repository on the Hugging Face hub, at a commit that does not change."""

    repo: str
    revision: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """What is known of a benchmark's published data.

    Attributes:
        name: the benchmark's name.
        title: what messages call the published set, with its version.
        usual: usual paths of the data in the data folder; in a folder that the user names, only their file names count.
        checksums: sha256 of published files -> their name and version.
        hub: the repository on the hub that holds the data, if one does.
        elsewhere: where else the data is published, for messages.
        repair: what to do if the file that a package has installed is missing or wrong.
    """

    name: str
    title: str
    usual: tuple[str, ...]
    checksums: Mapping[str, str] = field(default_factory=dict)
    hub: Hub | None = None
    elsewhere: str = ""
    repair: str = ""


@dataclass(frozen=True, slots=True)
class Data:
    """Data that was found: a file or a folder, or the files from the hub in the order in which they are named."""

    paths: tuple[Path, ...]
    way: Way
    published: Published

    @property
    def path(self) -> Path:
        """The first file, or the only one."""
        return self.paths[0]

    def inner(self, path: Path) -> Data:
        """The same data, narrowed to one of its files."""
        return Data((path,), self.way, self.published)


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a data file: its name, its sha256, and whether the sha256 is that of a published file."""

    file: str
    sha256: str
    known: bool
    published: Published
    way: Way

    def source(self, problems: int, note: str = "") -> str:
        """The text for `Benchmark.source`."""
        note = f"; {note}" if note else ""
        if not self.known:
            return f"not the published set: {self.file}, {counted(problems, 'problem')}, sha256 {self.sha256}{note}"
        hub = self.published.hub
        origin = f" from {hub.repo} at {hub.revision}" if hub is not None and self.way is Way.HUB else ""
        return f"published: {self.published.title}, {self.file}{origin}, sha256 {self.sha256}{note}"


def find_data(published: Published, given: Path | None = None) -> Data:
    """Find a benchmark's data by the first way that leads to it; if none does, an `InputError` names all three."""
    if given is not None:
        return Data((_given(published, given.expanduser()),), Way.GIVEN, published)
    if (path := in_data_folder(published)) is not None:
        return Data((path,), Way.FOLDER, published)
    if published.hub is None:
        raise InputError(_nowhere(published, ""))
    return Data(_fetch(published, published.hub), Way.HUB, published)


def in_data_folder(published: Published) -> Path | None:
    """The data under its usual name in the folder that the environment names, or None."""
    folder = os.environ.get(DATA_VARIABLE)
    paths = (Path(folder).expanduser() / usual for usual in published.usual) if folder else ()
    return next((path for path in paths if path.exists()), None)


def _given(published: Published, path: Path) -> Path:
    """The path itself, or in a folder the file that has the usual name."""
    try:
        if path.is_dir():
            names = [Path(usual).name for usual in published.usual]
            return next((path / name for name in names if (path / name).is_file()), path)
        if path.exists():
            return path
    except OSError as error:
        raise unreadable(error, f"{published.name}={path}") from error
    raise InputError(f"{published.name}={path}: there is no such file or folder")


def _fetch(published: Published, source: Hub) -> tuple[Path, ...]:
    """The files, fetched from the hub or found in the hub client's cache."""
    try:
        asked = [hub.HubFile(source.repo, file, source.revision, kind="dataset") for file in source.files]
        return tuple(map(hub.download, asked))
    except MissingExtraError:
        raise InputError(_nowhere(published, "its client is not installed")) from None
    except ModelError as error:
        raise InputError(_nowhere(published, str(error))) from error


def _nowhere(published: Published, trouble: str) -> str:
    """The message that the data was not found, with the three ways to provide it; `trouble` is why the hub failed."""
    folder = os.environ.get(DATA_VARIABLE)
    state = f"{folder} holds none of them" if folder else "the variable is not set"
    hub = published.hub
    if hub is None:
        third = f"it is not on the Hugging Face hub in this form; get it from {published.elsewhere}"
    else:
        install = "" if is_here() else ", with: pip install 'isobudget[hub]'"
        third = f"the Hugging Face hub, dataset {hub.repo} at {hub.revision[:12]}{install} ({trouble})"
    return (
        f"the data of the benchmark {published.name} ({published.title}) was not found. There are three ways: "
        f"(1) name its path: {published.name}=PATH; "
        f"(2) put it at ${DATA_VARIABLE}/{f' or ${DATA_VARIABLE}/'.join(published.usual[:2])} ({state}); (3) {third}"
    )


def identify(data: Data) -> Identity:
    """Compare a file with the published ones. Another file is an `InputError`, unless the user gave its path."""
    path, published = data.path, data.published
    if not path.is_file():
        advice = f"; {published.repair}" if data.way is Way.PACKAGE else ""
        raise InputError(
            f"{path}: is not a file; {published.name} is read from a file such as {published.usual[0]}{advice}"
        )
    sha256 = sha256_of(path)
    known = sha256 in published.checksums
    pinned_only = data.way is Way.HUB and not published.checksums
    if not known and not pinned_only and data.way is not Way.GIVEN:
        raise InputError(_another(data, sha256))
    return Identity(file_name(path), sha256, known or pinned_only, published, data.way)


def _another(data: Data, sha256: str) -> str:
    """The message for a file that should be the published one but is not. A file from the Hub is discarded."""
    path, published = data.path, data.published
    if data.way is Way.HUB:
        hub.discard(path)
        advice = "It was removed; fetch it again, or name another file"
    else:
        advice = f"To use a changed file on purpose, name it: {published.name}={path}"
        advice = f"{published.repair.capitalize()}. {advice}" if data.way is Way.PACKAGE else advice
    return (
        f"{path}: is not the published {published.title}: checksum mismatch: got {sha256}, expected "
        f"{' or '.join(published.checksums)}. {advice}"
    )


def file_name(path: Path) -> str:
    """The last part of a path as text that Parquet can hold."""
    return path.name.encode("utf-8", "replace").decode()
