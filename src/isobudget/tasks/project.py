"""A user's project: its root, its settings, the files to copy into the guest, and its interpreter."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.errors import InputError
from isobudget.files.toml import read_toml
from isobudget.files.values import AMOUNT, COUNT, FLAG, TEXT, Check, mistakes_of
from isobudget.files.whole import check_regular, unreadable

#: what marks the root of a project, looked for from the target upwards
ROOT_MARKS = ("pyproject.toml", "setup.cfg", "setup.py", "pytest.ini", "tox.ini", ".git")
#: folders and files that no test needs, or that nobody else should see
LEFT_OUT = frozenset(
    {
        *(".git", ".hg", ".svn", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"),
        *("__pycache__", "node_modules", ".eggs", ".idea", ".vscode", ".DS_Store"),
        *(".netrc", ".pypirc", ".ssh", ".aws"),
    }
)
#: a folder that holds one of these is an environment or a run of isobudget
_LEFT_OUT_BY = ("pyvenv.cfg", "run.toml")
VIEW_MB = 256
#: files that decide how pytest runs
CONFIGURATION = ("pyproject.toml", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg")

_LIST: Check = (
    lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    "a list of strings",
)
_TEXTS: Check = (lambda value: isinstance(value, str) or _LIST[0](value), "a string or a list of strings")
_SETTINGS: dict[str, Check] = {
    **dict.fromkeys(("tests", "also", "models"), _TEXTS),
    **dict.fromkeys(("budget", "policy", "python", "format", "run"), TEXT),
    **dict.fromkeys(("show_tests", "allow_subprocess"), FLAG),
    **dict.fromkeys(("max_tokens", "prompt_tokens", "memory_mb", "view_mb", "repair", "confirm"), COUNT),
    **dict.fromkeys(("temperature", "test_seconds"), AMOUNT),
}

_ASK_INTERPRETER = """
import importlib.util, json, os, sys, sysconfig
print(json.dumps({
    "version": list(sys.version_info[:2]),
    "prefixes": sorted({sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}),
    "binary": os.path.realpath(sys.executable),
    "folders": [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
        + [one for one in sys.path if one.endswith(("site-packages", "dist-packages"))],
    "plugins": [name for name in ("pytest", "xdist", "pytest_cov") if importlib.util.find_spec(name)],
}))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The project's Python interpreter.

    Attributes:
        path: path of its executable, as the user named it.
        version: major and minor version.
        shown: folders and files that must be visible in the guest to run it.
        modules: which of pytest, xdist and pytest_cov are installed.
    """

    path: str
    version: tuple[int, int]
    shown: tuple[str, ...]
    modules: frozenset[str]


def find_root(start: Path) -> Path:
    """The root of the project around a path: the nearest folder with one of `ROOT_MARKS`.

    If there is no such folder, the root is the working folder if that contains the path. Else it is the path itself, or
    the folder of the path if the path is a file.
    """
    start = start.resolve()
    nearest = start if start.is_dir() else start.parent
    for folder in (nearest, *nearest.parents):
        if any((folder / mark).exists() for mark in ROOT_MARKS):
            return folder
    here = Path.cwd().resolve()
    return here if start.is_relative_to(here) else nearest


def read_settings(root: Path) -> Mapping[str, Any]:
    """The settings in ``[tool.isobudget]`` of the project's pyproject.toml; empty if there are none.

    Raises:
        InputError: keys are unknown or values have the wrong type; the message names all mistakes.
    """
    path = root / "pyproject.toml"
    if not path.is_file():
        return {}
    tools = read_toml(path).get("tool", {})
    table = tools.get("isobudget", {}) if isinstance(tools, dict) else {}
    where = f"{path}: tool.isobudget"
    if not isinstance(table, dict):
        raise InputError(f"{where} must be a table")
    plain = {name.replace("-", "_"): value for name, value in table.items()}
    if mistakes := mistakes_of(plain, _SETTINGS, f"{where}."):
        raise InputError("\n".join(mistakes))
    return plain


def files_of(root: Path, most_mb: int = VIEW_MB) -> list[str]:
    """Sorted relative paths of the project's files that are copied into the guest.

    Version control, caches, environments, run folders and files that hold secrets (``.env``) are left out.

    Raises:
        InputError: the files exceed `most_mb` MiB; the message names the largest folders.
    """
    found: list[str] = []
    sizes: dict[str, int] = {}
    for path, size in _walk(str(root)):
        name = os.path.relpath(path, root)
        found.append(name)
        top = Path(name).parts[0]
        sizes[top] = sizes.get(top, 0) + size
    total = sum(sizes.values())
    if total > most_mb << 20:
        largest = sorted(sizes, key=lambda top: sizes[top], reverse=True)[:3]
        listed = ", ".join(f"{top} ({sizes[top] >> 20} MiB)" for top in largest)
        raise InputError(
            f"{root}: a copy of the project takes {total >> 20} MiB, more than {most_mb}; the largest: {listed}. "
            f"{_unmarked(root)}Set view_mb in [tool.isobudget] of pyproject.toml to copy more"
        )
    return sorted(found)


def _unmarked(root: Path) -> str:
    """What to do if a folder without a mark was taken for the project; empty if the project has a mark."""
    if any((root / mark).exists() for mark in ROOT_MARKS):
        return ""
    marks = f"{', '.join(ROOT_MARKS[:-1])} or {ROOT_MARKS[-1]}"
    return (
        f"This folder is taken for the project, as there is no {marks} in or above the target's folder: run this in "
        "the project's folder, or put a pyproject.toml there. "
    )


def read_source(path: Path, where: str) -> bytes:
    """The bytes of a source file of the project.

    Raises:
        InputError: the file cannot be read, such as a broken link, or it is a pipe, a socket or a device, which may
            never end.
    """
    check_regular(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(error, where) from None


def _walk(folder: str) -> Iterator[tuple[str, int]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        secret = entry.name == ".env" or entry.name.startswith(".env.")
        if entry.name in LEFT_OUT or secret or entry.name.endswith((".pyc", ".egg")):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not any(os.path.exists(os.path.join(entry.path, mark)) for mark in _LEFT_OUT_BY):  # noqa: PTH110, PTH118
                yield from _walk(entry.path)
        elif entry.is_symlink() or (entry.is_file(follow_symlinks=False) and os.access(entry.path, os.R_OK)):
            yield entry.path, entry.stat(follow_symlinks=False).st_size


def find_interpreter(root: Path, stated: str | None) -> Interpreter:
    """The project's interpreter: the stated one, else the first that exists of several.

    They are the interpreters of the active environment, of ``.venv`` and of ``venv`` in the root, and isobudget's own.

    Raises:
        InputError: the interpreter cannot be run, is older than 3.9, or has no pytest.
    """
    path = _executable(root, stated or _default_interpreter(root))
    try:
        done = subprocess.run(
            [path, "-I", "-c", _ASK_INTERPRETER], capture_output=True, text=True, timeout=60, check=True, cwd="/"
        )
        said = json.loads(done.stdout)
        version = tuple(said["version"])
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"{path}: is not a working Python interpreter ({_why(error)}); name one with --python"
        ) from None
    if version < (3, 9):
        raise InputError(f"{path}: is Python {version[0]}.{version[1]}; the tests need 3.9 or later")
    if "pytest" not in said["plugins"]:
        raise InputError(
            f"{path}: has no pytest. Install it there ({path} -m pip install pytest), or name another interpreter "
            "with --python"
        )
    return Interpreter(path, version, _shown(path, said), frozenset(said["plugins"]))


def _executable(root: Path, stated: str) -> str:
    """The absolute path of an executable; as stated if it is not found.

    A name alone is looked up in PATH; a path is relative to the working folder, or else to the project's root.
    """
    for one in (stated, str(root / stated)):
        if found := shutil.which(one):
            return os.path.abspath(found)  # noqa: PTH100
    return stated


def _why(error: Exception) -> str:
    """Why the interpreter could not be queried, without the source of the query."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"it ended with exit code {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it did not answer within {error.timeout:.0f} s"
    return str(error) if isinstance(error, OSError) else "its answer cannot be read"


def _default_interpreter(root: Path) -> str:
    active = [Path(one) for one in (os.environ.get("VIRTUAL_ENV"),) if one]
    for folder in (*active, root / ".venv", root / "venv"):
        candidate = folder / "bin" / "python"
        if candidate.exists():
            return str(candidate)
    return sys.executable


def _shown(path: str, said: Mapping[str, Any]) -> tuple[str, ...]:
    """The paths to show in the guest: the executable, the libraries, and whole prefixes if they are not system-wide."""
    shown = [said["binary"], path, *filter(None, said["folders"])]
    wide = ("/", "/usr", "/usr/local", str(Path.home()))
    shown += [prefix for prefix in said["prefixes"] if prefix not in wide]
    link = Path(path)
    while link.is_symlink():  # each link on the way to the executable
        target = link.readlink()
        link = target if target.is_absolute() else link.parent / target
        shown.append(str(link))
    return tuple(dict.fromkeys(shown))


def import_root(root: Path, file: str) -> str:
    """The folder from which a file of the project is imported: the parent of its outermost package, or ``src``."""
    parts = Path(file).parts
    if parts[0] == "src" and len(parts) > 1:
        return str(root / "src")
    folder = (root / file).parent
    while (folder / "__init__.py").is_file() and folder != root and root in folder.parents:
        folder = folder.parent
    return str(folder)


def module_name(root: Path, file: str) -> str:
    """The dotted name by which a file of the project is imported."""
    parts = list((root / file).relative_to(import_root(root, file)).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
