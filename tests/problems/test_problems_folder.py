"""Own problems as a folder of Python files with pytest tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from isobudget.errors import InputError
from isobudget.judge import Judge
from isobudget.problems import load_benchmark
from isobudget.problems.own.folder import stub_prompt
from isobudget.problems.problem import PytestFile

TASK = '''import re

WORD = re.compile(r"[a-zé]+")


def slugify(text: str) -> str:
    """Join the words of a text by hyphens, in lower case."""
    raise NotImplementedError
'''
TESTS = """import pytest
from slugify import slugify

@pytest.mark.parametrize("text", ["Hello  World", "hello-world"])
def test_words(text):
    assert slugify(text) == "hello-world"

def test_nothing():
    assert slugify("") == ""
"""


def folder(root: Path, **files: str) -> Path:
    """A folder `tasks`; double underscores in names stand for sub-folders."""
    path = root / "tasks"
    for name, text in files.items():
        file = path / (name.replace("__", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return path


def test_a_pair_is_a_problem(tmp_path: Path) -> None:
    path = folder(tmp_path, slugify=TASK, test_slugify=TESTS)
    benchmark = load_benchmark(path)
    (problem,) = benchmark.problems
    assert (benchmark.name, benchmark.prompt_format) == ("tasks", "completion")
    assert (problem.task_id, problem.benchmark, problem.entry_point) == ("tasks/slugify", "tasks", "slugify")
    assert problem.prompt == TASK.replace("    raise NotImplementedError\n", "")
    assert problem.tests == PytestFile(source=TESTS, module="slugify")
    right = problem.program('    return "-".join(WORD.findall(text.lower()))\n')
    with Judge(workers=1) as judge:
        verdicts = list(judge.run([(problem, right), (problem, problem.program("    return 'hello-world'\n"))]))
    assert [(verdict.passed, verdict.tests_passed) for verdict in verdicts] == [(True, 3), (False, 2)], verdicts


def test_sub_folders_order_and_what_is_passed_over(tmp_path: Path) -> None:
    other = TASK.replace("slugify", "shout")
    path = folder(
        tmp_path,
        slugify=TASK,
        test_slugify=TESTS,
        strings__shout=other,
        strings__test_shout=TESTS.replace("slugify", "shout"),
    )
    (path / "strings" / "__init__.py").touch()
    (path / "__pycache__").mkdir()
    (path / "__pycache__" / "slugify.py").write_text("(")
    (path / ".git").mkdir()
    (path / ".git" / "hook.py").write_text("(")
    (path / "notes.txt").write_text("none")
    benchmark = load_benchmark(path)
    assert [problem.task_id for problem in benchmark.problems] == ["tasks/slugify", "tasks/strings/shout"]
    assert benchmark.source.startswith("own problems: folder tasks, 2 problems, sha256 ")


def test_a_name_in_the_current_folder_and_a_reserved_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = folder(tmp_path, slugify=TASK, test_slugify=TESTS)
    monkeypatch.chdir(tmp_path)
    assert load_benchmark("tasks").name == "tasks"
    monkeypatch.chdir(path)
    assert load_benchmark("./").name == "tasks"
    path.rename(tmp_path / "mbpp")
    assert load_benchmark(tmp_path / "mbpp").name == "mbpp-folder"


def test_windows_line_ends(tmp_path: Path) -> None:
    path = folder(tmp_path, slugify=TASK, test_slugify=TESTS)
    plain = load_benchmark(path).problems
    for file in path.iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert load_benchmark(path).problems == plain


@pytest.mark.parametrize(
    ("source", "prompt"),
    [
        ("def f(x): ...", "def f(x):\n"),
        ("def f(x):\n    ...\n", "def f(x):\n"),
        ("def f(x):\n    pass  # yours\n", "def f(x):\n"),
        ('def f(x):\n    "Doc."; ...\n', 'def f(x):\n    "Doc."\n'),
        ('def f(x): "é"; raise NotImplementedError("soon")', 'def f(x): "é"\n'),
        ('async def f(x):\n\t"""Doc.\n\n\tMore.\n\t"""\n\n\t...\n', 'async def f(x):\n\t"""Doc.\n\n\tMore.\n\t"""\n\n'),
        (
            "def g(): return 1\n@cache\ndef f(x):\n    # how?\n    ...",
            "def g(): return 1\n@cache\ndef f(x):\n    # how?\n",
        ),
    ],
)
def test_prompts_end_where_the_body_begins(source: str, prompt: str) -> None:
    assert stub_prompt(source, "f.py") == (prompt, "f")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"slugify": TASK}, r"slugify\.py: there is no test_slugify\.py beside it"),
        ({"test_slugify": TESTS}, r"test_slugify\.py: there is no slugify\.py beside it"),
        ({"a__slugify": TASK, "test_slugify": TESTS}, r"a/slugify\.py: there is no test_slugify\.py beside it"),
        ({"slugify": "x = (", "test_slugify": TESTS}, r"slugify\.py: is not valid Python"),
        ({"slugify": "x = 1", "test_slugify": TESTS}, r"slugify\.py: has no functions to be written; a problem is"),
        ({"slugify": "def f(): ...\ndef g(): ...", "test_slugify": TESTS}, r"slugify\.py: has 2 functions"),
        ({"slugify": TASK + "\nslug = 1\n", "test_slugify": TESTS}, r"slugify\.py, line 10: comes after 'slugify'"),
        ({"slugify": TASK, "test_slugify": "def test_a(): pass"}, r"test_slugify\.py: does not import from 'slugify'"),
        ({"slugify": TASK, "test_slugify": "import slugify"}, r"test_slugify\.py: contains no test function"),
        ({"slugify": TASK, "test_slugify": "("}, r"test_slugify\.py: is not valid Python"),
        ({"json": TASK, "test_json": TESTS}, r"json\.py: 'json' is the name of a module that the tests may need"),
        ({"my-task": TASK, "test_my-task": TESTS}, r"my-task\.py: the file's name: 'my-task' is not a Python name"),
        ({"slugify": TASK, "test_slugify": TESTS, "conftest": ""}, r"conftest\.py: is not used by the judge"),
        ({"slugify": TASK + "\0", "test_slugify": TESTS}, r"slugify\.py: contains a NUL"),
    ],
)
def test_wrong_folders_name_the_file(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_benchmark(folder(tmp_path, **files))
    assert str(tmp_path / "tasks") in str(caught.value)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def one(): pass\n")
    os.mkfifo(tmp_path / "test_one.py")
    with pytest.raises(InputError, match=r"test_one\.py: is not a regular file"):
        load_benchmark(str(tmp_path))


def test_nothing_runs_while_loading(tmp_path: Path) -> None:
    attack = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    load_benchmark(folder(tmp_path, slugify=attack + TASK, test_slugify=attack + TESTS))
    assert not (tmp_path / "ran").exists()


def test_loops_of_links_end(tmp_path: Path) -> None:
    path = folder(tmp_path, slugify=TASK, test_slugify=TESTS)
    (path / "again").symlink_to(path)
    assert len(load_benchmark(path).problems) == 1
