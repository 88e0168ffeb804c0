"""How the models of a study receive its problems: prompt format, newline rule, extraction rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isobudget.models.catalog import NewlineRule
from isobudget.problems.problem import Benchmark, Problem
from isobudget.prompts import PromptFormat, Rendered, find_format, render
from isobudget.prompts.formats import PromptKind
from isobudget.study.lines import Place
from isobudget.study.study import Study


@dataclass(frozen=True, slots=True)
class ModelPrompts:
    """How the prompts of one model for the problems of one benchmark are made.

    Attributes:
        format: the prompt format.
        newline: whether newlines that end a prompt are kept or stripped.
        extraction: the rule by which the program is cut out of an output.
        examples: solved problems that few-shot formats show.
    """

    format: PromptFormat
    newline: NewlineRule
    extraction: str
    examples: tuple[Problem, ...]

    def render(self, problem: Problem) -> Rendered:
        """The prompt for a problem, and the head: the beginning of the program, which is in the prompt."""
        return render(self.format, problem, self.examples, newline=self.newline)


def chosen_format(study: Study, at: int, number: int, benchmark: Benchmark) -> tuple[Place, str]:
    """The place that states the prompt format of model `at` on benchmark `number`, and the name of the format.

    The model comes first, then the study, then the benchmark. If only the benchmark states a format, and this is not a
    conversation, a model that is reached by chat gets the format `chat`.
    """
    own = benchmark.prompt_format
    if getattr(study.models[at].settings, "api", None) == "chat" and find_format(own).kind is not PromptKind.CHAT:
        own = "chat"
    choices: list[tuple[Place, Any]] = [
        (("models", at, "prompt"), study.models[at].prompt),
        (("prompt", "format"), study.prompt.format),
        (("benchmarks", number), own),
    ]
    return next((place, name) for place, choice in choices if (name := chosen_for(choice, benchmark.name)))


def model_prompts(study: Study, benchmark: Benchmark, name: str, newline: NewlineRule) -> ModelPrompts:
    """The prompts of a benchmark in the format `name`; `newline` is the model's rule if the format has none.

    Raises:
        InputError: the format is not known.
    """
    chosen = find_format(name)
    rule = chosen_for(study.prompt.extraction, benchmark.name) or chosen.extraction
    return ModelPrompts(chosen, chosen.newline or newline, rule, benchmark.examples)


def chosen_for(choice: Any, benchmark: str) -> str | None:
    """The value for a benchmark from a name, or from a table of names by benchmark; None if there is none."""
    name = choice.get(benchmark) if isinstance(choice, Mapping) else choice
    return name if isinstance(name, str) and name else None
