"""What a model is given for a problem, and which program its output means: prompt formats at work in a run.

The run folder keeps every prompt as the model got it, with the head of the program that it stands for, and run.toml
the names of format and extraction rule. So programs can be cut out of outputs again later, by another rule or by a
newer isobudget, without the study's files and without generating.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from isobudget.backends.base import Chat, Message, Prompt
from isobudget.problems.problem import Problem
from isobudget.records.facts import AS_IT_IS, first_prompts
from isobudget.records.rows import PromptKey, PromptRow
from isobudget.records.run import Run
from isobudget.study.prompts import ModelPrompts


def prompt_facts(prompts: ModelPrompts, problems: Sequence[Problem], stop: Sequence[str] | None) -> dict[str, Any]:
    """What run.toml states of a model's prompts on one benchmark.

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
    """The prompts of one benchmark, each once for all models that are given the same ones."""
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
    """A prompt as one text, and whether it is a conversation, which is written as JSON."""
    if isinstance(prompt, str):
        return prompt, False
    return json.dumps(prompt.as_dicts(), ensure_ascii=False), True


def row_prompt(row: PromptRow) -> Prompt:
    """The prompt that a row keeps."""
    if not row.chat:
        return row.prompt
    return Chat(tuple(Message(one["role"], one["content"]) for one in json.loads(row.prompt)))


class RunPrompts:
    """The prompts of a run's models, as they were given. Benchmarks are read when they are first asked for."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rows: dict[str, dict[PromptKey, PromptRow]] = {}

    def facts(self, model: str, benchmark: str) -> dict[str, Any]:
        """Format, newline and extraction; for runs of older versions, what they did."""
        stated = self._run.facts["models"][model]
        return dict(stated.get("prompts", {}).get(benchmark) or first_prompts(stated))

    def prompt(self, model: str, problem: Problem) -> Prompt:
        """What the model was given for a problem."""
        return row_prompt(self._row(model, problem))

    def head(self, model: str, problem: Problem) -> str:
        """The head of the program that the prompt stands for."""
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
    """The programs that a run's samples mean, by the rule `extraction` or the one that each was made with."""

    def __init__(self, run: Run, extraction: str | None = None) -> None:
        self.prompts = RunPrompts(run)
        self._extraction = extraction

    def program(self, problem: Problem, model: str, text: str) -> str:
        """The whole program that an output of the model stands for: what is judged."""
        from isobudget.prompts import extract

        head = self.prompts.head(model, problem)
        rule = self._extraction or self.prompts.facts(model, problem.benchmark)["extraction"]
        return head + text if rule == AS_IT_IS else extract(rule, problem, head, text).program
