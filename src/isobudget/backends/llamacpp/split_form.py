"""Loads Q4_1 matrices in a form that the engine multiplies faster: as Q4_0 matrices and an adapter for the difference.

A block of 32 weights in Q4_1 has a scale d, a minimum m and 32 numbers q of 4 bits; in Q4_0 it has only d and q:

    d q + m  =  d (q - 8)  +  (m + 8 d)

So the same q and d form a Q4_0 matrix, and the difference is one number for each block, the same for its 32 inputs. A
low-rank adapter can add it: its first matrix adds up the inputs of each block, its second has m + 8 d for each row and
block. Nothing is rounded beyond what the engine rounds anyway (inputs to 8 bits, in both forms).

This is worthwhile because the engine rearranges Q4_0 matrices for the processor when it loads them, and multiplies 4 or
more samples by 8 rows at a time; Q4_1 matrices are multiplied row by row. Measured on an AMD EPYC with AVX2,
SmolLM2-135M in this form over the file as it is, processor time: 0.65 to 0.7 with 8 or 16 samples, 0.75 with 4, 1.0
with 2 or 3, 0.45 to 0.6 for prompts (docs/experiments.md, 2026-11-30). It was only tested on x86-64 with AVX2, so it is
only used there.

A single row needs care. The adapter's second matrix is in 32 bits, and the engine adds up its products in another order
for one row than for two or more. So a single sample is computed together with an unused row (`slots`).

The file and the adapter are written to memory, not to disk: there is nothing to keep, lock or clean up, and copying
them takes less time than reading the file. During loading the matrices are in memory twice, so large files are loaded
unchanged. The engine applies adapters only in some architectures, so only those are covered.

Source: the blocks' layout in llama.cpp's ``ggml/src/ggml-common.h``, adapters in its ``src/llama-adapter.cpp``.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isobudget.errors import ModelError
from isobudget.models.gguf import FORMS, GgufHeader, Tensor, read_gguf_header
from isobudget.models.gguf_parts import ALIGNMENT, TENSOR_TYPES, entry, padded, tensor_place

#: weights of a block
_BLOCK = 32
#: rows that the engine lays out together
_ROWS = 8
#: the adapter's rank is rounded up to this, for which the engine has its fast products in 32 bits
_RANK_STEP = 8
#: larger files are loaded as they are
_MOST_BYTES = 1 << 30

_ARCHITECTURES = ("llama", "qwen2")
_SPLIT = re.compile(r"(blk\.\d+\.(attn_(q|k|v|output)|ffn_(gate|up|down))|output)\.weight")

_Bytes = NDArray[np.uint8]


def is_split(path: Path) -> bool:
    """Whether a file's weights are loaded in this form, on a processor for which it is faster."""
    try:
        header = read_gguf_header(path)
    except ModelError:
        return False
    return (
        hasattr(os, "memfd_create")
        and header.architecture in _ARCHITECTURES
        and header.file_size <= _MOST_BYTES
        and header.metadata.get("split.count", 0) in (0, 1)  # of a part the engine looks for the others beside it
        and bool(_split_tensors(header))
    )


def loaded_bytes(path: Path) -> int:
    """Size in bytes of a file's weights after loading."""
    if not is_split(path):
        return path.stat().st_size
    header = read_gguf_header(path)
    more = sum(part.size for part in _adapter(header))
    less = sum((tensor.size or 0) // 10 for tensor in _split_tensors(header).values())  # 2 of a block's 20 bytes
    return header.file_size + more - less


@contextlib.contextmanager
def split_files(path: Path) -> Iterator[tuple[Path, Path]]:
    """Files of the model and the adapter, in memory; they are removed at the end of the context.

    Raises:
        ModelError: the file cannot be read.
        OSError: there is not enough memory for them.
    """
    header = read_gguf_header(path)
    with _in_memory(_model_file(header)) as model, _in_memory(_adapter_file(header)) as adapter:
        yield model, adapter


@contextlib.contextmanager
def _in_memory(parts: Iterable[bytes]) -> Iterator[Path]:
    with os.fdopen(os.memfd_create("isobudget"), "wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        yield Path(f"/proc/self/fd/{file.fileno()}")


def _split_tensors(header: GgufHeader) -> Mapping[str, Tensor]:
    return {
        name: tensor
        for name, tensor in header.tensors.items()
        if tensor.kind == "Q4_1" and len(tensor.shape) == 2 and _SPLIT.fullmatch(name) and tensor.shape[1] % _ROWS == 0
    }


def _model_file(header: GgufHeader) -> Iterator[bytes]:
    """The file with its Q4_1 matrices as Q4_0; everything else is unchanged."""
    stored, split = np.memmap(header.path, np.uint8, "r"), _split_tensors(header)
    alignment = int(str(header.metadata.get("general.alignment", ALIGNMENT)))
    kinds = {name: "Q4_0" if name in split else tensor.kind for name, tensor in header.tensors.items()}
    places, offset = list[bytes](), 0
    for name, tensor in header.tensors.items():
        places.append(tensor_place(name, tensor.shape, kinds[name], offset))
        offset += padded(FORMS[TENSOR_TYPES[kinds[name]]].size(tensor.shape), alignment)
    head = stored[: header.tensors_start].tobytes() + b"".join(places)
    yield head + bytes(padded(len(head), alignment) - len(head))
    for name, tensor in header.tensors.items():
        data = _data(stored, header, tensor)
        if name in split:  # without the two bytes of m behind the two of d
            blocks = data.reshape(-1, 20)
            data = np.concatenate([blocks[:, :2], blocks[:, 4:]], axis=1)
        yield data.tobytes()
        yield bytes(padded(data.size, alignment) - data.size)


@dataclass(frozen=True, slots=True)
class _Part:
    """A matrix of the adapter for the matrix `of`: the sums over blocks, or the amount that each block adds."""

    of: str
    kind: str
    shape: tuple[int, int]

    @property
    def is_sums(self) -> bool:
        return self.kind == "Q8_0"

    @property
    def size(self) -> int:
        return FORMS[TENSOR_TYPES[self.kind]].size(self.shape)


def _adapter(header: GgufHeader) -> list[_Part]:
    parts = list[_Part]()
    for name, tensor in _split_tensors(header).items():
        width, rows = tensor.shape
        rank = padded(width // _BLOCK, _RANK_STEP)
        # the sums are of inputs in 8 bits, as the engine's own of Q4_1 are; ones are exact in any kind
        parts += [_Part(name, "Q8_0", (width, rank)), _Part(name, "F32", (rank, rows))]
    return parts


def _adapter_file(header: GgufHeader) -> Iterator[bytes]:
    stored, parts = np.memmap(header.path, np.uint8, "r"), _adapter(header)
    entries = [
        entry("general.type", "adapter"),
        entry("general.architecture", header.architecture),
        entry("adapter.type", "lora"),
        entry("adapter.lora.alpha", 0.0),  # not scaled
    ]
    head, offset = b"GGUF" + struct.pack("<IQQ", 3, len(parts), len(entries)) + b"".join(entries), 0
    for part in parts:
        name = f"{part.of}.{'lora_a' if part.is_sums else 'lora_b'}"
        head += tensor_place(name, part.shape, part.kind, offset)
        offset += padded(part.size)
    yield head + bytes(padded(len(head)) - len(head))
    for part in parts:
        data = _sums(*part.shape) if part.is_sums else _offsets(stored, header, header.tensors[part.of], part.shape[0])
        yield data
        yield bytes(padded(len(data)) - len(data))


def _sums(width: int, rank: int) -> bytes:
    """The adapter's first matrix: row i adds up block i of the inputs; rows beyond the last block are zeros."""
    blocks = np.zeros((rank, width // _BLOCK), [("scale", "<f2"), ("numbers", "i1", _BLOCK)])
    for block in range(width // _BLOCK):
        blocks[block, block] = 1.0, 1
    return blocks.tobytes()


def _offsets(stored: _Bytes, header: GgufHeader, tensor: Tensor, rank: int) -> bytes:
    """The adapter's second matrix: m + 8 d of each row's blocks."""
    pairs = np.ascontiguousarray(_data(stored, header, tensor).reshape(-1, 20)[:, :4]).view("<f2").astype("<f4")
    offsets = np.zeros((tensor.shape[1], rank), "<f4")
    offsets[:, : tensor.shape[0] // _BLOCK] = (pairs[:, 1] + 8 * pairs[:, 0]).reshape(len(offsets), -1)
    return offsets.tobytes()


def _data(stored: _Bytes, header: GgufHeader, tensor: Tensor) -> _Bytes:
    start = header.data_start + tensor.offset
    return stored[start : start + (tensor.size or 0)]
