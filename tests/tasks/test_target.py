"""What users type: each mistake has one clear message."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import isobudget
from isobudget.errors import InputError
from isobudget.tasks.options import SolveOptions
from isobudget.tasks.project import files_of, find_root, module_name, read_settings
from isobudget.tasks.target import find_target
from support.solve_project import make_project


def test_targets_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make_project(tmp_path))
    found = find_target("src/pkg/text.py::slugify")
    assert (found.root, found.file, found.names) == (tmp_path, "src/pkg/text.py", ("slugify",))
    assert (found.module, found.task_id) == ("pkg.text", "src/pkg/text.py::slugify")
    assert find_target("src/pkg/text.py").names == ("slugify", "Counter.add")
    assert find_target("src/pkg/text.py::Counter::add").names == ("Counter.add",)
    new = find_target("src/pkg/fresh.py")
    assert (new.data, new.names, new.module) == (None, (), "pkg.fresh")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("src\\pkg\\text.py::slugify", "write paths with /, as in src/pkg/text.py::slugify"),
        ("src/pkg/text.py::slugfy", "no function 'slugfy'. Did you mean 'slugify'?"),
        ("src/pkg/text.py::Counter", r"is a class; name one of its methods \(Counter.__init__, Counter.add\)"),
        ("src/pkg/text.py::", "after :: comes the name"),
        ("src/pkg/none.py::f", "no such file"),
        ("src/none/x.py", "there is no folder"),
        ("src/pkg", "is a folder; name a function as FILE.py::name, or a file. With --failing, solve writes every"),
        ("README.md", "is not a Python file; name a function, such as src/pkg/text.py::slugify"),
        ("src/pkg/text.py:slugify", "is not a Python file. Did you mean 'src/pkg/text.py::slugify'"),
        ("src.pkg.text.slugify", "is not a Python file. Did you mean 'src/pkg/text.py::slugify'"),
        ("src.pkg.none.slugify", "is not a Python file; name a function, such as src/pkg/text.py::slugify"),
        ("src/pkg/__init__.py", "has no function; write a function's first line"),
        ("src/pkg/whole.py", "every function has a body; name the one to rewrite, as src/pkg/whole.py::whole"),
        ("src/pkg/whole.py::whole.inner", "is inside the function whole; name that one instead"),
        ("src/pkg/broken.py::f", "broken.py, line 1: is not valid Python 3"),
        ("src/pkg/latin.py::f", r"is not UTF-8 \(byte 2\); save it as UTF-8"),
        ("src/pkg/stated.py::f", r"is latin-1, as its line 2 states, and not UTF-8 \(byte 36\); save it"),
        ("src/pkg/pipe.py::f", "is not a regular file but a pipe"),
        ("src/pkg/folder.py::f", "is a folder"),
    ],
)
def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.chdir(make_project(tmp_path))
    (tmp_path / "src/pkg/broken.py").write_text("def f(:\n")
    (tmp_path / "src/pkg/whole.py").write_text("def whole():\n    def inner(): ...\n    return inner\n")
    (tmp_path / "src/pkg/latin.py").write_bytes(b"# \xe9\ndef f(): ...\n")
    (tmp_path / "src/pkg/stated.py").write_bytes(b"#!/py\r\n# -*- coding: latin-1 -*-\r\n# \xe9\r\ndef f(): ...\r\n")
    os.mkfifo(tmp_path / "src/pkg/pipe.py")
    (tmp_path / "src/pkg/folder.py").mkdir()
    with pytest.raises(InputError, match=message):
        find_target(text)


def test_settings_of_the_project_are_checked(tmp_path: Path) -> None:
    path = make_project(tmp_path) / "pyproject.toml"
    path.write_text('[tool.isobudget]\nbudget = "30s"\nshow-tests = true\n')
    assert read_settings(tmp_path) == {"budget": "30s", "show_tests": True}
    path.write_text("[tool.isobudget]\nbudgt = 3\nmax_tokens = 0\n")
    with pytest.raises(InputError, match=r"budgt: unknown key(.|\n)*max_tokens: must be a whole number"):
        read_settings(tmp_path)
    path.write_text("tool = 3\n")
    assert read_settings(tmp_path) == {}


def test_models_of_the_settings_are_separated_as_those_of_the_option() -> None:
    read = SolveOptions().with_settings({"models": "small, large", "tests": ["t.py::a[1,2]"]})
    assert (read.models, read.tests) == (("small", "large"), ("t.py::a[1,2]",))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"budget": 20}, "budget: must be a string, not 20"),
        ({"models": 3}, "models: must be a string or a list of strings, not 3"),
        ({"models": ["small", 3]}, "models: must be a string or a list"),
        ({"explore": "3"}, "explore: must be a whole number, not '3'"),
        ({"temperature": "warm"}, "temperature: must be a number, not 'warm'"),
        ({"target": Path("m.py")}, "target: must be a string, not "),
        ({"target": None}, "target: must be a string, not None"),
        ({"target": ""}, "TARGET is empty"),
    ],
)
def test_an_argument_of_the_wrong_type_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"^{said}"):
        isobudget.solve(**{"target": "m.py::f", **given})


def test_what_is_stated_comes_before_the_settings_of_the_project() -> None:
    settings = {"models": ["a"], "budget": "5s", "tests": "x,y", "policy": "p.toml", "show_tests": False}
    stated = SolveOptions(budget="9s", models=("b",), show_tests=True).with_settings(settings)
    assert (stated.budget, stated.models, stated.tests, stated.policy) == ("9s", ("b",), ("x", "y"), None)
    assert stated.show_tests is True
    assert SolveOptions(policy="q.toml").with_settings(settings).models == ()


def test_a_view_leaves_out_what_no_test_needs(tmp_path: Path) -> None:
    make_project(tmp_path)
    for name in (".git/config", ".env", ".env.local", "env/pyvenv.cfg", "env/lib/x.py", "runs/a/run.toml", "a.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "tests" / "__pycache__").mkdir()
    (tmp_path / "tests" / "__pycache__" / "x.pyc").write_text("x")
    assert files_of(tmp_path) == [
        "pyproject.toml",
        "src/pkg/__init__.py",
        "src/pkg/text.py",
        "tests/conftest.py",
        "tests/data.txt",
        "tests/test_counter.py",
        "tests/test_text.py",
    ]
    (tmp_path / "data.bin").write_bytes(b"\0" * (2 << 20))
    with pytest.raises(InputError, match=r"takes 2 MiB, more than 1; the largest: data.bin \(2 MiB\)"):
        files_of(tmp_path, 1)
    loose = tmp_path / "loose"
    loose.mkdir()
    (loose / "data.bin").write_bytes(b"\0" * (2 << 20))
    message = r"This folder is taken for the project, .* put a pyproject.toml there. Set view_mb"
    with pytest.raises(InputError, match=message):
        files_of(loose, 1)


def test_names_of_modules(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "__init__.py").write_text("")
    assert module_name(tmp_path, "flat/x.py") == "flat.x"
    assert module_name(tmp_path, "src/pkg/__init__.py") == "pkg"
    assert module_name(tmp_path, "script.py") == "script"


def test_a_folder_without_a_mark_is_its_own_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here", "own", "sibling"):
        (tmp_path / name).mkdir()
    (tmp_path / "own" / "m.py").write_text("")
    monkeypatch.chdir(tmp_path / "here")
    assert find_root(tmp_path / "own") == find_root(tmp_path / "own" / "m.py") == tmp_path / "own"
    monkeypatch.chdir(tmp_path)
    assert find_root(tmp_path / "own") == tmp_path
