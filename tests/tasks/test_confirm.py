"""Programs that pass beside each other: where they differ, what is left out, and what hostile ones come to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import isobudget
from isobudget.tasks.confirm import Confirmation, confirm
from isobudget.tasks.options import SolveOptions
from isobudget.tasks.project import find_interpreter
from isobudget.tasks.project_tests import TargetTests, no_tests
from isobudget.tasks.selection import select
from isobudget.tasks.solve import solve
from isobudget.tasks.target import find_target
from support.solve_project import RIGHT, WRONG, answering, declare, make_project

SOURCE = Path(isobudget.__file__).parents[1]
WORDS = '    return sep.join(re.findall(r"\\w+", text.lower()))\n'
STRIPPED = '    return re.sub(r"[^a-z0-9]+", sep, text.lower()).strip(sep)\n'


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("confirm") / "project")


def prepared(root: Path, target: str, tests: str) -> TargetTests:
    found = find_target(str(root / target))
    made = TargetTests(found, select(root, [tests]), no_tests(), find_interpreter(root, sys.executable))
    made.prepare()
    return made


@pytest.fixture(scope="module")
def slug(root: Path) -> Iterator[TargetTests]:
    with prepared(root, "src/pkg/text.py::slugify", "tests/test_text.py") as tests:
        yield tests


def file_with(tests: TargetTests, body: str) -> str:
    hole = {"slugify": "    ...\n", "Counter.add": "raise NotImplementedError\n"}[tests.target.names[0]]
    return tests.target.text.replace(hole, body)


def compared(tests: TargetTests, **samples: int) -> Confirmation:
    return confirm(tests, {file_with(tests, globals()[name]): count for name, count in samples.items()})


def test_inputs_on_which_they_differ_are_shown_with_a_test(slug: TargetTests, tmp_path: Path) -> None:
    found = compared(slug, WORDS=1, RIGHT=2, STRIPPED=1)
    assert (found.passed, found.programs, found.inputs) == (4, 3, 300)
    assert found.differing >= len(found.differences) >= 1
    first = found.differences[0]
    assert [(one.samples, one.chosen) for one in first.answers] == [(3, False), (1, True)]
    assert "they differ on" in found.summary
    # The proposed tests say what most samples do: they pass with these, and fail with the other one.
    for body, code in ((RIGHT, 0), (WORDS, 1)):
        (tmp_path / "text.py").write_text(file_with(slug, body))
        (tmp_path / "test_proposed.py").write_text(found.tests.replace("pkg.text", "text"))
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_proposed.py"]
        assert subprocess.run(words, cwd=tmp_path, capture_output=True, check=False).returncode == code


def test_what_agrees_or_cannot_be_compared_is_said(slug: TargetTests) -> None:
    assert compared(slug, RIGHT=1, STRIPPED=1).summary.endswith("they agree on 300 inputs near those of the tests.")
    assert "no other sample passed within the budget" in compared(slug, RIGHT=1).summary
    assert "are the same program, so there is nothing" in compared(slug, RIGHT=3).summary


CHANCE = "    import random\n    return slug(text, sep) if text in KNOWN else str(random.random())\n"
HELPER = (
    "\n\nKNOWN = ('Hello World', 'a  b!', 'From  Data')\n\n\ndef slug(text, sep):\n"
    '    return sep.join(re.findall(r"[a-z0-9]+", text.lower()))\n'
)
ENDLESS = "    while text not in KNOWN:\n        pass\n    return slug(text, sep)\n"
LEAVES = "    import os\n    if text not in KNOWN:\n        os._exit(0)\n    return slug(text, sep)\n"
EXITS = "    if text not in KNOWN:\n        raise SystemExit\n    return slug(text, sep)\n"
FORGES = (
    "    import sys\n    tell = sys._getframe(1).f_globals.get('tell') or sys._getframe(2).f_globals.get('tell')\n"
    "    if tell:\n        tell('result', 0, {'kind': 1})\n        tell('result', 'x', None)\n"
    "        tell('call', [1])\n"
    "    return slug(text, sep)\n"
)


@pytest.mark.parametrize("body", [CHANCE, LEAVES, EXITS, FORGES], ids=["chance", "leaves", "exits", "forges"])
def test_programs_that_differ_for_odd_reasons(slug: TargetTests, body: str) -> None:
    odd = file_with(slug, body) + HELPER
    found = confirm(slug, {file_with(slug, RIGHT): 1, odd: 1})
    if body == EXITS:
        assert found.differences[0].answers[1].said == "raises SystemExit"
        assert "assert slugify(" in found.tests
    elif body == FORGES:
        assert found.differing == 0
    else:  # nothing is known of inputs that give another result every time, or end the process
        assert 3 <= found.inputs < 100
        assert found.differing == 0
    assert slug.judge(file_with(slug, RIGHT)).passed


def test_a_call_that_never_ends_is_a_difference(root: Path) -> None:
    with prepared(root, "src/pkg/text.py::slugify", "tests/test_text.py") as tests:
        found = confirm(tests, {file_with(tests, RIGHT): 1, file_with(tests, ENDLESS) + HELPER: 1})
    assert found.differences[0].answers[1].said == "takes too long"


ADD = "self.words[word] = self.words.get(word, 0) + 1\n"
ADD_STRIPPED = "self.words[word.strip()] = self.words.get(word.strip(), 0) + 1\n"


def test_methods_are_called_on_objects_like_those_of_the_tests(root: Path) -> None:
    with prepared(root, "src/pkg/text.py::Counter.add", "tests/test_counter.py") as tests:
        found = compared(tests, ADD=2, ADD_STRIPPED=1)
    assert found.differences[0].call == "Counter.add on {'words': {}}: add(' ')"
    assert [one.said for one in found.differences[0].answers] == [
        "returns None and leaves {'words': {' ': 1}}",
        "returns None and leaves {'words': {'': 1}}",
    ]
    assert "    one.add(' ')\n    assert vars(one) == {'words': {' ': 1}}\n" in found.tests


MORE = """import asyncio


class Point:
    def __init__(self, x):
        self.x = x


async def wait(n):
    ...


def count(n):
    ...


def put(values, n):
    ...


def shift(point):
    ...
"""
MORE_TESTS = """import asyncio
from more import Point, count, put, shift, wait


def test_wait():
    assert asyncio.run(wait(3)) == 3


def test_count():
    assert list(count(2)) == [0, 1]


def test_put():
    values = [1]
    put(values, 2)
    assert values == [1, 2]


def test_shift():
    assert shift(Point(1)).x == 2
"""


@pytest.mark.parametrize(
    ("name", "one", "other", "said"),
    [
        ("wait", "return n", "return abs(n)", ["returns -1", "returns 1"]),
        ("count", "yield from range(n)", "yield from range(abs(n))", ["returns []", "returns [0]"]),
        (
            "put",
            "values.append(n)",
            "values[1:] = [n]",
            [
                "returns None and changes its arguments to ([1, 1, 2],",
                "returns None and changes its arguments to ([1, 2],",
            ],
        ),
        ("shift", "return Point(point.x + 1)", "return Point(2)", []),
    ],
)
def test_other_kinds_of_functions(tmp_path: Path, name: str, one: str, other: str, said: list[str]) -> None:
    (tmp_path / "more.py").write_text(MORE)
    (tmp_path / "test_more.py").write_text(MORE_TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    hole = next(line for line in MORE.splitlines() if f"def {name}(" in line)
    with prepared(tmp_path, f"more.py::{name}", f"test_more.py::test_{name}") as tests:
        texts = [MORE.replace(f"{hole}\n    ...\n", f"{hole}\n    {body}\n") for body in (one, other)]
        found = confirm(tests, dict.fromkeys(texts, 1))
    if not said:
        assert "only with values that have no literal" in found.summary
        return
    every = [[answer.said for answer in one.answers] for one in found.differences]
    assert any(all(a.startswith(b) for a, b in zip(own, said, strict=True)) for own in every), every


def test_drawing_goes_on_until_enough_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_project(tmp_path / "project")
    monkeypatch.setenv("ISOBUDGET_MODELS_TOML", str(tmp_path / "models.toml"))
    with answering(lambda model, seed: [RIGHT, WRONG, WORDS, STRIPPED][seed % 4]) as (url, _):
        declare(tmp_path / "models.toml", url)
        options = SolveOptions(("tests/test_text.py",), budget="20samples", models=("small",), python=sys.executable)
        monkeypatch.chdir(root)
        from dataclasses import replace

        solution = solve("src/pkg/text.py::slugify", replace(options, confirm=2))
        few = solve("src/pkg/text.py::slugify", replace(options, confirm=50, budget="6samples"))
    assert solution.confirmation is not None
    assert few.confirmation is not None
    assert (solution.confirmation.passed, solution.confirmation.programs) == (3, 3)
    assert solution.to_dict()["confirmation"]["differences"][0]["answers"][0]["samples"] == 2
    assert "they differ on" in solution.summary
    assert few.solved
    assert few.samples == 6
    assert str(few.ending) == "all samples of the budget are drawn"


def test_comparing_that_ctrl_c_ends_leaves_what_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_project(tmp_path / "project")
    endless = '    while text not in ("Hello World", "a  b!", "From  Data"):\n        pass\n'
    with answering(lambda model, seed: endless * (seed % 2) + RIGHT) as (url, _):
        models = declare(tmp_path / "models.toml", url)
        words = ["src/pkg/text.py::slugify", "--tests", "tests/test_text.py", "--models", "small", "--confirm", "1"]
        command = [sys.executable, "-m", "isobudget", "solve", *words, "--python", sys.executable]
        environment = {**os.environ, "ISOBUDGET_MODELS_TOML": str(models), "PYTHONPATH": str(SOURCE)}
        pipes: dict[str, int] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, cwd=root, env=environment, text=True, **pipes)
        try:
            assert process.stderr is not None
            told = [next(process.stderr) for _ in range(3)]
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert [("passed" in line) for line in told] == [False, True, True]
    assert process.returncode in (0, 130)  # the first if it came while the second sample was being told
    assert "2 samples passed, 2 different programs: the comparison ended early (it was interrupted)" in errors
    assert "+" + RIGHT in out
