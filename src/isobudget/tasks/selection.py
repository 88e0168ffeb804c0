"""TESTS as the user names them: pytest files, folders and node ids, checked before anything runs."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isobudget import syntax
from isobudget.errors import InputError
from isobudget.files.near import near_paths
from isobudget.files.whole import check_regular
from isobudget.tasks.body import functions_by_name, parse_source
from isobudget.tasks.project import CONFIGURATION, read_source
from isobudget.tasks.stub import imports_module


@dataclass(frozen=True, slots=True)
class Selection:
    """Tests of a project.

    Attributes:
        arguments: arguments for pytest, relative to the root.
        files: the text of each named file and of each test file in a named folder, by its path relative to the root.
        unreadable: like `files`, for files in named folders that are not valid Python: as much text as can be read.
    """

    arguments: tuple[str, ...]
    files: dict[str, str]
    unreadable: Mapping[str, str] = field(default_factory=dict)

    def names(self, node_id: str) -> bool:
        """Whether the user named a file, class or test directly, and not only a folder or file that contains it."""
        if "::" not in node_id:
            return any(one.partition("::")[0] == node_id for one in self.arguments)
        named = (one for one in self.arguments if "::" in one)
        return any(node_id == one or node_id.startswith((f"{one}::", f"{one}[")) for one in named)


def select(root: Path, tests: Sequence[str]) -> Selection:
    """Find the tests.

    Raises:
        InputError: a file or folder does not exist or is outside the project, or a named file does not parse.
    """
    arguments, files, unreadable = [], {}, {}
    for one in tests:
        place, mark, inner = one.partition("::")
        path = Path(place)
        if not path.exists() and (root / place).exists():
            path = root / place
        if not path.exists():
            hint = f"; write paths with /, as in {one.replace(chr(92), '/')}" if "\\" in place else near_paths(path)
            raise InputError(f"{one}: no such test file or folder{hint}")
        path = path.resolve()
        if not path.is_relative_to(root):
            raise InputError(f"{one}: is outside the project {root}")
        relative = path.relative_to(root).as_posix()
        arguments.append(f"{relative}::{inner}" if mark else relative)
        for file in _test_files(path):
            name = file.relative_to(root).as_posix()
            try:
                text = _text_of(file)
                parse_source(text, name)
            except InputError:
                if file == path:
                    raise
                unreadable[name] = _what_can_be_read(file)
            else:
                files[name] = text
    return Selection(tuple(arguments), files, unreadable)


def _test_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*.py")):
        if file.name.startswith("test_") or file.name.endswith("_test.py"):
            yield file


def _what_can_be_read(path: Path) -> str:
    """The text of a file, even if it is not valid UTF-8; empty for a broken link, a folder or a pipe."""
    try:
        return read_source(path, str(path)).decode(errors="replace")
    except InputError:
        return ""


def _text_of(path: Path) -> str:
    check_regular(path)
    try:
        with tokenize.open(path) as file:  # in the encoding that it states
            return file.read()
    except (OSError, UnicodeDecodeError, SyntaxError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def tests_importing(root: Path, files: Sequence[str], modules: Sequence[str], names: Sequence[str]) -> list[str]:
    """Test files of the project that import a module, or import these names from one of its parent packages.

    Used when the user names no tests.

    Args:
        root, files: the project.
        modules: the names by which the module may be imported.
        names: dotted names of functions.
    """
    firsts = [one.partition(".")[0] for one in names]
    found = []
    for name in files:
        last = name.rpartition("/")[2]
        if not (last.startswith("test_") or last.endswith("_test.py")) or not last.endswith(".py"):
            continue
        text = _what_can_be_read(root / name)
        if any(imports_module(one, text, firsts) for one in modules):
            found.append(name)
    return found


def watched_files(files: Sequence[str], selection: Selection, target: str) -> list[str]:
    """Files that no candidate may change: the tests, every conftest.py and what configures pytest."""
    kept = set(selection.files)
    kept |= {name for name in files if name.rpartition("/")[2] == "conftest.py" or name in CONFIGURATION}
    return sorted(kept - {target})


def test_names(selection: Selection) -> list[str]:
    """Names of the test functions, for a prompt. If the user named some tests by node id, only the names of these."""
    nodes = [node for text in selection.files.values() for node in ast.walk(syntax.parse(text))]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    names = list(dict.fromkeys(node.name for node in functions if node.name.startswith("test")))
    chosen = {part.partition("[")[0] for one in selection.arguments for part in one.split("::")[1:]}
    return [name for name in names if name in chosen] or names


def words_of_test(selection: Selection, node_id: str) -> set[str]:
    """The names that a test, given by its pytest id, uses; if its file does not define the test, all words of the file.

    Empty if the selection does not have the file.
    """
    file, _, inner = node_id.partition("[")[0].partition("::")
    if (text := selection.files.get(file)) is None:
        return set()
    function = functions_by_name(syntax.parse(text)).get(inner.replace("::", "."))
    if function is None:
        return set(re.findall(r"\w+", text))
    nodes = list(ast.walk(function.node))
    names = {one.id for one in nodes if isinstance(one, ast.Name)}
    imported = {one.name.split(".")[-1] for one in nodes if isinstance(one, ast.alias)}
    return names | imported | {one.attr for one in nodes if isinstance(one, ast.Attribute)}
