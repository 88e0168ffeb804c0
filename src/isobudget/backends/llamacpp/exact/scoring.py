"""Log-probabilities of given texts after a prompt, in 32 bits: batches of the texts' tree, on several cores.

Each batch is computed on one core. A matrix product spread over several cores has to wait for all of them at every
step, which is many times slower beside other work. Several calls may run at the same time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.engine.token_tree import (
    Branch,
    Floats,
    Ids,
    TextScorer,
    Tree,
    batches_of,
    begin_scores,
    distinct_tokens,
    put_scores,
)
from isobudget.backends.llamacpp.exact.network import KeysValues, Network
from isobudget.errors import BackendError

#: maximum tokens per batch: larger batches are no faster, and compute more attention that is masked
_BATCH_TOKENS = 256
#: minimum tokens per batch: smaller batches gain less from another core than they lose by being small
_LEAST_TOKENS = 48
_TEXTS = 1024
#: number of prompts that are kept, because the samples of a problem may come in several calls
_KEPT_PROMPTS = 4

_T = TypeVar("_T")


class ExactScorer(TextScorer):
    """Scores texts under one model, on `threads` cores. Safe to use from several threads."""

    def __init__(self, name: str, network: Network, threads: int) -> None:
        super().__init__(name, len(network.weights.embedding), network.weights.context_tokens, _BATCH_TOKENS)
        self.network, self.threads = network, threads
        self._prompts: dict[tuple[int, ...], tuple[NDArray[np.float32], KeysValues]] = {}
        self._pool = ThreadPoolExecutor(threads)
        self._open = contextlib.ExitStack()
        self._open.enter_context(_one_core_each())

    def close(self) -> None:
        """Wait for running calls; no further calls are allowed."""
        self._pool.shutdown()
        self._open.close()

    def _score(self, prompt: tuple[int, ...], texts: Sequence[Ids]) -> list[Floats]:
        after_prompt, before = self._begin(partial(self._read_prompt, prompt)).result()
        scores = begin_scores(after_prompt, texts)
        waiting = [
            self._begin(partial(self._score_batch, parts, before, texts, scores))
            for parts in batches_of(texts, self._batch_size(texts), _TEXTS)
        ]
        for batch in waiting:
            batch.result()
        return scores

    def _begin(self, work: Callable[[], _T]) -> Future[_T]:
        try:
            return self._pool.submit(work)
        except RuntimeError:  # the pool is closed
            raise BackendError(f"{self.name}: the model is no longer loaded") from None

    def _batch_size(self, texts: Sequence[Ids]) -> int:
        """Number of tokens per batch that gives every core about the same work."""
        tokens = distinct_tokens(texts)
        rounds = -(-tokens // (self.batch_tokens * self.threads))
        even = -(-tokens // max(1, rounds * self.threads))
        longest = max(map(len, texts))
        return min(self.batch_tokens, max(even + min(longest, even) // 2, _LEAST_TOKENS))

    def _read_prompt(self, prompt: tuple[int, ...]) -> tuple[NDArray[np.float32], KeysValues]:
        """The logits after the prompt, and the prompt's keys and values; results for recent prompts are cached."""
        with self._lock:
            if prompt in self._prompts:
                return self._prompts[prompt]
        before = KeysValues()
        for start in range(0, len(prompt), self.batch_tokens):
            tokens = prompt[start : start + self.batch_tokens]
            below = np.tri(len(tokens), dtype=np.bool_)
            positions = range(start, start + len(tokens))
            logits, before = self.network.compute(tokens, positions, below, before, slice(-1, None))
        self._count(len(prompt))
        with self._lock:
            self._prompts[prompt] = logits, before
            while len(self._prompts) > _KEPT_PROMPTS:
                del self._prompts[next(iter(self._prompts))]
        return logits, before

    def _score_batch(
        self, parts: Sequence[Branch], before: KeysValues, texts: Sequence[Ids], scores: Sequence[Floats]
    ) -> None:
        offset = before.tokens
        for start, tree in parts:
            positions = [offset + start + depth for depth in tree.depths]
            logits, after = self.network.compute(tree.tokens, positions, lineage(tree), before)
            put_scores((start, tree), logits, texts, scores)
            before = after
            self._count(len(tree.tokens))

    def _count(self, tokens: int) -> None:
        with self._lock:
            self.computed_tokens += tokens


def lineage(tree: Tree) -> NDArray[np.bool_]:
    """For each node, its ancestors in its texts and itself, as a mask of shape (nodes, nodes)."""
    ancestors = np.zeros((len(tree.tokens), len(tree.tokens)), np.bool_)
    for path in tree.paths:
        places = np.asarray(path)
        ancestors[places[:, None], places] |= np.tri(len(path), dtype=np.bool_)
    return ancestors


def _one_core_each() -> contextlib.AbstractContextManager[object]:
    """Restrict each matrix product to the core that calls it."""
    from threadpoolctl import threadpool_limits

    limits: contextlib.AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits
