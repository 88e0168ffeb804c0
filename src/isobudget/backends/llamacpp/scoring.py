"""Log-probabilities of given texts after a prompt, by llama.cpp: no sampling, one forward pass over their tree.

The logits are the engine's own. With most quantised weights the engine rounds activations to 8 bits, and a last bit
that is rounded differently in another batch propagates. With SmolLM2 135M in Q4_1, the score of the same text in
another batch differs by about 0.02 nats per token, and a token's score differs from exact arithmetic by 0.03, at random
and without bias. Files with weights in 16 or 32 bits are scored with keys and values in 32 bits, which nearly removes
the effect. Small models of known architecture are scored without this rounding, see
`isobudget.backends.llamacpp.exact`.

Not covered: models with an encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.engine.token_tree import (
    Branch,
    Floats,
    Ids,
    TextScorer,
    batches_of,
    begin_scores,
    put_scores,
)
from isobudget.backends.llamacpp.api import load_api
from isobudget.backends.llamacpp.context import Context
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.errors import BackendError

#: tokens per batch at most: as many as the engine computes at once by default
_BATCH_TOKENS = 512
#: logits held at the same time at most; large vocabularies get smaller batches
_LOGITS = 1 << 25
#: number of sequences of a context; the engine needs batches of at least as many tokens
_SEQUENCES = 64
#: contexts are made for lengths rounded up to this, so that few different ones are needed
_CONTEXT_STEP = 512
#: sequence 0 holds the prompt
_PROMPT = 0


class LlamaScorer(TextScorer):
    """Scores texts under one model, whose weights must stay open. Safe for several threads, which take turns."""

    def __init__(self, model: LlamaModel, threads: int) -> None:
        api = load_api()
        batch_tokens = max(_SEQUENCES, min(_BATCH_TOKENS, _LOGITS // model.vocabulary_size))
        most_tokens = int(api.llama_model_n_ctx_train(model.handle))
        super().__init__(model.path.name, model.vocabulary_size, most_tokens, batch_tokens)
        self.model = model
        self._threads = threads
        self._context: Context | None = None
        self._prompt: tuple[int, ...] = ()
        self._after_prompt: Floats = np.empty((0, 0))
        # a recurrent state belongs to one sequence
        self._can_share = not (api.llama_model_is_recurrent(model.handle) or api.llama_model_is_hybrid(model.handle))

    def close(self) -> None:
        """Free the context."""
        with self._lock:
            self._free_context()

    def _score(self, prompt: tuple[int, ...], texts: Sequence[Ids]) -> list[Floats]:
        with self._lock:
            if not self.model.handle:
                raise BackendError(f"{self.name}: the model is no longer loaded")
            self._read_prompt(prompt, texts)
            scores = begin_scores(self._after_prompt, texts)
            for parts in batches_of(texts, self.batch_tokens, _SEQUENCES - 1, self._can_share):
                for part in parts:
                    put_scores(part, self._compute(part, part is parts[-1]), texts, scores)
            return scores

    def _read_prompt(self, prompt: tuple[int, ...], texts: Sequence[Ids]) -> None:
        """Load the prompt into sequence 0 of a context with room for it and for tokens computed at the same time."""
        cells = len(prompt) + max(self.batch_tokens, *(len(text) for text in texts))
        context = self._context
        fits = context is not None and context.tokens >= cells
        if fits and prompt == self._prompt:
            return
        if context is None or not fits:
            context = self._make_context(cells)
        self._prompt = ()
        context.clear()
        self._after_prompt = context.decode_prompt(prompt, _PROMPT).astype(np.float64)
        self.computed_tokens += len(prompt)
        self._prompt = prompt

    def _compute(self, part: Branch, is_last: bool) -> NDArray[np.float32]:
        """The logits of a part's tokens. After a text's last part, the context forgets the text's tokens."""
        start, tree = part
        context = self._context
        assert context is not None
        sequences = range(1, len(tree.texts) + 1)
        if start == 0:
            for sequence in sequences:
                context.copy(_PROMPT, sequence)
        offset = len(self._prompt) + start
        owners = [[owner + 1 for owner in node] for node in tree.owners]
        positions = [offset + depth for depth in tree.depths]
        try:
            logits = context.decode(tree.tokens, positions, owners, [True] * len(tree.tokens))
        except BackendError:
            self._prompt = ()  # what the context holds now is not known
            raise
        self.computed_tokens += len(tree.tokens)
        if is_last:
            for sequence in sequences:
                context.forget(sequence)
        return logits

    def _make_context(self, cells: int) -> Context:
        self._free_context()
        tokens = -(-cells // _CONTEXT_STEP) * _CONTEXT_STEP
        size = tokens, _SEQUENCES, self.batch_tokens
        # flash attention on a processor adds up in 16 bits; quantised weights lose more than that
        self._context = Context(self.model, *size, self._threads, is_shared=True, in_32_bits=self.model.is_float)
        return self._context

    def _free_context(self) -> None:
        if self._context:
            self._context.close()
            self._context = None
            self._prompt = ()
