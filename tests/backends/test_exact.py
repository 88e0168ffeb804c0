"""The 32-bit decoder against the engine, and against a plain computation of the same formulas."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isobudget.backends.engine.token_tree import Tree, distinct_tokens, log_normalizers
from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings
from isobudget.backends.llamacpp.api import load_api
from isobudget.backends.llamacpp.exact import ExactScorer, KeysValues, Network, expanded_bytes, read_weights
from isobudget.backends.llamacpp.exact.scoring import lineage
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.backends.llamacpp.scoring import LlamaScorer
from isobudget.errors import BackendError, ModelError
from isobudget.models.architecture import Architecture
from isobudget.models.catalog import find_model
from isobudget.models.gguf import GgufHeader, Tensor, read_gguf_header
from isobudget.models.random_gguf import Quantisation, write_random_gguf
from isobudget.models.weights import local_weights
from support.tiny_gguf import F32, STRING, tensor, text, tiny_gguf

TINY = Architecture("tiny", layers=2, hidden=64, mlp_width=96, heads=4, kv_heads=2, head_size=16, vocabulary=320)
HEAD_SIZES = ("rope.dimension_count", "attention.key_length", "attention.value_length")
PROMPT = [1, 70, 80, 90, 100]
#: the engine adds up in another order, and looks up exponentials in tables of 16 bits
ENGINE = 0.05


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    path = tmp_path_factory.mktemp("weights") / "tiny.gguf"
    write_random_gguf(path, TINY, Quantisation.F16)
    return path


def network_of(path: Path) -> Network:
    return Network(read_weights(read_gguf_header(path), load_api()))


def random_texts(count: int, length: int, seed: int = 0) -> list[list[int]]:
    return np.random.default_rng(seed).integers(3, 320, (count, length)).tolist()


def changed(header: GgufHeader, metadata: dict[str, object], tensors: dict[str, Tensor | None]) -> GgufHeader:
    kept = {name: one for name, one in {**header.tensors, **tensors}.items() if one is not None}
    return replace(header, metadata={**header.metadata, **metadata}, tensors=kept)  # type: ignore[arg-type]


@pytest.mark.parametrize("quantisation", list(Quantisation))
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_scores_are_the_engines_up_to_its_rounding(tmp_path: Path, quantisation: Quantisation, kv_heads: int) -> None:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    path = tmp_path / "tiny.gguf"
    write_random_gguf(path, replace(TINY, kv_heads=kv_heads), quantisation)
    engine, exact = LlamaScorer(LlamaModel(path), 1), ExactScorer("tiny", network_of(path), 2)
    texts = [*random_texts(5, 30), *random_texts(1, 30), [], [9]]
    found, expected = exact.score(PROMPT, texts), engine.score(PROMPT, texts)
    engine.close()
    exact.close()
    loose = ENGINE if quantisation is Quantisation.F16 else 2.0  # beside the others it rounds activations to 8 bits
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=loose)
    differences = np.concatenate(found) - np.concatenate(expected)
    assert abs(differences.mean()) < loose / 10


def like_qwen(path: Path, target: Path) -> None:
    """The file of a Llama-like model as a Qwen2-like one: pairs in halves, biases, and norms that are not all ones."""
    head, data = read_gguf_header(path), bytearray(path.read_bytes())
    random = np.random.default_rng(3)
    for name, one in head.tensors.items():
        if name.endswith("norm.weight"):
            start = head.data_start + one.offset
            data[start : start + 4 * one.shape[0]] = (1 + random.normal(0, 0.3, one.shape)).astype("<f4").tobytes()
    known = data[24 : data.index(text("token_embd.weight"))].replace(b"llama.", b"qwen2.")
    known = known.replace(
        *(text("general.architecture") + struct.pack("<I", STRING) + text(one) for one in ("llama", "qwen2"))
    )
    end = len(data) - head.data_start
    places = [(layer, *one) for layer in range(2) for one in (("q", 64, 0), ("k", 32, 256), ("v", 32, 384))]
    biases = [
        tensor(f"blk.{layer}.attn_{kind}.bias", (width,), F32, end + 512 * layer + place)
        for layer, kind, width, place in places
    ]
    codes = {"F32": 0, "F16": 1}
    tensors = [tensor(name, one.shape, codes[one.kind], one.offset) for name, one in head.tensors.items()] + biases
    whole = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), int.from_bytes(data[16:24], "little")) + known
    whole += b"".join(tensors)
    values = random.normal(0, 0.5, 256).astype("<f4").tobytes()
    target.write_bytes(whole + bytes(-len(whole) % 32) + data[head.data_start :] + values)


def test_a_model_with_biases_and_pairs_in_halves_is_scored_as_by_the_engine(path: Path, tmp_path: Path) -> None:
    like_qwen(path, tmp_path / "qwen.gguf")
    engine, exact = (
        LlamaScorer(LlamaModel(tmp_path / "qwen.gguf"), 1),
        ExactScorer("q", network_of(tmp_path / "qwen.gguf"), 1),
    )
    texts = random_texts(4, 30)
    for one, other in zip(exact.score(PROMPT, texts), engine.score(PROMPT, texts), strict=True):
        assert one == pytest.approx(other, abs=ENGINE)
    engine.close()
    exact.close()


def plain_logits(network: Network, tokens: list[int]) -> np.ndarray:
    """The same decoder token by token and head by head, in double precision."""
    weights = network.weights
    size, group = weights.head_size, weights.heads // weights.kv_heads
    wide = [
        {name: np.asarray(getattr(layer, name), np.float64) for name in layer.__slots__ if name != "attention_bias"}
        for layer in weights.layers
    ]

    def normed(x: np.ndarray) -> np.ndarray:
        return x / math.sqrt(float(x @ x) / len(x) + weights.epsilon)

    def turned(x: np.ndarray, position: int) -> np.ndarray:
        pairs = x[: size // 2] + 1j * x[size // 2 :]
        pairs = pairs * np.exp(1j * position * weights.frequencies)
        return np.concatenate([pairs.real, pairs.imag])

    past: list[list[tuple[list[np.ndarray], list[np.ndarray]]]] = [[] for _ in wide]
    for position, token in enumerate(tokens):
        x = weights.embedding[token].astype(np.float64)
        for layer, cache in zip(wide, past, strict=True):
            parts = (layer["attention_in"] @ normed(x)).reshape(-1, size)
            query = [turned(one, position) for one in parts[: weights.heads]]
            keys = [turned(one, position) for one in parts[weights.heads : weights.heads + weights.kv_heads]]
            cache.append((keys, list(parts[weights.heads + weights.kv_heads :])))
            mixed = []
            for head, one in enumerate(query):
                scores = np.array([one @ before[0][head // group] for before in cache])
                share = np.exp(scores - scores.max())
                share /= share.sum()
                mixed.append(sum(s * before[1][head // group] for s, before in zip(share, cache, strict=True)))
            x = x + layer["attention_out"] @ np.concatenate(mixed)
            gate, up = np.split(layer["mlp_in"] @ normed(x), 2)
            x = x + layer["mlp_out"] @ (gate / (1 + np.exp(-gate)) * up)
    return weights.head.astype(np.float64) @ normed(x)


def test_logits_are_those_of_a_plain_computation(path: Path) -> None:
    network = network_of(path)
    tokens = PROMPT + random_texts(1, 12)[0]
    found, after = network.compute(tokens, range(17), np.tri(17, dtype=np.bool_), KeysValues())
    assert after.tokens == 17
    for count in (1, 5, 17):
        assert found[count - 1] == pytest.approx(plain_logits(network, tokens[:count]), abs=2e-4)


def test_a_tree_gives_what_each_text_gives_alone(path: Path) -> None:
    network = network_of(path)
    tree = Tree()
    for number, (ids, shared) in enumerate([([5, 6, 7], 0), ([5, 6, 8, 9], 2), ([5, 10], 1), ([11], 0)]):
        tree.add(number, ids, shared)
    _, before = network.compute(PROMPT, range(5), np.tri(5, dtype=np.bool_), KeysValues())
    found, _ = network.compute(tree.tokens, [5 + depth for depth in tree.depths], lineage(tree), before)
    for text_path in tree.paths:
        ids = [tree.tokens[node] for node in text_path]
        for length in range(1, len(ids) + 1):
            alone = plain_logits(network, PROMPT + ids[:length])
            assert found[text_path[length - 1]] == pytest.approx(alone, abs=2e-4)


def test_lineage_is_the_way_from_the_prompt() -> None:
    tree = Tree()
    tree.add(0, [1, 2, 3], 0)
    tree.add(1, [1, 2, 5], 2)
    assert lineage(tree).astype(int).tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 0, 1]]


def test_shared_tokens_are_counted_once() -> None:
    assert distinct_tokens([[1, 2, 3, 4], [1, 2, 5, 6], [1, 2], []]) == 3 + 1
    assert distinct_tokens([]) == 0


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_gives_the_same_scores(path: Path, threads: int) -> None:
    texts = [*random_texts(40, 17), *random_texts(3, 300, seed=2)]
    one, more = ExactScorer("tiny", network_of(path), 1), ExactScorer("tiny", network_of(path), threads)
    for found, expected in zip(more.score(PROMPT, texts), one.score(PROMPT, texts), strict=True):
        assert found == pytest.approx(expected, abs=1e-4)
    counted = more.computed_tokens
    more.score(PROMPT, [[7]])
    assert more.computed_tokens == counted  # the prompt is still known, and a last token predicts nothing
    one.close()
    more.close()
    with pytest.raises(BackendError, match="no longer loaded"):
        more.score(PROMPT, texts)


@pytest.mark.parametrize(
    ("metadata", "tensors", "reason"),
    [
        ({"general.architecture": "gemma3"}, {}, "its architecture is 'gemma3'"),
        ({"llama.expert_count": 8}, {}, "llama.expert_count is 8"),
        ({"llama.rope.scaling.type": "yarn"}, {}, "llama.rope.scaling.type is 'yarn'"),
        ({"llama.rope.dimension_count": 8}, {}, "llama.rope.dimension_count is 8, not 16"),
        ({"llama.attention.head_count": 5}, {}, "5 heads do not share 64 numbers evenly"),
        ({}, {"blk.1.attn_q_norm.weight": Tensor((16,), "F32", 0, 64)}, "layer 1 has a tensor 'attn_q_norm.weight'"),
        ({}, {"vision.weight": Tensor((16,), "F32", 0, 64)}, "it has a tensor 'vision.weight'"),
        ({}, {"blk.0.ffn_up.weight": None}, "it has no tensor 'blk.0.ffn_up.weight'"),
        ({"llama.block_count": 7}, {}, "it has no tensor 'blk.2.attn_k.weight'"),
        ({"llama.block_count": 2**31}, {}, "it has no tensor 'blk.2.attn_k.weight'"),
        ({"llama.block_count": 1}, {}, "it has tensors of layer 1, but states 1 layers"),
        ({}, {"blk.0.attn_q.bias": Tensor((64,), "F32", 0, 256)}, "it has no tensor 'blk.0.attn_k.bias'"),
        ({}, {"output_norm.weight": None}, "it has no tensor 'output_norm.weight'"),
        (
            {},
            {"output.weight": Tensor((64, 320), "type 99", 0, None)},
            "the tensor 'output.weight' is of the kind 'type 99', which",
        ),
    ],
)
def test_what_is_not_covered_is_not_computed(
    path: Path, metadata: dict[str, object], tensors: dict[str, Tensor | None], reason: str
) -> None:
    header = changed(read_gguf_header(path), metadata, tensors)
    assert expanded_bytes(header) is None
    with pytest.raises(ModelError, match=f"cannot be computed in 32 bits by isobudget: .*{reason}"):
        read_weights(header, load_api())


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"llama.feed_forward_length": 95}, r"blk.0.ffn_gate.weight has the shape \(64, 96\), not \(64, 95\)"),
        ({"llama.embedding_length": 32}, r"token_embd.weight has the shape"),
        ({"llama.context_length": 0}, "llama.context_length is 0"),
        ({"llama.rope.freq_base": "x"}, "llama.rope.freq_base is 'x', not a number"),
    ],
)
def test_shapes_that_do_not_fit_are_named(path: Path, metadata: dict[str, object], message: str) -> None:
    header = changed(read_gguf_header(path), metadata, {})
    if "llama.embedding_length" in metadata:
        header = changed(header, {f"llama.{key}": 8 for key in HEAD_SIZES}, {})
    with pytest.raises(ModelError, match=message):
        read_weights(header, load_api())


def test_numbers_that_are_not_finite_are_damage(path: Path, tmp_path: Path) -> None:
    header = read_gguf_header(path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<f", data, header.data_start + header.tensors["output_norm.weight"].offset, math.inf)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(data)
    with pytest.raises(ModelError, match=r"output_norm\.weight holds numbers that are not finite"):
        network_of(broken)


def test_the_backend_scores_small_covered_models_in_32_bits(path: Path, tmp_path: Path) -> None:
    with LlamaCpp(LlamaCppSettings(model=str(path), threads=1)) as engine:
        assert engine.describe().scoring == "matrix products in 32 bits on CPU, 1 thread"
    with LlamaCpp(LlamaCppSettings(model=str(path), threads=1, exact=False)) as engine:
        assert engine.describe().scoring == ""
    assert expanded_bytes(read_gguf_header(path)) == 4 * read_gguf_header(path).parameters
    (tmp_path / "odd.gguf").write_bytes(tiny_gguf())
    assert expanded_bytes(read_gguf_header(tmp_path / "odd.gguf")) is None


@pytest.mark.models
def test_a_trained_model_is_scored_as_by_the_engine_up_to_its_rounding() -> None:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    weights = local_weights(find_model("smollm2-135m"))
    if weights is None:
        pytest.skip("SmolLM2 is not on this machine; fetch it with: isobudget models fetch smollm2-135m")
    texts = ["    return a + b\n\n\ndef main():\n    print(add(1, 2))\n", "    a = b\n", "\tpass  # é €\n"]
    prompt = 'def add(a, b):\n    """Add two numbers."""\n'
    found = []
    for exact in (True, False):
        with LlamaCpp(LlamaCppSettings(model=str(weights), exact=exact)) as engine:
            found.append(np.concatenate([one.logprobs for one in engine.score(prompt, texts)]))
    differences = found[0] - found[1]
    assert np.abs(differences).max() < 0.5  # beside 4-bit weights the engine rounds activations to 8 bits
    assert abs(differences.mean()) < 0.05
    assert found[0].mean() > -5  # of 49,152 tokens drawn evenly, each would have -10.8


def test_probabilities_add_up_to_one(path: Path) -> None:
    logits, _ = network_of(path).compute(PROMPT, range(5), np.tri(5, dtype=np.bool_), KeysValues())
    shares = np.exp(logits - log_normalizers(logits)[:, None])
    assert shares.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)
