"""Proposed tests: whatever programs return, they are valid Python and pass with the programs of most samples."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from isobudget.tasks.confirm import Confirmation, confirm
from isobudget.tasks.project import find_interpreter
from isobudget.tasks.project_tests import TargetTests, no_tests
from isobudget.tasks.selection import select
from isobudget.tasks.target import find_target

SOURCE = """class Point:
    def __init__(self, x):
        self.x = x


class Lines:
    def __repr__(self):
        return "a\\nb \\ud800"


class Broken:
    def __repr__(self):
        raise ValueError


class Odd(BaseException):
    pass


class Holder:
    def __init__(self):
        self.seen = []

    def note(self, n):
        ...


def made(n):
    ...


def put(values, n):
    ...


def named(*values, **more):
    ...
"""
TESTS = """from odd import Holder, made, named, put


def test_made():
    if made(2) is made:
        return


def test_note():
    Holder().note(2)


def test_put():
    values = [1]
    put(values, 2)


def test_named():
    named([1], **{"a b": [2]})
"""
ASYNC = "async def run():\n        return {}\n    return run()"
YIELDS = "async def run():\n        yield {}\n    return run()"
HOLES = {"note": "        ...\n", "made": "    ...\n", "put": "    ...\n", "named": "    ...\n"}


def program(name: str, body: str) -> str:
    line = next(line for line in SOURCE.splitlines() if f"def {name}(" in line)
    indent = "    " * (1 + line.startswith("    "))
    return SOURCE.replace(f"{line}\n{HOLES[name]}", f"{line}\n{indent}{body}\n")


class Compared:
    """Confirms programs with one served project, and runs proposed tests with one pytest, which forks for each run."""

    # -B: programs of one length, written within a second, would share their bytecode
    PYTEST = """import os, pytest, sys
for line in sys.stdin:
    child = os.fork()
    if not child:
        os._exit(pytest.main(["-qq", "-p", "no:cacheprovider", "-W", "error", line.strip()]))
    print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

    def __init__(self, root: Path) -> None:
        self.root, self.known, self.stack, self.text = root, {}, ExitStack(), ""
        (root / "odd.py").write_text(SOURCE)
        (root / "test_odd.py").write_text(TESTS)
        (root / "pytest.ini").write_text("[pytest]\n")
        plain = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        words = [sys.executable, "-B", "-c", self.PYTEST]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.pytest = self.stack.enter_context(subprocess.Popen(words, cwd=root, env=plain, **pipes))

    def confirm(self, name: str, target: str, most: list[str], other: str) -> Confirmation:
        if name not in self.known:
            (self.root / "odd.py").write_text(SOURCE)
            chosen = select(self.root, [f"test_odd.py::test_{name}"])
            found = find_target(str(self.root / f"odd.py::{target}"))
            interpreter = find_interpreter(self.root, sys.executable)
            tests = self.stack.enter_context(TargetTests(found, chosen, no_tests(), interpreter))
            tests.prepare()
            self.known[name] = tests
        programs = {**{program(name, body): 2 for body in most}, program(name, other): 1}
        return confirm(self.known[name], programs)

    def passes(self, name: str, body: str, tests: str) -> bool:
        """Whether the program passes the proposed tests; pytest's output is kept in `text`."""
        (self.root / "odd.py").write_text(program(name, body))
        (self.root / "test_proposed.py").write_text(tests)
        print("test_proposed.py", file=self.pytest.stdin, flush=True)
        lines = [self.pytest.stdout.readline()]
        while lines[-1] and not lines[-1].startswith("ended "):
            lines.append(self.pytest.stdout.readline())
        self.text = tests + "".join(lines)
        code = int(lines[-1].split()[1])
        assert code in (0, 1), self.text
        return code == 0


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compared]:
    made = Compared(tmp_path_factory.mktemp("odd"))
    with made.stack:
        yield made
        made.pytest.stdin.close()


@pytest.mark.parametrize(
    ("most", "other", "states"),
    [
        (["return list(range(400 + n % 2))"], "return 0", True),
        (["return list(range(4000))"], "return 0", False),
        (["return Point(n)"], "return 0", False),
        (["return [Point(n), 1]"], "return [Point(0), 1]", False),
        (["return Lines()"], "return 0", False),
        (["return Broken()"], "return 0", False),
        (["return 0.1 + 0.2"], "return 0", True),
        (["return 0.1 + 0.2", "return 0.3"], "return 0", True),
        (["return [0.1 + 0.2]", "return [0.3]"], "return 0", False),
        (["return True", "return 1"], "return 0", True),
        (["return float('nan')"], "return 0", False),
        (["return [float('inf')]"], "return 0", False),
        (["return {'a', 'b', 'c'}"], "return 0", True),
        (["return set()"], "return 0", True),
        (["return frozenset((1,))"], "return 0", False),
        (["return b'\\x00\\n'"], "return 0", True),
        (["return '\\ud800\\n\\u2028'"], "return '\\n'", True),
        (["return 10 ** 5000"], "return 0", False),
        (["return made"], "return 0", False),
        (["yield from range(n)"], "return [7]", True),
        (["while True: yield n"], "return [7]", False),
        ([ASYNC.format("n")], "return [7]", True),
        ([ASYNC.format("1 / 0")], "return [7]", True),
        ([YIELDS.format("n")], "return [7]", True),
        (["yield 1 / 0"], "return [7]", True),
        (["raise Odd"], "return 0", True),
        (["import json; json.loads('x')"], "return 0", True),
        (["while n != 2: pass"], "return None", False),
        (["return 0"], "return Lines()", True),
    ],
)
def test_results_of_all_kinds(odd: Compared, most: list[str], other: str, states: bool) -> None:
    found = odd.confirm("made", "made", most, other)
    assert found.differences, found.summary
    compile(found.tests, "test_proposed.py", "exec")
    for body in most:
        assert odd.passes("made", body, found.tests), odd.text
    assert odd.passes("made", other, found.tests) != states, odd.text


@pytest.mark.parametrize(
    ("name", "target", "most", "other", "states"),
    [
        ("note", "Holder.note", "self.flag = True", "self.flag = False", True),
        ("note", "Holder.note", "self.half = n / 3", "self.half = 0", True),
        ("note", "Holder.note", "self.point = Point(n)", "self.point = Point(0)", False),
        ("note", "Holder.note", "self.seen.append(n); return n", "return 0", True),
        ("put", "put", "values.extend(range(400))", "values.extend([n])", True),
        ("put", "put", "values.append(Point(n))", "values.append(n)", False),
        ("put", "put", "values.append(n); return n", "values.append(n); return n + 1", True),
        ("put", "put", "return None", "values.append(n)", True),
        ("put", "put", "values.append(n); 1 / 0", "1 / 0", True),
        ("named", "named", "more['a b'].append(3)", "more['a b'].append(4)", True),
        ("named", "named", "return 1", "return 2", True),
    ],
)
def test_changes_of_arguments_and_objects(
    odd: Compared, name: str, target: str, most: str, other: str, states: bool
) -> None:
    found = odd.confirm(name, target, [most], other)
    assert found.differences, found.summary
    assert odd.passes(name, most, found.tests), odd.text
    assert odd.passes(name, other, found.tests) != states, odd.text


def test_what_has_no_literal_is_told_in_a_comment(odd: Compared) -> None:
    found = odd.confirm("made", "made", ["return Point(n)"], "return Point(0)")
    assert (
        "    made(1)\n    # the result: Point({'x': 1}) (it cannot be written as a literal, so nothing" in found.tests
    )
    assert "returns Point({'x': 0})" in found.tests
