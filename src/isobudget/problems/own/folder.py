"""Your own problems as a folder of Python files: ``slugify.py`` beside ``test_slugify.py``.

The first file holds the function to write: signature, docstring, and a body of ``...``, ``pass`` or
``raise NotImplementedError``. Imports and helpers that it needs come before it. The second file is the pytest file,
which imports from the module ``slugify``. Each pair is one problem. The prompt is the first file up to that body. The
task_id is the benchmark's name and the first file's path without ``.py``. Sub-folders may be used; ``__init__.py`` is
passed over. Nothing is executed here, only parsed. The judge runs the pytest file on its own: no ``conftest.py``, no
plugins.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.whole import check_regular, read_text, unreadable
from isobudget.grid import counted
from isobudget.problems import reading
from isobudget.problems.own.lines import own_benchmark, own_name
from isobudget.problems.own.tests import check_pytest
from isobudget.problems.problem import Benchmark, Problem, PytestFile

_FORM = "a problem is one function with a body of '...', 'pass' or 'raise NotImplementedError', last in its file"
#: modules that the judge itself needs while it runs a pytest file
_TAKEN = frozenset({"isobudget", "pytest", "_pytest", "pluggy"}) | sys.stdlib_module_names


def load_folder(path: Path, *, reserved: tuple[str, ...] = ()) -> Benchmark:
    """Read a benchmark from a folder, with the defaults of own problems.

    The benchmark has the folder's name NAME, or ``NAME-folder`` if NAME is one of the `reserved` names of benchmarks.

    Raises:
        InputError: a file lacks its partner, is wrong, or cannot be read; or there is no pair. The message names the
            file.
    """
    name = own_name(path.absolute(), (), "") or "problems"
    name = f"{name}-folder" if name.casefold() in reserved else name
    digest = hashlib.sha256()
    problems = reading.unique(_problems(path, name, digest), str(path))
    source = f"own problems: folder {name}, {counted(len(problems), 'problem')}, sha256 {digest.hexdigest()}"
    return own_benchmark(name, problems, source)


def _problems(root: Path, benchmark: str, digest: hashlib._Hash) -> Iterator[tuple[str, Problem]]:
    pairs = _pairs(root)
    if not pairs:
        raise InputError(
            f"{root}: cannot be read as a folder of problems: it holds no Python files; write pairs such as "
            "slugify.py and test_slugify.py"
        )
    for task, tests in pairs:
        problem = _problem(root, task, tests, benchmark)
        digest.update(repr(problem).encode())
        yield str(task), problem


def _pairs(root: Path) -> list[tuple[Path, Path]]:
    """All pairs of a task and its tests, in the order of their paths."""
    files = _python_files(root)
    there = set(files)
    pairs: list[tuple[Path, Path]] = []
    for file in files:
        tests = file.name.startswith("test_")
        partner = file.with_name(file.name.removeprefix("test_") if tests else f"test_{file.name}")
        if partner not in there:
            what = "which it should test" if tests else "with its pytest tests"
            raise InputError(f"{file}: there is no {partner.name} beside it, {what}")
        pairs += [] if tests else [(file, partner)]
    return pairs


def _python_files(root: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise unreadable(error, error.filename) from error

    files = []
    for folder, inner, names in os.walk(root, onerror=refuse):
        inner[:] = sorted(name for name in inner if not name.startswith((".", "__")))
        if "conftest.py" in names:
            raise InputError(
                f"{Path(folder, 'conftest.py')}: is not used by the judge; move fixtures to the test files"
            )
        files += [Path(folder, name) for name in names if name.endswith(".py") and name != "__init__.py"]
    return sorted(files)


def _problem(root: Path, task: Path, tests: Path, benchmark: str) -> Problem:
    module = reading.checked_name(task.stem, f"{task}: the file's name")
    if module in _TAKEN:
        raise InputError(f"{task}: {module!r} is the name of a module that the tests may need; rename both files")
    prompt, entry_point = stub_prompt(_read(task), str(task))
    source = _read(tests)
    check_pytest(source, module, str(tests))
    relative = task.relative_to(root).with_suffix("").as_posix()
    task_id = reading.checked_id(f"{benchmark}/{relative}", f"{task}: the path")
    return Problem(task_id, benchmark, prompt, entry_point, PytestFile(source, module))


def _read(path: Path) -> str:
    check_regular(path)
    return reading.checked_text(read_text(path), str(path)).replace("\r\n", "\n")


def stub_prompt(source: str, where: str) -> tuple[str, str]:
    """The source of a file up to the body of its one unfinished function, and the function's name.

    Raises:
        InputError: there is not exactly one such function, or something follows it.
    """
    tree = reading.parse_python(source, where)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)] if tree else []
    stubs = [node for node in functions if _is_stub(node)]
    if tree is None or len(stubs) != 1:
        raise InputError(f"{where}: has {len(stubs) or 'no'} function{'s' * (len(stubs) != 1)} to be written; {_FORM}")
    stub = stubs[0]
    if tree.body[-1] is not stub:
        raise InputError(
            f"{where}, line {tree.body[-1].lineno}: comes after {stub.name!r}, the function to be written; {_FORM}"
        )
    body = stub.body[-1]
    lines = source.splitlines(keepends=True)
    # Columns count bytes, not characters.
    before = lines[body.lineno - 1].encode()[: body.col_offset].decode()
    head = "".join(lines[: body.lineno - 1])
    return head + (before.rstrip(" \t;") + "\n" if before.strip() else ""), stub.name


def _is_stub(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    *before, last = function.body
    documented = ast.get_docstring(function, clean=False) is not None
    return len(before) == int(documented) and _is_placeholder(last)


def _is_placeholder(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(error, ast.Name) and error.id == "NotImplementedError"
    ellipsis = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is Ellipsis
    return ellipsis or isinstance(node, ast.Pass)
