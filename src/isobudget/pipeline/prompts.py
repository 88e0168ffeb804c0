"""The prompts of a run's models, and the programs in their outputs: prompt formats applied to a run.

The run folder keeps every prompt as the model received it, with the head of the program; run.toml keeps the names of
format and extraction rule. So programs can be extracted again later, by another rule or a newer isobudget, without the
study's files and without generating.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from isobudget.backends.base import Chat, Message, Prompt
from isobudget.problems.problem import Problem
from isobudget.records.facts import AS_IT_IS, first_prompts
from isobudget.records.rows import PromptKey, PromptRow, not_as_written
from isobudget.records.run import Run
from isobudget.study.prompts import ModelPrompts


def prompt_facts(prompts: ModelPrompts, problems: Sequence[Problem], stop: Sequence[str] | None) -> dict[str, Any]:
    """What run.toml states about a model's prompts on one benchmark.

    `sha256` is that of the first problem's prompt: it changes with the format's text and with the examples.
    """
    text, _ = prompt_text(prompts.render(problems[0]).prompt)
    facts: dict[str, Any] = {
        "format": prompts.format.name,
        "newline": prompts.newline,
        "extraction": prompts.extraction,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    return facts if stop is None else facts | {"stop": list(stop)}


def prompt_rows(given: Iterable[ModelPrompts], benchmark: str, problems: Sequence[Problem]) -> Iterator[PromptRow]:
    """The prompts of one benchmark; a prompt that several models share occurs once."""
    seen: set[tuple[str, str]] = set()
    for prompts in given:
        key = prompts.format.name, prompts.newline
        if key in seen:
            continue
        seen.add(key)
        for problem in problems:
            rendered = prompts.render(problem)
            text, chat = prompt_text(rendered.prompt)
            yield PromptRow(benchmark, problem.task_id, *key, chat, text, rendered.head)


def prompt_text(prompt: Prompt) -> tuple[str, bool]:
    """A prompt as one text, and whether it is a conversation; a conversation is written as JSON."""
    if isinstance(prompt, str):
        return prompt, False
    return json.dumps(prompt.as_dicts(), ensure_ascii=False), True


def row_prompt(row: PromptRow) -> Prompt:
    """The prompt stored in a row.

    Raises:
        RunError: the row holds a conversation that isobudget did not write.
    """
    if not row.chat:
        return row.prompt
    try:
        return Chat(tuple(Message(one["role"], one["content"]) for one in json.loads(row.prompt)))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise not_as_written("prompt of", row.key, error) from None


class RunPrompts:
    """The prompts of a run's models. The prompts of a benchmark are read when first needed."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rows: dict[str, dict[PromptKey, PromptRow]] = {}

    def facts(self, model: str, benchmark: str) -> dict[str, Any]:
        """Format, newline rule and extraction; for runs by older versions, the rules of those versions."""
        stated = self._run.facts["models"][model]
        return dict(stated.get("prompts", {}).get(benchmark) or first_prompts(stated))

    def prompt(self, model: str, problem: Problem) -> Prompt:
        """The prompt that the model received for a problem."""
        return row_prompt(self._row(model, problem))

    def head(self, model: str, problem: Problem) -> str:
        """The head of the program, which comes from the prompt."""
        return self._row(model, problem).head

    def _row(self, model: str, problem: Problem) -> PromptRow:
        facts = self.facts(model, problem.benchmark)
        if problem.benchmark not in self._rows:
            self._rows[problem.benchmark] = self._run.prompts(problem.benchmark)
        key = (problem.benchmark, problem.task_id, facts["format"], facts["newline"])
        row = self._rows[problem.benchmark].get(key)
        if row is None:  # older runs did not keep them
            text = problem.prompt.rstrip("\n") if facts["newline"] == "strip" else problem.prompt
            row = PromptRow(*key, chat=False, prompt=text, head=text)
        return row


class RunPrograms:
    """The programs of a run's samples, extracted by the rule `extraction` or by each sample's own rule."""

    def __init__(self, run: Run, extraction: str | None = None) -> None:
        self.prompts = RunPrompts(run)
        self._extraction = extraction

    def program(self, problem: Problem, model: str, text: str) -> str:
        """The complete program of a model's output, as it is judged."""
        from isobudget.prompts import extract

        head = self.prompts.head(model, problem)
        rule = self._extraction or self.prompts.facts(model, problem.benchmark)["extraction"]
        return head + text if rule == AS_IT_IS else extract(rule, problem, head, text).program
