"""The families of models that are covered, for configurations and GGUF files alike.

Other families are refused and not guessed: a wrong guess about a gated MLP changes the count by a third of the MLP, and
one about the kind of attention by more.

Not covered, and refused by name: state-space layers and linear attention (Mamba, Qwen3-Next, Granite 4 hybrids), models
whose layers differ in width (OpenELM), encoders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

_NO_FIELDS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Family:
    """Properties of a family that its files do not state.

    Attributes:
        configs: the family's names in a configuration's `model_type`.
        ggufs: the family's names in a GGUF file's `general.architecture`.
        gated: whether the MLP has a gate matrix. Only for configurations: for a GGUF file, the file's tensors decide.
        tied: whether the output layer shares the embedding's weights unless the configuration says otherwise.
        whole_every: every `whole_every`-th layer attends to all tokens, the others within a window or chunk; 0 if there
            is no such pattern.
        chunk: length in tokens of the chunks within which the other layers attend; 0 if there are no chunks.
        shared_expert: whether every token also passes through a shared expert that the files do not state.
        defaults: values of the configuration fields that the makers leave out.
    """

    configs: tuple[str, ...]
    ggufs: tuple[str, ...] = ()
    gated: bool = True
    tied: bool = False
    whole_every: int = 0
    chunk: int = 0
    shared_expert: bool = False
    defaults: Mapping[str, Any] = field(default_factory=lambda: _NO_FIELDS)


_GEMMA = {"head_dim": 256, "vocab_size": 256000}
_GEMMA2 = {**_GEMMA, "num_attention_heads": 8, "num_key_value_heads": 4, "sliding_window": 4096}
_GEMMA3 = {
    **_GEMMA2,
    "vocab_size": 262208,
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
}
_GPT_OSS = {"head_dim": 64, "num_attention_heads": 64, "num_key_value_heads": 8, "sliding_window": 128}

FAMILIES = (
    Family(("llama", "mistral", "mixtral"), ("llama", "mistral3")),
    Family(("qwen2", "qwen2_5_vl_text"), ("qwen2", "qwen2vl")),
    Family(("qwen3", "qwen3_vl_text"), ("qwen3", "qwen3vl")),
    Family(("qwen2_moe",), ("qwen2moe",)),
    Family(("qwen3_moe", "qwen3_vl_moe_text"), ("qwen3moe", "qwen3vlmoe")),
    Family(("phi3",), ("phi3",)),
    Family(("phimoe",), ("phimoe",)),
    Family(("phi",), ("phi2",), gated=False),
    Family(("smollm3",), ("smollm3",)),
    Family(("gemma",), ("gemma",), tied=True, defaults=_GEMMA),
    Family(("gemma2",), ("gemma2",), tied=True, whole_every=2, defaults=_GEMMA2),
    Family(("gemma3_text",), ("gemma3",), tied=True, whole_every=6, defaults=_GEMMA3),
    Family(("granite",), ("granite",)),
    Family(("granitemoe",), ("granitemoe",)),
    Family(("olmo",), ("olmo",)),
    Family(("olmo2",), ("olmo2",)),
    Family(("olmoe",), ("olmoe",)),
    Family(("stablelm",), ("stablelm",)),
    Family(("cohere",), ("command-r",), tied=True),
    Family(("cohere2",), ("cohere2",), tied=True, whole_every=4, defaults={"sliding_window": 4096}),
    Family(("gpt_oss",), ("gpt-oss",), whole_every=2, defaults=_GPT_OSS),
    Family(("llama4_text",), ("llama4",), whole_every=4, chunk=8192, shared_expert=True),
    Family(("deepseek_v2", "deepseek_v3"), ("deepseek2",)),
    Family(("glm4_moe",), ("glm4moe",)),
    Family(("starcoder2",), ("starcoder2",), gated=False, tied=True),
    Family(("gpt_bigcode",), ("starcoder",), gated=False, tied=True),
    Family(("gpt2",), ("gpt2",), gated=False, tied=True),
    Family(("gpt_neox",), ("gptneox",), gated=False),
)


@cache
def by_config() -> dict[str, Family]:
    """The families by their names in configurations (`model_type`)."""
    return {name: family for family in FAMILIES for name in family.configs}


@cache
def by_gguf() -> dict[str, Family]:
    """The families by their names in GGUF files (`general.architecture`)."""
    return {name: family for family in FAMILIES for name in family.ggufs}
