"""Embedded llama.cpp: a GGUF model inside this process, by `xllamacpp`.

Samples are drawn by the engine's own server part, at a loopback port with a key that only this process knows. Its
native completion call is used, because it states for every sample the tokens generated (stop text included), why it
stopped, and the log-probabilities; the OpenAI-style call counts the tokens of one choice only. The samples of one call
share the prompt's computation. Sample i of a group is drawn with the group's seed + i. A conversation is put into the
model's own template by the engine, then completed like any text.

Given texts are scored by llama.cpp's C functions, see `scoring`; by a model that is small and of known architecture by
matrix products in 32 bits, which are faster and round less, see `isobudget.backends.exact`. Each part is loaded when
it is first needed.

Same seed, same sample: a group computes its prompt in one batch, and drawn again so, with more or fewer slots and
beside other work, all of 80 samples (SmolLM2 135M, Q4_1, 5 problems) were the same texts. A group that finds its whole
prompt in a slot of an earlier one computes its last token alone, which is rounded otherwise: of the same 80 samples
drawn in groups of 8 instead of 16, 86 % were the same, and all that differed were in such groups. So samples of a
problem that are drawn by one call are repeatable; a larger n later, or a run that was stopped, may not be in part.

Top-k, min-p and all penalties are switched off: sampling is temperature and top-p alone, as in the paper.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from isobudget.backends.base import Chat, Description, Generation, Prompt, Sampling, Score
from isobudget.backends.energy import find_meter
from isobudget.backends.engine_clock import EngineClock, share_by_tokens
from isobudget.backends.exact import ExactScorer, Network, expanded_bytes, read_weights
from isobudget.backends.llamacpp.answers import latencies, read_answer, request_body
from isobudget.backends.llamacpp.api import load_api
from isobudget.backends.llamacpp.engine import import_engine, usable_cores
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.backends.llamacpp.scoring import Scorer
from isobudget.backends.llamacpp.server import LlamaServer
from isobudget.costs.gguf import read_gguf_header
from isobudget.errors import BackendError

__all__ = [
    "EngineSettings",
    "LlamaCpp",
    "engine_label",
    "import_engine",
    "request_body",
    "split_consecutive",
    "usable_cores",
]


#: weights expanded to 32 bits take at most this memory unless they are asked for
EXACT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the embedded engine is set up.

    Attributes:
        slots: samples drawn at the same time.
        context_tokens: room for prompt and completion of each sample. Scoring takes what it needs.
        threads: CPU threads; None takes every core that this process may use.
        exact: whether texts are scored in 32 bits rather than by the engine; None does so where the model is covered
            and its weights expand to at most `EXACT_BYTES`.
    """

    slots: int = 16
    context_tokens: int = 1024
    threads: int | None = None
    exact: bool | None = None


def engine_label(settings: EngineSettings) -> str:
    """What the engine is and how it runs, for the label of measured seconds."""
    return f"llama.cpp on CPU, {settings.threads or usable_cores()} threads, {settings.slots} slots"


class LlamaCpp:
    """A GGUF model run in this process. Entering it checks the file; weights are loaded by the first call.

    Raises:
        MissingExtraError: `xllamacpp` is not installed.
        ModelError: the file is missing, damaged, or not a model.
    """

    def __init__(self, path: Path, settings: EngineSettings | None = None) -> None:
        self.path = path
        self.settings = settings or EngineSettings()
        self.concurrency = self.settings.slots
        self._clock = EngineClock(meter=find_meter())
        self._loading = threading.Lock()
        self._scoring = threading.Lock()
        self._vocabulary: LlamaModel | None = None
        self._server: LlamaServer | None = None
        self._scorer: Scorer | ExactScorer | None = None
        #: prompt tokens computed so far by drawing; what the engine still had of an earlier prompt is left out
        self.computed_prompt_tokens = 0

    def __enter__(self) -> Self:
        self._vocabulary = LlamaModel(self.path, vocabulary_only=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._loading:
            vocabulary, self._vocabulary = self._vocabulary, None
            server, self._server = self._server, None
        if server:
            server.close()
        with self._scoring:
            scorer, self._scorer = self._scorer, None
            if scorer:
                scorer.close()
        if vocabulary:
            vocabulary.close()

    def describe(self) -> Description:
        """What this backend is; see `Backend.describe`."""
        return Description(
            engine=engine_label(self.settings),
            model=self.path.name,
            can_score=True,
            scoring=f"matrix products in 32 bits on CPU, {self._threads()} threads" if self._is_exact() else "",
            repeatable=(
                "The same seed gives the same sample where a call computes its prompt whole. Where it finds the prompt "
                "computed by an earlier call, sums are rounded otherwise, and some samples differ."
            ),
        )

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        """Draw one sample per seed; see `Backend.generate`. Consecutive seeds are drawn as one group."""
        if not prompt or (isinstance(prompt, Chat) and not prompt.messages):
            raise BackendError("an empty prompt cannot be completed")
        text = self._render(prompt)
        self._loaded_server()  # loading is no engine time
        return [
            one
            for group in split_consecutive(seeds, self.settings.slots)
            for one in self._draw_group(text, sampling, group)
        ]

    def score(self, prompt: Prompt, texts: Sequence[str], token_ids: Sequence[Sequence[int]] = ()) -> list[Score]:
        """How likely each text is after the prompt; see `Backend.score`.

        Prompt and text are tokenized apart: a token never reaches over the border. A sample that this model drew may
        have been other tokens than its text is made of; give them, and they are scored. An empty text has no
        log-probabilities, and so a likelihood of NaN.

        Raises:
            BackendError: prompt and text do not fit into the context that the model was trained for; a token id is not
                the model's.
        """
        if token_ids and len(token_ids) != len(texts):
            raise BackendError(f"{len(texts)} texts to score, but token ids of {len(token_ids)}")
        if not texts:
            return []
        text, vocabulary = self._render(prompt), self._opened()
        before = vocabulary.tokenize_prompt(text)
        given = token_ids or [()] * len(texts)
        after = [list(ids) or vocabulary.tokenize_text(one) for one, ids in zip(texts, given, strict=True)]
        scorer = self._loaded_scorer()
        ticket = self._clock.start(len(texts))
        try:
            found = scorer.score(before, after)
        finally:
            self._clock.stop(ticket)
        tokens = [len(ids) for ids in after]
        shares = share_by_tokens(ticket.seconds, tokens), share_by_tokens(ticket.joules, tokens)
        return [
            Score(tuple(map(float, each)), len(before), *share) for each, *share in zip(found, *shares, strict=True)
        ]

    def post(self, body: dict[str, Any]) -> Any:
        """Put a native completion request to the engine; returns its answer.

        Raises:
            BackendError: the engine refuses it or does not answer.
        """
        return self._loaded_server().post("/completion", body)

    def _render(self, prompt: Prompt) -> str:
        """The text that the model is given: a conversation goes into the model's own template."""
        if isinstance(prompt, str):
            return prompt
        if not self._opened().has_template:
            raise BackendError(
                f"{self.path.name} has no template for conversations; choose a prompt format that is plain text"
            )
        messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
        return str(self._loaded_server().post("/apply-template", {"messages": messages})["prompt"])

    def _draw_group(self, prompt: str, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        server, vocabulary, begun = self._loaded_server(), self._opened(), time.perf_counter()
        ticket = self._clock.start(len(seeds))
        try:
            answer = server.post("/completion", request_body(prompt, sampling, seeds))
        finally:
            self._clock.stop(ticket)
        answers = answer if isinstance(answer, list) else [answer]
        if len(answers) != len(seeds):
            raise BackendError(f"{self.path.name}: asked for {len(seeds)} samples, got {len(answers)}")
        answers.sort(key=lambda one: one["index"])
        with self._loading:  # the first sample's slot computed the prompt for all of them
            self.computed_prompt_tokens += int(answers[0]["timings"]["prompt_n"])
        tokens = [answer["tokens_predicted"] for answer in answers]
        shares = share_by_tokens(ticket.seconds, tokens), share_by_tokens(ticket.joules, tokens)
        waits = latencies(answers, time.perf_counter() - begun)
        return [
            read_answer(one, seed, vocabulary.piece, *rest)
            for one, seed, *rest in zip(answers, seeds, *shares, waits, strict=True)
        ]

    def _opened(self) -> LlamaModel:
        if self._vocabulary is None:
            raise BackendError(f"{self.path.name}: the model is not loaded; use the backend in a with statement")
        return self._vocabulary

    def _loaded_server(self) -> LlamaServer:
        with self._loading:
            self._opened()
            if self._server is None:
                slots, tokens = self.settings.slots, self.settings.context_tokens
                self._server = LlamaServer(self.path, slots, tokens, self.settings.threads or usable_cores())
            return self._server

    def _loaded_scorer(self) -> Scorer | ExactScorer:
        with self._scoring:
            self._opened()
            if self._scorer is None:
                self._scorer = self._exact_scorer() if self._is_exact() else Scorer(self.path, self._threads())
            return self._scorer

    def _exact_scorer(self) -> ExactScorer:
        network = Network(read_weights(read_gguf_header(self.path), load_api()))
        return ExactScorer(self.path.name, network, self._threads())

    def _is_exact(self) -> bool:
        """Whether texts are scored in 32 bits."""
        if self.settings.exact is not None:
            return self.settings.exact
        needed = expanded_bytes(read_gguf_header(self.path))
        return needed is not None and needed <= EXACT_BYTES

    def _threads(self) -> int:
        return self.settings.threads or usable_cores()


def split_consecutive(seeds: list[int], most: int) -> list[list[int]]:
    """Split seeds into runs of consecutive numbers, none longer than `most`."""
    groups: list[list[int]] = [seeds[:1]] if seeds else []
    for before, seed in pairwise(seeds):
        if seed == before + 1 and len(groups[-1]) < most:
            groups[-1].append(seed)
        else:
            groups.append([seed])
    return groups
