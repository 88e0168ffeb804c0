"""The embedded engine's memory for keys and values: stated before a run, and checked against the machine's memory."""

from __future__ import annotations

import os
from pathlib import Path

from isobudget.backends.llamacpp.settings import KEPT_PROMPTS, LEAST_ROWS, LlamaCppSettings
from isobudget.backends.llamacpp.split_form import is_split, loaded_bytes
from isobudget.errors import ModelError
from isobudget.grid import counted, short
from isobudget.models.read_gguf import from_gguf

#: bytes of each number in keys and values (16 bits)
_NUMBER_BYTES = 2


def sequences_of(settings: LlamaCppSettings) -> int:
    """Number of sequences of all lanes, which have the same size: one per slot, and one per kept prompt."""
    own = -(-settings.at_once // settings.lanes)
    if is_split(Path(settings.model)):
        own = max(own, LEAST_ROWS)
    return settings.lanes * (own + KEPT_PROMPTS)


def cache_bytes(settings: LlamaCppSettings) -> int | None:
    """Bytes for keys and values of all slots and prompts; None if the file does not state the width of its keys."""
    try:
        shape = from_gguf(Path(settings.model))
    except ModelError:
        return None
    return sequences_of(settings) * settings.room * shape.layers * shape.cached_width * _NUMBER_BYTES


def check_memory(settings: LlamaCppSettings) -> None:
    """Refuse a number of slots that cannot fit: the engine would request all the memory, and the machine would stall.

    Nothing is checked if the file does not state the width of its keys. Not covered: limits below the machine's memory,
    such as a container's.

    Raises:
        ModelError: this machine does not have enough memory.
    """
    needed = cache_bytes(settings)
    if needed is not None and (excess := _excess(needed)):
        raise ModelError(
            f"{Path(settings.model).name}: {counted(sequences_of(settings), 'sequence')} of {settings.room:,} tokens "
            f"need {short(needed, 'B')} of memory{excess}"
        )


def _excess(needed: int) -> str:
    """The end of a sentence, saying that the machine has less memory than needed; empty if it has enough."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return ""
    if needed <= memory:
        return ""
    return f", but this machine has {short(memory, 'B')}. Set fewer slots or a smaller context_tokens"


def stated_memory(settings: LlamaCppSettings) -> str:
    """How much memory a model will need, in a sentence; empty if the file does not show it."""
    needed = cache_bytes(settings)
    if needed is None:
        return ""
    lanes = f" in {settings.lanes} lanes" if settings.lanes > 1 else ""
    return (
        f"memory for {counted(settings.at_once, 'slot')}{lanes} of {settings.room:,} tokens: {short(needed, 'B')}, "
        f"beside {short(loaded_bytes(Path(settings.model)), 'B')} of weights{_excess(needed)}"
    )
