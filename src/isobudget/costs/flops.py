"""Floating point operations of a sample, from the shape of its model. One multiply-add is 2 flops.

Three counts, from the paper's to the real one (S tokens, L layers, d hidden, q and d_kv the widths of queries and
keys, f MLP width, V vocabulary, H query heads):

- `paper_flops`: F(S) = 2 S [L (2 d q + 2 d d_kv + 3 d f) + d V], the matrix multiplications of one forward pass over
  S tokens. At S = 128 it gives the paper's Table 1 within 0.2 %.
- `calflops_count`: what the calflops library, which the paper used, counts of the same pass with eager attention: with
  MACs = S [L (2 d q + 2 d d_kv + 3 d f) + d V] + 2 L S^2 q, it is 2 MACs + L (S f + H S^2), an exact integer.
- `prompt_flops` and `completion_flops`: what a decoder with a key-value cache computes for a prompt of P and a
  completion of C tokens. A token at place t (from 1) is multiplied with every layer weight (w per layer) and attends to
  a(t) = t keys, or min(t, window) in a windowed layer, at 4 q flops a key and layer. The output layer runs only where a
  token is sampled: at the prompt's end, and for each completion token that is fed back. The last completion token is
  not fed back, so

      prompt(P)        = 2 P L w + 2 d V + 4 q L sum_{t=1..P} a(t)
      completion(P, C) = 2 (C - 1) (L w + d V) + 4 q L sum_{t=P+1..P+C-1} a(t)

  and k samples that share a prompt cost prompt(P) + k completion(P, C), samples that do not share it
  k (prompt(P) + completion(P, C)).

Norms, activations, rotary embeddings and softmax are left out, except for what calflops counts of them. Batching
changes seconds, not flops; padding in a batch is not counted.
"""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import NDArray

from isobudget.errors import InputError
from isobudget.models.architecture import Architecture

#: the sequence length at which the paper counts the flops of one generation (Table 1)
PAPER_LENGTH = 128

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def paper_flops(architecture: Architecture, tokens: int = PAPER_LENGTH) -> int:
    """Flops of one forward pass over `tokens` >= 1 tokens, attention scores left out: the paper's Table 1 at 128."""
    _at_least("tokens", tokens, 1)
    return 2 * tokens * architecture.active_params


def calflops_count(architecture: Architecture, tokens: int = PAPER_LENGTH) -> int:
    """Flops of one forward pass over `tokens` tokens as the calflops library counts them, exactly.

    The count is exact for dense gated models without a window. For other models it is the same formula, with the active
    experts. `tokens` is at least 1.
    """
    _at_least("tokens", tokens, 1)
    squared = tokens * tokens
    scores = architecture.layers * squared * architecture.attention_flops_per_key
    softmax = architecture.layers * architecture.heads * squared
    return 2 * tokens * architecture.active_params + scores + tokens * architecture.active_width + softmax


@overload
def prompt_flops(architecture: Architecture, prompt_tokens: int) -> float: ...
@overload
def prompt_flops(architecture: Architecture, prompt_tokens: IntArray) -> FloatArray: ...
def prompt_flops(architecture: Architecture, prompt_tokens: int | IntArray) -> float | FloatArray:
    """Flops until the first completion token can be sampled: all prompt tokens, and the output layer once.

    `prompt_tokens` is P, at least 1: a number or an array. The result has its shape. A start token counts as a prompt
    token. P = 0 is an `InputError`, because the first completion token is sampled after a prompt token.
    """
    prompt = np.asarray(prompt_tokens)
    _at_least("prompt_tokens", prompt, 1)
    linear = 2.0 * (prompt * architecture.layers_weights + architecture.head_weights)
    return _plain(linear + _attention_flops(architecture, np.zeros_like(prompt), prompt), prompt_tokens)


@overload
def completion_flops(architecture: Architecture, prompt_tokens: int, completion_tokens: int) -> float: ...
@overload
def completion_flops(
    architecture: Architecture, prompt_tokens: int | IntArray, completion_tokens: IntArray
) -> FloatArray: ...
def completion_flops(
    architecture: Architecture, prompt_tokens: int | IntArray, completion_tokens: int | IntArray
) -> float | FloatArray:
    """Flops of the completion tokens after the first one, which is sampled at the end of the prompt's pass.

    `prompt_tokens` is P, at least 1. `completion_tokens` is C, at least 0: every token that the model generated, an end
    token included. Lower numbers are an `InputError`. The result has the shape to which both arguments broadcast. It is
    0 where C <= 1.
    """
    prompt, completion = np.asarray(prompt_tokens), np.asarray(completion_tokens)
    _at_least("prompt_tokens", prompt, 1)
    _at_least("completion_tokens", completion, 0)
    fed_back = np.maximum(completion - 1, 0)
    linear = 2.0 * fed_back * architecture.active_params
    return _plain(linear + _attention_flops(architecture, prompt, prompt + fed_back), completion_tokens)


def scoring_flops(architecture: Architecture, prompt_tokens: int, completion_tokens: int) -> float:
    """Flops of scoring a finished completion in one forward pass: the likelihood ranker of the paper (section 4).

    The last completion token is predicted but need not be read, so P + C - 1 tokens pass the layers, and C
    tokens the output layer. P is at least 1.
    """
    _at_least("prompt_tokens", prompt_tokens, 1)
    _at_least("completion_tokens", completion_tokens, 0)
    if completion_tokens == 0:
        return 0.0
    return prompt_flops(architecture, prompt_tokens) + completion_flops(architecture, prompt_tokens, completion_tokens)


def _attention_flops(architecture: Architecture, start: IntArray, end: IntArray) -> FloatArray:
    """Flops of scores and weighted values for the tokens at places start + 1 ... end, over all layers."""
    windowed = architecture.windowed_layers
    keys = (architecture.layers - windowed) * (_triangle(end) - _triangle(start))
    if windowed:
        window, chunked = architecture.sliding_window, architecture.chunked
        keys = keys + windowed * (_attended(end, window, chunked) - _attended(start, window, chunked))
    return np.asarray(float(architecture.attention_flops_per_key) * keys, dtype=np.float64)


def _triangle(n: IntArray) -> IntArray:
    """1 + 2 + ... + n."""
    return np.asarray(n * (n + 1) // 2)


def _attended(n: IntArray, window: int, chunked: bool) -> IntArray:
    """The sum of min(t, window) over t = 1 ... n; if `chunked`, the sum of t's places in chunks of `window`."""
    if chunked:
        return np.asarray(n // window * _triangle(np.asarray(window)) + _triangle(n % window))
    inside = np.minimum(n, window)
    return np.asarray(_triangle(inside) + (n - inside) * window)


def _at_least(name: str, value: int | IntArray, least: int) -> None:
    if np.any(np.asarray(value) < least):
        raise InputError(f"{name} must be at least {least}, not {np.min(value)}")


def _plain(result: FloatArray, like: int | IntArray) -> float | FloatArray:
    return float(result) if np.ndim(result) == 0 and not isinstance(like, np.ndarray) else result
