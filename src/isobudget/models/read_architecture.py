"""Reads architectures from a Hugging Face `config.json`, or by any name or path; `read_gguf` reads GGUF headers.

The covered families, and what their files do not state, are listed in `families`; other families are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isobudget.errors import InputError
from isobudget.files.jsonl import parse_json
from isobudget.files.values import is_whole
from isobudget.files.whole import read_text
from isobudget.models.architecture import Architecture
from isobudget.models.families import Family, by_config
from isobudget.models.named import build, named
from isobudget.models.read_gguf import from_gguf

#: names of the fields in a configuration: the usual name, then that of GPT-2 and its kin
_FIELDS = {
    "layers": ("num_hidden_layers", "n_layer"),
    "hidden": ("hidden_size", "n_embd"),
    "heads": ("num_attention_heads", "n_head"),
    "mlp_width": ("intermediate_size", "n_inner"),
    "vocabulary": ("vocab_size",),
}
_NUMBERS = (
    "attention_chunk_size",
    "decoder_sparse_step",
    "first_k_dense_replace",
    "head_dim",
    "interleave_moe_layer_step",
    "intermediate_size_mlp",
    "kv_lora_rank",
    "max_window_layers",
    "moe_intermediate_size",
    "moe_layer_freq",
    "n_routed_experts",
    "n_shared_experts",
    "num_experts",
    "num_experts_per_tok",
    "num_key_value_heads",
    "num_local_experts",
    "q_lora_rank",
    "qk_nope_head_dim",
    "qk_rope_head_dim",
    "shared_expert_intermediate_size",
    "sliding_window",
    "sliding_window_pattern",
    "v_head_dim",
)


def load_architecture(name_or_path: str) -> Architecture:
    """The architecture that the user names: by a `.gguf` file, a `config.json` or its folder, or a known name.

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
        name: the model's name; by default the name in a parsed config, or that of the file's folder.

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
    family = by_config().get(str(kind))
    if family is None:
        covered = ", ".join(sorted(by_config()))
        raise InputError(f"{source}: model_type {kind!r} is not supported; supported: {covered}")
    if (is_latent := "kv_lora_rank" in fields) and "qk_rope_head_dim" not in fields:
        raise InputError(f"{source}: latent attention without qk_rope_head_dim is not supported")
    fields = {name: value for name, value in {**family.defaults, **fields}.items() if value is not None}
    _check_numbers(fields, source)
    values: dict[str, Any] = {"gated_mlp": family.gated} | _widths(fields, str(kind), source)
    values["tied_embeddings"] = bool(fields.get("tie_word_embeddings", family.tied))
    values |= _experts(fields, family, values, source) | _window(fields, family, values["layers"])
    values |= _latent(fields, values["heads"]) if is_latent else {}
    return build(name, values, source=source)


def _check_numbers(fields: Mapping[str, Any], source: str) -> None:
    for name in (*_NUMBERS, *(name for spellings in _FIELDS.values() for name in spellings)):
        if name in fields and not is_whole(fields[name]):
            raise InputError(f"{source}: {name} must be a whole number, not {fields[name]!r}")
    if not isinstance(fields.get("mlp_only_layers", []), list):
        raise InputError(f"{source}: mlp_only_layers must be a list of layers")


def _widths(fields: Mapping[str, Any], kind: str, source: str) -> dict[str, Any]:
    values = {field: _first(fields, spellings) for field, spellings in _FIELDS.items()}
    if values["mlp_width"] is None and kind in ("gpt2", "gpt_bigcode") and values["hidden"]:
        values["mlp_width"] = 4 * values["hidden"]
    missing = [_FIELDS[field][0] for field, value in values.items() if value is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise InputError(f"{source}: {', '.join(missing)} {are} missing")
    kv_heads = 1 if fields.get("multi_query") else fields.get("num_key_value_heads")
    optional = {"kv_heads": kv_heads, "head_size": fields.get("head_dim")}
    return values | {field: value for field, value in optional.items() if value is not None}


def _latent(fields: Mapping[str, Any], heads: int) -> dict[str, Any]:
    """The fields of latent attention, from a configuration with DeepSeek's field names."""
    made, rotated = fields.get("qk_nope_head_dim", 0), fields["qk_rope_head_dim"]
    return {
        "latent_kv": fields["kv_lora_rank"],
        "latent_query": fields.get("q_lora_rank", 0),
        "kv_heads": heads,
        "head_size": made + rotated,
        "rotated_size": rotated,
        "value_size": fields.get("v_head_dim", made),
    }


def _first(fields: Mapping[str, Any], spellings: Sequence[str]) -> Any:
    return next((fields[key] for key in spellings if fields.get(key) is not None), None)


def _experts(fields: Mapping[str, Any], family: Family, values: Mapping[str, Any], source: str) -> dict[str, Any]:
    experts = _first(fields, ("num_local_experts", "num_experts", "n_routed_experts"))
    if not experts:
        return {}
    if fields.get("num_experts_per_tok") is None:
        raise InputError(f"{source}: num_experts_per_tok is missing")
    width = fields.get("moe_intermediate_size", values["mlp_width"])
    shared = fields.get("shared_expert_intermediate_size", width * fields.get("n_shared_experts", family.shared_expert))
    mixture = {"experts": experts, "active_experts": fields["num_experts_per_tok"], "mlp_width": width}
    mixture["shared_mlp_width"] = shared
    if dense := _dense_layers(fields, values["layers"]):
        mixture |= {"dense_layers": dense, "dense_mlp_width": fields.get("intermediate_size_mlp", values["mlp_width"])}
    return mixture


def _dense_layers(fields: Mapping[str, Any], layers: int) -> int:
    """How many layers of a mixture have no experts: the first ones, those that are listed, or all but every n-th."""
    named_ones = fields.get("mlp_only_layers", [])
    every = _first(fields, ("decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_freq")) or 1
    first = fields.get("first_k_dense_replace", 0)
    mixed = (at for at in range(first, layers) if at not in named_ones and (at + 1) % every == 0)
    return layers - sum(1 for _ in mixed)


def _window(fields: Mapping[str, Any], family: Family, layers: int) -> dict[str, Any]:
    """The fields of windowed layers; empty if no layer has a window.

    The first of these that is stated says how many layers have the window: `layer_types`, a pattern (Gemma), Qwen's
    `max_window_layers`. Otherwise all layers have the window.
    """
    window = fields.get("attention_chunk_size", family.chunk) if family.chunk else fields.get("sliding_window")
    if not window or fields.get("use_sliding_window") is False:
        return {}
    types, pattern = fields.get("layer_types"), fields.get("sliding_window_pattern")
    if types:
        windowed = sum(layer in ("sliding_attention", "chunked_attention") for layer in types)
    elif every := pattern or family.whole_every:
        windowed = layers - layers // every
    else:
        windowed = layers - (fields.get("max_window_layers", 0) if "use_sliding_window" in fields else 0)
    if windowed <= 0:
        return {}
    return {"sliding_window": window, "windowed_layers": windowed, "chunked": bool(family.chunk)}


def _read_json(path: Path) -> tuple[Mapping[str, Any], Path]:
    path = path / "config.json" if path.is_dir() else path
    fields = parse_json(read_text(path), str(path))
    if not isinstance(fields, dict):
        raise InputError(f"{path}: is not a JSON object; is it a model's config.json?")
    return fields, path
