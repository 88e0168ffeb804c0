"""The kinds of tests: how a worker prepares a problem's tests, and how it judges a program by them.

A new kind needs a dataclass in `problems.problem`, a class in a file of this folder, and a line in `KINDS`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from isobudget.judge.messages import Case
    from isobudget.judge.trusted.host import Host
    from isobudget.judge.verdict import Verdict

#: class of a problem's tests -> file of this folder and class in it, which is made from a `Case`
KINDS = {
    "CheckFunction": ("functions", "FunctionTests"),
    "AssertList": ("functions", "FunctionTests"),
    "CallTests": ("calls", "CallTests"),
    "ReferenceInputs": ("calls", "ReferenceTests"),
    "ProgramTests": ("programs", "ProgramTests"),
    "PytestFile": ("pytest_file", "PytestTests"),
    "ObservedCalls": ("observed", "ObservedCalls"),
    "ObservedPrograms": ("observed", "ObservedPrograms"),
}
#: kinds whose tests may have to run in the sample's process, because they are code that may use results in any way
MAY_SHARE = frozenset({"CheckFunction", "AssertList", "PytestFile"})


class PreparedTests(Protocol):
    """A problem's tests, prepared once and used for every sample."""

    def judge(self, host: Host, program: str) -> Verdict:
        """Judge a program apart from the tests, in processes of the host's zygote."""


def prepare(case: Case) -> PreparedTests:
    """Prepare a problem's tests. The kind's file is imported only here, so that a worker starts quickly."""
    file, name = KINDS[case.kind]
    tests: PreparedTests = getattr(importlib.import_module(f"{__name__}.{file}"), name)(case)
    return tests
