"""Tiny models with random weights and a byte-level tokenizer, in the layout that transformers and vLLM load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: long enough to have merges of several characters, line ends and indentation among them
_CORPUS = ["def add(a, b):\n    return a + b\n\n\nclass Box:\n    def get(self):\n        return self.value\n"] * 4

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('no system messages here') }}{% endif %}"
    "<|{{ m.role }}|>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def write_tokenizer(folder: Path, template: str | None = None, begin: bool = False) -> Any:
    """A byte-level BPE tokenizer with about 300 tokens: `<s>`, `</s>` and `<|assistant|>` are special."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>", "<|assistant|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    if begin:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens=["<|assistant|>"],
        clean_up_tokenization_spaces=False,
    )
    if template is not None:
        fast.chat_template = template
    fast.save_pretrained(folder)
    return fast


def write_llama(folder: Path, vocabulary: int, seed: int = 0, spread: float = 1.0, positions: int = 512) -> None:
    """A Llama of two layers with weights of a wide spread, so that its choices are far from even."""
    import torch
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=128,  # heads of 32, the least that vLLM computes on a CPU
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        initializer_range=spread,
        bos_token_id=0,
        eos_token_id=[1, 2],
        tie_word_embeddings=False,
    )
    _write(transformers.LlamaForCausalLM, config, folder, seed, torch)


def write_gpt2(folder: Path, vocabulary: int, seed: int = 0) -> None:
    """A GPT-2 of two layers: absolute positions, which padding must not shift."""
    import torch
    import transformers

    config = transformers.GPT2Config(
        vocab_size=vocabulary,
        n_embd=64,
        n_layer=2,
        n_head=4,
        n_positions=128,
        initializer_range=0.5,
        bos_token_id=0,
        eos_token_id=1,
    )
    _write(transformers.GPT2LMHeadModel, config, folder, seed, torch)


def _write(kind: Any, config: Any, folder: Path, seed: int, torch: Any) -> None:
    torch.manual_seed(seed)
    kind(config).eval().save_pretrained(folder)
