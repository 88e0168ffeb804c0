"""Architectures from a Hugging Face `config.json` and from the header of a GGUF file.

A family that is not known here is refused, not guessed at: whether its MLP is gated changes the count by a third of
the MLP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isobudget.errors import InputError, ModelError
from isobudget.files.jsonl import parse_json
from isobudget.files.whole import read_text
from isobudget.models.architecture import Architecture
from isobudget.models.gguf import GgufHeader, read_gguf_header
from isobudget.models.named import build, named

#: model_type of config.json -> whether its MLP has a gate matrix
_GATED = {
    **dict.fromkeys(
        ("llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "phi3", "smollm3"), True
    ),
    **dict.fromkeys(("gemma", "gemma2", "gemma3_text", "granite", "olmo2"), True),
    **dict.fromkeys(("starcoder2", "gpt_neox", "phi", "gpt_bigcode", "gpt2"), False),
}
#: other spellings of the fields, as GPT-2 and its kin write them
_FIELDS = {
    "layers": ("num_hidden_layers", "n_layer"),
    "hidden": ("hidden_size", "n_embd"),
    "heads": ("num_attention_heads", "n_head"),
    "mlp_width": ("intermediate_size", "n_inner"),
    "vocabulary": ("vocab_size",),
}
#: families whose output layer shares the embedding's weights unless their config says otherwise
_TIED = ("gemma", "gemma2", "gemma3_text", "starcoder2", "gpt2", "gpt_bigcode")
#: of the layers of these families, one in so many looks at everything, the others at a window
_WHOLE_EVERY = {"gemma2": 2, "gemma3": 6, "gemma3_text": 6}


def load_architecture(name_or_path: str) -> Architecture:
    """An architecture from whatever the user wrote: a `.gguf` file, a `config.json` or its folder, or a known name.

    Raises:
        InputError: there is no such file or name, or the config lacks a field.
        ModelError: the GGUF file is damaged.
    """
    path = Path(name_or_path).expanduser()
    if name_or_path.endswith(".gguf"):
        return from_gguf(path)
    if name_or_path.endswith(".json") or (path.is_dir() and (path / "config.json").is_file()):
        return from_hf_config(path)
    return named(name_or_path)


def from_hf_config(config: Mapping[str, Any] | str | Path, name: str | None = None) -> Architecture:
    """The architecture that a Hugging Face config describes.

    Args:
        config: the parsed config, or the path of a `config.json` or of the folder that holds it.
        name: the model's name; by default what the config or its folder is called.

    Raises:
        InputError: the file cannot be read, a field is missing, or the family is not covered.
    """
    if isinstance(config, Mapping):
        fields, source, given = config, "config.json", str(config.get("_name_or_path") or "model")
    else:
        fields, path = _read_json(Path(config))
        source, given = str(path), path.parent.name or path.stem
    name = name or given
    fields = fields.get("text_config", fields)
    kind = fields.get("model_type")
    if kind not in _GATED or "kv_lora_rank" in fields:
        raise InputError(f"{source}: model_type {kind!r} is not covered; covered are {', '.join(sorted(_GATED))}")
    values: dict[str, Any] = {"gated_mlp": _GATED[kind]} | _widths(fields, kind, source)
    values["tied_embeddings"] = bool(fields.get("tie_word_embeddings", kind in _TIED))
    values |= _experts(fields, source) | _window(fields, kind, values["layers"])
    return build(name, values, source=source)


def _widths(fields: Mapping[str, Any], kind: str, source: str) -> dict[str, Any]:
    values = {field: _first(fields, spellings) for field, spellings in _FIELDS.items()}
    if values["mlp_width"] is None and kind in ("gpt2", "gpt_bigcode") and values["hidden"]:
        values["mlp_width"] = 4 * values["hidden"]
    missing = [_FIELDS[field][0] for field, value in values.items() if value is None]
    if missing:
        raise InputError(f"{source}: {', '.join(missing)} is missing")
    kv_heads = 1 if fields.get("multi_query") else fields.get("num_key_value_heads")
    optional = {"kv_heads": kv_heads, "head_size": fields.get("head_dim")}
    return values | {field: value for field, value in optional.items() if value is not None}


def _first(fields: Mapping[str, Any], spellings: Sequence[str]) -> Any:
    return next((fields[key] for key in spellings if fields.get(key) is not None), None)


def _experts(fields: Mapping[str, Any], source: str) -> dict[str, Any]:
    experts = _first(fields, ("num_local_experts", "num_experts"))
    if not experts:
        return {}
    if fields.get("mlp_only_layers") or fields.get("decoder_sparse_step", 1) != 1:
        raise InputError(
            f"{source}: experts in only some of the layers (decoder_sparse_step, mlp_only_layers) are not covered"
        )
    if fields.get("num_experts_per_tok") is None:
        raise InputError(f"{source}: num_experts_per_tok is missing")
    values = {"experts": experts, "active_experts": fields["num_experts_per_tok"]}
    if fields.get("moe_intermediate_size") is not None:
        values["mlp_width"] = fields["moe_intermediate_size"]
    if fields.get("shared_expert_intermediate_size"):
        values["shared_mlp_width"] = fields["shared_expert_intermediate_size"]
    return values


def _window(fields: Mapping[str, Any], kind: str, layers: int) -> dict[str, Any]:
    """The window and how many layers have it: by `layer_types`, a pattern (Gemma), Qwen's switch, or all layers."""
    window = fields.get("sliding_window")
    if not window or fields.get("use_sliding_window") is False:
        return {}
    types, pattern = fields.get("layer_types"), fields.get("sliding_window_pattern")
    if types:
        windowed = sum(layer == "sliding_attention" for layer in types)
    elif every := pattern or _WHOLE_EVERY.get(kind):
        windowed = layers - layers // every
    else:
        windowed = layers - (fields.get("max_window_layers", 0) if "use_sliding_window" in fields else 0)
    return {"sliding_window": window, "windowed_layers": max(windowed, 0)} if windowed > 0 else {}


def _read_json(path: Path) -> tuple[Mapping[str, Any], Path]:
    path = path / "config.json" if path.is_dir() else path
    fields = parse_json(read_text(path), str(path))
    if not isinstance(fields, dict):
        raise InputError(f"{path} holds no JSON object; is it a model's config.json?")
    return fields, path


def from_gguf(path: str | Path, name: str | None = None) -> Architecture:
    """The architecture that a GGUF file's header describes; the weights are not read.

    Raises:
        ModelError: the file cannot be read, is damaged or truncated, or its header lacks what a count needs.
    """
    return architecture_of(read_gguf_header(path), name)


def architecture_of(header: GgufHeader, name: str | None = None) -> Architecture:
    """The architecture that a GGUF header describes: widths from its fields, the gate and tied embeddings from its
    tensors.

    Raises:
        ModelError: a field that the count needs is missing or differs between layers.
    """
    values: dict[str, Any] = {
        "layers": header.number("block_count"),
        "hidden": header.number("embedding_length"),
        "heads": header.number("attention.head_count"),
    }
    values["kv_heads"] = header.number("attention.head_count_kv", values["heads"])
    if head_size := header.number("attention.key_length", 0):
        values["head_size"] = head_size
    experts = header.number("expert_count", 0)
    if experts:
        values |= {"experts": experts, "active_experts": header.number("expert_used_count")}
        values["shared_mlp_width"] = header.number("expert_shared_feed_forward_length", 0)
    width = header.number("feed_forward_length", 0 if experts else None)
    values["mlp_width"] = header.number("expert_feed_forward_length", width) if experts else width
    values["gated_mlp"] = _has_gate(header, values["mlp_width"])
    values["vocabulary"] = _vocabulary(header)
    values["tied_embeddings"] = "output.weight" not in header.tensors
    values |= _gguf_window(header, values["layers"])
    title = name or str(header.metadata.get("general.name") or header.path.stem)
    try:
        return build(title, values, source=f"GGUF header of {header.path.name}")
    except InputError as error:
        raise ModelError(str(error)) from None


def _has_gate(header: GgufHeader, mlp_width: int) -> bool:
    """A gate matrix of its own, or fused with the up matrix, which then has twice the width."""
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


def _gguf_window(header: GgufHeader, layers: int) -> dict[str, int]:
    window = header.number("attention.sliding_window", 0)
    if not window:
        return {}
    every = _WHOLE_EVERY.get(header.architecture)
    windowed = layers - layers // every if every else layers
    return {"sliding_window": window, "windowed_layers": windowed} if windowed else {}
