"""The two layouts of APPS: a folder per problem, as published, and JSON lines, as on the hub.

Both give rows: number, difficulty, and the texts ``question``, ``input_output``, ``starter_code`` and ``solutions``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Row:
    """One problem as its layout holds it.

    Attributes:
        number: such as ``0001``.
        difficulty: ``introductory``, ``interview`` or ``competition``.
        text: a function from the name of a text to the text, with line ends as they are; None if the problem lacks it.
        where: a function from the name of a text to its place for messages: the file, or file, line and field.
    """

    number: str
    difficulty: str
    text: Callable[[str], str | None]
    where: Callable[[str], str]


def split_path(path: Path, split: str) -> Path | None:
    """The place of a split inside a folder: a file of JSON lines or a folder of problems. None if it is not there."""
    file, folder = path / f"{split}.jsonl", path / split
    return file if file.is_file() else folder if folder.is_dir() else None


def read_rows(path: Path) -> Iterator[Row]:
    """All problems of a split, in the order of their numbers or lines."""
    if not path.is_dir():
        yield from (_row_of_line(record, line) for line, record in read_objects(path))
        return
    try:
        folders = sorted(item for item in path.iterdir() if item.is_dir() and not item.name.startswith("."))
    except OSError as error:
        raise unreadable(error, path) from error
    yield from map(_row_of_folder, folders)


def _row_of_line(record: Record, line: str) -> Row:
    return Row(
        _number(record, line),
        text_field(record, "difficulty", line),
        lambda field: optional_text(record, field, line),
        lambda field: f"{line}, field {field}",
    )


def _row_of_folder(folder: Path) -> Row:
    def text(field: str) -> str | None:
        path = folder / FILES[field]
        return checked_text(read_text(path), str(path)) if path.exists() else None

    return Row(
        folder.name, _folder_difficulty(folder / "metadata.json"), text, lambda field: str(folder / FILES[field])
    )


def _folder_difficulty(path: Path) -> str:
    if not path.exists():
        raise InputError(
            f"{path}: is missing; a folder of APPS holds question.txt, input_output.json and {path.name} for each "
            "problem"
        )
    data = parse_json(read_text(path), str(path))
    if not isinstance(data, dict):
        raise InputError(f"{path}: must be an object with the field 'difficulty'")
    return checked_text(data.get("difficulty"), f"{path}, difficulty")


def _number(record: Record, line: str) -> str:
    """The problem's number, which the hub's file calls ``id``, and its loading script ``problem_id``."""
    number = record.get("problem_id", record.get("id"))
    if type(number) is not int or number < 0:
        raise InputError(f"{line}, field problem_id: must be a whole number")
    return f"{number:04d}"
