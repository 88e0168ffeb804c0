"""Scores by the embedded engine beside those by transformers, from the same GGUF file, token by token.

    python benchmarks/scoring_against_transformers.py [--model smollm2-135m] [--samples 50] [--json]

Samples of the quickstart problems are drawn by the embedded engine at temperature 0.8, without stop texts. Their token
ids, after the engine's ids of the prompt, are then scored four times: in 32 bits with the file as it is, which is the
default for small models; by the engine with the file as it is; by the engine with a file of the same weights in
float32, written here; and by transformers, which always computes with the file's weights in float32. The engine rounds
activations to 8 bits beside quantised weights.

The tokenizer that transformers reads from the file is compared too: its ids of each prompt, and of each sample's text.

Needs torch, transformers, accelerate and gguf in the same environment; without them it says so and ends.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import operator
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.base import Sampling
from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings
from isobudget.backends.llamacpp.api import load_api
from isobudget.backends.llamacpp.engine import usable_cores
from isobudget.backends.llamacpp.exact import ExactScorer, Network, read_weights
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.backends.llamacpp.scoring import LlamaScorer
from isobudget.models.catalog import find_model
from isobudget.models.gguf import read_gguf_header
from isobudget.models.weights import fetch_weights
from isobudget.problems import load_benchmark

Drawn = list[tuple[str, str, list[int]]]
Scores = list[NDArray[np.float64]]
NEEDED = ("torch", "transformers", "accelerate", "gguf")


def draw(path: Path, samples: int) -> Drawn:
    """Prompt, text and token ids of samples, at least one token each, as evenly over the problems as may be."""
    benchmark = load_benchmark("quickstart")
    sampling = Sampling(temperature=0.8, top_p=0.95, max_tokens=48)
    each = -(-samples // len(benchmark.problems)) + 1
    drawn: Drawn = []
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=each, context_tokens=512)) as engine:
        for number, problem in enumerate(benchmark.problems):
            found = engine.generate(problem.prompt, sampling, list(range(1000 * number, 1000 * number + each)))
            drawn += [(problem.prompt, one.text, list(one.token_ids)) for one in found if one.token_ids]
    return drawn[:samples]


def by_engine(path: Path, drawn: Drawn) -> Scores:
    model = LlamaModel(path)
    scorer = LlamaScorer(model, usable_cores())
    scores = [scorer.score(scorer.model.tokenize_prompt(prompt), [ids])[0] for prompt, _, ids in drawn]
    scorer.close()
    model.close()
    return scores


def in_32_bits(path: Path, drawn: Drawn, prompts: list[list[int]]) -> Scores:
    scorer = ExactScorer(path.name, Network(read_weights(read_gguf_header(path), load_api())), usable_cores())
    scores = [scorer.score(prompt, [ids])[0] for prompt, (_, _, ids) in zip(prompts, drawn, strict=True)]
    scorer.close()
    return scores


def by_transformers(
    path: Path, drawn: Drawn, prompts: list[list[int]]
) -> tuple[Scores, list[list[int]], list[list[int]]]:
    """Scores after the prompts' ids, and what its own tokenizer makes of prompts and texts."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    own = [tokenizer(prompt)["input_ids"] for prompt, _, _ in drawn]
    texts = [tokenizer(text, add_special_tokens=False)["input_ids"] for _, text, _ in drawn]
    with torch.inference_mode():
        scores = [score_one(model, before, ids) for before, (_, _, ids) in zip(prompts, drawn, strict=True)]
    return scores, own, texts


def score_one(model: Any, prompt: list[int], ids: list[int]) -> NDArray[np.float64]:
    import torch

    logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1].double()
    logprobs = torch.log_softmax(logits, dim=-1)[torch.arange(len(ids)), torch.tensor(ids)]
    return np.asarray(logprobs.numpy(), np.float64)


def write_float32(source: Path, target: Path) -> None:
    """The same model with every tensor in float32."""
    from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
    from gguf.quants import dequantize

    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name not in ("general.architecture", "general.file_type"):
            kind = field.types[0]
            writer.add_key_value(name, field.contents(), kind, field.types[-1] if kind == GGUFValueType.ARRAY else None)
    writer.add_file_type(0)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, dequantize(tensor.data, GGMLQuantizationType(tensor.tensor_type)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def difference(one: Scores, other: Scores) -> dict[str, float]:
    """How far apart: per token in nats, and the largest difference of a sample's mean."""
    apart = np.abs(np.concatenate(one) - np.concatenate(other))
    means = [abs(float((left - right).mean())) for left, right in zip(one, other, strict=True)]
    return {
        "mean": float(apart.mean()),
        "median": float(np.median(apart)),
        "99 %": float(np.quantile(apart, 0.99)),
        "largest": float(apart.max()),
        "largest of a sample's mean": max(means),
    }


def compare(path: Path, samples: int) -> dict[str, Any]:
    drawn = draw(path, samples)
    with LlamaModel(path, vocabulary_only=True) as vocabulary:
        prompts = [vocabulary.tokenize_prompt(prompt) for prompt, _, _ in drawn]
        texts = [vocabulary.tokenize_text(text) for _, text, _ in drawn]
    theirs, their_prompts, their_texts = by_transformers(path, drawn, prompts)
    as_it_is = by_engine(path, drawn)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "float32.gguf"
        write_float32(path, target)
        in_float32 = by_engine(target, drawn)
    return {
        "samples": len(drawn),
        "tokens": sum(len(ids) for _, _, ids in drawn),
        "prompts of equal ids": sum(map(operator.eq, prompts, their_prompts)),
        "texts of equal ids": sum(map(operator.eq, texts, their_texts)),
        "32 bits, file as it is, from transformers": difference(in_32_bits(path, drawn, prompts), theirs),
        "engine, file as it is, from transformers": difference(as_it_is, theirs),
        "engine, float32 file, from transformers": difference(in_float32, theirs),
        "engine, file as it is, from float32 file": difference(as_it_is, in_float32),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Scores by the embedded engine beside transformers'.")
    parser.add_argument("--model", default="smollm2-135m", help="name or path of a GGUF model")
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"nothing compared: {', '.join(missing)} not installed; try: pip install {' '.join(missing)}")
    found = compare(fetch_weights(find_model(options.model)), options.samples)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        shown = ", ".join(f"{key} {number:.2g}" for key, number in value.items()) if isinstance(value, dict) else value
        print(f"{name}: {shown}" + (" nats" if isinstance(value, dict) else ""))


if __name__ == "__main__":
    main()
