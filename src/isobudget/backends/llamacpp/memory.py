"""Whether what a model remembers fits into this machine's memory: the engine would ask for it, and the machine stop.

Not covered: limits below the machine's own memory, such as a container's.
"""

from __future__ import annotations

import os
from pathlib import Path

from isobudget.errors import ModelError
from isobudget.grid import short
from isobudget.models.gguf import read_gguf_header
from isobudget.models.read_architecture import architecture_of

#: a key and a value for each layer, in 16 bits
_BYTES = 2 * 2


def check_memory(path: Path, sequences: int, tokens: int) -> None:
    """Refuse what cannot fit. Says nothing where the file does not tell how wide its keys are.

    Args:
        path: the GGUF file.
        sequences: how many there are.
        tokens: of each.

    Raises:
        ModelError: it needs more memory than this machine has.
    """
    try:
        shape = architecture_of(read_gguf_header(path))
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ModelError, ValueError, OSError):
        return
    needed = sequences * tokens * shape.layers * shape.kv_width * _BYTES
    if needed > memory:
        raise ModelError(
            f"{path.name}: {sequences} sequences of {tokens:,} tokens need {short(needed, 'B')} of memory, this "
            f"machine has {short(memory, 'B')}. Set fewer slots or a smaller context_tokens in the study"
        )
