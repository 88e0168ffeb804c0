"""Turns a model's program into the project's file: replaces bodies, and adds imports and helpers.

Nothing else is taken from the answer: not its top-level code, not functions that the file already has, and not
statements that would rebind a name of the file. If no file can be made, an `UnusableError` is raised, and the verdict
says why.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from isobudget import syntax
from isobudget.tasks.body import (
    Function,
    FunctionNode,
    body_text,
    first_line_of,
    functions_by_name,
    is_hole,
    newline_of,
    parse_source,
    plain_name,
    split_lines,
    with_body,
)
from isobudget.tasks.target import Target


class UnusableError(Exception):
    """A program from which no file can be made; `syntax` is true if it does not even parse."""

    def __init__(self, message: str, syntax: bool = False) -> None:
        super().__init__(message)
        self.syntax = syntax


def lay_over(target: Target, program: str) -> str:
    """The file's text with the target's functions taken from a program.

    Raises:
        UnusableError: the program does not parse, lacks a target function, or leaves it without a body.
    """
    program = program.replace("\r\n", "\n").replace("\r", "\n")
    try:
        tree = syntax.parse(program)
    except syntax.NOT_PYTHON as error:
        raise UnusableError(f"SyntaxError: {getattr(error, 'msg', error)}", syntax=True) from None
    if not target.names:
        if not tree.body:
            raise UnusableError("the answer contains no code")
        return program if program.endswith("\n") else program + "\n"
    written = functions_by_name(tree)
    text = target.text
    for name in target.names:
        node = _written(target, name, written)
        # Positions move with every body, so the file is read again.
        function = functions_by_name(parse_source(text, target.file))[name]
        text = with_body(text, function, body_text(program, node))
    marked, text = text.startswith("\ufeff"), text.removeprefix("\ufeff")
    text = _with_additions(target, text, program, tree, {plain_name(name) for name in target.names})
    try:
        syntax.parse(text)
    except syntax.NOT_PYTHON as error:
        raise UnusableError(f"SyntaxError: {getattr(error, 'msg', error)}", syntax=True) from None
    return "\ufeff" * marked + text


def _written(target: Target, name: str, written: dict[str, Function]) -> FunctionNode:
    """Find the function in the answer.

    A method may also be defined outside its class. Of several definitions, one with a body is used.
    """
    plain = plain_name(name)
    accessor = name.removeprefix(f"{name.rpartition(plain)[0]}{plain}")
    others = [key for key in reversed(written) if plain_name(key) == plain]
    found = [key for key in dict.fromkeys((name, plain + accessor, plain, *others)) if key in written]
    if not found:
        raise UnusableError(f"the answer does not define {name}")
    # The file around the hole may be part of the answer: what it has already is no answer.
    own = functions_by_name(parse_source(target.text, target.file))
    for key in found:
        node = written[key].node
        as_it_is = key != name and key in own and ast.dump(node) == ast.dump(own[key].node)
        if not is_hole(node) and not as_it_is:
            return node
    raise UnusableError(f"the answer leaves {name} without a body")


def _with_additions(target: Target, text: str, program: str, tree: ast.Module, taken: set[str]) -> str:
    """The file's text, with the imports and helpers added that the program has and uses and the file lacks."""
    own = parse_source(text, target.file)
    bound = set(_bound(own.body))
    imports: list[str] = []
    helpers: list[str] = []
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            if (line := _missing_import(node, bound, used, target.module)) is not None:
                imports.append(line)
        elif _is_helper(node) and not set(_bound([node])) & (bound | taken) and set(_bound([node])) & used:
            helpers.append(_source_of(program, node))
            bound.update(_bound([node]))
    if not imports and not helpers:
        return text
    return _inserted(target, text, own, imports, helpers)


def _is_helper(node: ast.stmt) -> bool:
    return isinstance(node, FunctionNode | ast.ClassDef | ast.Assign | ast.AnnAssign)


def _missing_import(node: ast.Import | ast.ImportFrom, bound: set[str], used: set[str], module: str) -> str | None:
    """An import statement for the names that the program uses and the file lacks; None if there are none."""
    if isinstance(node, ast.ImportFrom) and node.module in ("__future__", module):
        return None
    missing = [
        alias
        for alias in node.names
        if (name := alias.asname or alias.name.split(".")[0]) not in bound and name in used
    ]
    if not missing:
        return None
    bound.update(alias.asname or alias.name.split(".")[0] for alias in missing)
    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import(missing))
    return ast.unparse(ast.ImportFrom(node.module, missing, node.level))


def _bound(body: Iterable[ast.stmt]) -> Iterable[str]:
    """Names that the statements bind at their own level when they run."""
    for node in body:
        if isinstance(node, FunctionNode | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            body = [] if isinstance(node, ast.If) and _is_for_checkers(node.test) else node.body
            yield from _bound([*body, *getattr(node, "orelse", [])])
        else:
            yield from (
                one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
            )


def _is_for_checkers(test: ast.expr) -> bool:
    """Whether an ``if`` tests TYPE_CHECKING: names bound in its body do not exist when the program runs."""
    return ast.unparse(test).rpartition(".")[2] == "TYPE_CHECKING"


def _source_of(program: str, node: ast.stmt) -> str:
    lines = split_lines(program)
    return "".join(lines[first_line_of(node) - 1 : node.end_lineno]).rstrip("\n")


def _inserted(target: Target, text: str, own: ast.Module, imports: list[str], helpers: list[str]) -> str:
    lines, newline = split_lines(text), newline_of(text)
    known = functions_by_name(own)
    top = min((known[name].top for name in target.names), key=lambda node: node.lineno)
    before = first_line_of(top) - 1
    block = "".join(one.replace("\n", newline) + newline * 3 for one in helpers)
    at = _import_line(own, before)
    added = "".join(line + newline for line in imports)
    if imports and not any(isinstance(node, ast.Import | ast.ImportFrom) for node in own.body[: _place(own, before)]):
        added += newline
    if at > before:
        return "".join([*lines[:before], added, block, *lines[before:]])
    return "".join([*lines[:at], added, *lines[at:before], block, *lines[before:]])


def _place(own: ast.Module, before: int) -> int:
    return sum(first_line_of(node) <= before for node in own.body)


def _import_line(own: ast.Module, before: int) -> int:
    """The line after which new imports go: the last import, else the docstring."""
    at = 0
    for number, node in enumerate(own.body):
        end = node.end_lineno or node.lineno
        if end > before:
            break
        is_docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import | ast.ImportFrom) or is_docstring:
            at = end
    if at == 0 and own.body:
        at = min(before, first_line_of(own.body[0]) - 1)
    return at
