"""The file before anything is written: every target raises NotImplementedError and says that it was reached."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from isobudget.syntax import parsed
from isobudget.tasks.body import functions_by_name, parse_source, with_body
from isobudget.tasks.target import Target

MARK = "isobudget: nothing is written yet"
_BODY = f'import builtins\nbuiltins.__isobudget_reached__()\nraise NotImplementedError("{MARK}")\n'


def stub_of(target: Target, tests: Mapping[str, str]) -> str:
    """The file's text with stubs; of a file that is not there, of the names that tests import from it.

    Args:
        target: what is to be written.
        tests: the tests' files with their texts.
    """
    if target.data is None:
        names = sorted(set(imported_names(target.module, tests.values())))
        return "\n\n".join(_definition(name) for name in names) + "\n"
    text = target.text
    for name in target.names:
        text = with_body(text, functions_by_name(parse_source(text, target.file))[name], _BODY)
    return text


def _definition(name: str) -> str:
    body = "".join(f"    {line}\n" for line in _BODY.splitlines())
    return f"def {name}(*args, **kwargs):\n{body}"


def imported_names(module: str, texts: Iterable[str]) -> Iterable[str]:
    """Names that tests import from a module, or use as its attributes; texts that do not parse have none."""
    last = module.rpartition(".")[2]
    for text in texts:
        tree = parsed(text)
        for node in () if tree is None else ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and _is_module(node, module):
                yield from (alias.name for alias in node.names if alias.name != "*")
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in (module, last):
                yield node.attr


def _is_module(node: ast.ImportFrom, module: str) -> bool:
    if node.level:
        return bool(node.module) and module.endswith(f".{node.module}")
    return node.module == module
