"""Scoring given texts with the embedded engine: a tiny model of random weights, made on the spot."""

from __future__ import annotations

import ctypes
import math
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from isobudget.backends.base import Chat, Message, Sampling
from isobudget.backends.engine.token_tree import Tree, log_normalizers
from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings
from isobudget.backends.llamacpp.api import ContextParams, check_defaults, load_api
from isobudget.backends.llamacpp.exact import ExactScorer, Network, read_weights
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.backends.llamacpp.scoring import LlamaScorer
from isobudget.errors import BackendError, ModelError
from isobudget.models.architecture import Architecture
from isobudget.models.catalog import find_model
from isobudget.models.gguf import read_gguf_header
from isobudget.models.random_gguf import Quantisation, write_random_gguf
from isobudget.models.weights import local_weights
from support.tiny_gguf import ARRAY, ENTRIES, FLOAT32, INT32, STRING, entry, header, number
from support.tiny_gguf import text as packed

TINY = Architecture("tiny", layers=2, hidden=64, mlp_width=96, heads=4, kv_heads=2, head_size=16, vocabulary=320)
PROMPT = [1, 70, 80, 90, 100]
#: The tiny model's log-probabilities lie between -40 and 0, so a token out of place is off by some 10. Scored again,
#: sums of 16-bit products are added up in another order; drawn by the server part, keys and values are in 16 bits.
AGAIN = 0.05
DRAWN = 0.2


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    path = tmp_path_factory.mktemp("weights") / "tiny.gguf"
    write_random_gguf(path, TINY, Quantisation.F16)
    return path


def open_scorer(path: Path, exact: bool) -> LlamaScorer | ExactScorer:
    if not exact:
        return LlamaScorer(LlamaModel(path), 1)
    return ExactScorer(path.name, Network(read_weights(read_gguf_header(path), load_api())), 1)


@pytest.fixture(params=[False, True], ids=["engine", "exact"])
def scorer(path: Path, request: pytest.FixtureRequest) -> Iterator[LlamaScorer | ExactScorer]:
    scorer = open_scorer(path, request.param)
    yield scorer
    scorer.close()


def sentence_piece(words: list[str]) -> list[bytes]:
    """Header entries of a model whose tokenizer knows three special tokens, the bytes and some words."""
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    kinds = [2, 3, 3, *[6] * 256, *[1] * len(words)]
    scores = [0.0] * 259 + [float(len(word)) for word in words]
    count = len(names)
    return [
        *ENTRIES[:8],
        number("llama.context_length", 64),
        entry("llama.attention.layer_norm_rms_epsilon", FLOAT32, struct.pack("<f", 1e-5)),
        entry("tokenizer.ggml.model", STRING, packed("llama")),
        entry("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, count) + b"".join(map(packed, names))),
        entry("tokenizer.ggml.scores", ARRAY, struct.pack(f"<IQ{count}f", FLOAT32, count, *scores)),
        entry("tokenizer.ggml.token_type", ARRAY, struct.pack(f"<IQ{count}i", INT32, count, *kinds)),
    ]


def random_texts(count: int, length: int, seed: int = 0) -> list[list[int]]:
    return np.random.default_rng(seed).integers(3, 320, (count, length)).tolist()


def test_log_normalizers_are_log_sums_of_exponentials() -> None:
    logits = np.random.default_rng(1).normal(0, 30, (5, 1000)).astype(np.float32)
    brute = [math.log(math.fsum(math.exp(float(value)) for value in row)) for row in logits]
    assert log_normalizers(logits) == pytest.approx(brute, abs=1e-5)
    far = np.array([[1e4, -1e4], [-3e38, 0.0]], np.float32)
    assert log_normalizers(far).tolist() == [1e4, 0.0]


def test_probabilities_of_all_continuations_add_up_to_one(scorer: LlamaScorer | ExactScorer) -> None:
    found = scorer.score(PROMPT, [[token] for token in range(TINY.vocabulary)])
    assert sum(math.exp(one[0]) for one in found) == pytest.approx(1, abs=1e-6)
    second = scorer.score(PROMPT, [[7, token] for token in range(TINY.vocabulary)])
    assert sum(math.exp(one[1]) for one in second) == pytest.approx(1, abs=1e-6)
    assert {one[0] for one in second} == {found[7][0]}


def test_a_text_is_worth_the_same_alone_and_in_company(scorer: LlamaScorer | ExactScorer) -> None:
    texts = [*random_texts(9, 40), *random_texts(2, 3), [], [5], *random_texts(9, 40)[:2]]
    texts += [texts[0][:20] + texts[1][:30], texts[0][:20], [*texts[0][:21], 9]]
    together = scorer.score(PROMPT, texts)
    for text, found in zip(texts, together, strict=True):
        assert found == pytest.approx(scorer.score(PROMPT, [text])[0], abs=AGAIN)
    assert together[0] == pytest.approx(together[13], abs=AGAIN)


def test_what_texts_share_is_computed_once(scorer: LlamaScorer | ExactScorer) -> None:
    start, ends = random_texts(1, 30)[0], random_texts(6, 10, seed=2)
    scorer.score(PROMPT, [start])
    before = scorer.computed_tokens
    scorer.score(PROMPT, [start + end for end in ends] + [start + ends[0]])
    assert scorer.computed_tokens - before == 30 + 6 * 9  # no prompt again, and of each text all but the last token


@pytest.mark.parametrize("exact", [False, True])
def test_texts_longer_than_a_batch_are_computed_in_parts(path: Path, exact: bool) -> None:
    texts = random_texts(3, 200)
    whole, parts = open_scorer(path, exact), open_scorer(path, exact)
    parts.batch_tokens = 64
    for prompt in (PROMPT, random_texts(1, 150, seed=5)[0]):
        for one, other in zip(whole.score(prompt, texts), parts.score(prompt, texts), strict=True):
            assert one == pytest.approx(other, abs=AGAIN)
    whole.close()
    parts.close()


def test_a_text_after_the_prompt_is_the_prompts_own_continuation(scorer: LlamaScorer | ExactScorer) -> None:
    """Moving the border between prompt and text changes no token's probability."""
    text = random_texts(1, 30)[0]
    whole = scorer.score(PROMPT, [text])[0]
    for border in (1, 10, 29):
        assert scorer.score(PROMPT + text[:border], [text[border:]])[0] == pytest.approx(whole[border:], abs=AGAIN)


def test_a_tree_knows_what_each_text_is_made_of() -> None:
    tree = Tree()
    tree.add(4, [1, 2, 3], 0)
    tree.add(2, [1, 2, 5, 6], 2)
    tree.add(7, [1, 2], 2)
    assert tree.tokens == [1, 2, 3, 5, 6]
    assert tree.depths == [0, 1, 2, 2, 3]
    assert tree.owners == [[0, 1, 2], [0, 1, 2], [0], [1], [1]]
    assert (tree.texts, tree.paths) == ([4, 2, 7], [[0, 1, 2], [0, 1, 3, 4], [0, 1]])


@pytest.mark.parametrize(
    ("prompt", "text", "message"),
    [
        ([], [4], "the prompt has no tokens"),
        (PROMPT, [4, 320], "text 1 has the token id 320, but the model's vocabulary has 320 tokens"),
        (PROMPT, [-1], "token id -1"),
        (PROMPT, [4] * 1_048_576, "5 tokens of the prompt and 1048576 of the text exceed the model's context of"),
    ],
)
def test_what_cannot_be_scored_is_named(
    scorer: LlamaScorer | ExactScorer, prompt: list[int], text: list[int], message: str
) -> None:
    with pytest.raises(BackendError, match=message):
        scorer.score(prompt, [[4], text])
    assert scorer.score(PROMPT, [[], []])[0].tolist() == []


def test_sentence_piece_text_gets_no_space_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    words = ["▁", "▁def", "def", "d", "e", "f", "x", "▁x", "de", "▁d"]
    path = tmp_path / "words.gguf"
    path.write_bytes(header(sentence_piece(words), []) + bytes(64))
    with LlamaModel(path, vocabulary_only=True) as model:
        for text in ("def x", " def", "\n\ndef", "é €x", "x", ""):
            assert model.text_bytes(model.tokenize_text(text)) == text.encode()
        assert model.text_bytes(model.tokenize_text("def")[:1]) == b"def"
        assert model.text_bytes(model.tokenize_prompt("def")) == b" def"  # as llama.cpp reads prompts
        assert model.tokenize_prompt("x")[0] == 1  # the begin token
        assert model.template == ""
    with pytest.raises(BackendError, match="no longer loaded"):
        model.tokenize_text("x")


@pytest.mark.parametrize("field", ["n_ctx", "kv_unified", "defrag_thold"])
def test_other_layouts_of_the_library_are_refused(field: str) -> None:
    known = {"n_ctx": 512, "kv_unified": False, "defrag_thold": -1.0}
    params = ContextParams(n_ctx=512, kv_unified=False, defrag_thold=-1.0)
    check_defaults(params, known, "1")
    shifted = ContextParams.from_buffer_copy(bytes(4) + bytes(params)[:-4])
    with pytest.raises(ModelError, match=r"xllamacpp 1 is not supported: .*ContextParams\.n_ctx is 0"):
        check_defaults(shifted, known, "1")
    setattr(params, field, 3)
    with pytest.raises(ModelError, match=rf"ContextParams\.{field}.*isobudget\[local\]"):
        check_defaults(params, known, "1")
    assert ctypes.sizeof(params) > 168


# the backend


@pytest.mark.parametrize("exact", [False, True])
def test_samples_and_scores_agree_and_are_scored_in_any_state(path: Path, exact: bool) -> None:
    sampling = Sampling(temperature=0.8, top_p=1.0, max_tokens=30)
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=4, context_tokens=128, threads=1, exact=exact)) as engine:
        before = engine.score("ab", ["cd"])[0]  # no server part yet
        samples = engine.generate("ab", sampling, [1, 2, 3, 4])
        ids = [one.token_ids for one in samples]
        scores = engine.score("ab", [one.text for one in samples], ids)
        assert engine.score("ab", ["cd"])[0].logprobs == pytest.approx(before.logprobs, abs=AGAIN)
    for sample, score in zip(samples, scores, strict=True):
        assert len(score.logprobs) == len(sample.token_ids) > 0
        assert score.prompt_tokens == sample.prompt_tokens
        if not math.isnan(sample.sum_logprob):  # bytes that are not characters: the engine does not tell
            assert score.sum_logprob == pytest.approx(sample.sum_logprob, abs=30 * DRAWN)
    assert sum(score.seconds for score in scores) > 0
    with pytest.raises(BackendError, match="not loaded"):
        engine.score("ab", ["cd"])


@pytest.mark.parametrize("exact", [False, True])
def test_an_empty_text_has_no_likelihood(path: Path, exact: bool) -> None:
    with LlamaCpp(LlamaCppSettings(model=str(path), threads=1, exact=exact)) as engine:
        empty, one = engine.score("ab", ["", "c"])
        assert empty.logprobs == ()
        assert math.isnan(empty.mean_logprob)
        assert one.mean_logprob < 0
        assert engine.score("ab", []) == []
        with pytest.raises(BackendError, match="1 texts to score, but token ids for 2"):
            engine.score("ab", ["c"], [[4], [5]])


@pytest.mark.parametrize("exact", [False, True])
def test_several_threads_may_score(path: Path, exact: bool) -> None:
    found: list[float] = []
    with LlamaCpp(LlamaCppSettings(model=str(path), threads=1, exact=exact)) as engine:
        threads = [
            threading.Thread(target=lambda: found.append(engine.score("ab", ["cd"])[0].sum_logprob)) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert len(found) == 6
    assert max(found) - min(found) < 1e-9


def test_a_model_without_a_template_answers_no_conversations(path: Path) -> None:
    chat = Chat((Message("user", "hello"),))
    with LlamaCpp(LlamaCppSettings(model=str(path), threads=1)) as engine:
        for call in (lambda: engine.score(chat, ["x"]), lambda: engine.generate(chat, Sampling(0, 1, 4), [1])):
            with pytest.raises(BackendError, match=r"tiny\.gguf has no template.*prompt format"):
                call()


@pytest.mark.models
def test_a_conversation_is_put_into_the_models_own_template() -> None:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    weights = local_weights(find_model("smollm2-135m"))
    if weights is None:
        pytest.skip("SmolLM2 is not on this machine; fetch it with: isobudget models fetch smollm2-135m")
    chat = Chat((Message("system", "You answer in one word."), Message("user", "Is water wet?")))
    text = (
        "<|im_start|>system\nYou answer in one word.<|im_end|>\n<|im_start|>user\nIs water wet?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    sampling = Sampling(temperature=0.8, top_p=0.95, max_tokens=6)
    with LlamaCpp(LlamaCppSettings(model=str(weights), slots=2, context_tokens=128)) as engine:
        templated, plain = engine.generate(chat, sampling, [1, 2]), engine.generate(text, sampling, [1, 2])
        assert [one.prompt_tokens for one in templated] == [one.prompt_tokens for one in plain]
        ids = [one.token_ids for one in templated]
        scores = engine.score(chat, [one.text for one in templated], ids)
        assert scores[0].logprobs == pytest.approx(engine.score(text, [""], ids[:1])[0].logprobs, abs=0.5)
        for sample, score in zip(templated, scores, strict=True):
            assert sample.mean_logprob == pytest.approx(score.mean_logprob, abs=0.2)
            assert 0 < sample.latency_seconds < 600
        assert engine.describe().can_score
