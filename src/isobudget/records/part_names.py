"""Names of parts: ``part-000001.parquet``, and where a part's file may be during changes.

While parts are merged (`records.compact`), the name of a new part begins with a dot until the old parts have been
moved. The old parts go to ``.superseded/TABLE/``, where readers that started earlier still find them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from isobudget.errors import RunError
from isobudget.records.manifest import PART_NAME, SUPERSEDED, read_manifest

_PART = re.compile(rf"\.?{PART_NAME.pattern}")


def part_name(number: int) -> str:
    """The name of a part with this number."""
    return f"part-{number:06d}.parquet"


def number_of(path: Path) -> int:
    """The number in a part's name; 0 for any other name."""
    match = _PART.fullmatch(path.name)
    return int(match[1]) if match else 0


def hidden(path: Path) -> Path:
    """A part's hidden name, which a glob does not match."""
    return path.with_name(f".{path.name}")


def superseded(path: Path) -> Path:
    """The path of a superseded part."""
    return path.parent.parent / SUPERSEDED / path.parent.name / path.name


def free_name(path: Path) -> Path:
    """The first unused name of the form ``manifest.json.1``."""
    numbered = (path.with_name(f"{path.name}.{number}") for number in itertools.count(1))
    return next(one for one in numbered if not (one.exists() or one.is_symlink()))


def places(path: Path) -> Iterator[Path]:
    """The places where a listed part may be."""
    yield path
    yield hidden(path)
    yield superseded(path)


def numbered_parts(folder: Path) -> list[tuple[int, Path]]:
    """The parts in a folder, including hidden ones, with their numbers; none if there is no folder.

    Raises:
        RunError: the folder cannot be read.
    """
    try:
        matched = [(_PART.fullmatch(path.name), path) for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"{folder}: cannot be read: {error.strerror or error}") from None
    return sorted((int(match[1]), path) for match, path in matched if match)


def visible_parts(folder: Path) -> list[Path]:
    """The parts that a glob sees, in order."""
    return [path for _, path in numbered_parts(folder) if not path.name.startswith(".")]


def next_number(folder: Path) -> int:
    """A number above those of all present and former parts of the table."""
    manifest = read_manifest(folder.parent)
    table = manifest.table(folder.name) if manifest is not None else None
    listed = [] if table is None else [*(part.name for part in table.parts), *table.superseded]
    numbers = [number_of(folder / name) for name in listed]
    numbers += [number for number, _ in numbered_parts(folder)]
    numbers += [number for number, _ in numbered_parts(superseded(folder / "part").parent)]
    return 1 + max(numbers, default=0)
