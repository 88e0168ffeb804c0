"""Which top-level statements a definition needs: those that bind the names it uses, and those that these need in turn.

Names are found in the syntax tree: what is read in a statement and not bound in it. That is an approximation of
Python's scopes: a name that one function of a statement binds counts as bound in all of it. Names that are looked up as
strings (`globals`, `getattr`) and names of a star import are not seen.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence

_BUILTINS = frozenset(dir(builtins))


def last_needed(definition: Sequence[ast.stmt], known: set[str], following: Sequence[Sequence[ast.stmt]]) -> int:
    """How many of the following statements are kept, so that all that the definition needs is among them.

    Args:
        definition: statements that are kept in any case.
        known: names that are bound before.
        following: statements behind it, each as the parser gave it. Those are needed that bind a name which the
            definition uses, or its own name anew, or that change it or what it needs.
    """
    binders: dict[str, list[int]] = {}
    changers: dict[str, list[int]] = {}
    for place, nodes in enumerate(following):
        for name in bound(nodes):
            binders.setdefault(name, []).append(place)
        for name in _changed(nodes):
            changers.setdefault(name, []).append(place)
    own = bound(definition)
    todo = [place for name in own for place in binders.get(name, []) + changers.get(name, [])]
    todo += [place for name in used(definition) - known - _BUILTINS for place in binders.get(name, [])]
    needed: set[int] = set()
    while todo:
        place = todo.pop()
        if place in needed:
            continue
        needed.add(place)
        for name in used(following[place]) - known - _BUILTINS:
            todo += binders.pop(name, [])
        for name in bound(following[place]):
            todo += changers.pop(name, [])
    return max(needed, default=-1) + 1


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


def _changed(nodes: Sequence[ast.stmt]) -> set[str]:
    """Names whose objects an assignment changes: ``f.cache = {}``, ``table[0] = 1``."""
    changed: set[str] = set()
    for node in nodes:
        for target in _targets(node):
            root: ast.expr = target
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
            if isinstance(root, ast.Name) and root is not target:
                changed.add(root.id)
    return changed


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []
