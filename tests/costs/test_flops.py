"""Flops: the published counts, the closed forms against loops, and architectures from names and configs."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.flops import calflops_count, completion_flops, paper_flops, prompt_flops, scoring_flops
from isobudget.costs.usage import TokenUse, flops_cost, tokens_cost
from isobudget.errors import InputError
from isobudget.models import Architecture, find_named, from_hf_config, known_names, named

TINY = Architecture("tiny", layers=3, hidden=8, mlp_width=12, heads=4, kv_heads=2, head_size=3, vocabulary=17)
WINDOWED = replace(TINY, sliding_window=4, windowed_layers=2)
EXPERTS = replace(TINY, experts=6, active_experts=2, shared_mlp_width=5)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("llama-2-7b", 1_700_063_608_832),
        ("llama-2-13b", 3_303_530_823_680),
        ("codellama-34b", 8_597_099_511_808),
        ("llama-2-70b", 17_633_902_592_000),
        ("llama-3-8b", 1_929_857_990_656),
        ("llama-3-70b", 17_835_766_054_912),
    ],
)
def test_calflops_counts_are_exact(name: str, count: int) -> None:
    assert calflops_count(named(name)) == count


@pytest.mark.parametrize(("size", "tflops"), [("7b", 1.69), ("13b", 3.29), ("34b", 8.58), ("70b", 17.60)])
def test_table_1_within_two_thousandths(size: str, tflops: float) -> None:
    assert paper_flops(named(f"codellama-{size}")) == pytest.approx(tflops * 1e12, rel=0.002)


def test_llama_3_8b_costs_an_eighth_more_than_code_llama_7b() -> None:
    assert paper_flops(named("llama-3-8b")) / paper_flops(named("codellama-7b")) == pytest.approx(1.136, abs=0.0005)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("llama-2-7b", 6_738_415_616),
        ("llama-2-13b", 13_015_864_320),
        ("llama-2-70b", 68_976_648_192),
        ("llama-3-8b", 8_030_261_248),
        ("llama-3-70b", 70_553_706_496),
        ("mistral-7b", 7_241_732_096),
        ("mixtral-8x7b", 46_702_792_704),
        ("smollm2-135m", 134_515_008),
        ("llama-3.2-1b", 1_235_814_400),
    ],
)
def test_params_are_the_published_ones(name: str, params: int) -> None:
    assert named(name).params == params


def test_a_mixture_is_charged_for_its_active_experts_only() -> None:
    assert named("mixtral-8x7b").active_params == pytest.approx(12.75e9, rel=0.01)
    assert named("mixtral-8x7b").active_params < named("mixtral-8x7b").params / 3


def looped(architecture: Architecture, first: int, last: int, drawn: int) -> int:
    """Flops of feeding the tokens at places first..last one by one, with `drawn` passes of the output layer."""
    total = 2 * drawn * architecture.hidden * architecture.vocabulary
    for place in range(first, last + 1):
        for layer in range(architecture.layers):
            matrices = 3 if architecture.gated_mlp else 2
            width = architecture.mlp_width * max(architecture.active_experts, 1) + architecture.shared_mlp_width
            query, kv = architecture.heads * architecture.head_size, architecture.kv_heads * architecture.head_size
            total += 2 * architecture.hidden * (2 * query + 2 * kv + matrices * width + architecture.experts)
            windowed = layer < architecture.windowed_layers
            keys = min(place, architecture.sliding_window) if windowed else place
            total += 2 * architecture.heads * architecture.head_size * keys * 2
    return total


@pytest.mark.parametrize("architecture", [TINY, WINDOWED, EXPERTS, replace(TINY, gated_mlp=False)])
@given(prompt=st.integers(1, 12), completion=st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_real_flops_are_those_of_the_loop(architecture: Architecture, prompt: int, completion: int) -> None:
    assert prompt_flops(architecture, prompt) == looped(architecture, 1, prompt, 1)
    fed_back = max(completion - 1, 0)
    expected = looped(architecture, prompt + 1, prompt + fed_back, fed_back)
    assert completion_flops(architecture, prompt, completion) == expected


def test_arrays_are_the_scalars_elementwise() -> None:
    prompts, completions = np.array([1, 5, 9]), np.array([[0, 1, 2], [7, 8, 30]])
    many = completion_flops(WINDOWED, prompts, completions)
    assert many.shape == (2, 3)
    for (row, column), value in np.ndenumerate(many):
        assert value == completion_flops(WINDOWED, int(prompts[column]), int(completions[row, column]))
    assert prompt_flops(WINDOWED, prompts).tolist() == [prompt_flops(WINDOWED, int(p)) for p in prompts]


def test_a_long_completion_costs_more_than_its_tokens_alone() -> None:
    model = named("codellama-7b")
    dense = 2 * 4095 * model.active_params
    assert completion_flops(model, 1, 4096) > 1.08 * dense
    assert completion_flops(model, 1, 128) == pytest.approx(2 * 127 * model.active_params, rel=0.01)


def test_scoring_reads_what_generating_reads() -> None:
    assert scoring_flops(TINY, 5, 7) == prompt_flops(TINY, 5) + completion_flops(TINY, 5, 7)
    assert scoring_flops(TINY, 5, 0) == 0


def test_sharing_the_prompt_saves_it_for_all_samples_but_one() -> None:
    completions = [[3, 4], [10]]
    shared = flops_cost(TINY, TokenUse.of([6, 8], completions))
    alone = flops_cost(TINY, TokenUse.of([6, 8], completions, share_prompt=False))
    prompt = (prompt_flops(TINY, 6) + prompt_flops(TINY, 8)) / 2
    assert shared.cost(1) == pytest.approx(alone.cost(1))
    assert alone.cost(5) - shared.cost(5) == pytest.approx(4 * prompt)
    assert "shared" in shared.source
    assert "every sample" in alone.source


def test_every_problem_counts_once_however_many_samples_it_has() -> None:
    cost = tokens_cost(TokenUse.of(10, [[100] * 50, [20]]))
    assert (cost.per_sample, cost.per_problem) == (60, 10)


@pytest.mark.parametrize("budget_samples", [1, 3, 7, 10, 1000])
def test_a_budget_of_k_samples_affords_k_despite_rounding(budget_samples: int) -> None:
    cost = SampleCost(Unit.USD, 0.1, source="test")
    assert cost.affordable(sum([0.1] * budget_samples)) == budget_samples
    assert cost.affordable(0.1 * budget_samples * 0.999) == budget_samples - 1


def test_a_shared_part_is_paid_before_the_first_sample() -> None:
    cost = SampleCost(Unit.TOKENS, 10, 25, "test")
    assert [cost.affordable(budget) for budget in (0, 34, 35, 44, 45)] == [0, 0, 1, 1, 2]
    assert [cost.cost(k) for k in (0, 1, 2)] == [0, 35, 45]
    assert cost.plus(2, "judging").cost(2) == 49


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
def test_a_sample_without_a_cost_is_refused(wrong: float) -> None:
    with pytest.raises(InputError, match="positive amount of flops"):
        SampleCost(Unit.FLOPS, wrong)


def test_token_counts_that_cannot_be() -> None:
    with pytest.raises(InputError, match="prompt_tokens must be at least 1, not 0"):
        prompt_flops(TINY, 0)
    with pytest.raises(InputError, match="completion_tokens must be at least 0, not -3"):
        completion_flops(TINY, 4, -3)
    with pytest.raises(InputError, match="a problem without samples"):
        TokenUse.of(3, [[4], []])


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("meta-llama--Llama-3.1-70B-Instruct", "llama-3-70b"),
        ("meta-llama/Meta-Llama-3-8B", "llama-3-8b"),
        ("CodeLlama-7b-Python", "codellama-7b"),
        ("codellama/CodeLlama-34b-Instruct-hf", "codellama-34b"),
        ("Code Llama 70B", "codellama-70b"),
        ("codellama:13b", "codellama-13b"),
        ("Qwen/Qwen2.5-Coder-1.5B-Instruct", "qwen2.5-1.5b"),
        ("SmolLM2-135M-Instruct", "smollm2-135m"),
        ("Llama-3 8B", "llama-3-8b"),
    ],
)
def test_spellings(spelling: str, name: str) -> None:
    assert named(spelling).name == name


def test_unknown_names() -> None:
    assert find_named("code-cushman-001") is None
    with pytest.raises(InputError, match=r"nearest known names:.*codellama-7b"):
        named("codelama-7b")
    assert all(named(name).name == name for name in known_names())


LLAMA_CONFIG = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}


def test_config_of_llama_3_is_the_catalogue_entry(tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_CONFIG))
    for given_ in (LLAMA_CONFIG, tmp_path, tmp_path / "config.json"):
        read = from_hf_config(given_, "llama-3-8b")
        assert replace(read, source="catalogue") == named("llama-3-8b")


def test_configs_of_other_families() -> None:
    mixtral = LLAMA_CONFIG | {"model_type": "mixtral", "vocab_size": 32000, "num_local_experts": 8}
    mixtral |= {"num_experts_per_tok": 2, "sliding_window": None}
    assert from_hf_config(mixtral).params == 46_702_792_704
    starcoder = LLAMA_CONFIG | {"model_type": "starcoder2", "sliding_window": 4096}
    del starcoder["tie_word_embeddings"]
    read = from_hf_config(starcoder)
    assert (read.gated_mlp, read.tied_embeddings, read.windowed_layers) == (False, True, 32)
    qwen = LLAMA_CONFIG | {"model_type": "qwen2", "sliding_window": 4096, "use_sliding_window": False}
    assert from_hf_config(qwen).sliding_window == 0
    gemma = {"text_config": LLAMA_CONFIG | {"model_type": "gemma3_text", "sliding_window": 512, "head_dim": 256}}
    read = from_hf_config(gemma)
    assert (read.head_size, read.sliding_window, read.windowed_layers) == (256, 512, 27)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mamba"}, "model_type 'mamba' is not supported"),
        ({"kv_lora_rank": 512}, "is not supported"),
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"hidden_size": "4096"}, "hidden_size must be a whole number"),
        ({"num_key_value_heads": 5}, "cannot share 5 key and value heads"),
        ({"hidden_size": 4100}, "state head_size"),
        ({"num_local_experts": 8}, "num_experts_per_tok is missing"),
        ({"num_attention_heads": 0}, "heads must be at least 1"),
    ],
)
def test_configs_that_do_not_fit(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_hf_config(LLAMA_CONFIG | change)


def test_config_files_that_cannot_be_read(tmp_path) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read: No such file"):
        from_hf_config(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InputError, match=r"bad\.json: is not JSON"):
        from_hf_config(tmp_path / "bad.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(InputError, match="is not a JSON object; is it a model"):
        from_hf_config(tmp_path / "list.json")
