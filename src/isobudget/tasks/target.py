"""Finds the target: the functions of the project, or the file, that the user wants written."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.hints import did_you_mean
from isobudget.files.near import near_paths
from isobudget.tasks.body import Function, functions_by_name, parse_source
from isobudget.tasks.project import find_root, import_root, module_name, read_source

_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_FORM = "name a function, such as src/pkg/text.py::slugify, or a Python file"
#: a comment in the first two lines that states the encoding, as PEP 263 has it
_CODING = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")


@dataclass(frozen=True, slots=True)
class Target:
    """Functions of one file to write.

    Attributes:
        root: root of the project.
        file: path relative to the root, with ``/``.
        names: dotted names of the functions; empty to write the whole file.
        data: the file's bytes as read; None if the file does not exist.
        text: the file's text with its own line ends; empty if it does not exist.
        imported_as: the name by which the tests import the file; empty until it is known.
    """

    root: Path
    file: str
    names: tuple[str, ...]
    data: bytes | None
    text: str
    imported_as: str = ""

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self.root / self.file

    @property
    def task_id(self) -> str:
        """The task's name in runs and messages."""
        return f"{self.file}::{self.names[0]}" if len(self.names) == 1 else self.file

    @property
    def module(self) -> str:
        """The dotted name of the module."""
        return self.imported_as or module_name(self.root, self.file)

    @property
    def modules(self) -> tuple[str, ...]:
        """The names by which the module may be imported, the likeliest first.

        There are several, because any parent folder may be a package.
        """
        parts = Path(self.file).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        longer = (".".join(parts[at:]) for at in reversed(range(len(parts))))
        return tuple(dict.fromkeys((self.module, *(one for one in longer if one.endswith(f".{self.module}")))))

    @property
    def import_roots(self) -> list[str]:
        """Folders from which the project's modules are imported, the target's own first."""
        return list(dict.fromkeys((import_root(self.root, self.file), str(self.root))))

    def functions(self) -> list[Function]:
        """The functions to write, in the order of `names`."""
        known = functions_by_name(parse_source(self.text, self.file))
        return [known[name] for name in self.names]


def find_target(text: str) -> Target:
    """Find the target that the user names.

    Args:
        text: ``FILE.py::function``, ``FILE.py::Class.method``, a file with functions that have no body, or a file that
            does not exist yet.

    Raises:
        InputError: there is no such function, nothing in the file is left to write, or the file is not a Python file.
    """
    if not text:
        raise InputError(f"TARGET is empty; {_FORM}")
    place, mark, name = text.partition("::")
    name = name.replace("::", ".")
    if "\\" in place and not Path(place).exists():
        raise InputError(f"{text}: write paths with /, as in {text.replace(chr(92), '/')}")
    path = Path(place)
    if path.is_dir():
        raise InputError(
            f"{text}: is a folder; name a function as FILE.py::name, or a file. With --failing, solve writes every "
            "function of the folder that has no body yet and a failing test"
        )
    if path.suffix != ".py":
        meant = _meant(text)
        raise InputError(f"{text}: is not a Python file{f'. Did you mean {meant!r}?' if meant else f'; {_FORM}'}")
    if mark and not _NAME.fullmatch(name):
        raise InputError(f"{text}: after :: comes the name of a function, or Class.method")
    resolved = path.resolve()
    root = find_root(resolved)
    here = find_root(path.parent)
    if path.is_symlink() and not resolved.is_relative_to(here):
        raise InputError(f"{text}: is a link to {resolved}, outside of the project {here}; name a file of the project")
    if not path.exists():
        return _new_file(text, root, resolved, mark)
    data = read_source(resolved, place)
    source = decoded(data, place)
    names = _names(source, place, name)
    return Target(root, resolved.relative_to(root).as_posix(), names, data, source)


def _meant(text: str) -> str:
    """The target meant by a single colon or by a dotted name; empty if there is none."""
    place, _, name = text.partition(".py:")
    dotted, _, last = text.rpartition(".")
    for path, function in ((f"{place}.py", name), (f"{dotted.replace('.', '/')}.py", last)):
        if function and Path(path).is_file():
            return f"{path}::{function}"
    return ""


def _new_file(text: str, root: Path, path: Path, mark: str) -> Target:
    if mark:
        raise InputError(f"{text}: no such file; name the file alone to have all of it written{near_paths(path)}")
    if not path.parent.is_dir():
        raise InputError(f"{text}: there is no folder {path.parent}; make it first")
    return Target(root, path.relative_to(root).as_posix(), (), None, "")


def decoded(data: bytes, where: str) -> str:
    """The text of a source file, with its line ends and byte order mark unchanged.

    Raises:
        InputError: the file is not UTF-8. If one of the first two lines states another encoding, the message names the
            line.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = error.start
    for number, line in enumerate(data.splitlines()[:2], 1):
        if stated := _CODING.match(line):
            raise InputError(
                f"{where}: is {stated[1].decode()}, as its line {number} states, and not UTF-8 (byte {byte}); save it "
                "as UTF-8 and take that line out"
            )
    raise InputError(f"{where}: is not UTF-8 (byte {byte}); save it as UTF-8")


def _names(source: str, where: str, name: str) -> tuple[str, ...]:
    tree = parse_source(source, where)
    known = functions_by_name(tree)
    if not name:
        holes = tuple(one for one, function in known.items() if function.is_to_write)
        if not known:
            raise InputError(
                f"{where}: has no function; write a function's first line and `...` for a body, or remove the file to "
                "have all of it written"
            )
        if not holes:
            raise InputError(
                f"{where}: every function has a body; name the one to rewrite, as {where}::{next(iter(known))}"
            )
        return holes
    if name in known:
        return (name,)
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    if name in classes:
        methods = ", ".join(one for one in known if one.startswith(f"{name}.")) or "none"
        raise InputError(f"{where}::{name}: is a class; name one of its methods ({methods}), or the file")
    outer = name.rpartition(".")[0]
    if outer in known:
        raise InputError(f"{where}::{name}: is inside the function {outer}; name that one instead")
    listed = ", ".join(list(known)[:8]) or "none"
    raise InputError(f"{where}: has no function {name!r}.{did_you_mean(name, known)} It has: {listed}")
