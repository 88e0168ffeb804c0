"""Function tests, as in HumanEval (`check(candidate)`) and MBPP (lists of asserts), prepared once per problem.

The tests run here, on the trusted side, in a namespace of their own. The entry point is a stand-in for the sample's
function. Other names that the tests use and do not define come, in this order, from the problem's prompt (HumanEval's
helpers, such as `poly`), from the standard library's modules, and only then, as stand-ins, from the sample (classes
that MBPP's tests construct). A sample that replaces built-ins or a prompt's helper changes nothing for the tests.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import random
from types import CodeType
from typing import Any

from isobudget.judge.messages import Case
from isobudget.judge.trusted.host import Host
from isobudget.judge.trusted.rule import Reading, read
from isobudget.judge.trusted.session import judge_over_wire
from isobudget.judge.verdict import Verdict

TESTS_FILE = "<tests>"
TICK = "__assertion_held__"
_MODULES = """
    array bisect cmath collections copy datetime decimal fractions functools heapq itertools json math numpy operator
    random re statistics string sys typing
"""
#: name -> module that tests may use without importing it, as they can if they share the program's namespace
MODULES = {name: name for name in _MODULES.split()} | {"np": "numpy"}


class FunctionTests:
    """Prepared tests, as HumanEval or MBPP write them.

    Attributes:
        setup: code that runs first: the prompt, for its helpers and imports. None if the prompt alone does not run.
        helpers: names that the prompt defines.
        code: the tests, changed so that every assert statement that holds is reported.
        entry_point: the function under test; empty where the tests use names freely.
        call_check: whether the tests define `check`, which is then called with the entry point.
        names: other names that the tests take from the sample.
        modules: modules imported for the tests.
        lines: first and last line of every assert statement, with its source.
    """

    #: nothing is put before the program
    prelude = ""

    def __init__(self, case: Case) -> None:
        """Compile a problem's tests.

        Raises:
            SyntaxError: the tests do not compile.
        """
        self.entry_point = case.entry_point
        self.call_check = "source" in case.tests
        source = case.tests["source"] if self.call_check else "\n".join([case.tests["setup"], *case.tests["asserts"]])
        self.source = source = source.replace("\r\n", "\n")
        tree = ast.parse(source, TESTS_FILE)
        text = source.split("\n")
        nodes = list(ast.walk(tree))
        asserts = sorted((node for node in nodes if isinstance(node, ast.Assert)), key=lambda node: node.lineno)
        self.lines = tuple(_lines(node, text) for node in asserts)
        _Ticker({id(node): number for number, node in enumerate(asserts)}).visit(tree)
        self.code = compile(tree, TESTS_FILE, "exec", dont_inherit=True)
        self.setup, self.helpers = _helpers(case.prompt)
        free = _names(self.code) - _defined(nodes) - self.helpers - set(dir(builtins)) - {TICK, self.entry_point}
        self.modules = tuple(sorted(free & MODULES.keys()))
        self.names = tuple(sorted(free - MODULES.keys()))

    def judge(self, host: Host, program: str) -> Verdict:
        """Judge a program over the wire."""
        return judge_over_wire(self, host, program).verdict

    def read(self) -> Reading:
        """What the trust rule says about the tests."""
        return read(self.source, self.entry_point, list(self.names), set(self.helpers))

    @property
    def total(self) -> int:
        """Number of assertions in the tests."""
        return len(self.lines)

    @property
    def asked(self) -> list[str]:
        """Every name that the tests take from the sample."""
        return [self.entry_point, *self.names]

    def missing_name(self, defined: dict[str, Any]) -> str:
        """The name that the program should define but does not; an empty string if there is none."""
        return self.entry_point if self.call_check and self.entry_point not in defined else ""

    def run(self, defined: dict[str, Any], held: set[int]) -> None:
        """Run the tests on what the sample defines, and add the numbers of the assertions that held to `held`."""
        space: dict[str, Any] = {"__name__": "tests"}
        random.seed(0)
        if self.setup is not None:
            exec(self.setup, space)
        for name in self.modules:
            space[name] = importlib.import_module(MODULES[name])
        space |= defined
        space[TICK] = held.add
        exec(self.code, space)
        if self.call_check:
            space["check"](defined[self.entry_point])

    def first_failing(self, error: BaseException) -> str:
        """The source of the assertion that raised the error, in one line."""
        where, trace = 0, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == TESTS_FILE:
                where = trace.tb_lineno
            trace = trace.tb_next
        for first, last, source in self.lines:
            if first <= where <= last:
                return source
        return ""


class _Ticker(ast.NodeTransformer):
    """Inserts after every assert statement a call that reports its number."""

    def __init__(self, numbers: dict[int, int]) -> None:
        self.numbers = numbers

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        """The statement, followed by the call that reports it."""
        name, number = ast.Name(TICK, ast.Load()), ast.Constant(self.numbers[id(node)])
        call = ast.Call(name, [number], [])
        report = ast.Expr(call)
        for made in (name, number, call, report):
            ast.copy_location(made, node)
        return [node, report]


def _lines(node: ast.Assert, text: list[str]) -> tuple[int, int, str]:
    """First and last line of a statement, and its source in one line."""
    first, last = node.lineno, node.end_lineno or node.lineno
    return first, last, " ".join(" ".join(text[first - 1 : last]).split())[:300]


def _helpers(prompt: str) -> tuple[CodeType | None, set[str]]:
    """The prompt as code, if it runs as a program by itself, and the names that it defines."""
    try:
        code = compile(prompt, "<prompt>", "exec", dont_inherit=True)
        space: dict[str, Any] = {"__name__": "tests"}
        exec(code, space)
    except Exception:
        return None, set()
    return code, set(space)


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names


def _defined(nodes: list[ast.AST]) -> set[str]:
    """Names that the tests bind at any level. So a name bound only inside a function is never taken from the sample."""
    bound: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
    return bound
