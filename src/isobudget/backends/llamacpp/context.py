"""A llama.cpp context: its memory of several token sequences, and the batches that extend them.

Sequences are numbered from 0. They either share one memory, so that a token may belong to several of them, or each has
its own memory. In its own memory a sequence is stored in token order, and sums over it are bitwise the same whatever
the other sequences hold. But the engine then computes sequences that are not adjacent and ascending in one batch each.

Not covered: which tokens to compute. Use it from one thread at a time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, c_float, c_int8, c_int32, c_void_p

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.llamacpp.api import F32, NO_FLASH_ATTENTION, Batch, load_api
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.errors import BackendError

#: the size of a context is rounded up to a multiple of this, as by the engine itself
_STEP_TOKENS = 256
#: minimum number of a prompt's tokens to compute at once: the engine computes fewer by another routine, which rounds
#: differently (tried on x86-64: attention goes through tiles of 64 tokens)
TILE_TOKENS = 64

Logits = NDArray[np.float32]
#: the content of a sequence, as the engine saves it for another context of the same model
State = NDArray[np.uint8]


class Context:
    """Memory and computation of one model; several contexts share its weights.

    Args:
        model: a model with weights; it must stay open longer than the context.
        tokens: capacity for all sequences together, or for each if they have their own memory; rounded up.
        sequences: number of sequences.
        batch_tokens: maximum tokens of one batch, at least `sequences`.
        threads: CPU threads.
        is_shared: whether sequences share one memory. If so, the logits of all tokens of a batch may be requested,
            otherwise only those of one token per sequence.
        in_32_bits: whether to store and add up keys and values in 32 bits, which is slower.

    Attributes:
        tokens: capacity for all sequences together.

    Raises:
        BackendError: there is not enough memory, or the library is not the expected version.
    """

    def __init__(
        self,
        model: LlamaModel,
        tokens: int,
        sequences: int,
        batch_tokens: int,
        threads: int,
        *,
        is_shared: bool,
        in_32_bits: bool = False,
    ) -> None:
        self._api, self._model, self._handle = load_api(), model, 0
        tokens = -(-tokens // _STEP_TOKENS) * _STEP_TOKENS
        self.tokens = tokens if is_shared else tokens * sequences
        self._batch_tokens = batch_tokens
        self._copying: set[int] = set()
        params = self._api.llama_context_default_params()
        params.n_ctx = self.tokens
        params.n_batch = params.n_ubatch = batch_tokens
        params.n_seq_max = sequences
        params.n_outputs_max_per_seq = batch_tokens if is_shared else 1
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = is_shared
        if in_32_bits:
            params.type_k = params.type_v = F32
            params.flash_attn_type = NO_FLASH_ATTENTION
        self._handle = self._api.llama_init_from_model(model.handle, params)
        if not self._handle:
            raise BackendError(
                f"{model.path.name}: llama.cpp could not create a context of {self.tokens} tokens; "
                "is there enough memory?"
            )
        if model.adapter:
            one = (c_void_p * 1)(model.adapter), 1, (c_float * 1)(1.0)
            if self._api.llama_set_adapters_lora(self._handle, *one) != 0:
                self.close()
                raise BackendError(f"{model.path.name}: llama.cpp did not accept a part of the weights")
        self._memory = self._api.llama_get_memory(self._handle)
        self._check([self.tokens, batch_tokens, sequences, threads])

    def close(self) -> None:
        """Free the memory."""
        if self._handle:
            self._api.llama_free(self._handle)
            self._handle = 0

    def clear(self) -> None:
        """Forget every sequence."""
        self._api.llama_memory_clear(self._memory, True)

    def copy(self, source: int, target: int) -> None:
        """Make the sequence `target` a copy of `source`; the engine does it with its next batch."""
        self.forget(target)
        self._copying.add(source)
        self._api.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def forget(self, sequence: int) -> None:
        """Empty a sequence."""
        self._api.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def save(self, sequence: int) -> State:
        """The state of a sequence, for `restore` in a context with the same number of sequences."""
        state = np.empty(self._api.llama_state_seq_get_size(self._handle, sequence), np.uint8)
        written = self._api.llama_state_seq_get_data(self._handle, state.ctypes.data, state.size, sequence)
        return state[:written]

    def is_copied(self, sequence: int) -> bool:
        """Whether the sequence is still waiting to be copied with the next batch."""
        return sequence in self._copying

    def restore(self, sequence: int, state: State) -> bool:
        """Replace a sequence by a saved state; returns whether the engine accepted it. If not, the sequence is empty.

        The sequence is replaced at once. So it must not be waiting to be copied (`is_copied`): the copy would be wrong.
        """
        self.forget(sequence)
        if self._api.llama_state_seq_set_data(self._handle, state.ctypes.data, state.size, sequence):
            return True
        self.forget(sequence)
        return False

    def copy_beginning(self, source: int, target: int, tokens: int) -> int:
        """Replace the sequence `target` by the first tokens of `source`.

        Returns:
            The number of tokens that `target` holds now: 0 if the model cannot drop the end of a sequence (recurrent
            layers), or no longer has the beginning of the sequence (sliding windows).
        """
        if tokens and source != target:
            self.copy(source, target)
        if (
            tokens
            and self._api.llama_memory_seq_rm(self._memory, target, tokens, -1)
            and self._api.llama_memory_seq_pos_min(self._memory, target) == 0
        ):
            return tokens
        self.forget(target)
        return 0

    def decode(
        self, tokens: Sequence[int], positions: Sequence[int], owners: Sequence[Sequence[int]], wanted: Sequence[bool]
    ) -> Logits:
        """Compute one batch.

        Args:
            tokens: token ids.
            positions: each token's position in its sequences.
            owners: the sequences of each token, at least one; exactly one if sequences have their own memory.
            wanted: for each token, whether its logits are wanted.

        Returns:
            The wanted logits, of shape (wanted tokens, vocabulary), in the engine's memory until the next batch.

        Raises:
            BackendError: llama.cpp failed; the state of the context is then unknown.
        """
        count = len(tokens)
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
            logits=(c_int8 * count)(*wanted),
        )
        status = self._api.llama_decode(self._handle, batch)
        self._copying.clear()
        if status != 0:
            raise BackendError(f"{self._model.path.name}: llama.cpp could not compute {count} tokens (code {status})")
        rows = sum(map(bool, wanted))
        if not rows:
            return np.empty((0, self._model.vocabulary_size), np.float32)
        return np.ctypeslib.as_array(
            self._api.llama_get_logits(self._handle), shape=(rows, self._model.vocabulary_size)
        )

    def decode_prompt(self, prompt: Sequence[int], sequence: int, known: int = 0) -> Logits:
        """Compute a prompt into a sequence that holds exactly its first `known` tokens, by default none.

        The result is bitwise independent of `known` if no part is shorter than `TILE_TOKENS` tokens. This is so if the
        prompt has at least that many tokens, at least that many are left to compute, and the known tokens were computed
        as the beginning of a prompt of at least that many tokens.

        Returns:
            The logits after the prompt, of shape (1, vocabulary), as from `decode`.
        """
        start = known
        while start < len(prompt):
            end = min(start + self._batch_tokens, len(prompt))
            if 0 < len(prompt) - end < TILE_TOKENS:  # leave enough for the last part
                end = len(prompt) - TILE_TOKENS
            part = prompt[start:end]
            wanted = [False] * (len(part) - 1) + [end == len(prompt)]
            logits = self.decode(part, range(start, end), [[sequence]] * len(part), wanted)
            start = end
        return logits

    def _check(self, wanted: list[int]) -> None:
        """Check that the library understood the request; if not, its structures are not the expected ones."""
        api, handle = self._api, self._handle
        asked = (api.llama_n_ctx, api.llama_n_batch, api.llama_n_seq_max, api.llama_n_threads_batch)
        made = [int(function(handle)) for function in asked]
        if made != wanted:
            self.close()
            raise BackendError(
                f"the embedded engine created a context of {made} (tokens, batch, sequences, threads) instead "
                f"of {wanted}. Install a supported version with: pip install 'isobudget[local]'"
            )
