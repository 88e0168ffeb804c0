"""Runs tests in one process with the sample, as plain Python and pytest do.

This code is in the sample's process. The tester sends a key and the tests before any code of the sample is loaded.
Every report is signed with the key, which is in no module and in no object that the sample receives. That makes forging
a report hard but not impossible: the sample shares this process and can search its memory.

A report is `["report", test, outcome, kind, detail, line, signature]`. The tester answers each report, so the sides
take turns. The last message is `["completed", ...]`.
"""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
import traceback
import types
from _blake2 import blake2b  # `hashlib` would load OpenSSL
from collections.abc import Callable
from typing import Any

from isobudget.judge import wire

#: outcomes of a test
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
SAMPLE_FILE, TESTS_FILE = "solution.py", "<tests>"
Say = Callable[..., None]


def run(descriptor: int) -> None:
    """Read the tests and the program from the wire, run them, and report every test."""
    key, given = wire.receive(descriptor)
    say = _speaker(descriptor, bytes.fromhex(key))
    del key
    program, tests = given["program"], given["tests"]
    try:
        # As a file, as the interpreter reads one: with a byte order mark or a line that states the encoding.
        compile(program.encode("utf-8", "surrogatepass"), SAMPLE_FILE, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        say("not compiled", "", "", *describe(error), 0)
        return
    if given["kind"] == "PytestFile":
        ending = run_pytest(say, program, tests, stop=given["stop"])
    else:
        ending = _source(say, program, tests, given["entry_point"])
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
    say("completed", "", ending, "", "", 0)


def _speaker(descriptor: int, key: bytes) -> Say:
    """A function that signs and sends messages. It keeps all that it uses, so the sample can replace none of it."""
    sign, send, receive, count = blake2b, wire.send, wire.receive, iter(range(1 << 30))

    def say(*message: Any) -> None:
        signature = sign(repr((next(count), message)).encode(), key=key).hexdigest()
        send(descriptor, [*message, signature])
        receive(descriptor)

    return say


def describe(error: BaseException) -> tuple[str, str]:
    """The name of an error's type, and the name with the message."""
    try:
        name = str(type(error).__name__)
        return name, f"{name}: {str(error)[:300]}"
    except BaseException:
        return "Exception", "an error that cannot be printed"


def _source(say: Say, program: str, tests: dict[str, Any], entry_point: str) -> str:
    """Run source tests in the program's own namespace: `check` once, or one assert statement after the other."""
    module = sys.modules["sample"] = types.ModuleType("sample")
    module.__file__ = os.path.abspath(SAMPLE_FILE)
    space = module.__dict__
    if not _step(say, "load", lambda: exec(_compiled(program, module.__file__), space), tell=False):
        return ""
    if "source" in tests:
        _step(say, "check", lambda: _check(tests["source"], entry_point, space))
        return ""
    if not _step(say, "setup", lambda: exec(_compiled(tests["setup"], "<setup>"), space), tell=False):
        return ""
    for number, line in enumerate(tests["asserts"]):
        if not _step(say, str(number), lambda line=line: exec(_compiled(line, TESTS_FILE), space)):  # type: ignore[misc]
            return ""
    return ""


def _check(source: str, entry_point: str, space: dict[str, Any]) -> None:
    exec(_compiled(source, TESTS_FILE), space)
    space["check"](space[entry_point])


def _compiled(source: str, name: str | None) -> types.CodeType:
    """Compile a text, and register its source for tools that show or inspect it."""
    name = str(name)
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    return compile(source, name, "exec", dont_inherit=True)


def _step(say: Say, test: str, act: Callable[[], None], *, tell: bool = True) -> bool:
    """Run one test; False if it did not pass."""
    try:
        act()
    except BaseException as error:
        say("report", test, FAILED, *describe(error), _line_of(error))
        return False
    if tell:
        say("report", test, PASSED, "", "", 0)
    return True


def _line_of(error: BaseException) -> int:
    """The last line of the tests in an error's traceback; 0 if there is none."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == TESTS_FILE]
    return lines[-1] if lines else 0


def run_pytest(say: Say, program: str, tests: dict[str, Any], *, stop: bool) -> str:
    """Run a pytest file, with the sample as the module that it imports.

    Returns:
        Why the run does not count; an empty string if it does.
    """
    import pytest

    folder = os.getcwd()
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    place = f"{tests['module'].replace('.', os.sep)}.py"
    os.makedirs(os.path.dirname(os.path.abspath(place)), exist_ok=True)
    _write(place, program)
    name = "test_sample.py"
    _write(name, tests["source"])
    recorder = _Recorder(say)
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", folder, "--capture=sys"]
    # Without it pytest goes by the folder of its settings, which is /dev, and looks through all folders above this one.
    options.append(f"--confcutdir={folder}")
    code = pytest.main([name, "--import-mode=importlib", *options, *["-x"] * stop], plugins=[recorder])
    with open(name, encoding="utf-8", newline="") as file:
        if file.read() != tests["source"]:
            return "the file of tests was changed"
    return "" if int(code) in (0, 1) else recorder.complaint or f"pytest ended with exit code {int(code)}"


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        file.write(text)
    os.chmod(path, 0o444)


class _Recorder:
    """A pytest plugin that reports every test."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.complaint = ""
        self.errors: dict[str, tuple[str, str]] = {}

    def pytest_collectreport(self, report: Any) -> None:
        """Note why the file could not be collected."""
        if report.failed:
            self.complaint = str(report.longrepr).strip().rpartition("\n")[2].removeprefix("E ").strip()[:300]

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        """Keep a test's error, so that its own message can be reported."""
        if call.excinfo is not None:
            self.errors[item.nodeid] = describe(call.excinfo.value)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Report a test that has run, or whose set-up or tear-down failed."""
        if report.when != "call" and report.passed:
            return
        test = report.nodeid.partition("::")[2]
        name, detail = self.errors.get(report.nodeid, ("", ""))
        if report.failed and isinstance(report.longrepr, str):
            name, detail = "AssertionError", report.longrepr
        self.say("report", test, report.outcome, name, detail, 0)
