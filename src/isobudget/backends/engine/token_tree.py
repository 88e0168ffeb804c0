"""Texts after one prompt as a tree of tokens, so that their common beginnings are computed only once.

Samples of one prompt often have the same beginning, or are equal. Texts are sorted, and as many as fit form one batch,
in which a shared token belongs to several texts. The first token of every text is predicted by the prompt's last
position; a text's last token predicts nothing and is not computed. ::

    log p(t_i | prompt, t_<i) = logit(t_i) - log sum_v exp(logit(v))
"""

from __future__ import annotations

import abc
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isobudget.errors import BackendError

Floats = NDArray[np.float64]
Ids = Sequence[int]


@dataclass(slots=True)
class Tree:
    """The tokens of one batch: a tree of the common beginnings of texts.

    Attributes:
        tokens: token of each node, parents before children.
        depths: for each node, its position in its texts.
        owners: for each node, the texts that contain it, numbered within the batch.
        texts: for each text of the batch, its index among the call's texts.
        paths: for each text, its nodes.
    """

    tokens: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    owners: list[list[int]] = field(default_factory=list)
    texts: list[int] = field(default_factory=list)
    paths: list[list[int]] = field(default_factory=list)

    def add(self, text: int, ids: Ids, shared: int) -> None:
        """Add a text's tokens; its first `shared` tokens are those of the text added before."""
        path = self.paths[-1][:shared] if self.paths else []
        owner = len(self.texts)
        for node in path:
            self.owners[node].append(owner)
        for depth in range(len(path), len(ids)):
            path.append(len(self.tokens))
            self.tokens.append(ids[depth])
            self.depths.append(depth)
            self.owners.append([owner])
        self.texts.append(text)
        self.paths.append(path)


#: a tree, and the place of its first token in its texts: 0, or more for a later part of a text longer than a batch
Branch = tuple[int, Tree]


def batches_of(texts: Sequence[Ids], most_tokens: int, most_texts: int, sharing: bool = True) -> Iterator[list[Branch]]:
    """Divide texts into batches of at most this many tokens and texts; each batch is one tree.

    A text longer than a batch is divided into parts. They form a batch of their own, which lists the parts in order.
    `sharing` says whether texts may share tokens.
    """
    tree = Tree()
    before: Ids = ()
    for index in sorted(range(len(texts)), key=lambda index: tuple(texts[index])):
        ids = texts[index][:-1]
        shared = _common(before, ids) if sharing else 0
        full = len(tree.tokens) + len(ids) - shared > most_tokens or len(tree.texts) == most_texts
        if full and tree.texts:
            yield [(0, tree)]
            tree, shared = Tree(), 0
        if len(ids) > most_tokens:
            yield _parts(index, ids, most_tokens)
            before = ()
        elif ids:
            tree.add(index, ids, shared)
            before = ids
    if tree.texts:
        yield [(0, tree)]


def distinct_tokens(texts: Sequence[Ids]) -> int:
    """The number of tokens to compute, counting tokens that texts share once."""
    before: Ids = ()
    total = 0
    for ids in sorted(tuple(text[:-1]) for text in texts):
        total += len(ids) - _common(before, ids)
        before = ids
    return total


def _parts(index: int, ids: Ids, most: int) -> list[Branch]:
    branches = []
    for start in range(0, len(ids), most):
        part = Tree()
        part.add(index, ids[start : start + most], 0)
        branches.append((start, part))
    return branches


def _common(one: Ids, other: Ids) -> int:
    """The number of ids that both sequences begin with."""
    for index, (first, second) in enumerate(zip(one, other, strict=False)):
        if first != second:
            return index
    return min(len(one), len(other))


def begin_scores(after_prompt: NDArray[np.floating], texts: Sequence[Ids]) -> list[Floats]:
    """Arrays for the scores of all texts, in which the scores of the first tokens are set.

    `after_prompt` are the logits after the prompt, of shape (1, vocabulary).
    """
    scores = [np.empty(len(text)) for text in texts]
    normalizer = log_normalizers(after_prompt)[0]
    for score, text in zip(scores, texts, strict=True):
        score[:1] = after_prompt[0, text[:1]] - normalizer
    return scores


def put_scores(part: Branch, logits: NDArray[np.float32], texts: Sequence[Ids], scores: Sequence[Floats]) -> None:
    """Store the scores that a part's logits give: each token's logits give the score of the token after it.

    `logits` has the shape (tokens of the part, vocabulary).
    """
    start, tree = part
    normalizers = log_normalizers(logits)
    for text, path in zip(tree.texts, tree.paths, strict=True):
        following = texts[text][start + 1 : start + 1 + len(path)]
        scores[text][start + 1 : start + 1 + len(path)] = logits[path, following] - normalizers[path]


def log_normalizers(logits: NDArray[np.floating]) -> Floats:
    """The log-sum-exp of each row: subtract it from a logit to get a natural-log probability."""
    normalizers = np.empty(len(logits))
    for row, values in enumerate(logits):  # a row at a time: its exponentials stay in the processor's cache
        top = values.max()
        normalizers[row] = top + np.log(np.exp(values - top).sum(dtype=np.float64))
    return normalizers


class TextScorer(abc.ABC):
    """Base class of the ways to score texts under one model. Safe to use from several threads.

    Attributes:
        vocabulary: number of token ids of the model.
        most_tokens: maximum number of tokens of prompt and text together.
        computed_tokens: number of tokens computed so far, of prompts and texts.
    """

    def __init__(self, name: str, vocabulary: int, most_tokens: int, batch_tokens: int) -> None:
        self.name, self.vocabulary, self.most_tokens, self.batch_tokens = name, vocabulary, most_tokens, batch_tokens
        self.computed_tokens = 0
        self._lock = threading.Lock()

    @abc.abstractmethod
    def close(self) -> None:
        """Free the memory; no further calls are allowed."""

    @abc.abstractmethod
    def _score(self, prompt: tuple[int, ...], texts: Sequence[Ids]) -> list[Floats]:
        """Like `score`, for texts that have been checked."""

    def score(self, prompt: Ids, texts: Sequence[Ids]) -> list[Floats]:
        """Natural-log probabilities of each text's tokens after the prompt, under the unmodified model.

        Args:
            prompt: token ids, at least one.
            texts: token ids of each; an empty text has no log-probabilities.

        Raises:
            BackendError: prompt and text are longer than the model's context, or an id is not in its vocabulary.
        """
        if not prompt:
            raise BackendError(f"{self.name}: the prompt has no tokens, so nothing predicts the first token of a text")
        for index, text in enumerate(texts):
            if len(prompt) + len(text) > self.most_tokens:
                raise BackendError(
                    f"{self.name}: text {index} cannot be scored: {len(prompt)} tokens of the prompt and "
                    f"{len(text)} of the text exceed the model's context of {self.most_tokens} tokens"
                )
            wrong = next((token for token in text if not 0 <= token < self.vocabulary), None)
            if wrong is not None:
                raise BackendError(
                    f"{self.name}: text {index} has the token id {wrong}, but the model's vocabulary has "
                    f"{self.vocabulary} tokens. Token ids are valid only for the model whose tokenizer made them"
                )
        return self._score(tuple(prompt), texts) if any(map(len, texts)) else [np.empty(0) for _ in texts]
