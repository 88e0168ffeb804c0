"""The public face: sorted, documented, quick to import; and the rooms' walls."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import isobudget
from isobudget import api

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "isobudget"

#: rooms that are pure: what they may import besides each other, numpy and these parts of the standard library
PURE = ["grid.py", "statistics", "curves", "policies", "paper", "rankers"]
#: what reads the data files that ship with a room, and nothing else of the room `files`; and what parses Python
PURE_ENOUGH = {"isobudget.files.toml", "isobudget.files.toml.shipped_toml", "isobudget.syntax"}
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
    from isobudget.cli import API_NAMES, COMMANDS

    for command in COMMANDS:
        function = getattr(api, API_NAMES.get(command, command))
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


@cache
def imports(path: Path) -> frozenset[str]:
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
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def files_of(room: str) -> list[Path]:
    path = SOURCE / room
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def modules() -> dict[str, Path]:
    """Every module of the package by its name."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = ("isobudget", *path.relative_to(SOURCE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def import_graph() -> dict[str, set[str]]:
    """Module -> modules of ours that its file imports: at its top, inside functions, and for type checking alike."""
    files = modules()
    graph: dict[str, set[str]] = {}
    for name, path in files.items():
        to: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                to |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: write imports in full"
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                to |= inner & files.keys() or {node.module or ""}
        graph[name] = (to & files.keys()) - {name}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """For each edge within a knot of a graph, if any, the shortest way round; one for each node, none twice."""
    found: dict[frozenset[str], list[str]] = {}
    for start in sorted(graph):
        ways = [[start, after] for after in sorted(graph[start])]
        seen = set(graph[start])
        for way in ways:  # breadth first: `ways` grows while it is walked
            if way[-1] == start:
                found.setdefault(frozenset(way), way)
                break
            ways += [[*way, after] for after in sorted(graph.get(way[-1], set()) - seen)]
            seen |= graph.get(way[-1], set())
    return list(found.values())


def test_circles_are_seen() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": set[str](), "f": {"g"}, "g": {"f", "a"}}
    assert circles(graph) == [["a", "b", "c", "a"], ["f", "g", "f"]]
    assert circles({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []


def test_no_circle_between_files() -> None:
    graph = import_graph()
    assert not [" -> ".join(way) for way in circles(graph)]


def part_of(package: str, module: str) -> str:
    """The file or package right inside `package` that holds a module; empty if none does."""
    return module.removeprefix(f"{package}.").split(".")[0] if module.startswith(f"{package}.") else ""


def test_no_circle_between_the_parts_of_a_package() -> None:
    """Of the whole: its rooms. Of a room: its files and the packages in it, each taken as one."""
    graph = import_graph()
    packages = [name for name, path in modules().items() if path.name == "__init__.py"]
    assert "isobudget" in packages
    assert len(packages) > 25
    for package in packages:
        parts: dict[str, set[str]] = {}
        for name, to in graph.items():
            here = part_of(package, name)
            parts.setdefault(here, set()).update({part_of(package, other) for other in to} - {here, ""})
        parts.pop("", None)
        ways = [" -> ".join(way) for way in circles(parts)]
        assert not ways, f"{package}: {ways}"


def all_imports(paths: list[Path]) -> dict[Path, set[str]]:
    """Imports of the files, and of those of our own that these import, and so on."""
    found: dict[Path, set[str]] = {}
    while paths:
        path, *paths = paths
        if path.is_file() and path not in found:
            found[path] = imports(path) - PURE_ENOUGH
            paths += [SOURCE.parent / f"{name.replace('.', '/')}.py" for name in found[path]]
    return found


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_stay_pure(room: str) -> None:
    assert files_of(room)
    for path, names in all_imports(files_of(room)).items():
        assert not {name.split(".")[0] for name in names} & NOT_PURE, path
        assert not any(name.startswith("isobudget.files.toml") for name in names), path


def test_only_the_commands_show_results() -> None:
    """`isobudget/__init__.py` names `winner_sentence` of `report`, but loads it only when it is used."""
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0]
        if room not in ("report", "cli", "api"):
            assert not any(name.startswith("isobudget.report") for name in imports(path)), path
        if room not in ("gateway", "cli", "api"):
            assert not any(name.startswith("isobudget.gateway") for name in imports(path)), path
        if room not in ("cluster", "cli", "api"):
            assert not any(name.startswith("isobudget.cluster") for name in imports(path)), path


def test_the_ground_floor_imports_errors_and_progress_only() -> None:
    for path in files_of("files"):
        ours = {
            name
            for name in imports(path)
            if name.startswith("isobudget.") and not name.startswith(("isobudget.errors", "isobudget.progress"))
        }
        assert all(name.startswith("isobudget.files.") for name in ours), path


@pytest.mark.parametrize(
    ("room", "walls"),
    [
        ("judge", ["backends", "pipeline", "analysis", "ranking", "report", "cli", "curves", "study"]),
        ("backends", ["judge", "pipeline", "analysis", "ranking", "report", "cli", "curves", "study", "problems"]),
        ("models", ["backends", "judge", "pipeline", "analysis", "ranking", "report", "cli", "curves", "study"]),
        ("curves", ["backends", "judge", "pipeline", "analysis", "ranking", "report", "cli", "study"]),
        ("policies", ["backends", "judge", "pipeline", "analysis", "solving", "ranking", "report", "cli", "study"]),
        ("costs", ["backends", "judge", "pipeline", "analysis", "ranking", "report", "cli", "curves", "study"]),
        ("problems", ["backends", "judge", "pipeline", "analysis", "ranking", "report", "cli", "curves", "study"]),
        ("records", ["pipeline", "analysis", "ranking", "report", "cli", "curves", "study"]),
        ("pipeline", ["report", "cli"]),
        ("analysis", ["report", "cli"]),
        ("ranking", ["report", "cli"]),
        ("solving", ["report", "cli"]),
    ],
)
def test_rooms_keep_their_walls(room: str, walls: list[str]) -> None:
    assert files_of(room)
    for path in files_of(room):
        through = {name for name in imports(path) for wall in walls if name.startswith(f"isobudget.{wall}")}
        assert not through, path


def test_the_command_line_goes_through_api_and_nothing_else() -> None:
    """Commands call `isobudget.api`, and show what comes back; options' names and errors are all else they know."""
    shown = ("isobudget.api", "isobudget.cli", "isobudget.report", "isobudget.grid", "isobudget.errors")
    known = ("isobudget.rankers.registry", "isobudget.models.catalog", "isobudget.__version__")
    for path in sorted((SOURCE / "cli").glob("*.py")):
        ours = {name for name in imports(path) if name.startswith("isobudget.")}
        assert not {name for name in ours if not name.startswith((*shown, *known))}, path


@pytest.mark.parametrize("folder", ["tests/support", "tools", "benchmarks"])
def test_scripts_hide_no_module_of_the_standard_library(folder: str) -> None:
    """What lies beside a file that is run as a script comes before the library, for everything that it imports."""
    names = {path.stem for path in (Path(__file__).parents[1] / folder).glob("*.py")}
    assert names
    assert not names & sys.stdlib_module_names
