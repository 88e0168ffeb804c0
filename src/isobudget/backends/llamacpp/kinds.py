"""Says, from a GGUF file's header, whether the engine multiplies its weights alike for one sample and for many."""

from __future__ import annotations

import functools
from pathlib import Path

from isobudget.errors import ModelError
from isobudget.models.gguf import read_gguf_header

#: kinds of weights whose products are bitwise equal, and about as fast, for few and many samples (tried on x86-64)
_EVEN_KINDS = frozenset({"Q4_0", "Q4_1", "Q8_0"})


def are_even(path: Path) -> bool:
    """Whether the engine multiplies all matrices of a file alike for few samples and for many.

    True also if the file cannot be read.
    """
    try:
        stat = path.stat()
        return _all_even(path, stat.st_size, stat.st_mtime_ns)
    except (OSError, ModelError):
        return True


@functools.cache
def _all_even(path: Path, size: int, changed: int) -> bool:  # noqa: ARG001
    matrices = (one for one in read_gguf_header(path).tensors.values() if len(one.shape) > 1)
    return all(one.kind in _EVEN_KINDS for one in matrices)
