"""Finds the top-level statements that a definition needs: those that bind the names it uses, recursively.

Names are read from the syntax tree: what is read in a statement and not bound in it. That is an approximation of
Python's scopes: a name that one function of a statement binds counts as bound in all of it. Names that are looked up as
strings (`globals`, `getattr`) and names of a star import are not seen.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Sequence

from isobudget.prompts.extraction.effects import changed, functions_of

_BUILTINS = frozenset(dir(builtins))


class Supply:
    """Statements that others may need, by the names that they bind and change.

    Args:
        statements: each as the parser gave it, in the order in which they would run.
    """

    def __init__(self, statements: Sequence[Sequence[ast.stmt]]) -> None:
        self._statements = statements
        self._binders: dict[str, list[int]] = {}
        self._changers: dict[str, list[int]] = {}
        functions = functions_of(node for nodes in statements for node in nodes)
        for place, nodes in enumerate(statements):
            for name in bound(nodes):
                self._binders.setdefault(name, []).append(place)
            for name in changed(nodes, functions):
                self._changers.setdefault(name, []).append(place)

    def needed(self, names: Collection[str], known: Collection[str] = (), without: Collection[int] = ()) -> set[int]:
        """The indexes of the statements that bind the needed names.

        Args:
            names: those that must be bound, with all changes that these statements make to them.
            known: names that are bound already.
            without: indexes of statements that do not count.
        """
        chosen, asked, owned = set(without), set(known), set[str]()
        todo = [place for name in names for place in self._binders.get(name, []) + self._changers.get(name, [])]
        while todo:
            place = todo.pop()
            if place in chosen:
                continue
            chosen.add(place)
            uses = used(self._statements[place]) - _BUILTINS - asked
            binds = bound(self._statements[place]) - owned
            asked |= uses
            owned |= binds
            todo += [other for name in uses for other in self._binders.get(name, [])]
            todo += [other for name in binds for other in self._changers.get(name, [])]
        return chosen - set(without)


def missing_names(nodes: Sequence[ast.stmt]) -> set[str]:
    """Names that a program uses and nothing in it binds."""
    return used(nodes) - _BUILTINS


def used(nodes: Sequence[ast.stmt]) -> set[str]:
    """Names that statements read and do not bind."""
    read: set[str] = set()
    inside: set[str] = set()
    for statement in nodes:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                (read if isinstance(node.ctx, ast.Load) else inside).add(node.id)
            elif isinstance(node, ast.arg):
                inside.add(node.arg)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inside.add(node.name)
            elif isinstance(node, ast.alias):
                inside.add((node.asname or node.name).partition(".")[0])
            elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
                inside.add(node.name)
    return read - inside


def bound(nodes: Sequence[ast.stmt]) -> set[str]:
    """Names that statements bind at their own level; those of a star import are unknown."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        else:
            names |= {
                part.id
                for target in _targets(node)
                for part in ast.walk(target)
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
    return names


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []
