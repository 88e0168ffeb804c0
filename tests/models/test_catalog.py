"""Models that can be named."""

from __future__ import annotations

from pathlib import Path

import pytest

from isobudget.doctor import doctor
from isobudget.errors import InputError, ModelError
from isobudget.models.catalog import HubSource, PackageSource, PathSource, find_model, load_catalog
from isobudget.models.weights import fetch_weights

OWN = """
[models.mine]
sources = [{kind = "path", path = "/weights/mine.gguf"}]
prompt_newline = "strip"
"""


@pytest.fixture(autouse=True)
def no_user_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISOBUDGET_MODELS_TOML", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_every_shipped_model_is_pinned() -> None:
    catalog = load_catalog()
    assert set(catalog) >= {"smollm2-135m", "qwen2.5-coder-1.5b", "gemma-3-270m"}
    for entry in catalog.values():
        assert entry.sha256 is not None
        assert len(entry.sha256) == 64
        assert entry.size_bytes
        assert entry.parameters
        assert entry.licence != "not stated"
        for source in entry.sources:
            assert not isinstance(source, PathSource)
            if isinstance(source, PackageSource):
                assert all("==" in requirement for requirement, _ in source.parts)


def test_the_official_file_is_offered_before_the_packages() -> None:
    sources = find_model("qwen2.5-coder-1.5b").sources
    assert isinstance(sources[0], HubSource)
    assert len(sources[0].revision) == 40
    assert isinstance(sources[1], PackageSource)
    assert [int(member[-6:-4]) for _, member in sources[1].parts] == list(range(1, 23))


def test_prompt_rules_differ_by_model() -> None:
    assert find_model("smollm2-135m").prompt_newline == "strip"
    assert find_model("qwen2.5-coder-1.5b").prompt_newline == "keep"


def test_the_users_file_adds_and_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "models.toml"
    own.write_text(OWN.replace("mine]", "smollm2-135m]") + OWN)
    monkeypatch.setenv("ISOBUDGET_MODELS_TOML", str(own))
    assert find_model("mine").prompt_newline == "strip"
    assert find_model("smollm2-135m").sources == (PathSource(Path("/weights/mine.gguf")),)
    assert find_model("gemma-3-270m").sha256


def test_a_path_is_a_model() -> None:
    entry = find_model("weights/Some-Model.Q4.gguf")
    assert (entry.name, entry.sha256) == ("Some-Model.Q4", None)
    assert find_model("~/mine.gguf").sources == (PathSource(Path.home() / "mine.gguf"),)


def test_an_unknown_model_lists_those_there_are() -> None:
    with pytest.raises(
        InputError, match=r"unknown model 'smollm-135m'. Did you mean 'smollm2-135m'\? Known models: gem"
    ):
        find_model("smollm-135m")


def test_a_named_but_missing_user_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOBUDGET_MODELS_TOML", str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match=r"no such models file\. Correct or unset ISOBUDGET_MODELS_TOML"):
        load_catalog()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models = 3", "no .models.NAME. table"),
        ("[models", "not valid TOML"),
        ("[models]\nx = 1", r"models\.x: must be a table"),
        ("[models.x]\nfile = 'a'", r"models\.x\.sources: at least one"),
        (OWN + "colour = 1", r"models\.mine\.colour: unknown key; known keys: bytes, file"),
        (OWN.replace("strip", "maybe"), "must be 'keep' or 'strip', not 'maybe'"),
        (OWN.replace('"path", path', '"path", road'), "a path source needs 'path'"),
        (OWN.replace('kind = "path"', 'kind = "ftp"'), r"sources\[0\]\.kind: must be"),
        (
            "[models.x]\nfile='a'\nsha256='b'\nsources = [{kind='packages', parts=['p']}]",
            "list of .requirement, member. pairs",
        ),
        ("[models.x]\nsources = [{kind='hub', repo='a', revision='b'}]", "'file' and 'sha256' are needed"),
    ],
)
def test_mistakes_in_a_models_file_are_named(
    text: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text(text)
    monkeypatch.setenv("ISOBUDGET_MODELS_TOML", str(tmp_path / "mine.toml"))
    with pytest.raises(InputError, match=f"mine.toml: .*{expected}"):
        load_catalog()


def test_file_on_the_hub_at_a_commit() -> None:
    commit = "0123456789" * 4
    entry = find_model(f"hf:owner/some-repo/sub/Model-7B.Q4_0.gguf@{commit}")
    assert entry.name == "Model-7B.Q4_0"
    assert entry.sources == (HubSource("owner/some-repo", commit, "sub/Model-7B.Q4_0.gguf"),)
    assert entry.file == f"owner--some-repo--sub--Model-7B.Q4_0-{commit[:12]}.gguf"


@pytest.mark.parametrize(
    "name",
    [
        "hf:owner/repo/model.gguf",
        "hf:owner/repo/model.gguf@main",
        "hf:owner/model.gguf@" + "a" * 40,
        "hf:o/r/../../x.gguf@" + "a" * 40,
        "hf:",
    ],
)
def test_file_on_the_hub_without_a_commit_or_repository(name: str) -> None:
    with pytest.raises(InputError, match=r"hf:OWNER/REPO/FILE\.gguf@COMMIT"):
        find_model(name)


def test_a_file_of_ones_own_that_is_gone_is_not_to_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.toml"
    own.write_text(f'[models.mine]\ntitle = "x"\nsources = [{{kind = "path", path = "{tmp_path}/gone.gguf"}}]\n')
    monkeypatch.setenv("ISOBUDGET_MODELS_TOML", str(own))
    (check,) = [one for one in doctor() if one.name == "mine"]
    assert check.found == f"{tmp_path}/gone.gguf: no such file"
    assert check.hint == f"put the file there, or correct its path in {own}"
    with pytest.raises(ModelError, match=rf"could not be fetched:\n  {tmp_path}/gone.gguf: no such file$"):
        fetch_weights(find_model("mine"))
