"""Python's parser with many threads: each gets the tree that it would get alone."""

from __future__ import annotations

import ast
import gc
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import isobudget
from isobudget import syntax

SOURCE = Path(isobudget.__file__).parent
#: processes with one thread, files that run where isobudget is not, tests as text
ALONE = (
    "judge/trusted/",
    "judge/untrusted/",
    "tasks/runner.py",
    "tasks/reporter.py",
    "tasks/caller.py",
    "problems/evalplus/rules.py",
)
PROGRAM = "def f(a):\n" + "".join(f"    x{at} = (a + {at}) * [b for b in range({at})][0]\n" for at in range(50))


class Cycle:
    """Garbage whose end lets other threads run."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


@pytest.fixture
def collected_at_once() -> Iterator[None]:
    """Garbage is collected all the time, and threads take turns all the time."""
    before, seconds = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(5, 5, 5)
    sys.setswitchinterval(1e-6)
    yield
    gc.set_threshold(*before)
    sys.setswitchinterval(seconds)


@pytest.mark.usefixtures("collected_at_once")
def test_threads_parse_as_one_alone() -> None:
    """Fails without the lock on CPython before 3.11.8: 30 of 240."""
    alone = ast.dump(ast.parse(PROGRAM))

    def trees(_: int) -> list[ast.Module]:
        found = []
        for _ in range(15):
            Cycle()
            found.append(syntax.parse(PROGRAM))
        return found

    with ThreadPoolExecutor(4) as threads:
        came = [tree for trees_of_one in threads.map(trees, range(8)) for tree in trees_of_one]
    assert len(came) == 120
    assert {ast.dump(tree) for tree in came} == {alone}


def test_nobody_else_parses() -> None:
    own = [path for path in SOURCE.rglob("*.py") if not str(path.relative_to(SOURCE)).startswith(ALONE)]
    of_text = re.compile(r"\bast\.(?:parse|literal_eval)\((?!node|argument|test\.)")
    assert [path.name for path in own if of_text.search(path.read_text(encoding="utf-8"))] == ["syntax.py"]


@pytest.mark.parametrize(
    "text", ["def f(:", "\0", "a\ud800", "(" * 500 + ")" * 500, "-" * 50_000 + "1", "1" * 5_000, b"\xff"]
)
def test_what_is_no_python_is_none(text: str | bytes) -> None:
    assert syntax.parsed(text) is None


@pytest.mark.filterwarnings("error")
def test_nothing_is_warned_of() -> None:
    assert syntax.is_python('"\\d"')
    assert syntax.literal("[1, (2,)]") == [1, (2,)]
