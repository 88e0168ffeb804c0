"""Finds the modules that can be imported before there is a candidate: those that never import the target."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from isobudget import syntax

#: what the inner runner says of a module: its name, its file, and the name of its loader's class
LoadedModule = Sequence[str]
#: the loader of modules whose assertions pytest rewrites: tests, and modules of plugins
_REWRITING = "AssertionRewritingHook"


class WarmModules(NamedTuple):
    """Modules to import once, in the order in which they were loaded, and the names of those that pytest rewrites."""

    names: Sequence[str] = ()
    rewritten: Sequence[str] = ()

    def without(self, name: str) -> WarmModules:
        """These modules without one of them."""
        names, rewritten = ([one for one in kind if one != name] for kind in self)
        return WarmModules(names, rewritten)


def warm_modules(modules: Iterable[LoadedModule], view: Path, targets: Collection[str]) -> WarmModules:
    """The modules that can be imported once, before there is a candidate.

    Args:
        modules: the modules that were loaded after the tests had run.
        view: the project's root.
        targets: the dotted names of the module that candidates replace.
    """
    loaded = {name: file for name, file, _ in modules if file}
    rewritten = {name for name, file, loader in modules if file and loader == _REWRITING}
    own = {name: Path(file) for name, file in loaded.items() if _is_below(file, view)}
    # The project's own tests and plugins are rebuilt in every process.
    cold = _reaching(_graph(own), targets) | (rewritten & own.keys())
    cold |= {name for name in loaded if name.split(".")[0] in ("conftest", "__main__")}
    names = [
        name
        for name in loaded
        if (name in rewritten or not name.startswith("_")) and not {name, *_parents(name)} & cold
    ]
    return WarmModules(names, [name for name in names if name in rewritten])


def _is_below(file: str, folder: Path) -> bool:
    return Path(file).is_relative_to(folder) and "site-packages" not in Path(file).parts


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _graph(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """For each module, the project's modules that its file may import, including its own packages."""
    graph = {}
    for name, path in modules.items():
        try:
            tree = syntax.parse(path.read_bytes())
        except (OSError, *syntax.NOT_PYTHON):
            graph[name] = set(modules)  # unknown: taken to import everything
            continue
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        named = {one for node in ast.walk(tree) for one in _imported(node, package)}
        graph[name] = named | {parent for one in (name, *named) for parent in _parents(one)}
    return graph


def _imported(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        parts = package.split(".")
        base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [base])])
    return [base, *(f"{base}.{alias.name}" for alias in node.names)]


def _reaching(graph: Mapping[str, set[str]], targets: Collection[str]) -> set[str]:
    """The modules that import a target, even indirectly, including the targets."""
    found = set(targets)
    grown = True
    while grown:
        more = {name for name, to in graph.items() if name not in found and to & found}
        found |= more
        grown = bool(more)
    return found
