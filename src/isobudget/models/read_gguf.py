"""Reads the architecture that the header of a GGUF file describes; the weights are not read.

Widths come from the header's fields; its tensors show whether the MLP has a gate and the embeddings are tied. A model
that is split into several files is read as one: any of the files may be named, and all must be in one folder.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from isobudget.errors import InputError, ModelError
from isobudget.models.architecture import Architecture
from isobudget.models.families import Family, by_gguf
from isobudget.models.gguf import GgufHeader, read_gguf_header
from isobudget.models.named import build

_PART = re.compile(r"(.*-)(\d{5})-of-(\d{5})\.gguf", re.IGNORECASE)


def from_gguf(path: str | Path, name: str | None = None) -> Architecture:
    """The architecture that a GGUF file's header describes; the weights are not read.

    Raises:
        ModelError: the file cannot be read, is damaged or truncated, its header lacks a needed field, or its family is
            not covered.
    """
    return gguf_architecture(whole_header(Path(path)), name)


def is_covered(path: Path) -> bool:
    """Whether a file's family is covered; raises `ModelError` if the file cannot be read."""
    return read_gguf_header(path).architecture in by_gguf()


def whole_header(path: Path) -> GgufHeader:
    """The header of a file. For a part of a split model, it is the first part's header with the tensors of all parts.

    Raises:
        ModelError: a part cannot be read, or is missing.
    """
    header = read_gguf_header(path)
    count = header.metadata.get("split.count", 1)
    if not isinstance(count, int) or count < 2:
        return header
    match = _PART.fullmatch(path.name)
    if match is None or int(match[3]) != count:
        raise ModelError(f"{path} is one of {count} parts, but not named like ...-00001-of-{count:05}.gguf; rename it")
    parts = [path.with_name(f"{match[1]}{at:05}-of-{count:05}.gguf") for at in range(1, count + 1)]
    if missing := [part.name for part in parts if not part.is_file()]:
        raise ModelError(f"{path} is one of {count} parts; missing next to it: {', '.join(missing)}")
    headers = [header if part == path else read_gguf_header(part) for part in parts]
    tensors = {name: tensor for one in headers for name, tensor in one.tensors.items()}
    return replace(headers[0], tensors=MappingProxyType(tensors))


def gguf_architecture(header: GgufHeader, name: str | None = None) -> Architecture:
    """The architecture that a GGUF header describes.

    Raises:
        ModelError: a needed field is missing or differs between layers, or the family is not covered.
    """
    family = by_gguf().get(header.architecture)
    if family is None:
        covered = ", ".join(sorted(by_gguf()))
        raise ModelError(f"{header.path}: architecture {header.architecture!r} is not supported; supported: {covered}")
    layers = header.number("block_count") - header.number("nextn_predict_layers", 0)
    values: dict[str, Any] = {
        "layers": layers,
        "hidden": header.number("embedding_length"),
        "heads": header.number("attention.head_count"),
        "vocabulary": _vocabulary(header),
        "tied_embeddings": "output.weight" not in header.tensors,
    }
    values |= _attention(header, values["heads"]) | _mlp(header, family, layers) | _window(header, family, layers)
    title = name or str(header.metadata.get("general.name") or header.path.stem)
    try:
        return build(title, values, source=f"GGUF header of {header.path.name}")
    except InputError as error:
        raise ModelError(str(error)) from None


def _attention(header: GgufHeader, heads: int) -> dict[str, Any]:
    """The number and widths of key and value heads, and for latent attention the widths of its vectors."""
    key, value = header.number("attention.key_length", 0), header.number("attention.value_length", 0)
    if latent := header.number("attention.kv_lora_rank", 0):
        return {
            "latent_kv": latent,
            "latent_query": header.number("attention.q_lora_rank", 0),
            "kv_heads": heads,
            "head_size": header.number("attention.key_length_mla", key),
            "rotated_size": header.number("rope.dimension_count"),
            "value_size": header.number("attention.value_length_mla", value),
        }
    if key and value and key != value:
        raise ModelError(f"{header.path}: attention keys of size {key} with values of size {value} are not supported")
    kv_heads = header.number("attention.head_count_kv", heads)
    return {"kv_heads": kv_heads} | ({"head_size": key} if key else {})


def _mlp(header: GgufHeader, family: Family, layers: int) -> dict[str, Any]:
    experts = header.number("expert_count", 0)
    width = header.number("feed_forward_length", 0 if experts else None)
    if not experts:
        return {"mlp_width": width, "gated_mlp": _has_gate(header, width)}
    own = header.number("expert_feed_forward_length", width)
    shared = own * header.number("expert_shared_count", int(family.shared_expert))
    values = {
        "experts": experts,
        "active_experts": header.number("expert_used_count"),
        "mlp_width": own,
        "shared_mlp_width": header.number("expert_shared_feed_forward_length", shared),
        "gated_mlp": _has_gate(header, own),
    }
    dense = header.number("leading_dense_block_count", 0)
    every = header.number("interleave_moe_layer_step", 1)
    dense = layers - layers // every if every > 1 else dense
    return values | ({"dense_layers": dense, "dense_mlp_width": width} if dense else {})


def _has_gate(header: GgufHeader, mlp_width: int) -> bool:
    """Whether the MLP has a gate: a matrix of its own, or a part of the up matrix, which is then twice as wide."""
    if any(f"blk.0.{name}.weight" in header.tensors for name in ("ffn_gate", "ffn_gate_exps", "ffn_gate_up_exps")):
        return True
    up = header.tensors.get("blk.0.ffn_up.weight")
    return up is not None and up.shape[-1] == 2 * mlp_width


def _vocabulary(header: GgufHeader) -> int:
    """Rows of the output layer, which may be padded beyond the tokenizer's tokens."""
    for tensor in ("output.weight", "token_embd.weight"):
        if tensor in header.tensors:
            return header.tensors[tensor].shape[-1]
    return header.number("vocab_size")


def _window(header: GgufHeader, family: Family, layers: int) -> dict[str, Any]:
    window = family.chunk or header.number("attention.sliding_window", 0)
    if not window:
        return {}
    pattern = header.value("attention.sliding_window_pattern")
    if isinstance(pattern, tuple):  # layer by layer
        windowed = sum(map(bool, pattern[:layers]))
    else:
        every = pattern if isinstance(pattern, int) and pattern > 0 else family.whole_every
        windowed = layers - layers // every if every else layers
    return {"sliding_window": window, "windowed_layers": windowed, "chunked": bool(family.chunk)} if windowed else {}
