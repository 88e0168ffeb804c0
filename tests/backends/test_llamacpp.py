"""The embedded engine as a backend; with real weights where they are here. See test_llama_slots for the batching."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isobudget.backends.base import Chat, FinishReason, Message, Sampling
from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings
from isobudget.errors import BackendError, ModelError
from isobudget.models.catalog import find_model
from isobudget.models.weights import local_weights
from support.tiny_gguf import tiny_gguf

PROMPT = 'def add(a: int, b: int) -> int:\n    """Return the sum of a and b.\n\n    >>> add(1, 2)\n    3\n    """'
WARM = Sampling(temperature=0.8, top_p=0.95, max_tokens=24, stop=("\ndef", "\n#"))
GREEDY = Sampling(temperature=0.0, top_p=1.0, max_tokens=24, stop=("\ndef", "\n#"))


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF" + b"\xff" * 400, b"just text"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("xllamacpp")
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with (
        pytest.raises(ModelError, match=r"bad\.gguf: llama\.cpp cannot load it"),
        LlamaCpp(LlamaCppSettings(model=str(path))),
    ):
        pass


def test_no_python_runs_while_a_model_loads(tmp_path: Path) -> None:
    """A Ctrl-C would be raised in it, and llama.cpp, which called it, would lose it."""
    pytest.importorskip("xllamacpp")
    from isobudget.backends.llamacpp.api import load_api

    (path := tmp_path / "bad.gguf").write_bytes(b"just text")
    api, seen, name = load_api(), list[str](), str(path).encode()
    defaults = api.llama_model_default_params()
    sys.setprofile(lambda frame, event, _: seen.append(frame.f_code.co_name) if event == "call" else None)
    try:
        api.llama_model_load_from_file(name, defaults)
    finally:
        sys.setprofile(None)
    assert seen == []


@pytest.mark.parametrize("layers", [0, 513, 2**31, 2**32 - 1])
def test_a_number_of_layers_that_would_end_the_process_is_refused(tmp_path: Path, layers: int) -> None:
    pytest.importorskip("xllamacpp")
    path = tmp_path / "bad.gguf"
    path.write_bytes(tiny_gguf(layers))
    with (
        pytest.raises(ModelError, match=rf"bad\.gguf: llama\.block_count is {layers:,}; llama\.cpp has room for"),
        LlamaCpp(LlamaCppSettings(model=str(path))),
    ):
        pass


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"), LlamaCpp(LlamaCppSettings(model=str(tmp_path / "none.gguf"))):
        pass


def test_a_folder_or_a_link_that_leads_nowhere_is_told_as_such(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    (tmp_path / "folder.gguf").mkdir()
    (tmp_path / "link.gguf").symlink_to(tmp_path / "link.gguf")
    for name, said in (("folder", "it is not a file$"), ("link", "no such file")):
        with (
            pytest.raises(ModelError, match=said) as caught,
            LlamaCpp(LlamaCppSettings(model=str(tmp_path / f"{name}.gguf"))),
        ):
            pass
        assert f"mean {tmp_path}/{name}.gguf" not in str(caught.value)


def test_a_backend_that_is_not_entered_says_so(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="not loaded"):
        LlamaCpp(LlamaCppSettings(model=str(tmp_path / "none.gguf"))).generate(PROMPT, WARM, [1])


@pytest.fixture(scope="module")
def engine() -> Iterator[LlamaCpp]:
    """SmolLM2-135M, really running."""
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    path = local_weights(find_model("smollm2-135m"))
    if path is None:
        pytest.skip("SmolLM2 is not on this machine; fetch it with: isobudget models fetch smollm2-135m")
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=4, context_tokens=256)) as backend:
        yield backend


@pytest.mark.models
def test_a_real_model_answers_once_per_seed(engine: LlamaCpp) -> None:
    seeds = [11, 12, 13, 14, 15, 40]
    generations = engine.generate(PROMPT, WARM, seeds)
    assert [one.seed for one in generations] == seeds
    assert len({one.text for one in generations}) > 1
    for one in generations:
        assert one.prompt_tokens == generations[0].prompt_tokens > 10
        assert 1 <= one.completion_tokens <= WARM.max_tokens
        assert (one.finish_reason is FinishReason.LENGTH) == (one.completion_tokens == WARM.max_tokens)
        assert one.mean_logprob < 0
        assert one.seconds > 0
        assert "\ndef" not in one.text


@pytest.mark.models
def test_greedy_decoding_takes_the_likeliest_tokens(engine: LlamaCpp) -> None:
    greedy, same = engine.generate(PROMPT, GREEDY, [1]), engine.generate(PROMPT, GREEDY, [2])
    assert greedy[0].text == same[0].text
    assert "return a + b" in greedy[0].text
    sampled = engine.generate(PROMPT, WARM, list(range(100, 108)))
    assert greedy[0].mean_logprob >= max(one.mean_logprob for one in sampled) - 1e-3


@pytest.mark.models
def test_a_prompt_without_room_is_named(engine: LlamaCpp) -> None:
    with pytest.raises(BackendError, match=r"context size.*context_tokens"):
        engine.generate(PROMPT * 20, WARM, [1])
    with pytest.raises(BackendError, match="empty prompt"):
        engine.generate("", WARM, [1])


@pytest.mark.models
def test_the_same_seed_gives_the_same_sample_however_it_is_drawn(engine: LlamaCpp) -> None:
    together = engine.generate(PROMPT, WARM, [11, 12, 13, 14, 15])
    with LlamaCpp(LlamaCppSettings(model=str(engine.path), slots=1, context_tokens=512)) as other:
        alone = [other.generate(PROMPT, WARM, [seed])[0] for seed in (15, 11, 13)]
    for one, same in zip(alone, [together[4], together[0], together[2]], strict=True):
        assert (one.token_ids, one.sum_logprob) == (same.token_ids, same.sum_logprob)


@pytest.mark.models
def test_a_conversation_is_put_into_the_model_s_template(engine: LlamaCpp) -> None:
    chat = Chat((Message("user", "What is 2 + 2? Answer with the number alone."),))
    (answer,) = engine.generate(chat, replace(GREEDY, stop=()), [1])
    assert "4" in answer.text
    assert answer.finish_reason is FinishReason.STOP  # at the token that ends a turn, which leaves no text
    assert "<|im_end|>" not in answer.text


@pytest.mark.models
def test_leaving_ends_the_calls_in_flight(engine: LlamaCpp) -> None:
    """A full disk, say, ends the stage while samples are under way: nobody may wait for them."""
    begun, errors = threading.Event(), []

    def call(backend: LlamaCpp) -> None:
        begun.set()
        try:
            backend.generate(PROMPT, replace(WARM, max_tokens=400, stop=()), [1, 2])
        except BackendError as error:
            errors.append(str(error))

    with LlamaCpp(LlamaCppSettings(model=str(engine.path), slots=2, context_tokens=512)) as backend:
        threads = [threading.Thread(target=call, args=(backend,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert begun.wait(60)
        backend._start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert errors
    assert all("closed before" in error or "not loaded" in error for error in errors)
