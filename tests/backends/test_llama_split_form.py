"""Q4_1 weights loaded in two parts: the same numbers, whichever way the file is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings, split_form
from isobudget.backends.llamacpp.api import load_api
from isobudget.backends.llamacpp.exact import ExactScorer, Network, read_weights
from isobudget.backends.llamacpp.exact.weights import _File
from isobudget.backends.llamacpp.memory import sequences_of
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.backends.llamacpp.scoring import LlamaScorer
from isobudget.backends.llamacpp.settings import KEPT_PROMPTS
from isobudget.models.gguf import GgufHeader, read_gguf_header
from isobudget.models.random_gguf import Quantisation
from support.tiny_llama import PROMPTS, asked, contents, write
from support.tiny_q4_1 import write_q4_1

MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_q4_1(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on which files are loaded as they are."""
    with monkeypatch.context() as patched:
        patched.delattr(os, "memfd_create")
        yield


def matrix(header: GgufHeader, name: str) -> NDArray[np.float32]:
    shape = header.tensors[name].shape
    return _File(header, load_api()).tensor(name, *shape)


def is_fast_here(path: Path) -> bool:
    return split_form.is_split(path) and bool(load_api().ggml_cpu_has_avx2())


def test_both_parts_together_are_the_file_s_numbers(path: Path) -> None:
    whole = read_gguf_header(path)
    with split_form.split_files(path) as files:
        base, adapter = map(read_gguf_header, files)
        assert base.metadata == whole.metadata
        assert list(base.tensors) == list(whole.tensors)
        assert adapter.metadata["general.type"] == "adapter"
        for name, tensor in whole.tensors.items():
            expected, found = matrix(whole, name), matrix(base, name)
            if name.split(".")[-2] in MATRICES:
                assert (tensor.kind, base.tensors[name].kind) == ("Q4_1", "Q4_0")
                assert not np.allclose(found, expected)
                sums, offsets = matrix(adapter, f"{name}.lora_a"), matrix(adapter, f"{name}.lora_b")
                found = found + offsets @ sums
            assert found == pytest.approx(expected, rel=1e-6, abs=1e-7)
        sizes = [header.file_size for header in (base, adapter)]
    header_of_adapter = adapter.data_start
    assert split_form.loaded_bytes(path) == pytest.approx(sum(sizes) - header_of_adapter, abs=32 * len(whole.tensors))


def test_texts_are_scored_as_the_weights_in_32_bits_score_them(path: Path) -> None:
    model = LlamaModel(path)
    assert bool(model.adapter) == is_fast_here(path)
    network = Network(read_weights(read_gguf_header(path), load_api()))
    engine, exact = LlamaScorer(model, 1), ExactScorer("tiny", network, 1)
    texts = np.random.default_rng(0).integers(3, 320, (6, 40)).tolist()
    found, expected = (np.concatenate(one.score([1, 70, 80, 90], texts)) for one in (engine, exact))
    engine.close()
    exact.close()
    model.close()
    assert found == pytest.approx(expected, abs=2.0)  # activations are rounded to 8 bits
    assert abs(found - expected).mean() < 0.2
    assert abs((found - expected).mean()) < 0.1


def test_where_files_cannot_be_made_the_file_is_loaded_as_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: str) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "memfd_create", full)
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=2, context_tokens=128)) as engine:
        (found,) = engine.generate_all([asked(PROMPTS[0], range(4))])
        assert engine._weights
        assert not engine._weights.adapter
    assert len(contents(found)) == 4


@pytest.mark.usefixtures("plain")
def test_without_files_in_memory_nothing_is_said_of_them(path: Path) -> None:
    assert not split_form.is_split(path)
    assert split_form.loaded_bytes(path) == path.stat().st_size
    model = LlamaModel(path)
    assert not model.adapter
    model.close()


def test_a_lane_of_one_slot_has_room_for_the_row_beside_it(path: Path, tmp_path: Path) -> None:
    settings = LlamaCppSettings(model=str(path), slots=1, threads=1)
    assert sequences_of(settings) == 2 + KEPT_PROMPTS
    other = settings.model_copy(update={"model": str(write(tmp_path, Quantisation.Q4_0))})
    assert sequences_of(other) == 1 + KEPT_PROMPTS


def test_a_sample_that_is_alone_is_what_it_is_beside_others(path: Path) -> None:
    """A single row is added up in another order: without a row beside it, 2 of these 60 samples differ."""

    def drawn(slots: int) -> list[list[tuple[object, ...]]]:
        with LlamaCpp(LlamaCppSettings(model=str(path), slots=slots, context_tokens=128, threads=1)) as engine:
            return [contents(engine.generate_all([asked(prompt, range(12))])[0]) for prompt in PROMPTS]

    assert drawn(1) == drawn(12)


def test_only_what_is_known_to_ask_for_adapters_is_split(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not split_form.is_split(tmp_path / "absent.gguf")
    assert not split_form.is_split(write(tmp_path, Quantisation.Q4_0))
    header = read_gguf_header(path)
    for changed in (
        {"metadata": {**header.metadata, "general.architecture": "gemma3"}},
        {"metadata": {**header.metadata, "split.count": 2}},
        {"file_size": 1 << 31},
    ):
        monkeypatch.setattr(split_form, "read_gguf_header", lambda _, changed=changed: replace(header, **changed))
        assert not split_form.is_split(path)
