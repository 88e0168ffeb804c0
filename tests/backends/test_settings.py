"""How models are reached: what is opened, what is recorded of it and read again, and what is kept secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings
from isobudget.backends.registry import BACKENDS, backends_with, recorded_fields
from isobudget.errors import InputError
from isobudget.records.facts import merge
from isobudget.study import stated_model

#: for each backend a model whose settings are all stated, and what a run records of them
STATED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"backend": "llama.cpp", "slots": 4, "threads": 2, "context_tokens": 512, "exact": True},
        {"backend": "llama.cpp", "engine": "llama.cpp on CPU, 2 threads, 4 slots"},
    ),
    (
        {
            "backend": "server",
            "model": "served",
            "url": "http://h:1/v1",
            "key_env": "MY_KEY",
            "concurrency": 5,
            "requests_per_minute": 60,
            "timeout_seconds": 9.5,
            "attempts": 2,
        },
        {"backend": "server", "model": "served", "url": "http://h:1/v1", "api": "completions"},
    ),
    (
        {
            "backend": "vllm",
            "model": "org/m",
            "revision": "abc",
            "dtype": "bfloat16",
            "quantization": "fp8",
            "tensor_parallel": 2,
            "memory_fraction": 0.5,
            "context_tokens": 4096,
            "concurrency": 7,
            "gpu": "a100-80gb",
        },
        {"backend": "vllm", "model": "org/m", "revision": "abc", "dtype": "bfloat16", "quantization": "fp8"},
    ),
    (
        {"backend": "transformers", "model": "org/m", "dtype": "float32", "device": "cpu", "batch": 4},
        {"backend": "transformers", "model": "org/m", "dtype": "float32"},
    ),
]


def test_settings_made_by_hand_are_refused_in_our_own_words() -> None:
    with pytest.raises(InputError, match=r"^ServerSettings: url: must be like http://127\.0\.0\.1:8000/v1$"):
        BACKENDS["server"](backend="server", model="m", url="foo")
    with pytest.raises(InputError, match=r"ServerSettings: url: .*; slots: "):
        BACKENDS["server"](backend="server", model="m", slots=3)


def test_every_backend_is_in_the_table_above() -> None:
    assert [fields["backend"] for fields, _ in STATED] == list(BACKENDS)


@pytest.mark.parametrize(("fields", "facts"), STATED)
def test_settings_to_facts_and_back(fields: dict[str, Any], facts: dict[str, Any]) -> None:
    stated = stated_model({"name": "m", **fields}, "here")
    assert stated.settings.stated() == {name: fields[name] for name in sorted(set(fields) - {"backend", "model"})}
    assert stated.settings.facts() == facts
    again = stated_model({"name": "m", **recorded_fields(facts)}, "here")
    assert again.settings.facts() == facts or fields["backend"] == "llama.cpp"
    assert again.settings.backend == fields["backend"]
    assert recorded_fields(again.settings.facts()) == recorded_fields(facts)


@pytest.mark.parametrize(("fields", "facts"), STATED)
def test_a_run_goes_on_with_what_was_recorded(fields: dict[str, Any], facts: dict[str, Any], tmp_path: Path) -> None:
    run: dict[str, Any] = {}
    for _ in range(2):
        merge(run, "models", "m", stated_model({"name": "m", **fields}, "here").settings.facts(), tmp_path)
    assert run["models"]["m"] == facts


@pytest.mark.parametrize("fields", [fields for fields, _ in STATED])
def test_every_backend_is_opened_without_doing_anything(fields: dict[str, Any], tmp_path: Path) -> None:
    stated = stated_model({"name": "m", "model": str(tmp_path / "none.gguf"), **fields}, "here")
    backend = stated.settings.open()
    assert backend.concurrency >= stated.settings.hardware().batch if stated.settings.hardware() else True
    assert backend.concurrency == fields.get("concurrency", fields.get("slots", 2 * fields.get("batch", 0)))


def test_a_gguf_file_is_opened_by_its_path(tmp_path: Path) -> None:
    backend = stated_model({"name": str(tmp_path / "no.gguf")}, "here").settings.open()
    assert isinstance(backend, LlamaCpp)
    assert (backend.path, backend.concurrency) == (tmp_path / "no.gguf", 16)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"backend": "server"}, 'a model of the backend "server" needs a url, such as "http://localhost:8000/v1"'),
        ({"backend": "vllm", "slots": 3}, "slots: belongs to the backend \"llama.cpp\", not to 'vllm'"),
        ({"batch": 3}, "batch: belongs to the backend \"transformers\", not to 'llama.cpp'"),
        ({"backend": "gpt"}, "backend: must be 'llama.cpp', 'server', 'vllm' or 'transformers', not 'gpt'"),
        ({"backend": ["vllm"]}, "backend: must be 'llama.cpp',"),
        ({"colour": 3}, "colour: unknown key; known keys: name, model, architecture, prompt_newline, price, backend"),
        ({"settings": {}}, "settings: unknown key"),
        ({"slots": 0, "threads": 0}, "slots: must be at least 1, not 0; threads: must"),
        (
            {"price": {"input": 1.0}},
            "price: must be a table with 'input', 'output', 'date' and 'source'; 'date' and 'source' say when and "
            "where it was seen (missing: 'output', 'date', 'source'), not {'input': 1.0}",
        ),
        (
            {"price": {"input": "1", "output": 1, "date": "d", "source": "s"}},
            "price: input: must be a number of 0 or more, not '1'",
        ),
        ({"price": 3}, "price: must be a table with 'input', 'output', 'date' and 'source', not 3"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        stated_model({"name": "m", **fields}, "here")
    assert str(caught.value).startswith("here: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("url", ["https://user:word@host/v1", "https://host/v1?key=word", "https://host/v1#word"])
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="url: holds more than an address") as caught:
        stated_model({"name": "m", "backend": "server", "url": url}, "here")
    assert "word" not in str(caught.value)


def test_a_key_is_no_fact() -> None:
    fields = {"name": "m", "backend": "server", "url": "http://h/v1", "key_env": "MY_KEY"}
    assert "MY_KEY" not in repr(stated_model(fields, "here").settings.facts())


def test_each_backend_has_its_pace_and_names_its_extra() -> None:
    for fields, _ in STATED:
        settings = stated_model({"name": "m", **fields}, "here").settings
        assert settings.pacing().group >= 1
        assert "pip install 'isobudget[" in str(settings.needs.error())
        error = settings.needs.missing()
        assert error is None or error.extra == settings.needs.extra
    assert stated_model({"name": "m", "backend": "transformers", "batch": 5}, "here").settings.pacing().group == 5
    assert stated_model({"name": "m"}, "here").settings.pacing().group == 1
    on_gpu = stated_model({"name": "m", "backend": "transformers", "device": "cuda:1"}, "here")
    assert not on_gpu.settings.pacing().on_cores


def test_who_has_a_setting() -> None:
    assert backends_with("context_tokens") == ["llama.cpp", "vllm"]
    assert backends_with("nothing") == []


def test_one_thread_and_one_slot_are_told_as_one() -> None:
    one = LlamaCppSettings(model="any.gguf", slots=1, threads=1)
    assert one.label == "llama.cpp on CPU, 1 thread, 1 slot"
