"""Makes stubs: the target's file with functions that report that they were called and raise NotImplementedError."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Mapping

from isobudget.syntax import parsed
from isobudget.tasks.body import functions_by_name, parse_source, with_body
from isobudget.tasks.reporter import REACHED, STUB
from isobudget.tasks.target import Target

_BODY = f"""import builtins
getattr(builtins, "__isobudget_reached__", lambda: open("{REACHED}", "w").close())()
raise NotImplementedError("{STUB}")
"""


def stub_of(target: Target, tests: Mapping[str, str]) -> str:
    """The file's text with stubs; for a new file, stubs of the names that the tests import from it.

    Args:
        target: what to write.
        tests: the test files with their texts.
    """
    if target.data is None:
        return "\n\n".join(_definition(name) for name in names_from(target, tests.values())) + "\n"
    text = target.text
    for name in target.names:
        text = with_body(text, functions_by_name(parse_source(text, target.file))[name], _BODY)
    return text


def _definition(name: str) -> str:
    body = "".join(f"    {line}\n" for line in _BODY.splitlines())
    return f"def {name}(*args, **kwargs):\n{body}"


def imported_names(module: str, texts: Iterable[str]) -> Iterable[str]:
    """Names that tests import from a module or use as its attributes; texts that do not parse are ignored."""
    last = module.rpartition(".")[2]
    for text in texts:
        tree = parsed(text)
        for node in () if tree is None else ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and _is_module(node, module):
                yield from (alias.name for alias in node.names if alias.name != "*")
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in (module, last):
                yield node.attr


def names_from(target: Target, texts: Iterable[str]) -> list[str]:
    """Sorted names that tests take from the target, by whichever name they import the target."""
    kept = list(texts)
    return sorted({name for module in target.modules for name in imported_names(module, kept)})


def imports_module(module: str, text: str, names: Collection[str] = ()) -> bool:
    """Whether a text imports a module, or imports one of these names from one of its parent packages."""
    tree = parsed(text)
    around = {module[: at.start()] for at in re.finditer(r"\.", module)}
    for node in () if tree is None else ast.walk(tree):
        if isinstance(node, ast.Import) and any(alias.name == module for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and node.module in around:
            taken = (alias.name for alias in node.names)
            if any(f"{node.module}.{one}" == module or one in names for one in taken):
                return True
    return any(True for _ in imported_names(module, [text]))


def _is_module(node: ast.ImportFrom, module: str) -> bool:
    if node.level:
        return bool(node.module) and module.endswith(f".{node.module}")
    return node.module == module
