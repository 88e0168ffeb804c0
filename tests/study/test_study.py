"""Study files: what they say, and every mistake with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isobudget.errors import InputError, StudyError
from isobudget.study import load_study, shipped_studies
from isobudget.study.read import parse_study

WRONG = """\
name = "x"
benchmarks = []
n = 3
[sampling]
temprature = 1.0
top_p = 2.0
[[models]]
name = "a"
n = 0
[[models]]
name = "b"
m = 1
"""


def test_shipped_studies_are_right() -> None:
    for name in shipped_studies():
        assert load_study(name).name == name


def test_the_quickstart_study_is_what_the_demo_promises() -> None:
    study = load_study("quickstart")
    assert [(model.name, model.n) for model in study.models] == [("smollm2-135m", 20), ("qwen2.5-coder-1.5b", 2)]
    assert study.greedy


def test_every_mistake_is_listed_with_its_line() -> None:
    with pytest.raises(StudyError) as caught:
        parse_study(WRONG, "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: 9 mistakes")
    for expected in (
        "line 2: benchmarks: ",
        "line 3: n: unknown key; known keys: name, benchmarks,",
        "line 5: sampling.temprature: unknown key. Did you mean 'temperature'? Known keys: temperature, top_p,",
        "line 6: sampling.top_p: ",
        "line 9: models.0.n: ",
        "line 10: models.1.n: is missing",
        "line 12: models.1.m: unknown key",
        "line 8: models.0.name: unknown model 'a'",
        "line 11: models.1.name: unknown model 'b'",
    ):
        assert expected in message, expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = ", "not valid TOML"),
        ("", "name: is missing"),
        ('name = "x"\nbenchmarks = ["q"]\nmodels = []', r"line 3: models: must not be empty\n"),
        ('name = "x"\nbenchmarks = [""]\nmodels = [{name = "a", n = 1}]', r"benchmarks\.0: must not be empty\n"),
        ('name = "../up"\nbenchmarks = ["q"]\nmodels = [{name = "a", n = 1}]', "line 1: name"),
        ('name = "x"\nbenchmarks = ["q"]\nmodels = [{name = "a", n = 1}, {name = "a", n = 2}]', "named twice"),
        ('name = "x"\nbenchmarks = "q"\nmodels = [{name = "a", n = 1}]', "line 2: benchmarks"),
        ('name = "x"\nbenchmarks = ["q"]\nmodels = [{name = "a", n = 1.5}]', "models.0.n"),
        ('name = "x"\nbenchmarks = ["q"]\nmodels = 3', "line 3: models"),
    ],
)
def test_mistakes(text: str, expected: str) -> None:
    with pytest.raises(StudyError, match=expected):
        parse_study(text, "mine.toml")


def test_flags_override_the_study() -> None:
    study = load_study("quickstart", models=["smollm2-135m=40", "gemma-3-270m"], problems=5)
    assert [(model.name, model.n) for model in study.models] == [("smollm2-135m", 40), ("gemma-3-270m", 1)]
    assert study.problems == 5
    assert [model.n for model in load_study("quickstart", n=7).models] == [7, 7]


def test_a_benchmark_with_models_is_a_study() -> None:
    study = load_study("humaneval", models=["smollm2-135m"], n=10, problems=20)
    assert study.name == "humaneval"
    assert study.benchmarks == ["humaneval"]
    assert [(model.name, model.n) for model in study.models] == [("smollm2-135m", 10)]


def test_a_benchmark_without_models_says_what_is_missing() -> None:
    with pytest.raises(StudyError, match="say which models"):
        load_study("humaneval")


@pytest.mark.parametrize("name", ["quikstart", "nothing-like-it", "no/such.toml", "missing.jsonl", ""])
def test_an_unknown_study_lists_those_there_are(name: str) -> None:
    with pytest.raises(InputError, match="quickstart"):
        load_study(name)


def test_a_wrong_override_is_named() -> None:
    with pytest.raises(StudyError, match=r"models\.0\.n"):
        load_study("quickstart", n=0)


def test_a_folder_or_binary_file_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match=r"study\.toml: is not UTF-8 \(byte 0xff at column 1\)"):
        load_study(str(tmp_path / "study.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(StudyError, match="cannot be read"):
        load_study(str(tmp_path / "folder.toml"))


def test_stop_texts_are_a_list_or_the_body_rule() -> None:
    text = 'name = "x"\nbenchmarks = ["q"]\nmodels = [{name = "a", n = 1}]\n[sampling]\nstop = '
    assert parse_study(text + '"body"', "mine").sampling.stop == "body"
    assert parse_study(text + '["\\ndef"]', "mine").sampling.stop == ["\ndef"]
    for wrong in ('"bodies"', "[3]", '[""]'):
        with pytest.raises(StudyError, match=r"sampling\.stop"):
            parse_study(text + wrong, "mine")


def test_a_benchmark_without_its_data_is_not_called_an_unknown_study(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mbpp") as error:
        load_study(f"mbpp={tmp_path / 'absent.jsonl'}", models=["smollm2-135m=1"])
    assert "no study" not in str(error.value)


@pytest.mark.parametrize(
    "flag", ["fq=-1", "fq=0", "fq=+2", "fq=1.5", "fq= -3", "fq.gguf=x", "smollm2-135m=", "smollm2-135m=many"]
)
def test_a_number_of_samples_in_a_flag_is_one_or_more(flag: str) -> None:
    said = f"--model {flag}: n, the number of samples, must be a whole number of 1 or more"
    with pytest.raises(StudyError, match=re.escape(said)):
        load_study("quickstart", models=[flag])
