"""The part of the project that a model sees: the file around the hole, what it imports from the project, and the tests.

The text is source code that ends with the signature and docstring of the function to write, so that a model can
continue it. Functions without their bodies are shown in comments; otherwise a model that continues the text might leave
out the body, too. If the text exceeds the prompt's size, the least useful parts are shortened first: the rest of the
file becomes signatures; then the rest of the file and the project's signatures are left out; at last, only the names of
the tests are shown.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from isobudget import syntax
from isobudget.backends.base import CHARACTERS_PER_TOKEN
from isobudget.tasks.body import (
    Function,
    FunctionNode,
    behind_docstring,
    first_line_of,
    is_hole,
    parse_source,
    split_lines,
)
from isobudget.tasks.selection import Selection, test_names
from isobudget.tasks.target import Target

PROMPT_TOKENS = 500
_DOCSTRING_CHARACTERS = 120
_MOST_NAMES = 12


@dataclass(frozen=True, slots=True)
class Pieces:
    """Parts of a prompt, each a text that ends with a newline or is empty.

    Attributes:
        imports: imports of the file.
        project: signatures of what the file imports from the project, as comments.
        tests: texts of the tests, as comments; empty if they are not shown.
        names: names of the tests, as a comment; used if `tests` is empty or does not fit.
        around: the rest of the file, with other functions as signatures in comments.
        full: the rest of the file in full, except that functions without a body are signatures in comments.
        hole: signature and docstring of the function to write; those of a method, inside the class.
        tried: the previous attempt and what the tests reported, as comments. Its length does not count against the
            prompt's size.
    """

    imports: str
    project: str
    tests: str
    names: str
    around: str
    full: str
    hole: str
    tried: str = ""

    def fitted(self, most: int) -> str:
        """The parts that fit into `most` characters, in the order of a file."""
        left = most - len(self.hole)
        chosen: dict[str, str] = {}
        for part, options in (
            ("imports", (self.imports,)),
            ("tests", (self.tests, self.names)),
            ("project", (self.project,)),
            ("around", (self.full, self.around)),
        ):
            text = next((one for one in options if one and len(one) + 2 <= left), "")
            chosen[part] = text
            left -= len(text) + 2 * bool(text)
        order = ("imports", "project", "around", "tests")
        parts = [chosen[part].strip("\n") for part in order if chosen[part].strip()]
        return "\n\n".join([*parts, *filter(None, [self.tried.strip("\n")]), self.hole])


def source_prompt(
    target: Target, tests: Selection, *, show_tests: bool, tokens: int = PROMPT_TOKENS, tried: str = ""
) -> str:
    """The prompt for one function: source code that ends where the function's body goes.

    `tried` is placed before the function.
    """
    (function,) = target.functions()
    tree = parse_source(target.text, target.file)
    text = target.text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    names = ", ".join(test_names(tests)[:_MOST_NAMES])
    pieces = Pieces(
        imports=_imports(text, tree),
        project=_comments(_project_signatures(target, tree)),
        tests=_comments(_shown_tests(tests, function)) if show_tests else "",
        names=f"# Tests: {names}\n" if names else "",
        around=_around(text, tree, function, in_full=False),
        full=_around(text, tree, function, in_full=True),
        hole=_hole(text, function),
        tried=tried,
    )
    return pieces.fitted(int(tokens * CHARACTERS_PER_TOKEN))


def hole_alone(target: Target) -> str:
    """Signature and docstring of the one function, without its class: the text that a completion continues."""
    (function,) = target.functions()
    text = target.text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return _signature_text(text, function)


def file_task(target: Target, tests: Selection, *, tokens: int = PROMPT_TOKENS) -> str:
    """The task in words, for several functions or a whole file."""
    what = (
        f"Write the Python module {target.file}."
        if target.data is None
        else f"Complete the Python module {target.file}: give every function without a body its body."
    )
    most = int(tokens * CHARACTERS_PER_TOKEN) - len(what)
    parts = [what]
    if target.data is not None:
        parts.append(f"```python\n{target.text[: most // 2].strip()}\n```")
    shown = "\n\n".join(text.strip() for text in tests.files.values())
    parts.append(f"Its tests:\n\n```python\n{shown[: most // 2]}\n```")
    return "\n\n".join(parts)


def _imports(text: str, tree: ast.Module) -> str:
    return "".join(_source(text, node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))


@lru_cache(maxsize=2)
def _lines_of(text: str) -> tuple[str, ...]:
    """The lines of a file. They are cached, because they are needed for every statement of the file."""
    return tuple(split_lines(text))


def _source(text: str, node: ast.stmt) -> str:
    return "".join(_lines_of(text)[first_line_of(node) - 1 : node.end_lineno]).rstrip("\n") + "\n"


def signature(node: FunctionNode) -> str:
    """A function's header without its decorators."""
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{kind} {node.name}({ast.unparse(node.args)}){returns}:"


def _short(node: FunctionNode, indent: str = "") -> str:
    doc = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")[:_DOCSTRING_CHARACTERS]
    return f"{indent}{signature(node).removesuffix(':')}{f'  # {doc}' if doc else ''}\n"


def _around(text: str, tree: ast.Module, function: Function, *, in_full: bool) -> str:
    """The file's other definitions, in full or as signatures; constants unchanged."""
    parts = []
    for number, node in enumerate(tree.body):
        is_text = isinstance(node, ast.Expr)
        if (
            node.lineno == function.top.lineno
            or isinstance(node, ast.Import | ast.ImportFrom)
            or (is_text and number == 0)
        ):
            continue
        if (in_full and not _has_hole(node)) or isinstance(node, ast.Assign | ast.AnnAssign):
            parts.append(_source(text, node))
        elif isinstance(node, FunctionNode | ast.ClassDef):
            parts.append(_comments(_outline(node)))
    return "\n".join(parts)


def _has_hole(node: ast.stmt) -> bool:
    """Whether the node is a function without a body, or a class that contains one."""
    return any(isinstance(one, FunctionNode) and is_hole(one) for one in ast.walk(node))


def _hole(text: str, function: Function) -> str:
    """Signature and docstring of the function; a method stands inside its class, after the other members."""
    own = _signature_text(text, function, dedented=False)
    if not isinstance(function.top, ast.ClassDef):
        return textwrap.dedent(own)
    return _class_head(text, function.top, function.node) + own


def _signature_text(text: str, function: Function, *, dedented: bool = True) -> str:
    node = function.node
    lines = split_lines(text)
    body = behind_docstring(node)
    has_docstring = len(body) < len(node.body)
    last = (node.body[0].end_lineno if has_docstring else _header_end(node, lines)) or node.lineno
    own = "".join(lines[first_line_of(node) - 1 : last])
    if not has_docstring and node.body[0].lineno == last:
        own = own[: len(own) - len(lines[last - 1])] + _cut_at(lines[last - 1], node.body[0].col_offset)
    own = own.rstrip() + "\n"
    return textwrap.dedent(own) if dedented else own


def _header_end(node: FunctionNode, lines: Sequence[str]) -> int:
    """The last line of the signature."""
    first = node.body[0].lineno
    start = max(
        [node.lineno, *(one.end_lineno or 0 for one in ast.walk(node.args) if isinstance(one, ast.expr | ast.arg))]
    )
    for number in range(start, first + 1):
        if lines[number - 1].split("#")[0].rstrip().endswith(":") or number == first:
            return number
    return first


def _cut_at(line: str, offset: int) -> str:
    before = line.encode()[:offset].decode(errors="ignore")
    return before if before.strip() else ""


def _class_head(text: str, top: ast.ClassDef, hole: FunctionNode) -> str:
    """The class without the hole: header, docstring, attributes and ``__init__``, with other methods as comments."""
    lines = split_lines(text)
    head = "".join(lines[first_line_of(top) - 1 : top.body[0].lineno - 1])
    if isinstance(top.body[0], FunctionNode):
        head = "".join(lines[first_line_of(top) - 1 : first_line_of(top.body[0]) - 1])
    parts = [head]
    for node in top.body:
        if node.lineno == hole.lineno:
            continue
        if not isinstance(node, FunctionNode) or (node.name == "__init__" and not is_hole(node)):
            parts.append(_source(text, node))
        else:
            parts.append(textwrap.indent(_comments(_short(node)), "    "))
    return "".join(parts) + "\n"


def _comments(text: str) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in text.strip("\n").split("\n")) if text.strip() else ""


def _project_signatures(target: Target, tree: ast.Module) -> str:
    """Signatures and first docstring lines of what the file imports from the project."""
    shown = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for path in _module_files(target, node):
                try:
                    body = syntax.parse(path.read_bytes()).body
                except (OSError, *syntax.NOT_PYTHON):
                    continue
                names = {alias.name for alias in node.names}
                shown += [_outline(one) for one in body if getattr(one, "name", None) in names]
    return "\n".join(dict.fromkeys(shown))


def _outline(node: ast.stmt) -> str:
    """A function as its signature, or a class with its fields and the signatures of its methods."""
    if isinstance(node, FunctionNode):
        return _short(node).strip()
    if not isinstance(node, ast.ClassDef):
        return ""
    bases = ", ".join(map(ast.unparse, node.bases))
    lines = [f"class {node.name}({bases}):" if bases else f"class {node.name}:"]
    for one in node.body:
        if isinstance(one, ast.AnnAssign | ast.Assign):
            lines.append(f"    {ast.unparse(one)}")
        elif isinstance(one, FunctionNode):
            lines.append(_short(one, "    ").rstrip())
    return "\n".join(lines)


def _module_files(target: Target, node: ast.ImportFrom) -> Iterator[Path]:
    base = (node.module or "").replace(".", "/")
    if node.level:
        folder = target.path.parent
        for _ in range(node.level - 1):
            folder = folder.parent
        roots = [folder]
    else:
        roots = [Path(one) for one in target.import_roots]
    for root in roots:
        for path in ((root / base).with_suffix(".py") if base else root / "__init__.py", root / base / "__init__.py"):
            if path.is_file() and path.is_relative_to(target.root):
                yield path
        for alias in node.names:
            path = root / base / f"{alias.name}.py"
            if path.is_file() and path.is_relative_to(target.root):
                yield path


def _shown_tests(tests: Selection, function: Function) -> str:
    """The test functions that name the function, with their decorators and the parts of their file that they use."""
    name = function.node.name
    shown = []
    for text in tests.files.values():
        nodes = [node for node in syntax.parse(text).body if not isinstance(node, ast.Import | ast.ImportFrom)]
        wanted = {at for at, node in enumerate(nodes) if name in _source(text, node)}
        new = wanted
        while new:
            used = set[str]().union(*(_names_used(nodes[at]) for at in new))
            new = {at for at, node in enumerate(nodes) if used & _names_made(node)} - wanted
            wanted |= new
        shown += [_source(text, nodes[at]) for at in sorted(wanted)]
    return "\n".join(shown)


def _names_used(node: ast.stmt) -> set[str]:
    """Names in a statement, including the names of parameters: the parameters of a test are its fixtures."""
    named = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return named | {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}


def _names_made(node: ast.stmt) -> set[str]:
    """Names that a top-level statement defines or assigns."""
    if isinstance(node, FunctionNode | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
