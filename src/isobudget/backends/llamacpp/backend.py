"""Embedded llama.cpp: a GGUF model inside this process, by `xllamacpp`.

`generate` is called from many threads. One thread has the engine and generates the samples of all calls by continuous
batching, see `slots`: n samples share their prompt's computation, and slots are kept full over problems. A conversation
is put into the model's own template, then completed like any text.

Given texts are scored by llama.cpp too, see `scoring`; by a model that is small and of known architecture by matrix
products in 32 bits, which are faster and round less, see `isobudget.backends.llamacpp.exact`. Weights are loaded when
they are first needed, and once for both generating and scoring.

Top-k, min-p and all penalties are absent: sampling is temperature and top-p alone, as in the paper.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from isobudget.backends.base import Chat, Description, Generation, Prompt, Sampling, Score
from isobudget.backends.engine.energy import find_meter
from isobudget.backends.engine.engine_clock import EngineClock, StepClock, share_by_tokens
from isobudget.backends.engine.in_flight import Request
from isobudget.backends.engine.inbox import Inbox
from isobudget.backends.engine.token_tree import TextScorer
from isobudget.backends.llamacpp.api import load_api
from isobudget.backends.llamacpp.engine import usable_cores
from isobudget.backends.llamacpp.exact import ExactScorer, Network, expanded_bytes, read_weights
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.backends.llamacpp.scoring import LlamaScorer
from isobudget.backends.llamacpp.settings import LlamaCppSettings
from isobudget.backends.llamacpp.slots import Slots, generate_from
from isobudget.backends.llamacpp.template import render_conversation
from isobudget.errors import BackendError
from isobudget.models.gguf import read_gguf_header

#: weights expanded to 32 bits take at most this memory unless they are asked for
EXACT_BYTES = 1 << 30


#: weights that the engine multiplies alike, bit by bit, for one sample and for many (tried on x86-64)
_EVEN_KINDS = frozenset({"Q4_0", "Q4_1", "Q8_0"})
_ALIKE = (
    "The same seed on the same machine gives the same sample, whatever is generated beside it and with any number of "
    "slots."
)
_ROUNDED = (
    "The same seed on the same machine gives the same sample, as far as rounding allows: weights of this kind are "
    "multiplied by different routines in small and in large batches, and a near tie may be decided differently."
)


class LlamaCpp:
    """A GGUF model run in this process. Entering it checks the file; weights are loaded by the first call.

    Raises:
        MissingExtraError: `xllamacpp` is not installed.
        ModelError: the file is missing, damaged, or not a model.
    """

    def __init__(self, settings: LlamaCppSettings) -> None:
        self.path = Path(settings.model)
        self.settings = settings
        self.concurrency = settings.slots
        self._clock = EngineClock(meter=find_meter())
        self._loading = threading.Lock()
        self._scoring = threading.Lock()
        self._vocabulary: LlamaModel | None = None
        self._weights: LlamaModel | None = None
        self._scorer: TextScorer | None = None
        self._slots: Slots | None = None
        self._inbox: Inbox[Request] = Inbox()
        self._thread: threading.Thread | None = None

    @property
    def computed_prompt_tokens(self) -> int:
        """Prompt tokens computed so far by generating."""
        return self._slots.prompt_tokens if self._slots else 0

    def __enter__(self) -> Self:
        self._vocabulary = LlamaModel(self.path, vocabulary_only=True)
        self._inbox = Inbox()
        return self

    def __exit__(self, *_: object) -> None:
        with self._loading:
            vocabulary, self._vocabulary = self._vocabulary, None
            for request in self._inbox.close():
                request.fail(BackendError(f"{self.path.name}: the model was closed before this sample was generated"))
        if self._thread:
            self._thread.join()
            self._thread = None
        with self._scoring:
            scorer, self._scorer = self._scorer, None
            if scorer:
                scorer.close()
        for model in (self._weights, vocabulary):
            if model:
                model.close()
        self._weights = self._slots = None

    def load(self) -> None:
        """Load the weights now, so that the first sample does not wait for it."""
        self._start()

    def describe(self) -> Description:
        """What this backend is; see `Backend.describe`."""
        matrices = (one for one in read_gguf_header(self.path).tensors.values() if len(one.shape) > 1)
        is_even = all(one.kind in _EVEN_KINDS for one in matrices)
        return Description(
            engine=self.settings.label,
            model=self.path.name,
            can_score=True,
            scoring=f"matrix products in 32 bits on CPU, {self._threads()} threads" if self._is_exact() else "",
            repeatable=_ALIKE if is_even else _ROUNDED,
        )

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        """Generate one sample per seed; see `Backend.generate`."""
        vocabulary = self._opened()
        ids = tuple(self._prompt_ids(prompt))
        request = Request(ids, sampling, vocabulary.end_ids | vocabulary.special_ids(sampling.stop), tuple(seeds))
        return self.generate_all([request])[0] if seeds else []

    def generate_all(self, requests: Sequence[Request]) -> list[list[Generation]]:
        """Generate the samples of several requests together.

        Raises:
            BackendError: a prompt has no tokens or does not fit into the context, or the engine failed.
        """
        room = self.settings.room
        for request in requests:
            if not request.prompt_ids:
                raise BackendError(f"{self.path.name}: a prompt without tokens cannot be completed")
            if len(request.prompt_ids) >= room:
                raise BackendError(
                    f"{self.path.name}: a prompt of {len(request.prompt_ids)} tokens exceeds the context size of "
                    f"{room} (set a larger context_tokens for this model in the study)"
                )
        self._start()
        for request in requests:
            if not self._inbox.put(request):
                raise BackendError(f"{self.path.name}: the model is not loaded any more")
        return [request.future.result() for request in requests]

    def score(self, prompt: Prompt, texts: Sequence[str], token_ids: Sequence[Sequence[int]] = ()) -> list[Score]:
        """How likely each text is after the prompt; see `Backend.score`.

        Prompt and text are tokenized apart: a token never reaches over the border. A sample that this model generated
        may have been other tokens than its text is made of; give them, and they are scored. An empty text has no
        log-probabilities, and so a likelihood of NaN.

        Raises:
            BackendError: prompt and text do not fit into the context that the model was trained for; a token id is not
                the model's.
        """
        if token_ids and len(token_ids) != len(texts):
            raise BackendError(f"{len(texts)} texts to score, but token ids of {len(token_ids)}")
        if not texts:
            return []
        vocabulary = self._opened()
        before = self._prompt_ids(prompt)
        given = token_ids or [()] * len(texts)
        after = [list(ids) or vocabulary.tokenize_text(one) for one, ids in zip(texts, given, strict=True)]
        scorer = self._loaded_scorer()
        ticket = self._clock.start(len(texts))
        try:
            logprobs = scorer.score(before, after)
        finally:
            self._clock.stop(ticket)
        tokens = [len(ids) for ids in after]
        shares = share_by_tokens(ticket.seconds, tokens), share_by_tokens(ticket.joules, tokens)
        return [
            Score(tuple(map(float, each)), len(before), *share) for each, *share in zip(logprobs, *shares, strict=True)
        ]

    def _prompt_ids(self, prompt: Prompt) -> list[int]:
        """The tokens that the model is given: a conversation goes into the model's own template."""
        vocabulary = self._opened()
        if not prompt or (isinstance(prompt, Chat) and not prompt.messages):
            raise BackendError("an empty prompt cannot be completed")
        if isinstance(prompt, str):
            return vocabulary.tokenize_prompt(prompt)
        if not vocabulary.template:
            raise BackendError(
                f"{self.path.name} has no template for conversations; choose a prompt format that is plain text"
            )
        return vocabulary.tokenize_conversation(render_conversation(vocabulary.template, prompt, vocabulary.names()))

    def _opened(self) -> LlamaModel:
        if self._vocabulary is None:
            raise BackendError(f"{self.path.name}: the model is not loaded; use the backend in a with statement")
        return self._vocabulary

    def _loaded(self) -> LlamaModel:
        """The model with its weights. Called with the lock of loading."""
        self._opened()
        if self._weights is None:
            self._weights = LlamaModel(self.path)
        return self._weights

    def _start(self) -> None:
        """Have the engine's thread running."""
        with self._loading:
            weights = self._loaded()
            if self._thread is None:
                clock = StepClock(meter=find_meter())
                settings = self.settings
                self._slots = Slots(weights, settings.slots, settings.room, self._threads(), clock)
                arguments = self._inbox, self._slots
                self._thread = threading.Thread(target=generate_from, args=arguments, name="llama.cpp", daemon=True)
                self._thread.start()

    def _loaded_scorer(self) -> TextScorer:
        with self._scoring:
            if self._scorer is None and self._is_exact():
                network = Network(read_weights(read_gguf_header(self.path), load_api()))
                self._scorer = ExactScorer(self.path.name, network, self._threads())
            elif self._scorer is None:
                with self._loading:
                    self._scorer = LlamaScorer(self._loaded(), self._threads())
            return self._scorer

    def _is_exact(self) -> bool:
        """Whether texts are scored in 32 bits."""
        if self.settings.exact is not None:
            return self.settings.exact
        needed = expanded_bytes(read_gguf_header(self.path))
        return needed is not None and needed <= EXACT_BYTES

    def _threads(self) -> int:
        return self.settings.threads or usable_cores()
