"""Random weights for timing an architecture with the transformers backend, on a CUDA device if there is one.

The code that is timed is the one that generates a run's samples (`backends.huggingface.batch`); `transformers` builds
the model. Weights are generated on the device, in the number format that is timed; nothing is written to disk.

Not covered: several devices for one model, quantized weights, and what Llama and Mixtral do not have (an MLP without a
gate or beside the experts, latent attention). Sliding windows are left out; lengths beyond a window are refused.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
import inspect
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from isobudget.backends.base import Generation
from isobudget.backends.engine.engine_clock import StepClock
from isobudget.backends.engine.in_flight import Request
from isobudget.backends.huggingface.batch import generate_batch
from isobudget.backends.huggingface.load import LoadedModel
from isobudget.backends.huggingface.settings import TransformersSettings
from isobudget.backends.huggingface.tokens import Tokens
from isobudget.errors import BackendError, InputError
from isobudget.grid import short
from isobudget.models.architecture import Architecture
from isobudget.models.random_gguf import check_shape


class _NoText:
    """A placeholder for a tokenizer: samples of random weights have no text."""

    def decode(self, ids: Sequence[int], **_: Any) -> str:
        return " " * len(ids)


@dataclass(frozen=True, slots=True)
class RandomModel:
    """A model with random weights in memory, and its description for the profile."""

    loaded: LoadedModel
    name: str
    engine: str
    machine: str
    threads: int

    def generate_all(self, requests: Sequence[Request]) -> list[list[Generation]]:
        """The samples of several requests, in one batch.

        Raises:
            BackendError: generation fails, for instance because the device has too little memory.
        """
        units = [(request, place) for request in requests for place in range(len(request.seeds))]
        try:
            generate_batch(self.loaded, units, StepClock(), lambda: False, len(units))
        except RuntimeError as error:  # PyTorch's lack of memory included
            reason = str(error).strip().splitlines()[0]
            raise BackendError(f"{self.name} with {len(units)} slots: {reason}") from error
        return [request.future.result() for request in requests]


@contextlib.contextmanager
def random_model(shape: Architecture, context_tokens: int, threads: int | None = None) -> Iterator[RandomModel]:
    """A model of this architecture with random weights, of 16 bits on a CUDA device and 32 bits on the CPU.

    Raises:
        MissingExtraError: PyTorch or transformers are not installed.
        InputError: the architecture is not covered, or does not fit into memory.
    """
    torch, transformers = TransformersSettings.needs.load()
    check_shape(shape)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    _check_memory(shape, torch, device, 2 if device == "cuda" else 4)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads or threads_before)
    try:
        with torch.device(device):
            model = transformers.AutoModelForCausalLM.from_config(
                _config(shape, context_tokens, transformers), dtype=dtype
            )
        options = frozenset(inspect.signature(model.forward).parameters)
        tokens = cast(Tokens, _NoText())
        named = str(model.dtype).removeprefix("torch.")
        loaded = LoadedModel(model.eval(), tokens, device, named, frozenset(), None, options, "")
        del model
        machine = torch.cuda.get_device_name() if device == "cuda" else "the processor alone"
        engine = f"transformers {importlib.metadata.version('transformers')}, PyTorch {torch.__version__} on {device}"
        yield RandomModel(loaded, shape.name, engine, str(machine), int(torch.get_num_threads()))
    finally:
        loaded = None  # type: ignore[assignment]
        torch.set_num_threads(threads_before)
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()


def _config(shape: Architecture, context_tokens: int, transformers: Any) -> Any:
    """The architecture as a configuration of Llama, or of Mixtral if it has experts."""
    fields = {
        "hidden_size": shape.hidden,
        "intermediate_size": shape.mlp_width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_size,
        "vocab_size": shape.vocabulary,
        "tie_word_embeddings": shape.tied_embeddings,
        "max_position_embeddings": context_tokens,
        "pad_token_id": None,
    }
    if not shape.experts:
        return transformers.LlamaConfig(**fields)
    mixture = {"num_local_experts": shape.experts, "num_experts_per_tok": shape.active_experts, "sliding_window": None}
    return transformers.MixtralConfig(**fields, **mixture)


def _check_memory(shape: Architecture, torch: Any, device: str, bytes_per_weight: int) -> None:
    needed = bytes_per_weight * shape.params
    has = torch.cuda.mem_get_info()[0] if device == "cuda" else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > has:
        raise InputError(
            f"{shape.name} needs {short(needed, 'B')} of memory for its weights alone, but {device} has "
            f"{short(has, 'B')}"
        )
