"""What the shipped studies and the user's models file name, looked up; and a declared server in a dry run and a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from isobudget import api
from isobudget.backends.registry import BACKENDS
from isobudget.costs.prices import TokenPrice
from isobudget.errors import InputError, StudyError
from isobudget.pipeline.generate import generate
from isobudget.pipeline.samples_from_budget import samples_of
from isobudget.records.run import load_run
from isobudget.study import StatedModel, Study, StudyModel, load_study, read_setting, shipped_studies, stated_model
from isobudget.study.read import parse_study
from isobudget.study.resolve import resolve, resolve_model
from support.bad_server import BadServer
from support.stage_study import TASKS, Backends, write_study

SERVER = """
[models.my-server]
backend = "server"
url = "{url}"
model = "org/served"
concurrency = 3
architecture = "codellama-7b"
[models.my-server.price]
input = 1.0
output = 2.0
date = "2026-11-01"
source = "the invoice"
"""


@pytest.fixture
def models_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "models.toml"
    path.write_text(SERVER.format(url="http://h/v1"))
    monkeypatch.setenv("ISOBUDGET_MODELS_TOML", str(path))
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    return path


def own_problems(tmp_path: Path) -> str:
    write_study(tmp_path)
    return str(tmp_path / "own.jsonl")


# the studies that ship ------------------------------------------------------------------------------------------------

SHIPPED = {
    "demo": [
        ("smollm2-135m", "llama.cpp", "strip", "completion", 30),
        ("qwen2.5-coder-1.5b", "llama.cpp", "keep", "completion", 28),
    ],
    "quickstart": [
        ("smollm2-135m", "llama.cpp", "strip", "completion", 30),
        ("qwen2.5-coder-1.5b", "llama.cpp", "keep", "completion", 28),
    ],
    "laptop": [
        ("smollm2-135m", "llama.cpp", "strip", "completion", 30),
        ("qwen2.5-coder-1.5b", "llama.cpp", "keep", "completion", 28),
    ],
    "paper-code-llama": [
        ("codellama-7b", "vllm", "keep", "completion", 32),
        ("codellama-13b", "vllm", "keep", "completion", 40),
        ("codellama-34b", "vllm", "keep", "completion", 48),
        ("codellama-70b", "vllm", "keep", "completion", 80),
    ],
    "paper-llama-3": [
        ("llama-3-8b", "vllm", "keep", "completion", 32),
        ("llama-3-70b", "vllm", "keep", "completion", 80),
    ],
}


@pytest.mark.parametrize("name", sorted(shipped_studies()))
def test_what_the_shipped_studies_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOBUDGET_DATA", str(tmp_path))
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path))  # no weights: shapes by name
    study = load_study(name)
    resolved = resolve(study, extras=False)
    first = resolved.benchmarks[0]
    assert first.problems == first.benchmark.problems
    assert first.sampling.max_tokens == study.sampling.max_tokens or first.benchmark.max_tokens
    shown = []
    for model in resolved.models:
        assert model is not None
        shape = model.architecture
        prompts = model.prompts[first.name]
        shown.append(
            (model.name, model.settings.backend, model.prompt_newline, prompts.format.name, shape and shape.layers)
        )
        assert model.sampling(first).temperature == first.sampling.temperature
        assert (model.samples, model.sha256) == ({}, None)
        hardware = model.settings.hardware()
        assert (hardware is None) == (model.settings.backend == "llama.cpp")
    assert shown == SHIPPED[name]
    missing = {mistake.place for mistake in resolved.mistakes}
    assert missing == {
        ("benchmarks", at) for at, one in enumerate(study.benchmarks) if one not in ("demo", "humaneval", "quickstart")
    }


def test_an_unknown_model_leaves_the_others_known(tmp_path: Path) -> None:
    study = parse_study(
        f'name = "x"\nbenchmarks = ["{own_problems(tmp_path)}"]\n[[models]]\nname = "gpt-9"\nn = 1\n'
        '[[models]]\nname = "m"\nbackend = "server"\nurl = "http://h/v1"\nn = 1\n',
        "mine",
    )
    resolved = resolve(study, extras=False)
    assert [model and model.name for model in resolved.models] == [None, "m"]
    with pytest.raises(StudyError, match=r"mine: 1 mistake\n  line 4: models\.0\.name: unknown model 'gpt-9'"):
        resolved.complete()


# the models file ------------------------------------------------------------------------------------------------------


def test_a_declared_server_is_named_like_a_gguf_file(models_file: Path, tmp_path: Path) -> None:
    study = load_study(own_problems(tmp_path), models=["my-server=20"])
    (model,) = resolve(study, extras=False).complete()
    assert (model.name, model.settings.model, model.settings.backend) == ("my-server", "org/served", "server")
    assert model.settings.stated() == {"concurrency": 3, "url": "http://h/v1"}
    assert model.stated.price == TokenPrice("this model", 1.0, 2.0, None, "2026-11-01", "the invoice")
    assert model.architecture is not None
    assert model.architecture.layers == 32
    assert study.models[0].samples("own") == 20


def test_what_a_study_states_comes_before_the_models_file(models_file: Path) -> None:
    beside = stated_model({"name": "my-server", "concurrency": 9, "architecture": "codellama-13b"}, "here")
    assert beside.settings.stated() == {"concurrency": 9, "url": "http://h/v1"}
    assert beside.architecture == "codellama-13b"
    renamed = stated_model({"name": "mine", "model": "my-server"}, "here")
    assert (renamed.name, renamed.settings.model) == ("mine", "org/served")
    other = stated_model({"name": "my-server", "backend": "vllm"}, "here")
    assert (other.settings.backend, other.settings.model) == ("vllm", "my-server")
    assert resolve_model(stated_model({"name": "smollm2-135m"}, "here")).entry is not None


def test_a_study_made_in_python_knows_them_too(models_file: Path) -> None:
    study = Study(name="x", benchmarks=["quickstart"], models=[StudyModel(name="my-server", n=1)])
    assert study.models[0].settings.backend == "server"
    vllm = BACKENDS["vllm"](model="org/m")  # type: ignore[call-arg]
    assert StatedModel(name="m", settings=vllm).model == "org/m"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("slots = 3", r"models\.toml: models\.my-server: slots: belongs to the backend \"llama.cpp\", not to 'server'"),
        ("colour = 3", r"models\.my-server: colour: unknown key"),
        ("attempts = 0", r"models\.my-server: attempts: must be at least 1, not 0"),
        ("n = 3", r"models\.my-server: n: unknown key"),
    ],
)
def test_mistakes_in_a_declared_model_name_the_file(models_file: Path, line: str, said: str) -> None:
    models_file.write_text(models_file.read_text().replace("concurrency = 3", line))
    with pytest.raises(InputError, match=said):
        load_study("quickstart", models=["my-server"])


def test_a_declared_model_has_nothing_to_fetch_and_is_among_the_known(models_file: Path) -> None:
    from isobudget.models.catalog import find_model

    with pytest.raises(InputError, match="my-server has no GGUF file, because it is reached by the backend 'server'"):
        find_model("my-server")
    with pytest.raises(InputError, match=r"Did you mean 'my-server'\? Known models: .*my-server"):
        find_model("my-servr")


def test_a_declared_price_estimates_and_buys(models_file: Path, tmp_path: Path) -> None:
    study = load_study(own_problems(tmp_path), models=["my-server=20"])
    (one,) = api.dry_run(study, tmp_path / "run").expected
    assert one.prompt_tokens is not None
    assert one.completion_tokens is not None
    assert one.usd == pytest.approx((one.prompt_tokens * 1.0 + one.completion_tokens * 2.0) / 1e6)
    assert one.usd_source == "price of my-server, 2026-11-01 (the invoice)"
    budget = '[budget]\nunit = "usd"\nper_problem = "8x"\n[[models]]\nname = "my-server"\n'
    bought = parse_study(f'name = "x"\nbenchmarks = ["{own_problems(tmp_path)}"]\n{budget}', "mine")
    assert samples_of(resolve(bought, extras=False)) == {"my-server": {"own": 16}}


def test_a_run_by_a_declared_server(models_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("openai")
    with BadServer() as server:
        models_file.write_text(SERVER.format(url=server.url))
        study = load_study(own_problems(tmp_path), models=["my-server=2"])
        run, done = generate(study, tmp_path / "run")
        assert {body["model"] for body in server.requests} == {"org/served"}
    assert (done.samples, done.failures) == (2 * len(TASKS), [])
    facts = load_run(run.path).facts["models"]["my-server"]
    assert (facts["backend"], facts["model"], facts["url"]) == ("server", "org/served", server.url)
    # the same model stated in full goes on with the run
    full = f'[[models]]\nname = "my-server"\nbackend = "server"\nurl = "{server.url}"\nmodel = "org/served"\n'
    full += 'architecture = "codellama-7b"\nn = 3\n'
    more = parse_study(f'name = "own"\nbenchmarks = ["{own_problems(tmp_path)}"]\n{full}', "mine")
    _, done = generate(more, tmp_path / "run", make_backend=Backends(lambda _prompt, _seed: "x"))
    assert done.samples == len(TASKS)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("dtype=bfloat16", ("dtype", "bfloat16")),
        ("batch=4", ("batch", 4)),
        ("exact = true", ("exact", True)),
        ('url="http://h/v1?a=b"', ("url", "http://h/v1?a=b")),
        ("x=1\ny=2", ("x", "1\ny=2")),
    ],
)
def test_settings_of_a_command(text: str, read: tuple[str, object]) -> None:
    assert read_setting(text) == read


@pytest.mark.parametrize("text", ["dtype", "=3", ""])
def test_a_setting_that_is_none(text: str) -> None:
    with pytest.raises(InputError, match="a setting is written NAME=VALUE"):
        read_setting(text)
