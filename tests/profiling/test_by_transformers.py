"""Timing random weights by the transformers backend: real code on a tiny shape, where PyTorch is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from isobudget.costs.seconds import profile_seconds, read_profile
from isobudget.costs.usage import TokenUse
from isobudget.errors import InputError, MissingExtraError
from isobudget.models import Architecture
from isobudget.profiling import Timing, profile
from isobudget.profiling.timing import time_engine

TINY = Architecture("tiny", layers=2, hidden=64, mlp_width=96, heads=4, kv_heads=2, head_size=16, vocabulary=320)
CONFIG = (
    '{"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, '
    '"num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": 320}'
)
SHORT = Timing(slots=(2, 1), prompt_tokens=8, completion_tokens=40, threads=1, repeats=1)


@pytest.fixture
def engine_is_here() -> None:
    pytest.importorskip("torch", exc_type=ImportError, reason="PyTorch is not installed")
    pytest.importorskip("transformers", exc_type=ImportError, reason="transformers is not installed")


@pytest.mark.usefixtures("engine_is_here")
@pytest.mark.parametrize(
    "shape",
    [
        TINY,
        replace(TINY, tied_embeddings=True),
        replace(TINY, head_size=32),
        replace(TINY, experts=4, active_experts=2),
    ],
)
def test_the_model_that_is_made_has_the_shape_and_its_lengths(shape: Architecture) -> None:
    from isobudget.profiling.by_transformers import random_model

    with random_model(shape, 64, 1) as model:
        assert sum(weights.numel() for weights in model.loaded.model.parameters()) == shape.params
        calls: list[int] = []
        speed = time_engine(model, "tiny", SHORT, 2, shape.vocabulary, lambda: calls.append(1))
    assert (speed.slots, calls) == (2, [1])
    assert speed.prompt.median > 0
    assert speed.completion.median > 0


@pytest.mark.usefixtures("engine_is_here")
def test_a_profile_by_transformers_prices_samples(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(CONFIG)
    done = profile(str(tmp_path / "config.json"), SHORT, backend="transformers", out=tmp_path / "p.toml")
    found = read_profile(tmp_path / "p.toml")
    assert found == done.profile
    assert [speed.slots for speed in found.speeds] == [1, 2]
    assert found.engine.startswith("transformers ")
    assert found.weights.startswith("random, ")
    cost = profile_seconds(found, TokenUse.of(8, [[40]]), found.best.slots)
    assert cost.cost(1) > 0
    (tmp_path / "config.json").write_text(CONFIG.replace('"llama"', '"gpt_neox"'))
    with pytest.raises(InputError, match="cannot be written with random weights"):
        profile(str(tmp_path / "config.json"), SHORT, backend="transformers", out=tmp_path / "p.toml")


def test_what_does_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must be llama\.cpp or transformers, not 'vllm'"):
        profile("codellama-7b", SHORT, backend="vllm")
    with pytest.raises(InputError, match="writes no file"):
        profile("codellama-7b", SHORT, backend="transformers", keep=True)
    for backend in ("transformers", "llama.cpp"):
        with pytest.raises(InputError, match="is a folder; name a file"):
            profile("codellama-7b", SHORT, backend=backend, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_pytorch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"isobudget\[transformers\]"):
        profile("codellama-7b", SHORT, backend="transformers")
