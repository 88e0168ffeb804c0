"""Writes a GGUF file of random weights in a given shape, for timing a model whose weights are not at hand.

The time of a token does not depend on the values of the weights, only on their number and format. The file is a
Llama-style decoder with a tokenizer just large enough that llama.cpp loads it. It is written front to back, a few
megabytes at a time, so a file of any size needs little memory.

Two things do depend on the values. Sums must stay finite, so each matrix is scaled by its width. And the less certain
the model is, the longer top-p sampling sorts, so the output layer is scaled to make the next token about as certain as
a trained model's.

Not covered: MLPs without a gate, MLPs beside experts, latent attention (all refused); sliding windows, bias vectors
(left out).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from isobudget.errors import InputError
from isobudget.files.whole import storage_error
from isobudget.models.architecture import Architecture
from isobudget.models.gguf import FORMS, STRING, StorageForm
from isobudget.models.gguf_parts import FLOAT32, INT32, TENSOR_TYPES, array, entry, padded, tensor_place, text

#: maximum length of prompt and completion together; a large one costs nothing
_CONTEXT_TOKENS = 1 << 20
#: the tokens that a SentencePiece tokenizer needs: unknown, begin, end, and one for each byte
_LEAST_VOCABULARY = 3 + 256
#: standard deviation of the logits; of 32,000 such tokens, about as few hold 95 % of the mass as with a trained model
_LOGIT_SPREAD = 8.0
#: number of blocks of random numbers, which are repeated; a prime, so that the rows of a matrix differ
_REPEATED_BLOCKS = 65_521


class Quantisation(StrEnum):
    """How weights are stored: 4.5, 8.5 or 16 bits each."""

    Q4_0 = "q4_0"
    Q8_0 = "q8_0"
    F16 = "f16"

    @classmethod
    def parsed(cls, name: str) -> Quantisation:
        """The quantization of that name. Raises `InputError` if there is none."""
        try:
            return cls(name)
        except ValueError:
            raise InputError(f"unknown quantization {name!r}; known: {', '.join(cls)}") from None


#: GGUF's number of the file type that is named after each quantization
_FILE_TYPES = {Quantisation.Q4_0: 2, Quantisation.Q8_0: 7, Quantisation.F16: 1}
_F32, _F16 = FORMS[0], FORMS[1]


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor to be written; `spread` is the standard deviation of its numbers, 0 for a norm (all ones)."""

    name: str
    shape: tuple[int, ...]
    form: StorageForm
    spread: float

    @property
    def size(self) -> int:
        """Bytes."""
        return self.form.size(self.shape)

    @property
    def padded(self) -> int:
        """Bytes up to the next tensor."""
        return padded(self.size)


def random_gguf_bytes(architecture: Architecture, quantisation: Quantisation) -> int:
    """Size in bytes of all tensors that `write_random_gguf` writes; the header, at most a few megabytes, comes on top.

    Raises:
        InputError: the shape is not covered.
    """
    small = replace(architecture, sliding_window=0, windowed_layers=0)  # whatever number of layers is asked for
    one, two = (
        sum(tensor.padded for tensor in _tensors(replace(small, layers=layers), quantisation)) for layers in (1, 2)
    )
    return one + (architecture.layers - 1) * (two - one)


def write_random_gguf(path: Path, architecture: Architecture, quantisation: Quantisation = Quantisation.Q4_0) -> int:
    """Write a GGUF file of a model of this shape with random weights, which are the same each time.

    A matrix whose row length is not a multiple of 32 is stored in 16 bits.

    Args:
        path: path of the file; an existing file is overwritten.
        architecture: shape of the model.
        quantisation: quantization of the matrices; norms and expert routers have 32 bits, as in other GGUF files.

    Returns:
        The number of bytes written.

    Raises:
        InputError: the shape is not covered.
        StorageError: the file could not be written; nothing is left behind.
    """
    tensors = list(_tensors(architecture, quantisation))
    header = _header(architecture, quantisation, tensors)
    try:
        with path.open("wb") as file:
            file.write(header)
            for tensor in tensors:
                _write(file, tensor)
            return file.tell()
    except OSError as error:
        path.unlink(missing_ok=True)
        raise storage_error(error, path) from error
    except BaseException:  # Ctrl-C half-way: gigabytes that nobody would find
        path.unlink(missing_ok=True)
        raise


def check_shape(architecture: Architecture) -> None:
    """Raise an `InputError`, with the reason, if random weights of this shape cannot be made."""
    reason = ""
    if not architecture.gated_mlp:
        reason = "its MLP has no gate"
    elif architecture.shared_mlp_width or architecture.dense_layers:
        reason = "it has MLPs beside its experts"
    elif architecture.latent_kv or architecture.value_size:
        reason = "it has latent attention"
    elif architecture.head_size % 2:
        reason = f"heads of odd size {architecture.head_size} cannot be rotated"
    elif architecture.vocabulary < _LEAST_VOCABULARY:
        reason = f"a vocabulary of {architecture.vocabulary} is below the {_LEAST_VOCABULARY} that a tokenizer needs"
    if reason:
        raise InputError(
            f"{architecture.name} ({architecture.source}) cannot be written with random weights: {reason}; "
            "give a GGUF file of the model itself"
        )


def _tensors(shape: Architecture, quantisation: Quantisation) -> Iterator[_Tensor]:
    """All tensors in file order, shapes innermost first."""
    check_shape(shape)
    form = FORMS[TENSOR_TYPES[quantisation.name]]
    d, q, kv, f, vocabulary = shape.hidden, shape.query_width, shape.kv_width, shape.mlp_width, shape.vocabulary
    logits = _LOGIT_SPREAD / d**0.5
    yield _matrix("token_embd", (d, vocabulary), form, logits if shape.tied_embeddings else None)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        yield _norm(block + "attn_norm", d)
        for name, width in (("attn_q", q), ("attn_k", kv), ("attn_v", kv)):
            yield _matrix(block + name, (d, width), form)
        yield _matrix(block + "attn_output", (q, d), form)
        yield _norm(block + "ffn_norm", d)
        ending, experts = ("_exps", (shape.experts,)) if shape.experts else ("", ())
        if shape.experts:
            yield _matrix(block + "ffn_gate_inp", (d, shape.experts), _F32)
        yield _matrix(block + "ffn_gate" + ending, (d, f, *experts), form)
        yield _matrix(block + "ffn_up" + ending, (d, f, *experts), form)
        yield _matrix(block + "ffn_down" + ending, (f, d, *experts), form)
    yield _norm("output_norm", d)
    if not shape.tied_embeddings:
        yield _matrix("output", (d, vocabulary), form, logits)


def _norm(name: str, width: int) -> _Tensor:
    return _Tensor(f"{name}.weight", (width,), _F32, 0.0)


def _matrix(name: str, shape: tuple[int, ...], form: StorageForm, spread: float | None = None) -> _Tensor:
    fitting = form if shape[0] % form.block == 0 else _F16
    return _Tensor(f"{name}.weight", shape, fitting, spread or shape[0] ** -0.5)


def _header(shape: Architecture, quantisation: Quantisation, tensors: Sequence[_Tensor]) -> bytes:
    entries = _entries(shape, quantisation)
    parts = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(entries)), *entries]
    offset = 0
    for tensor in tensors:
        parts.append(tensor_place(tensor.name, tensor.shape, tensor.form.kind, offset))
        offset += tensor.padded
    header = b"".join(parts)
    return header + bytes(padded(len(header)) - len(header))


def _entries(shape: Architecture, quantisation: Quantisation) -> list[bytes]:
    counts = {
        "block_count": shape.layers,
        "context_length": _CONTEXT_TOKENS,
        "embedding_length": shape.hidden,
        "feed_forward_length": shape.mlp_width,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": shape.kv_heads,
        "attention.key_length": shape.head_size,
        "attention.value_length": shape.head_size,
        "rope.dimension_count": shape.head_size,
        "vocab_size": shape.vocabulary,
    }
    if shape.experts:
        counts |= {"expert_count": shape.experts, "expert_used_count": shape.active_experts}
    return [
        entry("general.architecture", "llama"),
        entry("general.name", shape.name),
        entry("general.file_type", _FILE_TYPES[quantisation]),
        entry("general.quantization_version", 2),
        *(entry(f"llama.{key}", count) for key, count in counts.items()),
        entry("llama.attention.layer_norm_rms_epsilon", 1e-5),
        *_tokenizer(shape.vocabulary),
    ]


def _tokenizer(vocabulary: int) -> list[bytes]:
    """A SentencePiece tokenizer: three special tokens, the bytes, and made-up words."""
    words = vocabulary - _LEAST_VOCABULARY
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *(f"▁w{i}" for i in range(words))]
    unknown, control, byte, normal = 2, 3, 6, 1
    kinds = [unknown, control, control, *[byte] * 256, *[normal] * words]
    return [
        entry("tokenizer.ggml.model", "llama"),
        array("tokenizer.ggml.tokens", STRING, vocabulary, b"".join(map(text, names))),
        array("tokenizer.ggml.scores", FLOAT32, vocabulary, bytes(4 * vocabulary)),
        array("tokenizer.ggml.token_type", INT32, vocabulary, np.asarray(kinds, "<i4").tobytes()),
        entry("tokenizer.ggml.bos_token_id", 1),
        entry("tokenizer.ggml.eos_token_id", 2),
        entry("tokenizer.ggml.unknown_token_id", 0),
    ]


def _write(file: BinaryIO, tensor: _Tensor) -> None:
    numbers = memoryview(_numbers(tensor.form, tensor.spread))
    for start in range(0, tensor.size, len(numbers)):
        file.write(numbers[: tensor.size - start])
    file.write(bytes(tensor.padded - tensor.size))


@cache
def _numbers(form: StorageForm, spread: float) -> bytes:
    """Blocks of random numbers in a form, with standard deviation `spread` and mean near 0; ones if `spread` is 0."""
    if spread == 0:
        return np.ones(_REPEATED_BLOCKS, "<f4").tobytes()
    random = np.random.default_rng(0)
    if form.block == 1:
        return (spread * random.standard_normal(_REPEATED_BLOCKS)).astype(f"<f{form.block_bytes}").tobytes()
    # a scale in 16 bits, then the numbers: 4 bits are -8 to 7 times the scale, 8 bits -127 to 127 times
    steps = 4.61 if form.kind == Quantisation.Q4_0.name else 73.3
    blocks = np.empty(_REPEATED_BLOCKS, [("scale", "<f2"), ("numbers", "u1", form.block_bytes - 2)])
    blocks["scale"] = spread / steps
    blocks["numbers"] = random.integers(0, 256, blocks["numbers"].shape, np.uint8)
    return blocks.tobytes()
