"""The two layouts of APPS: a folder per problem, as published, and JSON lines, as on the hub.

Both give rows: number, difficulty, and the texts ``question``, ``input_output``, ``starter_code`` and ``solutions``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from isobudget.errors import InputError
from isobudget.files.jsonl import Record, parse_json, read_objects
from isobudget.files.whole import read_text, unreadable
from isobudget.problems.reading import checked_text, optional_text, text_field

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
        return checked_text(read_text(path), str(path)) if path.exists() else None

    def where(self, field: str) -> str:
        """The file."""
        return str(self.path / FILES[field])


@dataclass(frozen=True, slots=True)
class LineRow:
    """A problem in one line of a file."""

    record: Record
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
    if not path.is_dir():
        for line, record in read_objects(path):
            yield LineRow(record, line, _number(record, line), text_field(record, "difficulty", line))
        return
    try:
        folders = sorted(item for item in path.iterdir() if item.is_dir() and not item.name.startswith("."))
    except OSError as error:
        raise unreadable(error, path) from error
    for folder in folders:
        yield FolderRow(folder, folder.name, _folder_difficulty(folder / "metadata.json"))


def _folder_difficulty(path: Path) -> str:
    if not path.exists():
        raise InputError(
            f"{path}: is missing; every problem of APPS has a folder with question.txt, input_output.json and it"
        )
    data = parse_json(read_text(path), str(path))
    if not isinstance(data, dict):
        raise InputError(f"{path}: must be an object with the field difficulty")
    return checked_text(data.get("difficulty"), f"{path}, difficulty")


def _number(record: Record, line: str) -> str:
    """The hub's file calls it ``id``, its loading script ``problem_id``."""
    number = record.get("problem_id", record.get("id"))
    if type(number) is not int or number < 0:
        raise InputError(f"{line}, field problem_id: must be a whole number")
    return f"{number:04d}"
