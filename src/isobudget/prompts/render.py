"""Turns a format and a problem into a model's prompt, and into the source that its answer continues.

Nothing is guessed: a template is filled with the problem's own texts. Line ends of solutions that are shown become
``\\n`` (MBPP's reference code has ``\\r\\n``), and newlines at their ends are left out: templates have their own.

Newlines where a model continues matter: some models lose half their score if the newline at the end of a prompt is
stripped, others if it is kept (docs/prompts.md). The format decides, else the model's own rule, else it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from isobudget.backends.base import Chat, Message, Prompt
from isobudget.errors import InputError
from isobudget.models.catalog import NewlineRule
from isobudget.problems.problem import Form, ObservedPrograms, Problem, ProgramTests
from isobudget.prompts.formats import PromptFormat, PromptKind


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered prompt: a text to continue, or a conversation.

    `head` is source that the answer continues, as the model got it; empty where the answer is the whole program.
    """

    prompt: Prompt
    head: str


def render(
    format: PromptFormat,  # noqa: A002
    problem: Problem,
    examples: Sequence[Problem] = (),
    *,
    newline: NewlineRule | None = None,
) -> Rendered:
    """The prompt of a problem.

    Args:
        format, problem: what the prompt is made of; see `find_format`.
        examples: solved problems to show, see `Benchmark.examples`; the first ones are taken, never the problem itself.
        newline: the model's rule for newlines where it continues; a format that has its own rule overrides it.

    Raises:
        InputError: too few solved examples, or a fill-in format for a problem that is not source.
    """
    rule = format.newline or newline or "keep"
    solved = _solved(format, problem, examples)
    head = by_newline_rule(problem.prompt, rule) if problem.form is Form.SOURCE else ""
    if format.kind is PromptKind.CHAT:
        return Rendered(_chat(format, problem, solved), problem.prompt if problem.form is Form.SOURCE else "")
    if format.kind is PromptKind.COMPLETION:
        return Rendered(head or by_newline_rule(problem.prompt, rule), head)
    if format.kind is PromptKind.FILL_IN:
        if problem.form is not Form.SOURCE:
            raise InputError(
                f"{problem.task_id}: its prompt is text, but format {format.name!r} needs source with a hole. "
                "Use a text or chat format"
            )
        return Rendered(format.template.fill(_places(problem) | {"prompt": head}), head)
    shown = [format.example.fill(_places(example, solved=True)) for example in solved]
    text = format.separator.join([*shown, format.template.fill(_places(problem))])
    return Rendered(by_newline_rule(text, rule), "")


def _solved(format: PromptFormat, problem: Problem, examples: Sequence[Problem]) -> list[Problem]:  # noqa: A002
    """The examples to show."""
    if not format.needs_examples:
        return []
    solved = [one for one in examples if one.reference is not None and one.task_id != problem.task_id]
    if len(solved) < format.needs_examples:
        instead = f", or use the format {format.instead!r}" if format.instead else ""
        raise InputError(
            f"{problem.benchmark}: format {format.name!r} shows {format.needs_examples} solved problems, but there "
            f"{'is' if len(solved) == 1 else 'are'} {len(solved)}. Load the benchmark from data that has its train or "
            f"prompt split too ({problem.benchmark}=FOLDER){instead}"
        )
    return solved[: format.needs_examples]


def _chat(format: PromptFormat, problem: Problem, solved: Sequence[Problem]) -> Chat:  # noqa: A002
    messages = [] if format.system is None else [Message("system", format.system)]
    for example in solved:
        messages.append(Message("user", format.template.fill(_places(example))))
        messages.append(Message("assistant", format.answer.fill(_places(example, solved=True))))
    messages.append(Message("user", format.template.fill(_places(problem))))
    return Chat(tuple(messages))


def _places(problem: Problem, *, solved: bool = False) -> dict[str, str]:
    """The texts of a problem by the names that templates use; the solution is empty unless `solved`."""
    is_source = problem.form is Form.SOURCE
    completion = (problem.reference or "") if solved else ""
    bare = problem.prompt.strip("\r\n")
    return {
        "prompt": problem.prompt,
        "source": bare if is_source else "",
        "task": "" if is_source else bare,
        "starter": problem.starter,
        "tests": "\n".join(problem.shown_tests),
        "entry_point": problem.entry_point,
        "stdin": "stdin" if isinstance(problem.tests, ProgramTests | ObservedPrograms) else "",
        "solution": _tidy(problem.program(completion)) if solved else "",
        "completion": _tidy(completion),
    }


def _tidy(source: str) -> str:
    return re.sub(r"\r\n?", "\n", source).rstrip("\n")


def by_newline_rule(text: str, rule: NewlineRule) -> str:
    """A text that a model continues: with the newlines at its end, or without them."""
    return text.rstrip("\r\n") if rule == "strip" else text
