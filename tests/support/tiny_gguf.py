"""Small GGUF files, whole or in pieces, made on the spot."""

from __future__ import annotations

import struct

UINT32, FLOAT32, BOOL, STRING, ARRAY, INT32 = 4, 6, 7, 8, 9, 5
F32, Q4_0 = 0, 2


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key: str, kind: int, payload: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + payload


def number(key: str, value: int) -> bytes:
    return entry(key, UINT32, struct.pack("<I", value))


def tensor(name: str, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


ENTRIES = [
    entry("general.architecture", STRING, text("llama")),
    entry("general.name", STRING, text("tiny")),
    number("llama.block_count", 2),
    number("llama.embedding_length", 64),
    number("llama.feed_forward_length", 96),
    number("llama.attention.head_count", 4),
    number("llama.attention.head_count_kv", 2),
    entry("llama.rope.freq_base", FLOAT32, struct.pack("<f", 10000.0)),
    entry("tokenizer.add_bos", BOOL, b"\x01"),
    entry("tokenizer.tokens", ARRAY, struct.pack("<IQ", STRING, 1100) + text("ab") * 1100),
    entry("tokenizer.scores", ARRAY, struct.pack("<IQ", FLOAT32, 1100) + bytes(4400)),
    entry("tokenizer.kinds", ARRAY, struct.pack("<IQ3i", INT32, 3, 1, 2, 3)),
]
TENSORS = [
    tensor("token_embd.weight", (64, 320), Q4_0, 0),
    tensor("blk.0.ffn_gate.weight", (64, 96), F32, 64 * 320 // 32 * 18),
]
DATA = 64 * 320 // 32 * 18 + 64 * 96 * 4


def header(entries: list[bytes], tensors: list[bytes], version: int = 3) -> bytes:
    start = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries))
    return start + b"".join(entries) + b"".join(tensors)


def whole(entries: list[bytes] = ENTRIES, tensors: list[bytes] = TENSORS, data: int = DATA) -> bytes:
    head = header(entries, tensors)
    return head + bytes(-len(head) % 32) + bytes(data)


def tiny_gguf(layers: int = 2) -> bytes:
    """A whole file of a Llama-like model with that many layers and only some of its tensors."""
    entries = [number("llama.block_count", layers) if b"block_count" in one else one for one in ENTRIES]
    return whole(entries)
