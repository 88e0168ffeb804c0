"""The two layouts of APPS: a folder per problem, as published, and JSON lines, as on the hub.

Both give rows: number, difficulty, and the texts ``question``, ``input_output``, ``starter_code`` and ``solutions``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from isobudget.errors import InputError
from isobudget.problems.reading import (
    MAX_PUBLISHED_LINE_BYTES,
    checked_text,
    decode,
    optional_text,
    parse_json,
    read_objects,
    text_field,
)

#: text -> its file in the folder layout
FILES = {
    "question": "question.txt",
    "input_output": "input_output.json",
    "starter_code": "starter_code.py",
    "solutions": "solutions.json",
}


class Row(Protocol):
    """One problem as its layout holds it."""

    @property
    def number(self) -> str:
        """Such as ``0001``."""

    @property
    def difficulty(self) -> str:
        """``introductory``, ``interview`` or ``competition``."""

    def text(self, field: str) -> str | None:
        """One of the texts, or None if the problem has none."""

    def where(self, field: str) -> str:
        """What messages call this text."""


@dataclass(frozen=True, slots=True)
class FolderRow:
    """A problem in a folder of its own."""

    path: Path
    number: str
    difficulty: str

    def text(self, field: str) -> str | None:
        """The text of its file, with line ends as they are."""
        path = self.path / FILES[field]
        try:
            return checked_text(decode(path.read_bytes(), str(path)), str(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error

    def where(self, field: str) -> str:
        """The file."""
        return str(self.path / FILES[field])


@dataclass(frozen=True, slots=True)
class LineRow:
    """A problem in one line of a file."""

    record: dict[str, object]
    line: str
    number: str
    difficulty: str

    def text(self, field: str) -> str | None:
        """The text of its field."""
        return optional_text(self.record, field, self.line)

    def where(self, field: str) -> str:
        """File, line and field."""
        return f"{self.line}, field {field}"


def split_path(path: Path, split: str) -> Path | None:
    """Where a split is inside a folder: a file of JSON lines or a folder of problems. None if it is not there."""
    file, folder = path / f"{split}.jsonl", path / split
    return file if file.is_file() else folder if folder.is_dir() else None


def read_rows(path: Path) -> Iterator[Row]:
    """All problems of a split, in the order of their numbers or lines.

    Raises:
        InputError: the path cannot be read, or a problem lacks its difficulty; files or lines are named.
    """
    try:
        if path.is_dir():
            for folder in sorted(item for item in path.iterdir() if item.is_dir() and not item.name.startswith(".")):
                yield FolderRow(folder, folder.name, _folder_difficulty(folder / "metadata.json"))
        else:
            with path.open("rb") as raw:
                for line, record in read_objects(raw, str(path), max_line_bytes=MAX_PUBLISHED_LINE_BYTES):
                    yield LineRow(record, line, _number(record, line), text_field(record, "difficulty", line))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _folder_difficulty(path: Path) -> str:
    try:
        data = parse_json(decode(path.read_bytes(), str(path)), str(path))
    except FileNotFoundError:
        raise InputError(
            f"{path}: is missing; every problem of APPS has a folder with question.txt, input_output.json and it"
        ) from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: must be an object with the field difficulty")
    return checked_text(data.get("difficulty"), f"{path}, difficulty")


def _number(record: dict[str, object], line: str) -> str:
    """The hub's file calls it ``id``, its loading script ``problem_id``."""
    number = record.get("problem_id", record.get("id"))
    if type(number) is not int or number < 0:
        raise InputError(f"{line}, field problem_id: must be a whole number")
    return f"{number:04d}"
