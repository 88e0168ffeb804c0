"""Shapes of many families, from configurations and GGUF headers: published parameters, one count for both, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isobudget.costs.flops import completion_flops, prompt_flops
from isobudget.errors import InputError, ModelError
from isobudget.models import Architecture, load_architecture, named
from isobudget.models.families import FAMILIES, by_config, by_gguf
from isobudget.models.random_gguf import Quantisation, write_random_gguf
from support.tiny_gguf import F32, STRING, entry, header, number, tensor, text

DEEPSEEK_LITE = {
    "model_type": "deepseek_v2",
    "hidden_size": 2048,
    "intermediate_size": 10944,
    "moe_intermediate_size": 1408,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "vocab_size": 102400,
    "n_routed_experts": 64,
    "n_shared_experts": 2,
    "num_experts_per_tok": 6,
    "first_k_dense_replace": 1,
    "kv_lora_rank": 512,
    "q_lora_rank": None,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "moe_layer_freq": 1,
}
GEMMA_4B = {  # as its maker publishes it: heads and vocabulary are left out
    "model_type": "gemma3",
    "text_config": {
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "model_type": "gemma3_text",
        "num_hidden_layers": 34,
        "sliding_window": 1024,
    },
}
GPT_OSS = {
    "model_type": "gpt_oss",
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_hidden_layers": 24,
    "vocab_size": 201088,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
}
SCOUT = {
    "model_type": "llama4",
    "text_config": {
        "model_type": "llama4_text",
        "hidden_size": 5120,
        "intermediate_size": 8192,
        "intermediate_size_mlp": 16384,
        "num_hidden_layers": 48,
        "num_attention_heads": 40,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 202048,
        "num_local_experts": 16,
        "num_experts_per_tok": 1,
        "interleave_moe_layer_step": 1,
        "attention_chunk_size": 8192,
    },
}
MAVERICK = {
    **SCOUT,
    "text_config": {**SCOUT["text_config"], "num_local_experts": 128, "interleave_moe_layer_step": 2},  # type: ignore[dict-item]
}
COMMAND = {
    "model_type": "cohere2",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 256000,
    "sliding_window": 4096,
}
QWEN = {
    "model_type": "qwen3_moe",
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "moe_intermediate_size": 768,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "vocab_size": 151936,
    "num_experts": 128,
    "num_experts_per_tok": 8,
}


def config(tmp_path: Path, fields: dict[str, Any]) -> Architecture:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(fields))
    return load_architecture(str(path))


# published: parameters in all and active per token, both in billions, the embedding counted once as active or not
@pytest.mark.parametrize(
    ("fields", "total", "active"),
    [
        (DEEPSEEK_LITE, 15.7, 2.4),  # DeepSeek-V2 report: 15.7B, 2.4B active
        (GPT_OSS, 20.9, 3.6),  # model card: 20.9B, 3.6B active
        (SCOUT, 108, 17.0),  # Llama 4: 109B and 17B active with the vision encoder
        (MAVERICK, 398, 17.0),  # 400B with the vision encoder
        (QWEN, 30.5, 3.3),  # 30.5B, 3.3B active
        (COMMAND, 8.03, 8.03),
        (GEMMA_4B, 3.88, 3.88),
    ],
    ids=lambda value: value.get("model_type") if isinstance(value, dict) else None,
)
def test_published_parameters(tmp_path: Path, fields: dict[str, Any], total: float, active: float) -> None:
    shape = config(tmp_path, fields)
    assert shape.params / 1e9 == pytest.approx(total, rel=0.01)
    embedding = 0 if shape.tied_embeddings else shape.head_weights
    counted = (shape.active_params, shape.active_params + embedding)  # makers differ in counting the look-up
    assert min(abs(one / 1e9 / active - 1) for one in counted) < 0.025


def brute(shape: Architecture, own: dict[str, int], prompt: int, completion: int) -> int:
    """DeepSeek-V2's flops, written out token by token and layer by layer from the report's formulas."""
    d, h, total = shape.hidden, shape.heads, 0
    attention = d * h * 192 + d * (512 + 64) + 512 * h * (128 + 128) + h * 128 * d
    for place in range(1, prompt + completion):
        for layer in range(shape.layers):
            dense = 3 * d * own["dense"]
            mlp = dense if layer < 1 else 3 * d * 1408 * (6 + 2) + d * 64
            total += 2 * (attention + mlp) + 2 * h * (192 + 128) * place
        if place >= prompt:
            total += 2 * d * shape.vocabulary
    return total


@pytest.mark.parametrize(("prompt", "completion"), [(1, 2), (150, 50), (300, 1)])
def test_latent_attention_with_shared_experts_is_the_loop(tmp_path: Path, prompt: int, completion: int) -> None:
    shape = config(tmp_path, DEEPSEEK_LITE)
    ours = prompt_flops(shape, prompt) + completion_flops(shape, prompt, completion)
    assert ours == pytest.approx(brute(shape, {"dense": 10944}, prompt, completion), rel=1e-12)


@pytest.mark.parametrize(
    ("fields", "windowed", "chunked"), [(GPT_OSS, 12, False), (COMMAND, 24, False), (SCOUT, 36, True)]
)
def test_interleaved_windows(tmp_path: Path, fields: dict[str, Any], windowed: int, chunked: bool) -> None:
    shape = config(tmp_path, fields)
    assert (shape.windowed_layers, shape.chunked) == (windowed, chunked)
    size, tokens = shape.sliding_window, 2 * shape.sliding_window + 7
    keys = 0
    for place in range(1, tokens + 1):
        inside = (place - 1) % size + 1 if chunked else min(place, size)
        keys += windowed * inside + (shape.layers - windowed) * place
    everywhere = replace(shape, windowed_layers=0, sliding_window=0, chunked=False)
    linear = prompt_flops(everywhere, tokens) - 4 * shape.query_width * shape.layers * (tokens * (tokens + 1) // 2)
    assert prompt_flops(shape, tokens) == pytest.approx(linear + 4 * shape.query_width * keys, rel=1e-12)


def gguf(path: Path, family: str, fields: dict[str, int | str], vocabulary: int, gate: str, tied: bool = False) -> Path:
    """A file with a header and no weights."""
    hidden = int(fields["embedding_length"])
    entries = [entry("general.architecture", STRING, text(family))]
    entries += [number(f"{family}.{name}", int(value)) for name, value in fields.items()]
    shapes = [("token_embd.weight", (hidden, vocabulary))]
    shapes += [] if tied else [("output.weight", (hidden, vocabulary))]
    shapes += [(f"blk.0.{gate}.weight", (hidden, 32))]
    at, tensors = 0, []
    for name, shape in shapes:
        tensors.append(tensor(name, shape, F32, at))
        at += 4 * shape[0] * shape[1]
    head = header(entries, tensors)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + 64 + at)  # sparse: no disk is used
    return path


_ATTENTION = {"attention.head_count": 32, "attention.head_count_kv": 8, "attention.key_length": 128}
PAIRS = [
    (
        DEEPSEEK_LITE,
        ("deepseek2", 102400, "ffn_gate", False),
        {
            "block_count": 27,
            "embedding_length": 2048,
            "feed_forward_length": 10944,
            "attention.head_count": 16,
            "attention.head_count_kv": 1,
            "attention.kv_lora_rank": 512,
            "attention.key_length": 576,
            "attention.value_length": 512,
            "attention.key_length_mla": 192,
            "attention.value_length_mla": 128,
            "rope.dimension_count": 64,
            "expert_used_count": 6,
            "expert_count": 64,
            "expert_shared_count": 2,
            "expert_feed_forward_length": 1408,
            "leading_dense_block_count": 1,
        },
    ),
    (
        GPT_OSS,
        ("gpt-oss", 201088, "ffn_gate_exps", False),
        {
            "block_count": 24,
            "embedding_length": 2880,
            "attention.head_count": 64,
            "attention.head_count_kv": 8,
            "attention.key_length": 64,
            "attention.value_length": 64,
            "attention.sliding_window": 128,
            "expert_count": 32,
            "expert_used_count": 4,
            "expert_feed_forward_length": 2880,
        },
    ),
    (
        SCOUT,
        ("llama4", 202048, "ffn_gate_exps", False),
        {
            "block_count": 48,
            "embedding_length": 5120,
            "feed_forward_length": 16384,
            "expert_feed_forward_length": 8192,
            **(_ATTENTION | {"attention.head_count": 40}),
            "expert_count": 16,
            "expert_used_count": 1,
            "interleave_moe_layer_step": 1,
        },
    ),
    (
        COMMAND,
        ("cohere2", 256000, "ffn_gate", True),
        {
            "block_count": 32,
            "embedding_length": 4096,
            "feed_forward_length": 14336,
            **_ATTENTION,
            "attention.sliding_window": 4096,
        },
    ),
    (
        GEMMA_4B,
        ("gemma3", 262208, "ffn_gate", True),
        {
            "block_count": 34,
            "embedding_length": 2560,
            "feed_forward_length": 10240,
            "attention.head_count": 8,
            "attention.head_count_kv": 4,
            "attention.key_length": 256,
            "attention.sliding_window": 1024,
        },
    ),
]


@pytest.mark.parametrize(("fields", "form", "numbers"), PAIRS, ids=[pair[1][0] for pair in PAIRS])
def test_a_gguf_header_and_a_configuration_are_the_same_shape(
    tmp_path: Path, fields: dict[str, Any], form: tuple[str, int, str, bool], numbers: dict[str, int]
) -> None:
    family, vocabulary, gate, tied = form
    path = gguf(tmp_path / "model.gguf", family, numbers, vocabulary, gate, tied)
    found, wanted = load_architecture(str(path)), config(tmp_path, fields)
    same = replace(found, name=wanted.name, source=wanted.source, kv_heads=wanted.kv_heads)
    assert same == wanted


@pytest.mark.parametrize("kind", ["qwen3_next", "mamba", "granitemoehybrid", "jamba", None])
def test_configurations_of_other_families_are_refused_by_name(tmp_path: Path, kind: str | None) -> None:
    with pytest.raises(InputError, match=f"model_type {kind!r} is not supported; supported: cohere,"):
        config(tmp_path, QWEN | {"model_type": kind})


@pytest.mark.parametrize("family", ["qwen3next", "mamba", "granitehybrid", "openelm", "clip"])
def test_files_of_other_families_are_refused_by_name(tmp_path: Path, family: str) -> None:
    path = gguf(tmp_path / "m.gguf", family, {"block_count": 2, "embedding_length": 64}, 320, "ffn_gate")
    with pytest.raises(ModelError, match=f"architecture '{family}' is not supported; supported: cohere2,"):
        load_architecture(str(path))


def test_every_name_stands_for_one_family() -> None:
    assert len(by_config()) == sum(len(family.configs) for family in FAMILIES)
    assert len(by_gguf()) == sum(len(family.ggufs) for family in FAMILIES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_hidden_layers": "32"}, "num_hidden_layers must be a whole number, not '32'"),
        ({"num_experts": 1.5}, "num_experts must be a whole number"),
        ({"first_k_dense_replace": -1}, "first_k_dense_replace must be a whole number"),
        ({"mlp_only_layers": 3}, "mlp_only_layers must be a list"),
        ({"num_experts_per_tok": None}, "num_experts_per_tok is missing"),
        ({"num_experts_per_tok": 200}, "128 experts with 200 active ones"),
        ({"kv_lora_rank": 512}, "latent attention without qk_rope_head_dim"),
    ],
)
def test_configurations_that_cannot_be(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        config(tmp_path, QWEN | change)


def test_layers_without_experts_are_dense(tmp_path: Path) -> None:
    plain = config(tmp_path, QWEN)
    some = config(tmp_path, QWEN | {"decoder_sparse_step": 2, "mlp_only_layers": [1]})
    assert (some.dense_layers, some.dense_mlp_width) == (25, 6144)
    changed = 25 * (3 * 2048 * (6144 - 8 * 768) - 2048 * 128)
    assert some.active_params - plain.active_params == changed


def split(folder: Path, count: int = 2) -> list[Path]:
    """A model in two parts: the first has the model's fields, the second the output layer."""
    parts = [folder / f"m-{at:05}-of-{count:05}.gguf" for at in range(1, count + 1)]
    entries = [
        entry("general.architecture", STRING, text("llama")),
        *(number(f"llama.{name}", value) for name, value in (("block_count", 2), ("embedding_length", 64))),
        *(number(f"llama.{name}", value) for name, value in (("feed_forward_length", 96), ("attention.head_count", 4))),
    ]
    for at, path in enumerate(parts):
        own = entries if at == 0 else entries[:1]
        names = ("token_embd.weight", "blk.0.ffn_gate.weight") if at == 0 else ("output.weight",)
        shapes = [(64, 320), (64, 96)][: len(names)]
        starts = [0, 4 * 64 * 320]
        tensors = [tensor(*each, F32, start) for *each, start in zip(names, shapes, starts, strict=False)]
        data = header([*own, number("split.count", count), number("split.no", at)], tensors)
        path.write_bytes(data + bytes(64 + 4 * 64 * (320 + 96)))
    return parts


def test_a_model_in_several_files_is_read_as_one(tmp_path: Path) -> None:
    first, second = split(tmp_path)
    shape = load_architecture(str(first))
    assert (shape.layers, shape.vocabulary, shape.gated_mlp, shape.tied_embeddings) == (2, 320, True, False)
    assert load_architecture(str(second)) == shape
    second.unlink()
    with pytest.raises(ModelError, match=r"one of 2 parts; missing next to it: m-00002-of-00002\.gguf"):
        load_architecture(str(first))
    first.rename(tmp_path / "renamed.gguf")
    with pytest.raises(ModelError, match=r"not named like \.\.\.-00001-of-00002\.gguf"):
        load_architecture(str(tmp_path / "renamed.gguf"))


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("codellama-7b-instruct-q4_k_m", "codellama-7b"),
        ("codellama:13b-instruct-q4_K_M", "codellama-13b"),
        ("Qwen/Qwen2.5-Coder-7B-Instruct-FP8", "qwen2.5-7b"),
        ("qwen2.5-coder-7b:latest", "qwen2.5-7b"),
        ("Qwen2.5-72B-Instruct-AWQ", "qwen2.5-72b"),
        ("WizardLM/WizardCoder-Python-34B-V1.0", "codellama-34b"),
        ("WizardLMTeam/WizardCoder-33B-V1.1", "deepseek-coder-33b"),
        ("WizardLM/WizardCoder-15B-V1.0", "starcoder"),
        ("bigcode/starcoder2-15b", "starcoder2-15b"),
        ("meta-llama/Llama-3.3-70B-Instruct-FP8-dynamic", "llama-3-70b"),
        ("unsloth/Llama-3.1-8B-Instruct-bnb-4bit", "llama-3-8b"),
        ("llama3.1:8b-instruct-q8_0", "llama-3-8b"),
        ("smollm2-135m-iq2_xxs", "smollm2-135m"),
    ],
)
def test_common_spellings(spelling: str, name: str) -> None:
    assert named(spelling).name == name


@pytest.mark.parametrize(("name", "billions"), [("qwen2.5-72b", 72.7), ("starcoder2-15b", 15.96), ("starcoder", 15.5)])
def test_catalogue_entries_have_the_published_parameters(name: str, billions: float) -> None:
    assert named(name).params / 1e9 == pytest.approx(billions, rel=0.02)


@pytest.mark.parametrize("fields", [DEEPSEEK_LITE, SCOUT])
def test_random_weights_of_other_shapes_are_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"cannot be written with random weights: it"):
        write_random_gguf(tmp_path / "x.gguf", config(tmp_path, fields), Quantisation.Q8_0)
