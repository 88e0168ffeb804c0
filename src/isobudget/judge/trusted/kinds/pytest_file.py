"""A user's own pytest file as tests: the module that it imports and tests is replaced by the sample.

pytest runs on the trusted side, in the tester. The names that the file imports from the module are stand-ins for the
sample's objects. pytest must be installed. Installed plugins of pytest are loaded, but configuration and `conftest.py`
are not.
"""

from __future__ import annotations

import ast
import os
import sys
import types
from typing import Any

from isobudget.judge.messages import Case
from isobudget.judge.trusted.host import Host
from isobudget.judge.trusted.rule import Reading, read
from isobudget.judge.trusted.session import judge_over_wire
from isobudget.judge.verdict import Verdict


class PytestTests:
    """The file, prepared to run against samples."""

    prelude = ""
    runs = 0

    def __init__(self, case: Case) -> None:
        import pytest

        self.pytest = pytest
        self.source: str = case.tests["source"]
        self.module: str = case.tests["module"]
        self.asked = _imported(ast.parse(self.source), self.module) or [case.entry_point]
        self.total = 0
        self.failing = ""

    def judge(self, host: Host, program: str) -> Verdict:
        """Judge a program over the wire."""
        return judge_over_wire(self, host, program).verdict

    def read(self) -> Reading:
        """What the trust rule says about the tests."""
        return read(self.source, "", [], set(), self.module)

    def missing_name(self, _defined: dict[str, Any]) -> str:
        """Always an empty string: the import in the file itself reports missing names."""
        return ""

    def first_failing(self, _error: BaseException) -> str:
        """The first test that failed."""
        return self.failing

    def run(self, defined: dict[str, Any], held: set[int]) -> None:
        """Run the file, up to the first test that fails."""
        module = types.ModuleType(self.module)
        module.__dict__.update(defined)
        sys.modules[self.module] = module
        import shutil
        import tempfile

        self.failing = ""
        recorder = _Recorder(held)
        folder = tempfile.mkdtemp(prefix="isobudget-pytest-")
        # pytest keeps modules by their names: every sample's file needs its own.
        PytestTests.runs += 1
        name = f"test_sample_{PytestTests.runs}"
        try:
            path = os.path.join(folder, name + ".py")
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.source)
            options = ["-q", "-x", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", folder]
            code = self.pytest.main([path, "--import-mode=importlib", *options], plugins=[recorder])
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            sys.modules.pop(self.module, None)
            sys.modules.pop(name, None)
        self.total, self.failing = recorder.collected, recorder.failing
        if isinstance(recorder.error, self.pytest.fail.Exception):
            raise AssertionError(str(recorder.error))
        if recorder.error is not None:
            raise recorder.error
        if code != 0:
            raise ValueError(f"pytest ended with exit code {int(code)}: {recorder.complaint or 'no test ran'}")


class _Recorder:
    """A pytest plugin that notes which tests ran, which passed, and the first error."""

    def __init__(self, held: set[int]) -> None:
        self.held = held
        self.collected = 0
        self.failing = ""
        self.complaint = ""
        self.error: BaseException | None = None

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Count the tests."""
        self.collected = len(items)

    def pytest_collectreport(self, report: Any) -> None:
        """Note why the file could not be collected."""
        if report.failed:
            self.complaint = str(report.longrepr).strip().rpartition("\n")[2][:200]

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count the tests that passed."""
        if report.when == "call" and report.passed:
            self.held.add(len(self.held))

    def pytest_exception_interact(self, node: Any, call: Any) -> None:
        """Keep the error of the first test that fails."""
        if self.error is None and call.excinfo is not None and self.collected:
            self.failing, self.error = node.name[:300], call.excinfo.value


def _imported(tree: ast.Module, module: str) -> list[str]:
    """Names that a file takes from a module, by `from` imports or as attributes."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == module:
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == module:
            names.add(node.attr)
    return sorted(names)
