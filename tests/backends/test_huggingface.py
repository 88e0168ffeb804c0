"""The transformers backend, on tiny models with random weights; its parts without PyTorch everywhere."""

from __future__ import annotations

import math
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from isobudget.backends.base import Chat, FinishReason, Generation, Message, Sampling
from isobudget.backends.engine.detokenizer import Detokenizer
from isobudget.backends.engine.engine_clock import Charge, StepClock
from isobudget.backends.engine.in_flight import Request
from isobudget.backends.engine.inbox import Inbox
from isobudget.backends.huggingface import HuggingFace, TransformersSettings
from isobudget.backends.huggingface.batch import choose_units
from isobudget.backends.huggingface.tokens import Tokens
from isobudget.errors import BackendError, InputError, MissingExtraError, ModelError
from isobudget.study import stated_model
from support.engine_study import check_a_model_of_the_hub, check_a_study_end_to_end
from support.tiny_hf import CHAT_TEMPLATE, write_gpt2, write_llama, write_tokenizer

PROMPTS = [
    "def add(a, b):\n",
    "x",
    "class Box:\n    def get(self):\n        return self.value\n\n\ndef add(a, b):\n    ",
]
WARM = Sampling(temperature=0.8, top_p=0.95, max_tokens=12)
GREEDY = Sampling(temperature=0.0, top_p=1.0, max_tokens=12)


# -- spelling: pieces stand for tokens, bytes for characters spread over several


def spell(pieces: Sequence[bytes], prompt: Sequence[bytes] = ()) -> Detokenizer:
    words = [*prompt, *pieces]
    detokenizer = Detokenizer(lambda ids: b"".join(words[i] for i in ids).decode(errors="replace"), range(len(prompt)))
    for token in range(len(prompt), len(words)):
        detokenizer.push(token)
    return detokenizer


def test_text_grows_by_whole_characters() -> None:
    detokenizer = spell([b"a", "é".encode()[:1], "é".encode()[1:], b"b", "€".encode()[:2]])
    assert (detokenizer.text, detokenizer.ends) == ("aéb", [1, 1, 2, 3, 3])
    detokenizer.finish()
    assert (detokenizer.text, detokenizer.ends[-1], detokenizer.kept(4)) == ("aéb�", 4, 5)


@pytest.mark.parametrize(
    ("pieces", "stop", "text", "kept"),
    [
        ([b"x", b"\n", b"de", b"f"], "\ndef", "x", 1),
        ([b"x", b"\n\n", b"def"], "\ndef", "x\n", 1),  # the second token is cut in two
        ([b"x", b"yz", "€".encode()[:1], "€".encode()[1:]], "€", "xyz", 2),
        ([b"stop"], "stop", "", 0),
        ([b"", b"a", b"", b"END"], "END", "a", 2),  # the token without text at the cut is not the text's
    ],
)
def test_a_stop_text_is_found_and_cuts(pieces: list[bytes], stop: str, text: str, kept: int) -> None:
    detokenizer = spell(pieces)
    place = detokenizer.find(("never", stop))
    assert place is not None
    assert (detokenizer.text[:place], detokenizer.kept(place)) == (text, kept)
    assert spell(pieces[:-1]).find((stop,)) is None


def test_the_first_space_of_an_output_is_kept() -> None:
    words = ["▁def", "▁f", "\n", "▁▁▁▁return"]

    def decode(ids: Sequence[int]) -> str:  # as SentencePiece: the space before the first word is dropped
        return "".join(words[i] for i in ids).replace("▁", " ").removeprefix(" ")

    detokenizer = Detokenizer(decode, [0, 1, 2])
    detokenizer.push(3)
    assert detokenizer.text == "    return"
    alone = Detokenizer(decode, [])
    alone.push(3)
    assert alone.text == "   return"


def test_the_time_of_a_step_is_paid_by_what_it_advanced() -> None:
    times, joules = iter([0.0, 5.0, 7.0, 8.0]), iter([0.0, 100.0, 104.0, 110.0])
    clock = StepClock(lambda: next(times), lambda: next(joules))
    one, three = Charge(), Charge()
    clock.idle()  # at 5
    clock.charge([one, three], [0, 0])  # no tokens: paid with the next step
    clock.charge([one, three], [1, 3])
    clock.charge([three], [1])
    assert (one.seconds, three.seconds) == (0.5, 2.5)
    assert (one.joules, three.joules) == (1.0, 9.0)


def test_an_inbox_wakes_and_closes() -> None:
    inbox: Inbox[int] = Inbox()
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(inbox.wait, 0.001)
        assert inbox.put(1)
        assert waiting.result(10)
        assert inbox.take(lambda items: items.pop()) == 1
        waiting = pool.submit(inbox.wait)
        inbox.put(2)
        waiting.result(10)
        assert inbox.close() == [2]
        assert not pool.submit(inbox.wait).result(10)
    assert not inbox.put(3)


def request(length: int, samples: int) -> Request:
    return Request(tuple(range(length)), WARM, frozenset(), tuple(range(samples)))


def test_a_batch_takes_the_oldest_and_those_of_similar_length() -> None:
    waiting = [request(200, 3), request(900, 3), request(210, 3), request(150, 3)]
    oldest, far, near, third = waiting
    units = choose_units(waiting, 8)
    assert [(unit[0] is oldest, unit[0] is near, unit[0] is third) for unit in units] == (
        [(True, False, False)] * 3 + [(False, True, False)] * 3 + [(False, False, True)] * 2
    )
    assert [place for _, place in units] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert waiting == [far, third]
    assert third.waiting == [2]
    assert choose_units(waiting, 8) == [(far, 0), (far, 1), (far, 2)]
    assert choose_units(waiting, 8) == [(third, 2)]
    assert choose_units(waiting, 8) == []


def test_without_pytorch_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'isobudget\[transformers\]'"):
        HuggingFace(TransformersSettings(model="any/model")).__enter__()


def test_settings_are_checked_and_nothing_is_loaded_before_it_is_entered() -> None:
    any_model = {"name": "any/model", "backend": "transformers"}
    with pytest.raises(InputError, match="batch: must be at least 1"):
        stated_model({**any_model, "batch": 0}, "here")
    with pytest.raises(InputError, match="dtype"):
        stated_model({**any_model, "dtype": "int4"}, "here")
    backend = HuggingFace(TransformersSettings(model="any/model", revision="v1"))
    assert backend.describe().model == "any/model@v1"
    with pytest.raises(BackendError, match="context manager"):
        backend.generate("x", WARM, [1])


# -- with PyTorch


@pytest.fixture(scope="module")
def torch() -> Any:
    pytest.importorskip("transformers", reason="needs the extra `transformers`")
    return pytest.importorskip("torch", reason="needs the extra `transformers`")


@pytest.fixture(scope="module")
def llama(torch: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    write_llama(folder, len(write_tokenizer(folder, CHAT_TEMPLATE)), spread=0.3)
    return folder


@pytest.fixture(scope="module")
def gpt2(torch: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpt2")
    write_gpt2(folder, len(write_tokenizer(folder)))
    return folder


def settings(folder: Path, batch: int = 8) -> TransformersSettings:
    return TransformersSettings(model=str(folder), device="cpu", dtype="float32", batch=batch)


@pytest.fixture(scope="module")
def backend(llama: Path) -> Iterator[HuggingFace]:
    with HuggingFace(settings(llama)) as backend:
        yield backend


def together(backend: HuggingFace, calls: Sequence[tuple[str, Sampling, list[int]]]) -> list[list[Generation]]:
    """Several calls at the same time, each from a thread of its own."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: backend.generate(*call), calls))


def plain_logprobs(torch: Any, backend: HuggingFace, ids: Sequence[int], skip: int) -> list[float]:
    """What one plain forward pass of the model says of the tokens behind the first `skip`."""
    assert backend._model is not None
    with torch.inference_mode():
        logits = backend._model.model(torch.tensor([list(ids)])).logits[0]
    known = torch.log_softmax(logits.float(), dim=-1)
    return [float(known[place - 1, ids[place]]) for place in range(skip, len(ids))]


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.8, 0.95), (0.6, 0.9), (1.5, 0.8)])
def test_tokens_are_drawn_with_the_probabilities_of_temperature_and_top_p(
    torch: Any, temperature: float, top_p: float
) -> None:
    from isobudget.backends.huggingface.sample_token import sample_tokens

    logits = torch.tensor([0.1, 2.0, -1.0, 1.5, 1.5, 0.0, 3.0, -3.0, 0.7, 1.1])
    shares = torch.softmax(logits.double() / temperature, 0).numpy()
    order = np.argsort(-shares, kind="stable")
    kept, total = [], 0.0
    for token in order:  # the smallest set of most likely tokens that holds top_p
        kept.append(int(token))
        total += shares[token]
        if total >= top_p:
            break
    numbers = np.random.default_rng(5).random(20_000)
    drawn, logprobs = sample_tokens(
        logits.repeat(20_000, 1), [Sampling(temperature, top_p, 1)] * 20_000, numbers.tolist()
    )
    counts = Counter(drawn)
    assert set(counts) == set(kept)
    expected = np.array([shares[token] for token in kept]) / total * 20_000
    assert chisquare([counts[token] for token in kept], expected).pvalue > 1e-3
    unmodified = torch.log_softmax(logits, 0)
    assert logprobs[:50] == pytest.approx([float(unmodified[token]) for token in drawn[:50]], abs=1e-6)


@pytest.mark.parametrize("top_p", [0.95, 1.0])
def test_a_temperature_near_0_takes_the_likeliest_token(torch: Any, top_p: float) -> None:
    from isobudget.backends.huggingface.sample_token import sample_tokens

    assert sample_tokens(torch.tensor([[1.0, 3.0, 2.0]]), [Sampling(1e-50, top_p, 1)], [0.7])[0] == [1]


def test_the_short_way_to_top_p_draws_the_same_tokens(torch: Any) -> None:
    from isobudget.backends.huggingface.sample_token import _among_likely

    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn((64, 500), generator=generator) * 3).round(decimals=0)  # many ties
    shares, numbers = torch.softmax(logits, -1), torch.rand(64, generator=generator, dtype=torch.float64)
    for top_p in (0.1, 0.5, 0.9, 0.999, 1.0):
        wanted = torch.full((64,), top_p, dtype=torch.float64)
        ways = [_among_likely(shares, wanted, numbers, few).tolist() for few in (1, 7, 100, 500)]
        assert ways[0] == ways[1] == ways[2] == ways[3]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_greedy_equals_the_library_s_own(torch: Any, kind: str, request: pytest.FixtureRequest) -> None:
    import transformers

    folder = request.getfixturevalue(kind)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with HuggingFace(settings(folder)) as backend:
        answers = together(backend, [(prompt, GREEDY, [0]) for prompt in PROMPTS])
    for prompt, (answer,) in zip(PROMPTS, answers, strict=True):
        given = tokenizer(prompt, return_tensors="pt")
        own = model.generate(**given, do_sample=False, max_new_tokens=12, pad_token_id=0)[0, given.input_ids.shape[1] :]
        own = [token for token in own.tolist() if token not in (1, 2)]
        assert list(answer.token_ids) == own
        assert answer.prompt_tokens == given.input_ids.shape[1]


def test_a_sample_follows_from_its_seed_whatever_is_drawn_beside_it(backend: HuggingFace) -> None:
    alone = [backend.generate(PROMPTS[0], WARM, [seed])[0] for seed in (3, 4)]
    crowd = together(
        backend,
        [
            (PROMPTS[0], WARM, [9, 3]),
            (PROMPTS[1], Sampling(0.3, 0.5, 20), [1, 2, 3]),
            (PROMPTS[2], GREEDY, [1]),
            (PROMPTS[0], WARM, [4]),
        ],
    )
    assert [one.token_ids for one in alone] == [crowd[0][1].token_ids, crowd[3][0].token_ids]
    assert [one.seed for one in crowd[0]] == [9, 3]
    longer = backend.generate(PROMPTS[0], Sampling(0.8, 0.95, 30), [3])[0]
    assert longer.token_ids[: len(alone[0].token_ids)] == alone[0].token_ids


def test_different_seeds_differ_and_more_than_a_batch_comes_in_order(backend: HuggingFace) -> None:
    drawn = backend.generate(PROMPTS[0], WARM, list(range(40)))
    assert [one.seed for one in drawn] == list(range(40))
    assert len({one.token_ids for one in drawn}) > 30
    assert [one.token_ids for one in drawn[5:7]] == [
        one.token_ids for one in backend.generate(PROMPTS[0], WARM, [5, 6])
    ]


def test_log_probabilities_are_those_of_a_plain_forward_pass(torch: Any, backend: HuggingFace) -> None:
    drawn = [one for calls in together(backend, [(prompt, WARM, [1, 2]) for prompt in PROMPTS]) for one in calls]
    assert backend._model is not None
    for prompt, one in zip([prompt for prompt in PROMPTS for _ in range(2)], drawn, strict=True):
        ids = backend._model.tokens.prompt_ids(prompt)
        plain = plain_logprobs(torch, backend, [*ids, *one.token_ids], len(ids))
        assert one.mean_logprob == pytest.approx(math.fsum(plain) / len(plain), abs=1e-5)
        assert one.sum_logprob == pytest.approx(one.mean_logprob * len(one.token_ids), rel=1e-9)


def test_scores_are_those_of_a_plain_forward_pass(torch: Any, backend: HuggingFace) -> None:
    texts = ["    return a + b\n", "", "b", "    return self.value\n" * 5, *("x" * k for k in range(1, 12))]
    assert backend._model is not None
    tokens = backend._model.tokens
    ids = tokens.prompt_ids(PROMPTS[0])
    scores = backend.score(PROMPTS[0], texts)
    for text, score in zip(texts, scores, strict=True):
        wanted = plain_logprobs(torch, backend, [*ids, *tokens.text_ids(text)], len(ids))
        assert list(score.logprobs) == pytest.approx(wanted, abs=1e-5)
        assert score.prompt_tokens == len(ids)
        assert (score.seconds > 0) is bool(text)
    assert math.isnan(scores[1].mean_logprob)


def test_given_tokens_are_scored_as_they_are(torch: Any, backend: HuggingFace) -> None:
    one = backend.generate(PROMPTS[0], WARM, [1])[0]
    given, apart = backend.score(PROMPTS[0], [one.text, "return"], [one.token_ids, ()])
    assert given.sum_logprob == pytest.approx(one.sum_logprob, abs=1e-4)
    assert apart == backend.score(PROMPTS[0], ["return"])[0] or apart.logprobs == pytest.approx(
        backend.score(PROMPTS[0], ["return"])[0].logprobs, abs=1e-5
    )


def test_a_stop_text_ends_a_sample_and_is_counted_but_not_kept(backend: HuggingFace) -> None:
    sampling = Sampling(0.8, 0.95, 40)
    whole = max(backend.generate(PROMPTS[0], sampling, list(range(8))), key=lambda one: len(one.text))
    stop = next(whole.text[i : i + 2] for i in range(6, len(whole.text)) if "�" not in whole.text[i : i + 2])
    cut = backend.generate(PROMPTS[0], Sampling(0.8, 0.95, 40, ("@@never@@", stop)), [whole.seed])[0]
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish_reason is FinishReason.STOP
    assert cut.token_ids == whole.token_ids[: len(cut.token_ids)]
    assert len(cut.token_ids) < cut.completion_tokens <= len(whole.token_ids)


def test_every_end_token_of_the_configuration_ends_a_sample(backend: HuggingFace) -> None:
    drawn = backend.generate(PROMPTS[0], Sampling(1.6, 1.0, 60), list(range(64)))
    ended = [one for one in drawn if one.finish_reason is FinishReason.STOP]
    assert ended
    assert all(one.completion_tokens == len(one.token_ids) + 1 for one in ended)
    assert all(not {1, 2} & set(one.token_ids) for one in drawn)
    assert backend._model is not None
    assert backend._model.end_ids == {1, 2}


def test_a_stop_text_that_is_a_special_token_ends_a_sample(torch: Any, backend: HuggingFace) -> None:
    assert backend._model is not None
    tokens = backend._model.tokens
    assert tokens.special_ids(("</s>", "\n", "<|assistant|>")) == {1, 2}
    assert tokens.decode([2]) == ""


def test_time_is_shared_and_latency_is_longer(backend: HuggingFace) -> None:
    import time

    before = time.perf_counter()
    drawn = [one for calls in together(backend, [(prompt, WARM, [1, 2, 3]) for prompt in PROMPTS]) for one in calls]
    passed = time.perf_counter() - before
    assert 0 < math.fsum(one.seconds for one in drawn) <= passed
    assert all(one.seconds < one.latency_seconds <= passed for one in drawn)


def test_samples_of_one_prompt_share_its_computation(llama: Path) -> None:
    with HuggingFace(settings(llama)) as backend:
        shapes: list[tuple[int, ...]] = []
        assert backend._model is not None
        backend._model.model.register_forward_pre_hook(lambda _, args: shapes.append(tuple(args[0].shape)))
        drawn = backend.generate(PROMPTS[2], WARM, list(range(8)))
        assert shapes[0] == (1, drawn[0].prompt_tokens)
        assert shapes[1][0] <= 8
        assert sum(rows for rows, _ in shapes[1:]) == sum(one.completion_tokens - 1 for one in drawn)


def test_out_of_memory_halves_the_batch_and_loses_nothing(
    torch: Any, llama: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def crowded(_: Any, args: tuple[Any, ...]) -> None:
        if args[0].shape[0] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    with HuggingFace(settings(llama)) as backend:
        wanted = [one.token_ids for one in backend.generate(PROMPTS[0], WARM, list(range(10)))]
        assert backend._model is not None
        backend._model.model.register_forward_pre_hook(crowded)
        drawn = backend.generate(PROMPTS[0], WARM, list(range(10)))
        assert [one.token_ids for one in drawn] == wanted
        assert len(backend.score(PROMPTS[0], ["a", "b", "c", "d"])) == 4
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "out of memory" in backend.describe().notes[0]
        assert "batches of 2" in backend.describe().engine
        backend._model.model.register_forward_pre_hook(
            lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory."))
        )
        with pytest.raises(BackendError, match="CUDA out of memory"):
            backend.generate(PROMPTS[0], WARM, [1, 2])


def test_closing_ends_what_is_in_flight(llama: Path) -> None:
    begun = threading.Event()
    with ThreadPoolExecutor(3) as pool, HuggingFace(settings(llama, batch=1)) as backend:
        assert backend._model is not None
        backend._model.model.register_forward_pre_hook(lambda *_: begun.set())
        calls = [pool.submit(backend.generate, PROMPTS[0], Sampling(0.8, 1.0, 400), [k, k + 9]) for k in range(3)]
        assert begun.wait(30)
        backend.__exit__(None, None, None)
        for call in calls:
            with pytest.raises(BackendError, match=r"closed|not loaded"):
                call.result(30)


def test_outputs_that_are_no_numbers_fail_their_problem_alone(torch: Any, llama: Path) -> None:
    with HuggingFace(settings(llama)) as backend:
        assert backend._model is not None

        x = backend._model.tokens.prompt_ids("x")[0]

        def spoil(_: Any, args: tuple[Any, ...], answer: Any) -> Any:
            answer.logits[args[0][:, -1] == x] = math.nan
            return answer

        backend._model.model.register_forward_hook(spoil)
        greedy = Sampling(0.0, 1.0, 1)
        with ThreadPoolExecutor(3) as pool:
            wrong, right, warm = (
                pool.submit(backend.generate, *call)
                for call in (("x", greedy, [1, 2]), (PROMPTS[0], greedy, [1]), ("x", WARM, [1, 2]))
            )
            assert len(right.result(30)[0].token_ids) == 1
            for call in (wrong, warm):
                with pytest.raises(BackendError, match="NaN"):
                    call.result(30)


def test_a_conversation_goes_through_the_model_s_template(backend: HuggingFace, gpt2: Path) -> None:
    import transformers

    assert backend._model is not None
    spelled = "<s><|user|>hi\n<|assistant|>"
    wanted = transformers.AutoTokenizer.from_pretrained(backend.settings.model)(spelled).input_ids
    assert backend._model.tokens.prompt_ids(Chat((Message("user", "hi"),))) == wanted
    assert wanted[0] == 0
    assert wanted[-1] == 2
    one = backend.generate(Chat((Message("user", "hi"),)), GREEDY, [0])[0]
    assert one.prompt_tokens == len(wanted)
    with pytest.raises(BackendError, match="no system messages here"):
        backend.generate(Chat((Message("system", "be brief"), Message("user", "hi"))), GREEDY, [0])
    with HuggingFace(settings(gpt2)) as plain, pytest.raises(BackendError, match="no chat template"):
        plain.generate(Chat((Message("user", "hi"),)), GREEDY, [0])


def test_a_begin_token_is_added_if_the_tokenizer_does(torch: Any, tmp_path: Path) -> None:
    tokens = Tokens(write_tokenizer(tmp_path, begin=True), "tiny")
    assert tokens.prompt_ids("x")[0] == 0
    assert 0 not in tokens.text_ids("x")
    assert tokens.prompt_ids("") == [0]


def test_a_text_keeps_its_indentation_where_tokenizers_add_a_space(torch: Any) -> None:
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    words = {piece: place for place, piece in enumerate(["<unk>", "▁", "\n", "▁▁", "a", "b", ":"])}
    tokenizer = Tokenizer(models.BPE(words, [("▁", "▁")], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always", split=False)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False)
    tokens = Tokens(fast, "tiny")
    for text in ("    a\n  b", "a", "\n", " ", "\n    a"):
        assert tokens.decode(tokens.prompt_ids("a:\n") + tokens.text_ids(text)) == "a:\n" + text


def test_what_does_not_fit_is_said(backend: HuggingFace, llama: Path, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="512 positions"):
        backend.generate("a@" * 400, WARM, [1])
    with pytest.raises(BackendError, match="512 positions"):
        backend.score("x", ["a@" * 400])
    ids = len(Tokens(write_tokenizer(tmp_path), "").prompt_ids("a@" * 252))
    cut = backend.generate("a@" * 252, Sampling(0.8, 1.0, 50), list(range(6)))
    ended = [one for one in cut if one.finish_reason is FinishReason.LENGTH]
    assert ended
    assert all(one.completion_tokens == 512 - ids for one in ended)
    with pytest.raises(BackendError, match="empty prompt"):
        backend.generate("", WARM, [1])
    assert backend.generate("x", WARM, []) == []


def test_a_model_that_is_not_there_is_named(torch: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nothing-here"):
        HuggingFace(TransformersSettings(model=str(tmp_path / "nothing-here"))).__enter__()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be loaded"):
        HuggingFace(TransformersSettings(model=str(tmp_path))).__enter__()


def test_a_model_without_an_attention_cache_is_refused(torch: Any, tmp_path: Path) -> None:
    import transformers

    write_tokenizer(tmp_path)
    config = transformers.MambaConfig(vocab_size=300, hidden_size=16, num_hidden_layers=1, state_size=4)
    transformers.MambaForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="MambaForCausalLM has no key-value cache"):
        HuggingFace(TransformersSettings(model=str(tmp_path))).__enter__()


def test_a_study_from_samples_to_report(llama: Path, tmp_path: Path) -> None:
    check_a_study_end_to_end(tmp_path, llama, 'backend = "transformers"\ndevice = "cpu"\ndtype = "float32"\n')


def test_a_study_of_a_model_of_the_hub(llama: Path, tmp_path: Path) -> None:
    check_a_model_of_the_hub(tmp_path, llama, 'backend = "transformers"\ndevice = "cpu"\ndtype = "float32"\n')
