"""What a study amounts to before anything is fetched or written: prompts, shapes of models, lengths in tokens.

Lengths are estimated, since tokenizers come with weights. A prompt has about one token for every 3.2 characters (the
prompts of HumanEval have 450 characters and about 140 tokens by the tokenizer of Code Llama), and at most one for every
byte of its text, since byte-level tokenizers never split a byte. A completion has at most `max_tokens`; about half of
them are assumed where nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isobudget.backends.base import Chat, Prompt
from isobudget.costs.usage import TokenUse
from isobudget.errors import IsobudgetError
from isobudget.models.architecture import Architecture
from isobudget.models.catalog import ModelEntry, find_model
from isobudget.models.named import find_named
from isobudget.models.read_architecture import from_gguf, load_architecture
from isobudget.models.weights import local_weights
from isobudget.pipeline.prepare import PreparedBenchmark, known_architecture
from isobudget.pipeline.prompts import ModelPrompts
from isobudget.study import Study, StudyModel

#: see the module's text
CHARACTERS_PER_TOKEN = 3.2
#: tokens that begin a text, and that a chat template puts around each message, at most about
_TOKENS_AROUND = 8


@dataclass(frozen=True, slots=True)
class Outline:
    """One model of a study, as far as it is known without its weights.

    Attributes:
        model: as the study has it.
        name: in the run.
        prompts: what it will be given, one entry a benchmark, in the study's order.
        architecture: its shape, None if not known.
        entry: the catalogue's, for the embedded engine.
    """

    model: StudyModel
    name: str
    prompts: tuple[ModelPrompts, ...]
    architecture: Architecture | None
    entry: ModelEntry | None


@dataclass(frozen=True, slots=True)
class Lengths:
    """Estimated lengths in tokens of one benchmark's prompts in one format, one entry a problem."""

    prompts: tuple[int, ...]
    prompts_at_most: tuple[int, ...]
    completion: float
    completion_at_most: int

    def use(self) -> TokenUse:
        """As token counts of samples that share their problem's prompt."""
        completions = [[max(2, round(self.completion))]] * len(self.prompts)
        return TokenUse.of(self.prompts, completions, label="estimated token counts")


def outline(study: Study, benchmarks: Sequence[PreparedBenchmark]) -> list[Outline]:
    """The study's models, nothing fetched.

    Raises:
        InputError: a model or format is not known.
    """
    return [_outline(model, study, benchmarks) for model in study.models]


def _outline(model: StudyModel, study: Study, benchmarks: Sequence[PreparedBenchmark]) -> Outline:
    entry = find_model(model.model or model.name) if model.backend == "llama.cpp" else None
    newline = model.prompt_newline or (entry.prompt_newline if entry else "keep")
    prompts = tuple(ModelPrompts.chosen(study, model, one.benchmark, newline) for one in benchmarks)
    name = entry.name if entry is not None and not model.model else model.name
    shape = known_architecture(model) if entry is None else _shape(model, entry)
    return Outline(model, name, prompts, shape, entry)


def _shape(model: StudyModel, entry: ModelEntry) -> Architecture | None:
    """By the weights' file if it is here, else by name."""
    if model.architecture:
        return load_architecture(model.architecture)
    here = local_weights(entry)
    try:
        return from_gguf(here, entry.name) if here is not None else find_named(entry.name)
    except IsobudgetError:
        return None


def lengths(prompts: ModelPrompts, benchmark: PreparedBenchmark, completion: float | None = None) -> Lengths:
    """Estimated lengths; `completion` is the mean that is known from elsewhere."""
    rendered = [prompts.render(problem).prompt for problem in benchmark.problems]
    most = benchmark.sampling.max_tokens
    return Lengths(
        prompts=tuple(max(1, round(_characters(prompt) / CHARACTERS_PER_TOKEN)) for prompt in rendered),
        prompts_at_most=tuple(_bytes(prompt) for prompt in rendered),
        completion=most / 2 if completion is None else completion,
        completion_at_most=most,
    )


def _characters(prompt: Prompt) -> int:
    return sum(len(text) for text in _texts(prompt))


def _bytes(prompt: Prompt) -> int:
    return sum(len(text.encode()) + _TOKENS_AROUND for text in _texts(prompt))


def _texts(prompt: Prompt) -> list[str]:
    return [message.content for message in prompt.messages] if isinstance(prompt, Chat) else [prompt]
