"""How models are reached: what is opened, what is stated of it, and what is kept secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from isobudget.backends.llamacpp import EngineSettings, LlamaCpp
from isobudget.backends.registry import KINDS, BackendSpec, missing_extra, open_backend, pacing, plain_url, spec_facts
from isobudget.errors import InputError


def test_every_kind_is_opened_without_doing_anything(tmp_path: Path) -> None:
    embedded = open_backend(BackendSpec("llama.cpp", str(tmp_path / "no.gguf"), engine=EngineSettings(slots=3)))
    assert isinstance(embedded, LlamaCpp)
    assert embedded.concurrency == 3
    served = open_backend(BackendSpec("server", "m", url="http://h:1/v1", concurrency=5, requests_per_minute=60))
    assert served.concurrency == 5
    offline = open_backend(BackendSpec("vllm", "m", tensor_parallel=2, concurrency=7, dtype="float16"))
    assert offline.concurrency == 7
    plain = open_backend(BackendSpec("transformers", "m", device="cpu", batch=4))
    assert plain.concurrency >= 4


def test_a_server_without_a_url_is_named() -> None:
    with pytest.raises(InputError, match="the server of 'm' needs a url"):
        open_backend(BackendSpec("server", "m"))


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("https://user:secret@host/v1?key=secret#secret", "https://host/v1"),
        ("https://a:b@c:d@[::1]:80/", "https://[::1]:80/"),
    ],
)
def test_nothing_secret_is_stated(url: str, plain: str) -> None:
    assert plain_url(url) == plain
    facts = spec_facts(BackendSpec("server", "m", url=url, key_env="MY_KEY"))
    assert facts == {"backend": "server", "model": "m", "url": plain, "api": "completions"}


def test_facts_of_other_kinds_hold_what_decides_the_samples() -> None:
    facts = spec_facts(BackendSpec("vllm", "org/m", revision="abc", dtype="bfloat16", concurrency=9))
    assert facts == {"backend": "vllm", "model": "org/m", "revision": "abc", "dtype": "bfloat16"}
    embedded = spec_facts(BackendSpec("llama.cpp", "/some/where/m.gguf", engine=EngineSettings(slots=4, threads=2)))
    assert embedded == {"backend": "llama.cpp", "engine": "llama.cpp on CPU, 2 threads, 4 slots"}


def test_each_kind_has_its_pace_and_names_its_extra() -> None:
    for kind in KINDS:
        pace = pacing(BackendSpec(kind, "m"))  # type: ignore[arg-type]
        assert pace.group >= 1
        error = missing_extra(kind)  # type: ignore[arg-type]
        assert error is None or "pip install 'isobudget[" in str(error)
    assert pacing(BackendSpec("transformers", "m", batch=5)).group == 5
    assert pacing(BackendSpec("llama.cpp", "m")).group == 1
