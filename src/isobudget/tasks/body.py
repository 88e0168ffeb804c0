"""Functions in a source file: finds those without a body, and replaces a body without changing any other byte.

Positions are those of the syntax tree. The replaced part of a function runs from its first statement after the
docstring to the end of its last statement. Signature, decorators, docstring and surrounding comments stay as they are.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import textwrap
import tokenize
from dataclasses import dataclass

from isobudget import syntax
from isobudget.errors import InputError

_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_ACCESSORS = ("setter", "deleter")
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Function:
    """A function in a file.

    Attributes:
        name: dotted name, with the class of a method, such as ``Point.norm``; a property's setter is
            ``Point.sum.setter``, its deleter ``Point.sum.deleter``.
        node: the function's syntax tree.
        top: the top-level statement that contains the function.
        of_protocol: whether the function belongs to a Protocol, whose methods have no bodies.
    """

    name: str
    node: FunctionNode
    top: ast.stmt
    of_protocol: bool = False

    @property
    def is_to_write(self) -> bool:
        """Whether the function has no body yet and needs one."""
        return is_hole(self.node) and not self.of_protocol


def plain_name(name: str) -> str:
    """The last part of a dotted name, ignoring ``setter`` and ``deleter``."""
    parts = name.split(".")
    return parts[-2] if parts[-1] in _ACCESSORS and len(parts) > 1 else parts[-1]


def parse_source(text: str, where: str) -> ast.Module:
    """The syntax tree of a file.

    Raises:
        InputError: this interpreter cannot parse it.
    """
    try:
        return syntax.parse(text.removeprefix("\ufeff"))
    except syntax.NOT_PYTHON as error:
        line = getattr(error, "lineno", None)
        place = f", line {line}" if line else ""
        version = ".".join(map(str, sys.version_info[:2]))  # the project's own may be another one
        why = f"is not valid Python {version}, which isobudget runs on: {getattr(error, 'msg', error)}"
        raise InputError(f"{where}{place}: {why}") from None


def functions_by_name(tree: ast.Module) -> dict[str, Function]:
    """All functions and methods by their dotted names. Of several with one name the last counts, as in Python."""
    found: dict[str, Function] = {}

    def visit(body: list[ast.stmt], prefix: str, top: ast.stmt | None, of_protocol: bool) -> None:
        for node in body:
            outer = top or node
            if isinstance(node, FunctionNode):
                name = prefix + node.name + _accessor(node)
                found[name] = Function(name, node, outer, of_protocol)
            elif isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.", outer, _is_protocol(node))
            elif isinstance(node, ast.If):
                visit([*node.body, *node.orelse], prefix, outer, of_protocol)
            elif isinstance(node, ast.Try):
                handlers = [one for handler in node.handlers for one in handler.body]
                visit([*handlers, *node.body, *node.orelse, *node.finalbody], prefix, outer, of_protocol)

    visit(tree.body, "", None, False)
    return found


def _accessor(node: FunctionNode) -> str:
    """``.setter`` for a property's setter, ``.deleter`` for its deleter, else an empty string."""
    for one in node.decorator_list:
        if isinstance(one, ast.Attribute) and one.attr in _ACCESSORS and ast.unparse(one.value) == node.name:
            return f".{one.attr}"
    return ""


def _is_protocol(node: ast.ClassDef) -> bool:
    bases = (ast.unparse(base).partition("[")[0] for base in node.bases)
    return any(base.rpartition(".")[2] == "Protocol" for base in bases)


def behind_docstring(node: FunctionNode) -> list[ast.stmt]:
    """The statements of a function without its docstring."""
    return node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body


def is_hole(node: FunctionNode) -> bool:
    """Whether a function has no body yet: ``...``, ``pass``, NotImplementedError, or a docstring alone.

    The result is False for overloads and abstract methods, because they need no body.
    """
    return all(map(_is_nothing, behind_docstring(node))) and not _is_overload(node)


def _is_overload(node: FunctionNode) -> bool:
    names = {ast.unparse(one).rpartition(".")[2] for one in node.decorator_list}
    return bool(names & {"overload", "abstractmethod"})


def _is_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Pass):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and node.value.value is Ellipsis
    if isinstance(node, ast.Raise) and node.exc is not None:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return False


def split_lines(text: str) -> list[str]:
    """The lines as the syntax tree counts them, with their line ends."""
    return [match[0] for match in _LINES.finditer(text)]


def newline_of(text: str) -> str:
    """The first line end in the text; a line feed if the text has no line end."""
    match = re.search(r"\r\n|\r|\n", text)
    return str(match[0]) if match else "\n"


def body_text(source: str, node: FunctionNode) -> str:
    """The statements of a function after its docstring, dedented, with ``\\n`` as line end; ``pass`` if none."""
    body = behind_docstring(node)
    if not body:
        return "pass\n"
    lines = split_lines(source)
    first = first_line_of(body[0])
    last = body[-1].end_lineno or body[-1].lineno
    kept = [line.rstrip("\r\n") for line in lines[first - 1 : last]]
    start = len(lines[first - 1].encode()[: body[0].col_offset].decode(errors="ignore"))
    if kept[0][:start].strip():  # on the line of the def
        kept[0] = kept[0][start:]
        return textwrap.dedent("\n".join(kept)) + "\n"
    return _indented("\n".join(kept) + "\n", -_width(kept[0]))


def first_line_of(node: ast.stmt) -> int:
    """The first line of a statement, including its decorators."""
    decorators = getattr(node, "decorator_list", [])
    return min(node.lineno, *(int(one.lineno) for one in decorators)) if decorators else node.lineno


def _width(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _indented(text: str, by: int) -> str:
    """The text indented by `by` columns (dedented if negative); lines that begin inside a string stay as they are."""
    inside = _lines_inside_strings(text)
    moved = []
    for number, line in enumerate(text.split("\n"), 1):
        if number in inside or not line.strip():
            moved.append(line if number in inside else "")
        elif by >= 0:
            moved.append(" " * by + line)
        else:
            moved.append(line[min(-by, _width(line)) :])
    return "\n".join(moved)


def _lines_inside_strings(text: str) -> set[int]:
    inside: set[int] = set()
    started: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO("if 1:\n" + text).readline):
            name = tokenize.tok_name[token.type]
            if name == "STRING":
                inside.update(range(token.start[0], token.end[0]))
            elif name == "FSTRING_START":
                started.append(token.start[0])
            elif name == "FSTRING_END":
                inside.update(range(started.pop(), token.end[0]))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return inside
    return inside


def with_body(text: str, function: Function, body: str) -> str:
    """The file's text with the body of one function replaced.

    Args:
        text: text of the file that contains the function.
        function: the function to change.
        body: dedented statements, with ``\\n`` as line end.
    """
    lines, newline = split_lines(text), newline_of(text)
    node, old = function.node, behind_docstring(function.node)
    docstring = node.body[0] if len(old) < len(node.body) else None
    anchor = docstring or old[0]
    header = lines[anchor.lineno - 1].encode()
    bom = 3 if anchor.lineno == 1 and text.startswith("\ufeff") else 0
    before = header[: anchor.col_offset + bom].decode()
    on_own_line = not before.strip()
    indent = before if on_own_line else " " * (node.col_offset + 4)
    inside = _lines_inside_strings(body)
    made = newline.join(
        line if number in inside or not line.strip() else indent + line
        for number, line in enumerate(body.rstrip("\n").split("\n"), 1)
    )
    if not old:
        assert docstring is not None
        at = docstring.end_lineno or docstring.lineno
        end = lines[at - 1]
        closed = end if end.endswith(("\n", "\r")) else end + newline
        return "".join([*lines[: at - 1], closed, made + newline, *lines[at:]])
    first, last = first_line_of(old[0]), old[-1].end_lineno or old[-1].lineno
    opening = lines[first - 1].encode()[: old[0].col_offset + (bom if first == 1 else 0)].decode()
    lead = "" if not opening.strip() else opening.rstrip() + newline
    tail = newline if lines[last - 1].endswith(("\n", "\r")) else ""
    return "".join([*lines[: first - 1], lead + made + tail, *lines[last:]])
