"""Which weights the engine multiplies in the same way for one sample and for many, by a GGUF file's header."""

from __future__ import annotations

import functools
from pathlib import Path

from isobudget.errors import ModelError
from isobudget.models.gguf import read_gguf_header

#: weights that are multiplied alike, bit by bit, and about as fast for few samples as for many (tried on x86-64)
_EVEN_KINDS = frozenset({"Q4_0", "Q4_1", "Q8_0"})


def are_even(path: Path) -> bool:
    """Whether all matrices of the file are of such kinds; true if the file cannot be read."""
    try:
        stat = path.stat()
        return _all_even(path, stat.st_size, stat.st_mtime_ns)
    except (OSError, ModelError):
        return True


@functools.cache
def _all_even(path: Path, size: int, changed: int) -> bool:  # noqa: ARG001
    matrices = (one for one in read_gguf_header(path).tensors.values() if len(one.shape) > 1)
    return all(one.kind in _EVEN_KINDS for one in matrices)
