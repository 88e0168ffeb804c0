"""The public face: sorted, documented, quick to import; and the rooms' walls."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import isobudget
from isobudget import api

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "isobudget"

#: rooms that are pure: what they may import besides each other, numpy and these parts of the standard library
PURE = ["statistics", "curves"]
NOT_PURE = {"os", "subprocess", "socket", "urllib", "pathlib", "shutil", "threading", "pyarrow", "multiprocessing"}


def test_the_public_names_are_sorted_documented_and_there() -> None:
    assert sorted(isobudget.__all__) == isobudget.__all__
    assert set(isobudget._HOME) == set(isobudget.__all__)
    reference = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for name in isobudget.__all__:
        assert inspect.getdoc(getattr(isobudget, name)), name
        assert f"\n## {name}\n" in reference, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        isobudget.nothing  # noqa: B018


def test_every_command_is_a_function_of_the_same_name() -> None:
    from isobudget.cli import COMMANDS

    for command in COMMANDS:
        function = getattr(api, command)
        assert callable(function)
        assert inspect.getdoc(function)
    assert sorted(api.__all__) == api.__all__


def test_importing_isobudget_and_its_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys, isobudget.cli; isobudget.cli.build_app(); import isobudget; "
        "heavy = ('numpy', 'pyarrow', 'matplotlib', 'pydantic', 'xllamacpp', 'rich.progress'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def imports(path: Path) -> set[str]:
    """Names of the modules that a file imports at run time, wherever in the file."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def files_of(room: str) -> list[Path]:
    path = SOURCE / room
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_stay_pure(room: str) -> None:
    assert files_of(room)
    for path in files_of(room):
        assert not {name.split(".")[0] for name in imports(path)} & NOT_PURE, path


@pytest.mark.parametrize(
    ("room", "walls"),
    [
        ("judge", ["backends", "pipeline", "analysis", "ranking", "report", "cli", "curves", "study"]),
        ("backends", ["judge", "pipeline", "analysis", "ranking", "report", "cli", "curves", "study", "problems"]),
        ("models", ["backends", "judge", "pipeline", "analysis", "ranking", "report", "cli", "curves", "study"]),
        ("curves", ["backends", "judge", "pipeline", "analysis", "ranking", "report", "cli", "study"]),
        ("costs", ["backends", "judge", "pipeline", "analysis", "ranking", "report", "cli", "curves", "study"]),
        ("problems", ["backends", "judge", "pipeline", "analysis", "ranking", "report", "cli", "curves", "study"]),
        ("records", ["pipeline", "analysis", "ranking", "report", "cli", "curves", "study"]),
        ("pipeline", ["report", "cli"]),
        ("analysis", ["report", "cli"]),
        ("ranking", ["report", "cli"]),
    ],
)
def test_rooms_keep_their_walls(room: str, walls: list[str]) -> None:
    assert files_of(room)
    for path in files_of(room):
        through = {name for name in imports(path) for wall in walls if name.startswith(f"isobudget.{wall}")}
        assert not through, path
