"""What top-level statements do when they run, as far as their syntax tree shows it: the names that they change, and
whether they read input, print, or call the function that is asked for.

A function of the program that they call, or only name, counts with all that its body does. What is reached through
`getattr`, `exec`, an attribute or another module is not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence

Functions = Mapping[str, ast.stmt]

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_INPUT = {"input", "stdin", "fileinput", "raw_input"}
_OUTPUT = {"print", "stdout"}
_TRIES = {"subprocess", "Popen", "patch", "unittest", "pytest", "monkeypatch"}
_ENDS = {"print", "input", "exit", "quit", "__name__"}


def functions_of(nodes: Iterable[ast.stmt]) -> dict[str, ast.stmt]:
    """The functions and classes that statements define, by name; of several the last."""
    return {node.name: node for node in nodes if isinstance(node, _DEFINITIONS)}


def running(nodes: Sequence[ast.stmt], functions: Functions | None = None) -> Iterator[ast.AST]:
    """All nodes that run when the statements do: the bodies of functions are left out.

    With `functions`, the bodies of those functions that the running code names are included, and lambdas.
    """
    todo: list[ast.AST] = list(nodes)
    unseen = dict(functions or {})
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.Name) and node.id in unseen:
            called = unseen.pop(node.id)
            members = called.body if isinstance(called, ast.ClassDef) else [called]
            todo += [part for member in members for part in ast.iter_child_nodes(member)]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            functions is None and isinstance(node, ast.Lambda)
        ):
            continue
        todo += ast.iter_child_nodes(node)


def acts(nodes: Sequence[ast.stmt], entry_point: str) -> bool:
    """Whether running the statements reads input or calls the entry point."""
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("input", entry_point)
        for node in running(nodes)
    )


def prepares(nodes: Sequence[ast.stmt], entry_point: str, names: set[str], functions: Functions) -> bool:
    """Whether statements change one of the names and do nothing that only a test or a main part would do.

    ``for n in range(100): table[n] = n * n`` prepares `table`; so does ``fill()`` if that function does it.
    """
    reached = list(running(nodes, functions))
    drives = any(
        isinstance(node, ast.Assert) or (isinstance(node, ast.Name) and node.id in (*_ENDS, entry_point))
        for node in reached
    )
    return not drives and not names.isdisjoint(changed(nodes, functions))


def changed(nodes: Sequence[ast.stmt], functions: Functions | None = None) -> set[str]:
    """Names whose objects statements change: ``f.cache = {}``, ``table[0] = 1``, ``table.append(1)``, ``fill(table)``.

    In an assignment only the targets count, because most calls in its value change nothing. In loops, calls and other
    statements, an object also counts if one of its methods is called, or if it is passed to a function. So do names
    that are bound there.
    """
    roots: set[str] = set()
    for node in nodes:
        if isinstance(node, _DEFINITIONS):
            continue
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            parts = (part for target in targets for part in ast.walk(target) if not isinstance(part, ast.Name))
            roots |= {name for part in parts for name in _changed_by(part)}
        else:
            roots |= {name for part in running([node], functions) for name in _changed_by(part)}
    return roots - {""}


def _changed_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
        yield _root(node)
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            yield _root(node.func)
        yield from (_root(argument) for argument in node.args)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def answers_input(nodes: Sequence[ast.stmt]) -> int:
    """2 if a program reads standard input and prints when run, 1 if it does so only to try out another one, else 0."""
    reached = list(running(nodes, functions_of(nodes)))
    words = {word for node in reached for word in _stream_words(node)}
    if words.isdisjoint(_INPUT) or words.isdisjoint(_OUTPUT):
        return 0
    replaces = any(
        isinstance(node, ast.Attribute) and node.attr == "stdin" and isinstance(node.ctx, ast.Store) for node in reached
    )
    return 1 if replaces or not words.isdisjoint(_TRIES) else 2


def _stream_words(node: ast.AST) -> Iterator[str]:
    """Names that stand for standard streams; ``open(0)`` and ``os.read(0, n)`` count as `stdin`, 1 as `stdout`."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.alias):
        yield node.name
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        word = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if word in ("open", "fdopen", "read", "write"):
            yield {0: "stdin", 1: "stdout", "/dev/stdin": "stdin", "/dev/stdout": "stdout"}.get(
                node.args[0].value if isinstance(node.args[0].value, int | str) else "", ""
            )
