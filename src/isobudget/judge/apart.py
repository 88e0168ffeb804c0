"""Marks tests without a reference to run apart from the sample, where that is known to give the same verdict.

In a run, tests of your own that have no reference run in the sample's process, because that gives the same verdict as
plain Python. A training loop is different: the model learns to exploit every weakness of its tests. So in a training
loop the rule in `isobudget.judge.trusted.rule` alone decides: only tests that the rule rejects share the sample's
process. One thing remains unchecked without a reference: whether a sample later changes a result that it has returned.
Tests that run apart do not see such a change, because they have a copy of the result.
"""

from __future__ import annotations

from dataclasses import replace

from isobudget.judge.trusted.kinds.functions import FunctionTests
from isobudget.judge.worker import describe
from isobudget.problems.problem import AssertList, CheckFunction, Problem, apart


def apart_where_exact(problem: Problem) -> Problem:
    """The problem with its tests marked to run apart, if the rule accepts them; otherwise the problem unchanged.

    Raises:
        SyntaxError: the tests do not compile.
    """
    if not isinstance(problem.tests, CheckFunction | AssertList):
        return problem
    objection = FunctionTests(describe(problem)).read().objection
    return problem if objection else replace(problem, tests=apart(problem.tests))
