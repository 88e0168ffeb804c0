"""Weights of a GGUF file, expanded to 32 bits by llama.cpp's own functions and laid out for few, large products.

Operations that can be merged into a matrix once are not repeated for every token: the factors of the norm before it,
the scale of the attention scores, and the order of rotated pairs (Llama's files store them adjacent, Qwen's in two
halves).

Source of names, shapes and orders: llama.cpp's ``src/llama-arch.cpp`` and ``src/models/{llama,qwen2}.cpp``. Not
covered: experts, sliding windows, stretched positions, norms of queries and keys, adapters. A file with an unknown
tensor or setting is refused, because ignoring it would give wrong numbers.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Mapping
from ctypes import POINTER, c_float, c_int64, c_void_p
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.errors import ModelError
from isobudget.models.architecture import Architecture
from isobudget.models.gguf import GgufHeader, Tensor, Value
from isobudget.models.read_gguf import gguf_architecture

Floats = NDArray[np.float32]

_ARCHITECTURES = ("llama", "qwen2")
#: keys of the metadata that change the computation, and the values with which they do not change it
_NEUTRAL: Mapping[str, tuple[Value, ...]] = {
    "rope.scaling.type": ("none",),
    "rope.scaling.factor": (0.0, 1.0),
    "rope.scale_linear": (0.0, 1.0),
    "expert_count": (0,),
    "attention.sliding_window": (0,),
    "attention.scale": (0.0,),
    "attention.causal": (True,),
    "logit_scale": (0.0, 1.0),
    "embedding_scale": (0.0, 1.0),
    "residual_scale": (0.0, 1.0),
}
_LAYER = re.compile(r"blk\.(\d+)\.(.+)")
_MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
_NEEDED = {*(f"{name}.weight" for name in _MATRICES), "attn_norm.weight", "ffn_norm.weight"}
_BIASES = {"attn_q.bias", "attn_k.bias", "attn_v.bias"}
_OUTSIDE = {"token_embd.weight", "output_norm.weight"}
_OPTIONAL = {"output.weight", "rope_freqs.weight"}


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. Matrices are (out, in).

    Attributes:
        attention_in: stacked queries, keys and values, of (heads + 2 kv_heads) x head_size rows.
        attention_bias: bias of the attention inputs; None if there is none.
        attention_out: (hidden, heads x head_size).
        mlp_in: stacked gate and up, (2 mlp_width, hidden).
        mlp_out: (hidden, mlp_width).
    """

    attention_in: Floats
    attention_bias: Floats | None
    attention_out: Floats
    mlp_in: Floats
    mlp_out: Floats


@dataclass(frozen=True, slots=True)
class DecoderWeights:
    """A decoder's weights and the other numbers that its computation needs.

    Attributes:
        embedding: (vocabulary, hidden).
        head: (vocabulary, hidden), including the last norm's factors.
        layers: from the first to the last.
        heads, kv_heads, head_size: shape of the attention.
        frequencies: rotation of each pair of a head per position, in radians; (head_size / 2,).
        epsilon: the term added under the root of the norms.
        context_tokens: context length for which the model was trained.
    """

    embedding: Floats
    head: Floats
    layers: tuple[Layer, ...]
    heads: int
    kv_heads: int
    head_size: int
    frequencies: NDArray[np.float64]
    epsilon: float
    context_tokens: int


def expanded_bytes(header: GgufHeader) -> int | None:
    """Memory of the expanded weights, in bytes; None for a model that is not covered."""
    return None if _not_covered(header) else 4 * header.parameters


def read_weights(header: GgufHeader, api: ctypes.CDLL) -> DecoderWeights:
    """Read a file's weights, and expand them by llama.cpp's own functions.

    Raises:
        ModelError: the model is not covered (the message says why), or the file cannot be read or is damaged.
    """
    if reason := _not_covered(header):
        raise ModelError(f"{header.path} cannot be computed in 32 bits by isobudget: {reason}")
    file, shape = _File(header, api), gguf_architecture(header)
    ends = [
        file.tensor(name, shape.hidden, header.tensors[name].shape[-1])  # of any number of tokens
        for name in ("token_embd.weight", "output.weight")
        if name in header.tensors
    ]
    return DecoderWeights(
        ends[0],
        ends[-1] * file.tensor("output_norm.weight", shape.hidden),
        tuple(_layer(file, number, shape) for number in range(shape.layers)),
        *(shape.heads, shape.kv_heads, shape.head_size),
        frequencies=_frequencies(file, shape.head_size),
        epsilon=file.real("attention.layer_norm_rms_epsilon", 1e-5),
        context_tokens=_positive(header, "context_length"),
    )


def _positive(header: GgufHeader, key: str) -> int:
    if (number := header.number(key)) < 1:
        raise ModelError(f"{header.path}: {header.architecture}.{key} is {number}")
    return number


def _layer(file: _File, number: int, shape: Architecture) -> Layer:
    hidden, width = shape.hidden, shape.mlp_width
    counts = {"q": shape.heads, "k": shape.kv_heads, "v": shape.kv_heads}
    before = {kind: file.tensor(f"blk.{number}.{kind}_norm.weight", hidden) for kind in ("attn", "ffn")}

    def part(kind: str, form: str) -> Floats:
        name, rows = f"blk.{number}.attn_{kind}.{form}", counts[kind] * shape.head_size
        values = (
            file.tensor(name, rows)[:, None] if form == "bias" else file.tensor(name, hidden, rows) * before["attn"]
        )
        if kind == "q":
            values = values * np.float32(1 / math.sqrt(shape.head_size))
        return _halves(values, counts[kind]) if file.pairs_are_neighbours and kind != "v" else values

    biased = f"blk.{number}.attn_q.bias" in file.header.tensors
    return Layer(
        np.concatenate([part(kind, "weight") for kind in counts]),
        np.concatenate([part(kind, "bias") for kind in counts])[:, 0] if biased else None,
        file.tensor(f"blk.{number}.attn_output.weight", shape.query_width, hidden),
        np.concatenate([file.tensor(f"blk.{number}.ffn_{kind}.weight", hidden, width) for kind in ("gate", "up")])
        * before["ffn"],
        file.tensor(f"blk.{number}.ffn_down.weight", width, hidden),
    )


def _halves(rows: Floats, heads: int) -> Floats:
    """Rows of each head in the order 0, 2, 4 ... 1, 3, 5 ..., so that the members of a pair are half a head apart."""
    columns = rows.shape[1]
    return np.ascontiguousarray(rows.reshape(heads, -1, 2, columns).swapaxes(1, 2)).reshape(-1, columns)


def _frequencies(file: _File, head_size: int) -> NDArray[np.float64]:
    frequencies = file.real("rope.freq_base", 10_000.0) ** (-np.arange(0, head_size, 2) / head_size)
    if "rope_freqs.weight" in file.header.tensors:
        frequencies = frequencies / file.tensor("rope_freqs.weight", head_size // 2)
    return frequencies


class _File:
    """Settings and tensors of one file."""

    def __init__(self, header: GgufHeader, api: ctypes.CDLL) -> None:
        self.header, self._api = header, api
        self.pairs_are_neighbours = header.architecture == "llama"
        try:
            self._bytes = np.memmap(header.path, mode="r", offset=0)
        except (OSError, ValueError) as error:
            raise ModelError(f"cannot read {header.path}: {error}") from None

    def real(self, key: str, default: float) -> float:
        value = self.header.value(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ModelError(f"{self.header.path}: {self.header.architecture}.{key} is {value!r}, not a number")
        return float(value)

    def tensor(self, name: str, *shape: int) -> Floats:
        """A tensor of this shape. The file lists the innermost dimension first; here it comes last."""
        tensor = self.header.tensors[name]
        if tensor.shape != shape:
            raise ModelError(f"{self.header.path}: {name} has the shape {tensor.shape}, not {shape}")
        return self._expand(name, tensor).reshape(shape[::-1])

    def _expand(self, name: str, tensor: Tensor) -> Floats:
        start = self.header.data_start + tensor.offset
        data = self._bytes[start : start + (tensor.size or 0)]
        if tensor.kind == "F32":
            values = data.view(np.float32).copy()
        elif tensor.kind == "F16":
            values = data.view(np.float16).astype(np.float32)
        elif tensor.kind == "BF16":
            values = (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.empty(math.prod(tensor.shape), np.float32)
            expand = getattr(self._api, f"dequantize_row_{tensor.kind.lower().replace('_k', '_K')}")
            expand.restype, expand.argtypes = None, (c_void_p, POINTER(c_float), c_int64)
            expand(data.ctypes.data, values.ctypes.data_as(POINTER(c_float)), values.size)
        if not np.isfinite(values).all():
            raise ModelError(f"{self.header.path} is damaged: {name} holds numbers that are not finite; fetch it again")
        return values


_KINDS = re.compile(r"F32|F16|BF16|Q[2-6]_K|Q[458]_[01]|IQ4_(NL|XS)")


def _not_covered(header: GgufHeader) -> str | None:
    """Why a model cannot be computed in 32 bits by this package; None if it can be."""
    if header.architecture not in _ARCHITECTURES:
        return f"its architecture is {header.architecture!r}, not one of {', '.join(_ARCHITECTURES)}"
    for key, neutral in _NEUTRAL.items():
        if (value := header.value(key, neutral[0])) not in neutral:
            return f"{header.architecture}.{key} is {value!r}"
    try:
        return _odd_heads(header) or _odd_tensors(header)
    except ModelError as error:
        return str(error)


def _odd_heads(header: GgufHeader) -> str | None:
    heads, hidden = header.number("attention.head_count"), header.number("embedding_length")
    kv_heads = header.number("attention.head_count_kv", heads)
    if heads < 1 or hidden % heads or (hidden // heads) % 2 or heads % max(kv_heads, 1):
        return f"{heads} heads do not share {hidden} numbers evenly"
    size = hidden // heads
    for key in ("rope.dimension_count", "attention.key_length", "attention.value_length"):
        if (stated := header.number(key, size)) != size:
            return f"{header.architecture}.{key} is {stated}, not {size}"
    return None


def _odd_tensors(header: GgufHeader) -> str | None:
    layers: dict[int, set[str]] = {}
    for name, tensor in header.tensors.items():
        match = _LAYER.fullmatch(name)
        if match:
            layers.setdefault(int(match[1]), set()).add(match[2])
        elif name not in _OUTSIDE | _OPTIONAL:
            return f"it has a tensor {name!r}, which isobudget does not know"
        if not _KINDS.fullmatch(tensor.kind):
            return f"the tensor {name!r} is of the kind {tensor.kind!r}, which isobudget does not expand"
    missing = sorted(_OUTSIDE - set(header.tensors))
    count = header.number("block_count")
    if more_layers := sorted(number for number in layers if number >= count):
        return f"it has tensors of layer {more_layers[0]}, but states {count:,} layers"
    for number in range(min(count, len(layers) + 1)):  # one that is missing suffices
        names = layers.get(number, set())
        if more := sorted(names - _NEEDED - _BIASES):
            return f"layer {number} has a tensor {more[0]!r}, which isobudget does not know"
        biases = names & _BIASES
        missing += [f"blk.{number}.{name}" for name in sorted(_NEEDED - names | (_BIASES - names if biases else set()))]
    return f"it has no tensor {missing[0]!r}" if missing else None
