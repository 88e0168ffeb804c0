"""Options of a command that say how a model is reached, and what a study becomes by them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget import api
from isobudget.errors import InputError, StudyError
from isobudget.study import flagged_fields, load_study, stated_model
from isobudget.study.resolve import resolve

URL = "http://127.0.0.1:9/v1"


def test_a_server_is_reached_by_flags() -> None:
    study = load_study("humaneval", models=["one", "two=3"], n=20, options={"url": URL, "api": "chat"})
    for model in study.models:
        assert model.settings.stated() == {"url": URL, "api": "chat"}
        assert (model.n, model.prompt) == (20, "chat")


def test_completions_keep_the_benchmarks_prompt() -> None:
    (model,) = load_study("humaneval", models=["m"], settings=["concurrency=3"], options={"url": URL}).models
    assert model.settings.model_dump()["concurrency"] == 3
    assert model.prompt is None


def test_a_prompt_format_that_a_study_states_stays(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    text = 'name = "own"\nbenchmarks = ["humaneval"]\nmodels = []\n[prompt]\nformat = "chat-plain"\n'
    path.write_text(text.replace("chat-plain", "chat"))
    (model,) = load_study(str(path), models=["m"], options={"url": URL, "api": "chat"}).models
    assert model.prompt is None


def test_openai_is_another_name_of_server() -> None:
    fields = {"name": "m", "backend": "openai", "url": URL}
    assert stated_model(fields, "here").settings.backend == "server"
    assert flagged_fields({"name": "m"}, (), {"backend": "openai", "url": URL}) == fields


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"models": None, "options": {"url": URL}}, "--url cannot be used without --model: which model is meant"),
        (
            {"models": ["m"], "options": {"url": URL, "backend": "vllm"}},
            "--url cannot be used with --backend vllm, only",
        ),
        ({"models": ["m"], "options": {"backend": "openai"}}, 'a model of the backend "server" needs a url'),
        ({"models": ["m"], "options": {"url": "nowhere"}}, "must be like http"),
        ({"models": ["m"], "settings": ["concurrency"], "options": {"url": URL}}, "a setting is written NAME=VALUE"),
        ({"models": ["m"], "settings": ["slots=3"], "options": {"url": URL}}, 'belongs to the backend "llama.cpp"'),
        (
            {"models": ["m"], "settings": ["slots=3", "slots = 4"]},
            "--setting slots = 4 cannot be used with --setting slots=3",
        ),
        (
            {"models": ["m"], "settings": ["api=chat"], "options": {"url": URL, "api": "completions"}},
            "--setting api=chat cannot be used with --api: state api once",
        ),
        ({"models": ["smollm2-135m"], "settings": ["n=3"]}, "--setting n=3 cannot be used with -n: state n once"),
        (
            {"models": ["smollm2-135m"], "settings": ["slots=0"]},
            "model 'smollm2-135m': slots: must be at least 1, not 0$",
        ),
        ({"models": ["m"], "options": {"backend": "openia"}}, "'vllm' or 'transformers', not 'openia'"),
    ],
)
def test_what_does_not_go_together_is_said(arguments: dict[str, object], message: str) -> None:
    with pytest.raises((InputError, StudyError), match=message):
        load_study("quickstart", n=1, **arguments)  # type: ignore[arg-type]


def test_a_dry_run_names_the_server() -> None:
    planned = api.dry_run("quickstart", model="m=2", url=URL, api="chat", problems=1)
    assert [(one.model, one.n) for one in planned.expected] == [("m", 2)]
    assert (
        planned.to_dict()
        == api.dry_run("quickstart", model="m=2", backend="openai", url=URL, api="chat", problems=1).to_dict()
    )


def test_a_model_that_is_declared_as_chat_gets_conversations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOBUDGET_MODELS_TOML", str(tmp_path / "models.toml"))
    declared = [f'[models.{name}]\nbackend = "server"\nurl = "{URL}"\n' for name in ("chatty", "plain")]
    (tmp_path / "models.toml").write_text('api = "chat"\n'.join(declared))
    task = {"task_id": "p/0", "prompt": "def f(x):\n", "entry_point": "f", "test_list": ["assert f(1) == 2"]}
    (tmp_path / "own.jsonl").write_text(json.dumps(task) + "\n")
    study = load_study(str(tmp_path / "own.jsonl"), models=["chatty=6", "plain=6"])
    models = [model for model in resolve(study).models if model is not None]
    named = {model.name: model.prompts["own"].format.name for model in models}
    assert named == {"chatty": "chat", "plain": "completion"}
