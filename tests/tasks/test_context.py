"""What a model is shown, what can be imported once, and stubs."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType

import pytest

from isobudget.backends.base import CHARACTERS_PER_TOKEN
from isobudget.tasks import caller, reporter, runner
from isobudget.tasks.body import split_lines
from isobudget.tasks.context import file_task, hole_alone, source_prompt
from isobudget.tasks.imports import warm_modules
from isobudget.tasks.selection import Selection, select
from isobudget.tasks.stub import imported_names, imports_module, stub_of
from isobudget.tasks.target import Target, find_target
from support.solve_project import make_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = make_project(tmp_path)
    (root / "src/pkg/deep").mkdir()
    (root / "src/pkg/deep/__init__.py").write_text("")
    (root / "src/pkg/deep/use.py").write_text(
        "from ..text import shout\nfrom pkg.help import join\nfrom ..kinds import Kind\n\nLIMIT = 3\n\n\n"
        "class Box:\n    size = 2\n\n    def __init__(self):\n        self.all = []\n\n"
        "    def last(self) -> int:\n        return self.all[-1]\n\n"
        "    def put(self, item: int,\n            *, times: int = 1) -> None:\n        # a hint\n        ...\n"
    )
    (root / "src/pkg/kinds.py").write_text(
        "class Kind(dict):\n    name: str\n    most = 3\n\n    def grow(self, by: int) -> int:\n        return by\n"
    )
    (root / "src/pkg/help.py").write_text(
        'def join(words: list[str]) -> str:\n    """Join them.\n\n    More."""\n    return ""\n'
    )
    return root


def target_of(root: Path, name: str) -> tuple[Target, Selection]:
    target = find_target(f"{root}/{name}")
    return target, select(root, [f"{root}/tests/test_text.py"])


def test_what_has_no_body_yet_is_no_example_for_the_hole(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    (root / "src/pkg/two.py").write_text(
        'def first(a: int) -> int:\n    """The first."""\n    ...\n\n\ndef whole(a: int) -> int:\n    return a\n\n\n'
        "class Box:\n    def __init__(self) -> None:\n        raise NotImplementedError\n\n"
        "    def one(self) -> int:\n        pass\n\n    def two(self) -> int:\n        ...\n\n\n"
        'def last(a: int) -> int:\n    """The last."""\n    ...\n'
    )
    for name, others in {"last": ("first", "one", "two"), "Box.two": ("first", "last", "one")}.items():
        target, tests = target_of(root, f"src/pkg/two.py::{name}")
        text = source_prompt(target, tests, show_tests=False)
        assert "..." not in text
        assert "NotImplementedError" not in text
        assert "    pass" not in text
        for other in others:
            (line,) = [line for line in text.splitlines() if f"def {other}(" in line]
            assert line.lstrip().startswith("#")
        assert "def whole(a: int) -> int:\n    return a\n" in text
        ast.parse(f"{text}{'    ' * (2 if '.' in name else 1)}pass\n")


def test_a_method_is_shown_in_its_class_behind_what_it_imports(project: Path) -> None:
    target, tests = target_of(project, "src/pkg/deep/use.py::Box.put")
    text = source_prompt(target, tests, show_tests=False)
    assert text.startswith("from ..text import shout\nfrom pkg.help import join\n")
    assert "# def shout(text: str) -> str" in text
    assert "# def join(words: list[str]) -> str  # Join them." in text
    fields = "#     name: str\n#     most = 3\n"
    assert f"# class Kind(dict):\n{fields}#     def grow(self, by: int) -> int\n" in text
    assert "LIMIT = 3" in text
    assert "# Tests: test_slug, test_sep, test_shout" in text
    assert "    # def last(self) -> int\n" in text
    assert text.endswith("    def put(self, item: int,\n            *, times: int = 1) -> None:\n")
    assert hole_alone(target).startswith("def put(self, item: int,\n")
    ast.parse(text + "        pass\n")


@pytest.mark.parametrize("tokens", [60, 100, 150, 500])
def test_a_prompt_keeps_to_its_size(project: Path, tokens: int) -> None:
    target, tests = target_of(project, "src/pkg/text.py::slugify")
    text = source_prompt(target, tests, show_tests=True, tokens=tokens)
    assert len(text) <= tokens * CHARACTERS_PER_TOKEN
    assert text.endswith('"""Lower-case words of letters and digits, joined by sep."""\n')
    assert ("assert slugify(text) == slug" in text) == (tokens >= 150)


def test_shown_tests_come_with_what_they_use_of_their_file(project: Path) -> None:
    (project / "tests/test_more.py").write_text(
        "import pytest\nfrom pkg.text import slugify\n\nWORDS = ['Ä', 'b']\nOTHER = 1\n\n"
        "@pytest.fixture\ndef joined():\n    return ' '.join(WORDS)\n\n"
        "@pytest.fixture\ndef apart():\n    return OTHER\n\n"
        "def test_joined(joined):\n    assert slugify(joined) == 'ä-b'\n\n"
        "def test_apart(apart):\n    assert apart\n"
    )
    target = find_target(str(project / "src/pkg/text.py::slugify"))
    text = source_prompt(target, select(target.root, [str(project / "tests/test_more.py")]), show_tests=True)
    assert "#     assert slugify(joined) == 'ä-b'\n" in text
    assert "# WORDS = ['Ä', 'b']\n" in text
    assert "#     return ' '.join(WORDS)\n" in text
    assert "apart" not in text


def test_a_file_is_asked_for_in_words(project: Path) -> None:
    target, tests = target_of(project, "src/pkg/text.py")
    text = file_task(target, tests)
    assert text.startswith("Complete the Python module src/pkg/text.py")
    assert "def test_slug" in text


def test_modules_that_reach_the_target_are_not_imported_once(project: Path) -> None:
    source = project / "src" / "pkg"
    modules = [
        ("json", "/usr/lib/python3/json/__init__.py", "SourceFileLoader"),
        ("pkg", str(source / "__init__.py"), "SourceFileLoader"),
        ("pkg.text", str(source / "text.py"), "SourceFileLoader"),
        ("pkg.help", str(source / "help.py"), "SourceFileLoader"),
        ("pkg.deep.use", str(source / "deep/use.py"), "SourceFileLoader"),
        ("test_text", str(project / "tests/test_text.py"), "AssertionRewritingHook"),
        ("conftest", str(project / "tests/conftest.py"), "SourceFileLoader"),
    ]
    # `pkg` imports the target, and so does whatever lies in it.
    assert warm_modules(modules, project, ["pkg.text"]).names == ["json"]
    assert warm_modules(modules, project, ["pkg.deep.use"]).names == ["json", "pkg", "pkg.text", "pkg.help"]


def test_plugins_that_are_installed_are_imported_once_and_those_of_the_project_are_not(project: Path) -> None:
    hook, site = "AssertionRewritingHook", "/venv/lib/python3.11/site-packages"
    modules = [
        ("_plug", f"{site}/_plug.py", hook),
        ("_json", f"{site}/_json.so", "ExtensionFileLoader"),
        ("plug.core", f"{site}/plug/core.py", hook),
        ("pkg.plugin", str(project / "src/pkg/plugin.py"), hook),
        ("test_text", str(project / "tests/test_text.py"), hook),
    ]
    warm = warm_modules(modules, project, ["pkg.text"])
    assert warm == (["_plug", "plug.core"], ["_plug", "plug.core"])
    assert warm.without("_plug") == (["plug.core"], ["plug.core"])


def test_stubs_of_a_file_that_is_not_there(project: Path) -> None:
    target = find_target(f"{project}/src/pkg/new.py")
    tests = {"t.py": "from pkg.new import one, two as b\nimport pkg.new\npkg.new.three()\n"}
    functions = [node.name for node in ast.parse(stub_of(target, tests)).body if isinstance(node, ast.FunctionDef)]
    assert functions == ["one", "three", "two"]
    assert list(imported_names("pkg.new", ["from .new import x\nfrom pkg import new\nnew.y\n", "def ("])) == ["x", "y"]


@pytest.mark.parametrize("sent", [runner, reporter, caller])
def test_what_runs_in_the_guest_needs_python_3_9_and_its_library_alone(sent: ModuleType) -> None:
    assert sent.__file__
    tree = ast.parse(Path(sent.__file__).read_text(), feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= {*sys.stdlib_module_names, "pytest", "_pytest"}


@pytest.mark.parametrize(
    ("text", "imports"),
    [
        ("import pkg.text as t\n", True),
        ("from pkg import text\n", True),
        ("from pkg.text import other\n", True),
        ("from pkg import slugify\n", True),
        ("from pkg import shout\n", False),
        ("import pkg\n\npkg.text.slugify\n", True),
        ("from other import slugify\n", False),
        ("def (", False),
    ],
)
def test_a_module_is_imported_by_its_name_or_through_its_package(text: str, imports: bool) -> None:
    assert imports_module("pkg.text", text, ["slugify"]) is imports


def test_a_long_file_is_divided_into_lines_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    divided = []

    def counting(text: str) -> list[str]:
        divided.append(text)
        return split_lines(text)

    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "m.py").write_text("".join(f"def f{at}():\n    return {at}\n" for at in range(300)) + "def g(): ...\n")
    monkeypatch.setattr("isobudget.tasks.context.split_lines", counting)
    source_prompt(find_target(f"{tmp_path}/m.py::g"), Selection((), {}), show_tests=False)
    assert len(divided) < 10
