"""The prompt for repairing a failing sample: the original task, the attempt, and what the tests reported.

The model sees the first failing test, with its message and its source. For a sample from scratch the model does not see
this. So comparing repairs with samples from scratch shows what this knowledge is worth.
"""

from __future__ import annotations

import ast
import textwrap

from isobudget import syntax
from isobudget.backends.base import CHARACTERS_PER_TOKEN
from isobudget.grid import printable
from isobudget.judge.verdict import Verdict
from isobudget.tasks.body import (
    FunctionNode,
    body_text,
    first_line_of,
    functions_by_name,
    is_hole,
    parse_source,
    plain_name,
    split_lines,
)
from isobudget.tasks.context import file_task, signature, source_prompt
from isobudget.tasks.selection import Selection
from isobudget.tasks.target import Target

#: share of the prompt's size that the failing program may take; the source of its test takes the rest
_FOR_PROGRAM = 0.6


def repair_task(
    target: Target, tests: Selection, program: str, verdict: Verdict, *, show_tests: bool, tokens: int
) -> str:
    """The prompt of a task with a failing program.

    The prompt is at most about twice as long as the prompt of the task alone may be.

    Args:
        target, tests: the task.
        program: the failing program, as extracted from the answer.
        verdict: its verdict.
        show_tests, tokens: as for the task.
    """
    most = int(tokens * CHARACTERS_PER_TOKEN)
    said = _said(verdict)
    test = failing_test(tests, verdict.first_failing)
    if len(target.names) == 1:
        code = _cut(_bare(program, target), int(most * _FOR_PROGRAM))
        parts = [f"A first try of {target.names[0]}, which is wrong:", code, said, _cut(test, most - len(code))]
        tried = "".join(f"# {line}".rstrip() + "\n" for part in parts if part for line in part.split("\n"))
        return source_prompt(target, tests, show_tests=show_tests, tokens=tokens, tried=tried)
    code = _cut(program.strip(), most - len(said))
    return (
        f"{file_task(target, tests, tokens=tokens)}\n\nThis was tried and is wrong:\n\n```python\n{code}\n```\n\n{said}"
    )


def _said(verdict: Verdict) -> str:
    what = printable(verdict.detail) or str(verdict.outcome)
    return f"{printable(verdict.first_failing)} fails: {what}" if verdict.first_failing else f"It fails: {what}"


def failing_test(tests: Selection, node_id: str) -> str:
    """The source of a test by its pytest id; empty if it is not found."""
    file, _, inner = node_id.partition("[")[0].partition("::")
    if file not in tests.files:
        return ""
    function = functions_by_name(syntax.parse(tests.files[file])).get(inner.replace("::", "."))
    return "" if function is None else textwrap.dedent(_source(tests.files[file], function.node)).rstrip()


def _source(text: str, node: ast.stmt) -> str:
    return "".join(split_lines(text)[first_line_of(node) - 1 : node.end_lineno])


def _bare(program: str, target: Target) -> str:
    """The program without the function's docstring and the parts of the file that the prompt shows anyway."""
    program = program.replace("\r\n", "\n").replace("\r", "\n")
    tree = syntax.parsed(program)
    if tree is None:
        return program.strip()
    plain = plain_name(target.names[0])
    known = {ast.unparse(node) for node in parse_source(target.text, target.file).body}
    parts = []
    for node in tree.body:
        if isinstance(node, FunctionNode) and node.name == plain:
            parts += (
                [] if is_hole(node) else [f"{signature(node)}\n{textwrap.indent(body_text(program, node), '    ')}"]
            )
        elif ast.unparse(node) not in known:
            parts.append(_source(program, node))
    return "\n".join(part.rstrip() for part in parts)


def _cut(text: str, most: int) -> str:
    """The text, or as many whole lines of it as fit."""
    if len(text) <= most:
        return text
    kept = text[: max(most, 0)].rpartition("\n")[0]
    return f"{kept}\n..." if kept else ""
