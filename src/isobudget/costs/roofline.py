"""An estimate of seconds per sample for planning, from what a GPU can at best do (a roofline). It is not a measurement.

One decoding step of a batch of B samples at context c takes the longer of computing and of reading memory:

    step = max( B (2 active weights + 4 q L c) / (T peak), (weight bytes + B c kv_bytes) / (T bandwidth) )

with T GPUs in tensor parallel, and a sample's share is step / B for each of its tokens; the prompt is bound by
computing. Nothing runs faster than this. Communication between GPUs, scheduling, kernels below their peak and the
spread of lengths in a batch are left out, and they grow with the model: the paper measured 1 : 1.69 : 7.58 : 14.19 for
four sizes (Table 1) where this gives about 1 : 1.8 : 3 : 6 (8 A100, a batch of 64, 400 tokens). Peaks and bandwidths
are the vendors' (dense, 16 bit).
"""

from __future__ import annotations

from dataclasses import dataclass

from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.flops import prompt_flops
from isobudget.errors import InputError
from isobudget.files.hints import unknown
from isobudget.grid import short
from isobudget.models.architecture import Architecture

_BYTES_PER_CACHED_NUMBER = 2


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU by its data sheet: dense 16-bit peak, memory bandwidth, memory."""

    name: str
    flops_per_second: float
    bytes_per_second: float
    memory_bytes: float


_KNOWN = (
    Gpu("t4", 65e12, 320e9, 16e9),
    Gpu("l4", 121e12, 300e9, 24e9),
    Gpu("a100-40gb", 312e12, 1555e9, 40e9),
    Gpu("a100-80gb", 312e12, 2039e9, 80e9),
    Gpu("h100", 989e12, 3350e9, 80e9),
    Gpu("h200", 989e12, 4800e9, 141e9),
)
_GPUS = {gpu.name: gpu for gpu in _KNOWN}


def gpu_named(name: str) -> Gpu:
    """The GPU of that name; an `InputError` lists the known ones."""
    try:
        return _GPUS[name.strip().lower()]
    except KeyError:
        raise InputError(unknown("GPU", name, _GPUS)) from None


@dataclass(frozen=True, slots=True)
class Serving:
    """How a model is served.

    Attributes:
        gpu: the kind of GPU.
        gpus: number of GPUs in tensor parallel (T).
        batch: samples decoded at the same time (B).
        bytes_per_weight: 2 for 16-bit weights, about 0.56 for 4-bit ones with their scales.
    """

    gpu: Gpu
    gpus: int = 1
    batch: int = 1
    bytes_per_weight: float = 2.0

    def __post_init__(self) -> None:
        if self.gpus < 1 or self.batch < 1 or not self.bytes_per_weight > 0:
            raise InputError(
                f"serving needs at least 1 GPU, a batch of at least 1 and positive bytes per weight, "
                f"not {self.gpus}, {self.batch} and {self.bytes_per_weight}"
            )


def roofline_seconds(
    architecture: Architecture, serving: Serving, prompt_tokens: float, completion_tokens: float
) -> SampleCost:
    """An estimated lower bound on the seconds of one sample's share of the machine; a problem's prompt is shared.

    `prompt_tokens` (at least 1) and `completion_tokens` (above 0) are mean lengths. Weights and cache that do not fit
    the GPUs' memory are an `InputError`.
    """
    batch, gpus, gpu = serving.batch, serving.gpus, serving.gpu
    weights = architecture.params * serving.bytes_per_weight
    cache = _BYTES_PER_CACHED_NUMBER * architecture.layers * architecture.cached_width
    needed = weights + batch * cache * (prompt_tokens + completion_tokens)
    if needed > gpus * gpu.memory_bytes:
        raise InputError(
            f"{architecture.name} with a batch of {batch} needs {short(needed, 'B')}, more than {gpus} x {gpu.name} "
            f"have ({short(gpus * gpu.memory_bytes, 'B')}); use more GPUs or a smaller batch"
        )
    context = prompt_tokens + completion_tokens / 2
    attention = architecture.attention_flops_per_key * architecture.layers * context
    computing = batch * (2 * architecture.active_params + attention) / (gpus * gpu.flops_per_second)
    reading = (weights + batch * cache * context) / (gpus * gpu.bytes_per_second)
    step = max(computing, reading)
    prompt = prompt_flops(architecture, max(1, round(prompt_tokens))) / (gpus * gpu.flops_per_second)
    source = (
        f"ESTIMATE, roofline lower bound: {architecture.name} on {gpus} x {gpu.name}, batch {batch}, "
        f"{prompt_tokens:g} + {completion_tokens:g} tokens"
    )
    return SampleCost(Unit.SECONDS, completion_tokens * step / batch, prompt, source)
