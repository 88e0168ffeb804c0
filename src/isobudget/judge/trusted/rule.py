"""Decides from the syntax tree of a problem's tests, by an allow-list, whether they may run apart from the sample.

Tests that run apart see copies of what the sample returns. That makes no difference only if the tests pass plain data
and compare plain values. The rule accepts:

- calls of the sample's functions with plain data;
- comparisons, arithmetic and subscripts, and `is` with None, True and False;
- assertions, loops, comprehensions, and functions of the tests' own;
- the built-ins in `BUILTINS`, the modules in `MODULES`, helpers of the prompt, and pytest's `parametrize` and `approx`;
- changes of the tests' own data;
- instances of the sample's classes, which may be created, given attributes and passed back to the sample.

Everything else is rejected: reading attributes of results or changing results, classes, `with`, `try`, `async`, other
decorators, fixtures, and functions, generators and iterators passed to the sample.

`holds_results` says whether a result may still be in use when the sample is called again. The sample could have changed
the result meanwhile, and a copy would not show the change. Not covered: a sample that keeps an argument and changes the
argument in a later call.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple

_BUILTINS = """
    abs all any bool bytes chr complex dict divmod enumerate filter float frozenset int len list map max min ord pow
    print range reversed round set sorted str sum tuple zip True False None
    AssertionError Exception ValueError TypeError KeyError IndexError ZeroDivisionError
"""
BUILTINS = frozenset(_BUILTINS.split())
_MODULES = """
    bisect cmath collections copy datetime decimal fractions functools heapq itertools json math operator random re
    statistics string typing
"""
MODULES = frozenset(_MODULES.split())
PYTEST = frozenset({"approx", "mark"})
_STATEMENTS = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For,
    ast.While, ast.If, ast.Expr, ast.Assert, ast.Pass, ast.Break, ast.Continue, ast.Import, ast.ImportFrom, ast.alias,
)  # fmt: skip
_EXPRESSIONS = (
    ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Lambda, ast.Dict, ast.Set, ast.List, ast.Tuple, ast.ListComp,
    ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension, ast.Compare, ast.Call, ast.keyword, ast.Constant,
    ast.JoinedStr, ast.FormattedValue, ast.Subscript, ast.Slice, ast.Starred, ast.Name, ast.Attribute, ast.expr_context,
    ast.boolop, ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip
_ACCEPTED = _STATEMENTS + _EXPRESSIONS
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Reading(NamedTuple):
    """What the rule says about tests.

    Attributes:
        objection: why the tests may not run apart; empty if they may.
        holds_results: whether a result may still be in use when the sample is called again.
    """

    objection: str
    holds_results: bool


def read(source: str, entry_point: str, asked: list[str], helpers: set[str], module: str = "") -> Reading:
    """Apply the rule to the source of tests.

    Args:
        source: source code of the tests.
        entry_point: the sample's function under test.
        asked: other names that the tests take from the sample.
        helpers: names that the prompt defines for the tests.
        module: module name under which a pytest file imports the sample; empty for other tests.
    """
    reader = _Reader({entry_point, "candidate", *asked}, helpers, module)
    try:
        reader.read(ast.parse(source))
    except _ObjectionError as objection:
        return Reading(str(objection), holds_results=True)
    return Reading("", reader.holds_results)


class _ObjectionError(Exception):
    pass


class _Reader:
    def __init__(self, sample: set[str], helpers: set[str], module: str) -> None:
        self.sample, self.helpers, self.module = sample - {""}, helpers, module
        self.holds_results = False
        self.modules: set[str] = set()
        self.bound: set[str] = set()
        #: names that stand for results, or for what may hold them
        self.results: set[str] = set()
        self.functions: set[str] = set()

    def read(self, tree: ast.Module) -> None:
        nodes = list(ast.walk(tree))
        for node in nodes:
            if not isinstance(node, _ACCEPTED):
                raise _ObjectionError(f"{type(node).__name__} in the tests")
        self._bind(nodes)
        for node in nodes:
            self._check(node)
        for node in nodes:
            if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef):
                self._count(node)

    def _bind(self, nodes: list[ast.AST]) -> None:
        """Work out which names stand for results of the sample, repeating until nothing new is found."""
        stored = (node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        self.bound = {name.id for name in stored} | {node.arg for node in nodes if isinstance(node, ast.arg)}
        self.modules = set(MODULES - self.bound)
        for node in nodes:
            if isinstance(node, ast.FunctionDef):
                self.functions.add(node.name)
                self.bound.add(node.name)
                names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                self.results |= set(names) - self.sample
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node)
        before = -1
        while len(self.results) != before:
            before = len(self.results)
            for node in nodes:
                self._bind_one(node)

    def _bind_one(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value and self._is_result(node.value):
            self._mark(node.targets if isinstance(node, ast.Assign) else [node.target])
        elif isinstance(node, ast.For | ast.comprehension) and self._is_result(node.iter):
            self._mark([node.target])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            # What a container of the tests' own is given may be a result.
            self._mark([node.func.value] if any(map(self._is_result, node.args)) else [])

    def _mark(self, targets: Sequence[ast.expr]) -> None:
        for target in targets:
            self.results |= {inner.id for inner in ast.walk(target) if isinstance(inner, ast.Name)} - self.modules

    def _is_result(self, node: ast.AST) -> bool:
        """Whether an expression may be, or hold, what the sample returned."""
        return any(
            isinstance(inner, ast.Name) and (inner.id in self.results or inner.id in self.sample)
            for inner in ast.walk(node)
        )

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom):
            if self.module and node.module == self.module:
                self.sample |= {alias.asname or alias.name for alias in node.names}
                if any(alias.name == "*" for alias in node.names):
                    raise _ObjectionError("all names are imported")
                return
            if node.module not in MODULES or node.level:
                raise _ObjectionError(f"{node.module} is imported")
            self.helpers |= {alias.asname or alias.name for alias in node.names}
            return
        for alias in node.names:
            if alias.name not in MODULES and not (self.module and alias.name == "pytest"):
                raise _ObjectionError(f"{alias.name} is imported")
            self.modules.add(alias.asname or alias.name)

    def _check(self, node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef):
            self._function(node)
        elif isinstance(node, ast.Attribute):
            self._attribute(node)
        elif self._changes_result(node):
            raise _ObjectionError("the tests modify a value that the sample returned")
        elif isinstance(node, ast.Compare):
            self._compare(node)
        elif isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            self._name(node.id)

    def _changes_result(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Subscript):
            return not isinstance(node.ctx, ast.Load) and self._is_result(node.value)
        return isinstance(node, ast.AugAssign) and self._is_result(node.target)

    def _name(self, name: str) -> None:
        if not any(name in known for known in (BUILTINS, self.sample, self.helpers, self.bound, self.modules)):
            raise _ObjectionError(f"{name} is used")

    def _function(self, node: ast.FunctionDef) -> None:
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if not self.module or ast.unparse(called) != "pytest.mark.parametrize":
                raise _ObjectionError("a function of the tests is decorated")
        if self.module and node.name.startswith("test"):
            given = {arg.arg for arg in node.args.args}
            stated = {
                name.strip()
                for decorator in node.decorator_list
                if isinstance(decorator, ast.Call) and decorator.args and isinstance(decorator.args[0], ast.Constant)
                for name in str(decorator.args[0].value).split(",")
            }
            if given - stated:
                raise _ObjectionError(f"the fixture {min(given - stated)} is used")

    def _attribute(self, node: ast.Attribute) -> None:
        if node.attr.startswith("_"):
            raise _ObjectionError(f"{node.attr} is used")
        base = node.value
        if isinstance(base, ast.Name) and base.id in self.modules:
            if base.id == "pytest" and node.attr not in PYTEST:
                raise _ObjectionError(f"pytest.{node.attr} is used")
            return
        if isinstance(node.ctx, ast.Store):
            return
        if self._is_result(base):
            raise _ObjectionError(f"the attribute {node.attr} of a result is used")

    def _compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        for place, operation in enumerate(node.ops):
            pair = [side.value for side in sides[place : place + 2] if isinstance(side, ast.Constant)]
            constant = any(value is one for value in pair for one in (None, True, False))
            if isinstance(operation, ast.Is | ast.IsNot) and not constant:
                raise _ObjectionError("identity is compared")

    def _call(self, node: ast.Call) -> None:
        if not (isinstance(node.func, ast.Name) and node.func.id in self.sample):
            return
        for given in (*node.args, *(keyword.value for keyword in node.keywords)):
            for inner in ast.walk(given):
                names_function = isinstance(inner, ast.Name) and inner.id in self.functions
                if isinstance(inner, ast.Lambda | ast.GeneratorExp) or names_function:
                    raise _ObjectionError("the sample is given a function or generator")
                if isinstance(inner, ast.Name) and inner.id in ("map", "filter", "zip", "reversed", "enumerate"):
                    raise _ObjectionError("the sample is given an iterator")

    def _count(self, statement: ast.stmt) -> None:
        """Note whether a statement keeps a result after the call that returned it."""
        calls = [
            inner
            for inner in ast.walk(statement)
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load) and inner.id in self.sample
        ]
        if not calls:
            return
        if isinstance(statement, ast.For):
            self.holds_results |= self._is_result(statement.iter)
            return
        if isinstance(statement, ast.While | ast.If):
            return
        keeps = isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return | ast.Expr)
        within = any(isinstance(inner, _COMPREHENSIONS) for inner in ast.walk(statement))
        self.holds_results |= keeps or len(calls) > 1 or within
