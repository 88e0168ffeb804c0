"""TESTS as users name them: pytest files, folders and node ids, checked before anything runs."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from isobudget import syntax
from isobudget.errors import InputError
from isobudget.files.near import near_paths
from isobudget.tasks.body import parse_source
from isobudget.tasks.project import CONFIGURATION
from isobudget.tasks.stub import imported_names


@dataclass(frozen=True, slots=True)
class Selection:
    """Tests of a project.

    Attributes:
        arguments: for pytest, relative to the root.
        files: the files that they name or hold, relative to the root, with their texts.
    """

    arguments: tuple[str, ...]
    files: dict[str, str]


def select(root: Path, tests: Sequence[str]) -> Selection:
    """Find the tests.

    Raises:
        InputError: there is no such file or folder, it lies outside of the project, or a file does not parse.
    """
    arguments, files = [], {}
    for one in tests:
        place, mark, inner = one.partition("::")
        path = Path(place)
        if not path.exists() and (root / place).exists():
            path = root / place
        if not path.exists():
            hint = f"; write paths with /, as in {one.replace(chr(92), '/')}" if "\\" in place else near_paths(path)
            raise InputError(f"{one}: there is no such test file or folder{hint}")
        path = path.resolve()
        if not path.is_relative_to(root):
            raise InputError(f"{one}: lies outside of the project {root}")
        relative = path.relative_to(root).as_posix()
        arguments.append(f"{relative}::{inner}" if mark else relative)
        for file in _test_files(path):
            text = _text_of(file)
            parse_source(text, str(file.relative_to(root)))
            files[file.relative_to(root).as_posix()] = text
    return Selection(tuple(arguments), files)


def _test_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*.py")):
        if file.name.startswith("test_") or file.name.endswith("_test.py"):
            yield file


def _text_of(path: Path) -> str:
    try:
        with tokenize.open(path) as file:  # in the encoding that it states
            return file.read()
    except (OSError, UnicodeDecodeError, SyntaxError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def tests_importing(root: Path, files: Sequence[str], module: str) -> list[str]:
    """Test files of the project that import a module, for where no tests are named."""
    found = []
    for name in files:
        last = name.rpartition("/")[2]
        if not (last.startswith("test_") or last.endswith("_test.py")) or not last.endswith(".py"):
            continue
        text = (root / name).read_text(encoding="utf-8", errors="replace")
        if any(True for _ in imported_names(module, [text])):
            found.append(name)
    return found


def watched_files(files: Sequence[str], selection: Selection, target: str) -> list[str]:
    """Files that no candidate may change: the tests, every conftest.py and what configures pytest."""
    kept = set(selection.files)
    kept |= {name for name in files if name.rpartition("/")[2] == "conftest.py" or name in CONFIGURATION}
    return sorted(kept - {target})


def test_names(selection: Selection) -> list[str]:
    """Names of the test functions, for a prompt; where node ids name some, of these."""
    nodes = [node for text in selection.files.values() for node in ast.walk(syntax.parse(text))]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    names = list(dict.fromkeys(node.name for node in functions if node.name.startswith("test")))
    chosen = {part.partition("[")[0] for one in selection.arguments for part in one.split("::")[1:]}
    return [name for name in names if name in chosen] or names
