"""Tests without a reference, run apart from the sample where reading them says that nothing is lost.

In a run, tests of your own that have no reference run in the sample's process, which gives plain Python's verdict. A
training loop has another need: a model that learns will find whatever can be gamed. So there the rule alone decides
(see `isobudget.judge.trusted.rule`), and only tests that it cannot take apart share the sample's process. What a
reference would have shown besides is that the sample does not change a result that it returned before; a copy stands.
"""

from __future__ import annotations

from dataclasses import replace

from isobudget.judge.trusted.kinds.functions import FunctionTests
from isobudget.judge.worker import describe
from isobudget.problems.problem import AssertList, CheckFunction, Problem, apart


def apart_where_exact(problem: Problem) -> Problem:
    """The problem with tests marked to run apart, where the rule has no objection; else as it is.

    Raises:
        SyntaxError: its tests do not compile.
    """
    if not isinstance(problem.tests, CheckFunction | AssertList):
        return problem
    objection = FunctionTests(describe(problem)).read().objection
    return problem if objection else replace(problem, tests=apart(problem.tests))
