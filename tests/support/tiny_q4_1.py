"""A tiny model whose matrices are in Q4_1: the one in Q4_0 with its blocks' least values drawn at random."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isobudget.models.gguf import FORMS, read_gguf_header
from isobudget.models.gguf_parts import TENSOR_TYPES, padded, tensor_place
from isobudget.models.random_gguf import Quantisation, write_random_gguf
from support.tiny_llama import TINY

#: rows of so many blocks that the order in which they are added up shows in the last bits of some samples
WIDE = 576
#: its samples end after different numbers of tokens
LIVELY = 352


def write_q4_1(folder: Path, mlp_width: int = WIDE) -> Path:
    """The model's file; the embedding stays in Q4_0. The test is skipped without the engine."""
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    source = folder / "tiny.Q4_0.gguf"
    write_random_gguf(source, replace(TINY, mlp_width=mlp_width), Quantisation.Q4_0)
    header, stored, random = read_gguf_header(source), source.read_bytes(), np.random.default_rng(1)
    places, blobs, offset = list[bytes](), list[bytes](), 0
    for name, tensor in header.tensors.items():
        start = header.data_start + tensor.offset
        data, kind = stored[start : start + (tensor.size or 0)], tensor.kind
        if kind == "Q4_0" and name.startswith("blk."):
            blocks = np.frombuffer(data, np.uint8).reshape(-1, 18)
            scales = np.ascontiguousarray(blocks[:, :2]).view("<f2")
            least = (scales * random.uniform(-10, -6, scales.shape)).astype("<f2").view(np.uint8)
            data, kind = np.concatenate([blocks[:, :2], least, blocks[:, 2:]], axis=1).tobytes(), "Q4_1"
        size = FORMS[TENSOR_TYPES[kind]].size(tensor.shape)
        assert size == len(data)
        places.append(tensor_place(name, tensor.shape, kind, offset))
        blobs.append(data + bytes(padded(size) - size))
        offset += padded(size)
    head = stored[: header.tensors_start] + b"".join(places)
    path = folder / "tiny.Q4_1.gguf"
    path.write_bytes(head + bytes(padded(len(head)) - len(head)) + b"".join(blobs))
    return path
