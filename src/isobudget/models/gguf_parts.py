"""Writes the parts of a GGUF file's header: texts, metadata entries, and the descriptions of tensors.

Source: the GGUF specification (``docs/gguf.md`` of ggml). `isobudget.models.gguf` reads these parts and explains them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from isobudget.models.gguf import ARRAY, FORMS, STRING

#: data is padded to a multiple of this many bytes, unless the metadata say otherwise
ALIGNMENT = 32
#: kind of weights -> tensor type
TENSOR_TYPES = {form.kind: number for number, form in FORMS.items()}

UINT32, INT32, FLOAT32 = 4, 5, 6


def text(value: str) -> bytes:
    """A text with its length before it."""
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key: str, value: str | int | float) -> bytes:
    """A metadata entry with one value: a text, a whole number (unsigned, 32 bits) or a float (32 bits)."""
    if isinstance(value, str):
        return text(key) + struct.pack("<I", STRING) + text(value)
    kind, code = (UINT32, "I") if isinstance(value, int) else (FLOAT32, "f")
    return text(key) + struct.pack(f"<I{code}", kind, value)


def array(key: str, kind: int, length: int, data: bytes) -> bytes:
    """A metadata entry with an array of `length` values of type `kind`; `data` is the values as the file holds them."""
    return text(key) + struct.pack("<IIQ", ARRAY, kind, length) + data


def tensor_place(name: str, shape: Sequence[int], kind: str, offset: int) -> bytes:
    """A tensor's name, shape (innermost dimension first), kind and offset."""
    dimensions = len(shape)
    return text(name) + struct.pack(f"<I{dimensions}QIQ", dimensions, *shape, TENSOR_TYPES[kind], offset)


def padded(size: int, alignment: int = ALIGNMENT) -> int:
    """The size rounded up to a multiple of `alignment`: where the next part begins."""
    return -(-size // alignment) * alignment
