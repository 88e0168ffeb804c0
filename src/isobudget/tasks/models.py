"""The models that solve a task: which ones, in which order, with which prompts; and how to open them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from isobudget.backends.base import Backend, Chat, Generation, Prompt, Sampling, characters, texts_of
from isobudget.backends.llamacpp.settings import LlamaCppSettings, context_for
from isobudget.backends.server.settings import ServerSettings
from isobudget.errors import InputError
from isobudget.models.catalog import declared_models, load_catalog, user_catalog_path
from isobudget.pipeline.prepare import fetch_model
from isobudget.policies.make import doubling
from isobudget.policies.schedule import Schedule
from isobudget.problems.problem import Form, Problem
from isobudget.progress import Progress
from isobudget.prompts import PromptFormat, Rendered, extract, find_format, render
from isobudget.study.resolve import ResolvedModel, resolve_model
from isobudget.study.study import load_declared, stated_model
from isobudget.tasks.ledger import ArmPrice

BackendFactory = Callable[[ResolvedModel], Backend]

#: models that work without any setup, cheapest first
EMBEDDED = ("smollm2-135m", "qwen2.5-coder-1.5b")
COMPLETION, CHAT = "solve", "solve-chat"
#: samples of each model but the last, without a policy: batches of 1, 1, 2 and 4
_BEFORE_NEXT = 8
#: samples of the last model at most, which goes on until the budget is spent; a budget seldom pays for so many
_OF_LAST = 4096
_LARGEST_BATCH = 16
#: slots of an embedded engine; more of them would only take memory
_SLOTS = 16
#: tries of a request if the models file states no number; few, because a user waits and another model can take over
_ATTEMPTS = 3
#: about the most tokens added to each text (its beginning, or the markup of a message), and once to a conversation
_AROUND_MESSAGE, _AROUND_CONVERSATION = 8, 48


@dataclass(frozen=True, slots=True)
class Choices:
    """How samples are drawn.

    Attributes:
        temperature, top_p, max_tokens: sampling settings of every sample.
        format: the name of a prompt format; None lets the model decide.
    """

    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = 256
    format: str | None = None


@dataclass(frozen=True, slots=True)
class TaskModel:
    """A model with its prompt and sampling for a task.

    Attributes:
        resolved: the model.
        format: its prompt format.
        rendered: the prompt, and the head of the program.
        sampling: how it is sampled.
        hole: the signature and docstring that a completion continues, and the number of columns of their indentation.
    """

    resolved: ResolvedModel
    format: PromptFormat
    rendered: Rendered
    sampling: Sampling
    hole: tuple[str, int]

    @property
    def name(self) -> str:
        """The model's name."""
        return self.resolved.name

    @property
    def shares_prompt(self) -> bool:
        """Whether the engine computes a prompt once for all samples, even if they are requested one by one."""
        return isinstance(self.resolved.settings, LlamaCppSettings)

    def price(self) -> ArmPrice:
        """The cost of the model's samples."""
        return ArmPrice(
            self.name,
            most_tokens(self.rendered.prompt),
            self.sampling.max_tokens,
            self.resolved.architecture,
            self.resolved.stated.price,
            self.shares_prompt,
        )

    def program(self, problem: Problem, generation: Generation) -> str:
        """The program extracted from an answer of the model."""
        head, text = self.rendered.head, generation.text
        if self.format.extraction == "function" and problem.form is Form.SOURCE:
            hole, indent = self.hole
            head, text = hole, _dedented(text, indent)
        return extract(self.format.extraction, problem, head, text).program

    def names(self) -> Mapping[str, str]:
        """The names of format, newline rule and extraction, as a run records them."""
        newline = self.format.newline or self.resolved.prompt_newline
        return {"format": self.format.name, "newline": newline, "extraction": self.format.extraction}

    def facts(self) -> dict[str, Any]:
        """What a run records about the model."""
        from isobudget.pipeline.prepare import model_facts

        facts = model_facts(self.resolved, ())
        facts.pop("prompts", None)
        return facts

    def again(self, problem: Problem) -> tuple[Prompt, int]:
        """The prompt of a repair, which says what was tried, and its maximum number of tokens."""
        prompt = render(self.format, problem, newline=self.resolved.prompt_newline).prompt
        return prompt, most_tokens(prompt)

    def prepared(self, progress: Progress, more_characters: int = 0, least_characters: int = 0) -> TaskModel:
        """The model ready to be opened: the weights of an embedded model are downloaded and verified.

        Args:
            progress: receives the progress of downloads.
            more_characters: how many characters longer than `rendered` other prompts may be.
            least_characters: leave room for a prompt of at least this length, such as that of another task.
        """
        length = max(characters(self.rendered.prompt), least_characters) + more_characters
        room = context_for(length + 256, self.sampling.max_tokens)
        return replace(self, resolved=_impatient(fetch_model(self.resolved, _SLOTS, room, progress)))


def most_tokens(prompt: Prompt) -> int:
    """The most tokens that a prompt may have: one per byte, plus the markup around chat messages."""
    around = _AROUND_CONVERSATION if isinstance(prompt, Chat) else 0
    return around + sum(len(text.encode()) + _AROUND_MESSAGE for text in texts_of(prompt))


def _impatient(model: ResolvedModel) -> ResolvedModel:
    """The model with fewer retries of its server than a study has, unless their number was stated."""
    settings = model.settings
    if not isinstance(settings, ServerSettings) or "attempts" in settings.model_fields_set:
        return model
    return replace(model, settings=settings.model_copy(update={"attempts": _ATTEMPTS}))


def _dedented(text: str, by: int) -> str:
    """A completion of an indented function, dedented to the top level."""
    if not by:
        return text
    lines = text.split("\n")
    return "\n".join(line[min(by, len(line) - len(line.lstrip(" "))) :] for line in lines)


def _resolved(name: str) -> ResolvedModel:
    """The model with this name; if it is unknown, the message says how to declare it."""
    stated = stated_model({"name": name}, f"--models {name}")
    try:
        return resolve_model(stated)
    except InputError as error:
        if name in load_catalog() or name in declared_models() or name.endswith(".gguf") or name.startswith("hf:"):
            raise
        raise InputError(
            f"{error} A model behind a server is declared in your models file, {user_catalog_path()} (`isobudget "
            f'models` shows it too), such as\n[models.{json.dumps(name)}]\nbackend = "server"\nurl = "http://localhost:8000/v1"'
        ) from None


def choose_models(names: Sequence[str]) -> list[ResolvedModel]:
    """The named models, else those in the user's models file, else the embedded ones.

    Raises:
        InputError, ModelError, MissingExtraError: a model is not known, or something that a model needs is not
            installed.
    """
    if names:
        chosen = [_resolved(name) for name in names]
    elif declared := load_declared():
        chosen = [resolve_model(one) for one in declared]
    else:
        chosen = [resolve_model(stated_model({"name": name}, name)) for name in EMBEDDED]
    twice = [one.name for one in chosen if [other.name for other in chosen].count(one.name) > 1]
    if twice:
        raise InputError(f"the model {twice[0]!r} is named twice")
    return chosen


def task_model(
    model: ResolvedModel, problem: Problem, choices: Choices, hole: tuple[str, int], more_stops: Sequence[str]
) -> TaskModel:
    """A model with its prompt for a task.

    Args:
        model: the resolved model.
        problem: the task.
        choices: how samples are drawn.
        hole: signature and docstring of the one function, and the number of columns of its indentation; the text is
            empty for a whole file.
        more_stops: stop strings in addition to those of the format.

    Raises:
        InputError: the format is not known, or the model does not accept its prompts.
    """
    is_chat = problem.form is Form.TEXT or (isinstance(model.settings, ServerSettings) and model.settings.api == "chat")
    chosen = find_format(choices.format or (CHAT if is_chat else COMPLETION))
    rendered = render(chosen, problem, newline=model.prompt_newline)
    wrong = model.settings.refuses(rendered.prompt)
    if wrong and problem.form is Form.TEXT and isinstance(rendered.prompt, Chat):
        raise InputError(
            f"{model.name}: only continues text, but writing several functions or a whole file needs a chat model. "
            "Name one function as FILE.py::name, or a model behind a chat server (api = 'chat')"
        )
    if wrong:
        raise InputError(f"{model.name}: the prompt is {wrong}")
    stops = (*(chosen.stop or ()), *(more_stops if chosen.extraction == "function" else ()))
    sampling = Sampling(choices.temperature, choices.top_p, choices.max_tokens, stops)
    return TaskModel(model, chosen, rendered, sampling, hole)


def default_schedule(names: Sequence[str]) -> Schedule:
    """Cheapest arm first, in batches that double; the last arm continues until the budget is spent."""
    steps: list[tuple[str, int]] = []
    for name in names[:-1]:
        steps += doubling(name, _BEFORE_NEXT).steps
    for arm, count in doubling(names[-1], _OF_LAST).steps:
        steps += [(arm, min(_LARGEST_BATCH, count - done)) for done in range(0, count, _LARGEST_BATCH)]
    return Schedule(tuple(steps), batched=True)


def hole_indent(text: str) -> int:
    """The number of columns by which a signature is indented."""
    return len(text) - len(textwrap.dedent(text).lstrip()) if text else 0
