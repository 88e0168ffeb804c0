"""Log-probabilities of given texts after a prompt, by llama.cpp: no sampling, one forward pass over their tree.

The logits are the engine's own. Beside most quantised weights it rounds activations to 8 bits, and a last bit that
falls otherwise in another batch is carried on: with SmolLM2 135M in Q4_1, the same text in other company scores by some
0.02 nats per token otherwise, and a token by 0.03 than with exact arithmetic, at random and without bias. Files whose
weights are in 16 or 32 bits are scored with keys and values in 32 bits, and have next to none of this. Small models of
known architecture are scored without any, see `isobudget.backends.exact`.

Not covered: models with an encoder.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from ctypes import POINTER, c_int8, c_int32
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.llamacpp.api import F32, FLOAT_FILES, NO_FLASH_ATTENTION, Batch, load_api
from isobudget.backends.llamacpp.model import LlamaModel, quiet
from isobudget.backends.token_tree import Floats, Ids, Limits, Part, batches_of, begin_scores, check_texts, put_scores
from isobudget.errors import BackendError

#: tokens per batch at most: as many as the engine computes at once by default
_BATCH_TOKENS = 512
#: logits held at the same time at most; large vocabularies get smaller batches
_LOGITS = 1 << 25
#: the engine wants batches of at least as many tokens
_SEQUENCES = 64
#: contexts are made for lengths rounded up to this, so that few different ones are needed
_CONTEXT_STEP = 512
#: sequence 0 holds the prompt
_PROMPT = 0


class Scorer:
    """Scores texts under one model; for several threads, one at a time.

    Args:
        path: the GGUF file.
        threads: CPU threads.

    Raises:
        ModelError: the model cannot be loaded.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._api = load_api()
        self.model = LlamaModel(path)
        self._threads = threads
        self._lock = threading.Lock()
        self._context: int = 0
        self._memory: int = 0
        self._prompt: tuple[int, ...] = ()
        self._after_prompt: Floats = np.empty((0, 0))
        self.most_tokens = int(self._api.llama_model_n_ctx_train(self.model.handle))
        self.batch_tokens = max(_SEQUENCES, min(_BATCH_TOKENS, _LOGITS // self.model.vocabulary_size))
        handle = self.model.handle
        # a recurrent state belongs to one sequence
        self._can_share = not (self._api.llama_model_is_recurrent(handle) or self._api.llama_model_is_hybrid(handle))
        self._is_float = self._api.llama_model_ftype(handle) in FLOAT_FILES
        #: tokens computed so far, of prompts and of texts
        self.computed_tokens = 0

    def close(self) -> None:
        """Free context and model."""
        with self._lock:
            self._free_context()
            self.model.close()

    def score(self, prompt: Ids, texts: Sequence[Ids]) -> list[Floats]:
        """Natural-log probabilities of each text's tokens after the prompt, under the unmodified model.

        Args:
            prompt: token ids, at least one.
            texts: token ids of each; an empty text has no log-probabilities.

        Raises:
            BackendError: prompt and text are longer than the model's context, or an id is not in its vocabulary.
        """
        check_texts(self.model.path.name, self.model.vocabulary_size, self.most_tokens, prompt, texts)
        if not any(len(text) for text in texts):
            return [np.empty(0) for _ in texts]
        with self._lock:
            if not self.model.handle:
                raise BackendError(f"{self.model.path.name}: the model is not loaded any more")
            return self._score(tuple(prompt), texts)

    def _score(self, prompt: tuple[int, ...], texts: Sequence[Ids]) -> list[Floats]:
        self._read_prompt(prompt, texts)
        scores = begin_scores(self._after_prompt, texts)
        limits = Limits(self.batch_tokens, _SEQUENCES - 1, self._can_share)
        for parts in batches_of(texts, limits):
            for part in parts:
                put_scores(part, self._compute(part, part is parts[-1]), texts, scores)
        return scores

    def _read_prompt(self, prompt: tuple[int, ...], texts: Sequence[Ids]) -> None:
        """Have the prompt in sequence 0 of a context with room for it and for what is computed at the same time."""
        cells = len(prompt) + max(self.batch_tokens, *(len(text) for text in texts))
        fits = self._context and self._api.llama_n_ctx(self._context) >= cells
        if fits and prompt == self._prompt:
            return
        if not fits:
            self._make_context(cells)
        self._prompt = ()
        self._api.llama_memory_clear(self._memory, True)
        for start in range(0, len(prompt), self.batch_tokens):
            part = prompt[start : start + self.batch_tokens]
            last = start + len(part) == len(prompt)
            self._decode(part, range(start, start + len(part)), [[_PROMPT]] * len(part), last_only=True, wanted=last)
        self._after_prompt = self._logits(1).astype(np.float64)
        self._prompt = prompt

    def _compute(self, part: Part, is_last: bool) -> NDArray[np.float32]:
        """The logits of a part's tokens; after the last part of a text what was computed of it is forgotten."""
        start, tree = part
        sequences = range(1, len(tree.texts) + 1)
        if start == 0:
            for sequence in sequences:
                self._api.llama_memory_seq_rm(self._memory, sequence, -1, -1)
                self._api.llama_memory_seq_cp(self._memory, _PROMPT, sequence, -1, -1)
        offset = len(self._prompt) + start
        owners = [[owner + 1 for owner in node] for node in tree.owners]
        self._decode(tree.tokens, [offset + depth for depth in tree.depths], owners)
        if is_last:
            for sequence in sequences:
                self._api.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        return self._logits(len(tree.tokens))

    def _decode(
        self,
        tokens: Ids,
        positions: Sequence[int],
        owners: Sequence[Sequence[int]],
        *,
        last_only: bool = False,
        wanted: bool = True,
    ) -> None:
        """Compute tokens in the sequences that own them; logits of all of them, of the last one, or of none."""
        count = len(tokens)
        flags = [wanted and (not last_only or index == count - 1) for index in range(count)]
        flat = [owner for node in owners for owner in node]
        array = (c_int32 * len(flat))(*flat)
        pointers = (POINTER(c_int32) * count)()
        place = 0
        for index, node in enumerate(owners):
            pointers[index] = ctypes.cast(ctypes.byref(array, place * ctypes.sizeof(c_int32)), POINTER(c_int32))
            place += len(node)
        batch = Batch(
            n_tokens=count,
            token=(c_int32 * count)(*tokens),
            pos=(c_int32 * count)(*positions),
            n_seq_id=(c_int32 * count)(*map(len, owners)),
            seq_id=pointers,
            logits=(c_int8 * count)(*flags),
        )
        status = self._api.llama_decode(self._context, batch)
        if status != 0:
            self._prompt = ()  # what the context holds now is not known
            raise BackendError(f"{self.model.path.name}: llama.cpp could not compute {count} tokens (code {status})")
        self.computed_tokens += count

    def _logits(self, rows: int) -> NDArray[np.float32]:
        """The last batch's wanted logits, of shape (rows, vocabulary), in the engine's memory until the next batch."""
        pointer = self._api.llama_get_logits(self._context)
        return np.ctypeslib.as_array(pointer, shape=(rows, self.model.vocabulary_size))

    def _make_context(self, cells: int) -> None:
        self._free_context()
        params = self._api.llama_context_default_params()
        params.n_ctx = -(-cells // _CONTEXT_STEP) * _CONTEXT_STEP
        params.n_batch = params.n_ubatch = self.batch_tokens
        params.n_seq_max = _SEQUENCES
        params.n_outputs_max_per_seq = self.batch_tokens
        params.n_threads = params.n_threads_batch = self._threads
        params.kv_unified = True  # one buffer, so that the texts share the prompt's part of it
        if self._is_float:  # flash attention on a processor adds up in 16 bits; quantised weights cost more than that
            params.type_k = params.type_v = F32
            params.flash_attn_type = NO_FLASH_ATTENTION
        with quiet():
            context = self._api.llama_init_from_model(self.model.handle, params)
        if not context:
            raise BackendError(
                f"{self.model.path.name}: llama.cpp could not make a context of {params.n_ctx} tokens; "
                "is there memory for it?"
            )
        self._context = context
        self._memory = self._api.llama_get_memory(context)
        self._check_context(params.n_ctx)

    def _check_context(self, tokens: int) -> None:
        """Whether the library understood what it was asked for; if not, the structures are not what they seem."""
        api, context = self._api, self._context
        asked = (api.llama_n_ctx, api.llama_n_batch, api.llama_n_seq_max, api.llama_n_threads_batch)
        found = [int(function(context)) for function in asked]
        wanted = [tokens, self.batch_tokens, _SEQUENCES, self._threads]
        if found != wanted:
            raise BackendError(
                f"the embedded engine made a context of {found} (tokens, batch, sequences, threads) where {wanted} was "
                "asked for; install a supported version with: pip install 'isobudget[local]'"
            )

    def _free_context(self) -> None:
        if self._context:
            with quiet():
                self._api.llama_free(self._context)
            self._context = 0
            self._prompt = ()
