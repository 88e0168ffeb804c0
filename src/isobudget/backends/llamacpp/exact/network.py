"""The forward pass of a Llama-style decoder in 32 bits: tokens in, logits out.

For the vectors x of the tokens, in each layer (Touvron et al. 2023, arXiv:2302.13971; grouped queries: Ainslie et al.
2023, arXiv:2305.13245; rotary positions: Su et al. 2021, arXiv:2104.09864)::

    x = x + W_o attention(rotate(W_q u(x)), rotate(W_k u(x)), W_v u(x))         u(x) = x / sqrt(mean(x^2) + epsilon)
    x = x + W_down (silu(W_gate u(x)) * W_up u(x))

and the logits are W_head u(x). The norms' factors are multiplied into the matrices after them, see `weights`.

The tokens may come from several texts: `allowed` says which tokens each one may attend to, so that texts with a common
beginning are computed as one tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.llamacpp.exact.weights import DecoderWeights, Floats, Layer


@dataclass(frozen=True, slots=True)
class KeysValues:
    """Keys and values of tokens computed before: for each layer two arrays of shape (kv_heads, tokens, head_size)."""

    keys: Sequence[Floats] = field(default=())
    values: Sequence[Floats] = field(default=())

    @property
    def tokens(self) -> int:
        """Number of computed tokens."""
        return self.keys[0].shape[1] if self.keys else 0


class Network:
    """A decoder. Use it from one thread at a time."""

    def __init__(self, weights: DecoderWeights) -> None:
        self.weights = weights

    def compute(
        self,
        tokens: Sequence[int],
        positions: Sequence[int],
        allowed: NDArray[np.bool_],
        before: KeysValues,
        wanted: slice = slice(None),
    ) -> tuple[Floats, KeysValues]:
        """Logits of tokens, and the keys and values of `before` and of these tokens.

        Args:
            tokens: ids, of shape (n,).
            positions: position of each token in its text, from 0.
            allowed: shape (n, n): whether token i may attend to token j; it must be allowed to attend to itself. All
                may attend to the tokens in `before`.
            before: keys and values computed before.
            wanted: tokens whose logits are wanted.

        Returns:
            The logits, of shape (wanted, vocabulary), and the keys and values.
        """
        all_before = np.zeros((len(tokens), before.tokens), np.float32)
        mask = np.concatenate([all_before, np.where(allowed, np.float32(0), np.float32(-np.inf))], axis=1)
        angles = np.asarray(positions, np.float64)[:, None] * self.weights.frequencies
        turn = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        x = self.weights.embedding[np.asarray(tokens)]
        keys, values = [], []
        for number, layer in enumerate(self.weights.layers):
            query, key, value = self._project(layer, x, turn)
            if before.tokens:
                key = np.concatenate([before.keys[number], key], axis=1)
                value = np.concatenate([before.values[number], value], axis=1)
            keys.append(key)
            values.append(value)
            x += _attend(query, key, value, mask) @ layer.attention_out.T
            x += _gated(self._normed(x) @ layer.mlp_in.T) @ layer.mlp_out.T
        return self._normed(x[wanted]) @ self.weights.head.T, KeysValues(keys, values)

    def _project(self, layer: Layer, x: Floats, turn: tuple[Floats, Floats]) -> tuple[Floats, Floats, Floats]:
        """Queries, keys and values, each of shape (heads, n, head_size)."""
        heads, kv_heads = self.weights.heads, self.weights.kv_heads
        projected = self._normed(x) @ layer.attention_in.T
        if layer.attention_bias is not None:
            projected += layer.attention_bias
        parted = projected.reshape(len(x), heads + 2 * kv_heads, -1).swapaxes(0, 1)
        turned = _rotate(parted[: heads + kv_heads], *turn)
        return turned[:heads], turned[heads:], np.ascontiguousarray(parted[heads + kv_heads :])

    def _normed(self, x: Floats) -> Floats:
        squares = np.einsum("nd,nd->n", x, x) / np.float32(x.shape[1])
        normed: Floats = x * (1 / np.sqrt(squares + np.float32(self.weights.epsilon)))[:, None]
        return normed


def _rotate(x: Floats, cosine: Floats, sine: Floats) -> Floats:
    """Rotate pairs of numbers half a head apart by each token's angles."""
    half = x.shape[2] // 2
    rotated = np.empty(x.shape, np.float32)
    one, other = x[..., :half], x[..., half:]
    rotated[..., :half] = one * cosine - other * sine
    rotated[..., half:] = other * cosine + one * sine
    return rotated


def _attend(query: Floats, key: Floats, value: Floats, mask: Floats) -> Floats:
    """Attention of shape (n, heads x head_size); queries share keys and values in groups of heads."""
    kv_heads, seen, size = key.shape
    count = query.shape[1]
    scores: Floats = query.reshape(kv_heads, -1, size) @ key.swapaxes(1, 2)
    by_token = scores.reshape(kv_heads, -1, count, seen)
    by_token += mask
    by_token -= by_token.max(axis=3, keepdims=True)
    np.exp(by_token, out=by_token)
    by_token /= by_token.sum(axis=3, keepdims=True)
    mixed: Floats = (scores @ value).reshape(-1, count, size)
    return np.ascontiguousarray(mixed.swapaxes(0, 1)).reshape(count, -1)


def _gated(gate_and_up: Floats) -> Floats:
    """silu(gate) * up."""
    half = gate_and_up.shape[1] // 2
    gate, up = gate_and_up[:, :half], gate_and_up[:, half:]
    with np.errstate(over="ignore"):  # the exponential of a far negative gate is infinite, and the gate then 0
        np.divide(gate, 1 + np.exp(-gate), out=gate)
    gate *= up
    return gate
