"""What ships beside the code: extras that doctor knows, studies of families, one version everywhere."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from isobudget import api
from isobudget.doctor import PURPOSES, doctor, needed_packages
from isobudget.records.example import COPY, copy_example, is_example
from isobudget.records.run import Run
from isobudget.study import load_study

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from family_study import FAMILIES, study  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_doctor_lists_every_extra_with_what_it_is_for() -> None:
    extras = set(PROJECT["optional-dependencies"]) - {"all", "dev", "docs"}
    assert extras <= set(PURPOSES)
    shown = {check.name for check in doctor() if check.area == "extras"}
    assert set(needed_packages()) <= shown
    for check in doctor():
        if check.area == "extras" and check.ok is False and check.name in PURPOSES:
            assert "not installed: " in check.found
            assert check.hint == f"pip install 'isobudget[{check.name}]'"


def test_extras_that_include_others_need_their_packages() -> None:
    needed = needed_packages()
    assert "matplotlib" in needed["report"]
    assert not any(name.startswith("isobudget") for names in needed.values() for name in names)


def test_the_version_is_the_same_everywhere() -> None:
    version = PROJECT["version"]
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_makes_a_study_of_three_sizes(family: str, tmp_path: Path) -> None:
    path = tmp_path / "family.toml"
    path.write_text(study(family, {repo: "a" * 40 for _, repo, _, _ in FAMILIES[family]}), encoding="utf-8")
    made = load_study(str(path))
    assert [model.name for model in made.models] == [name for name, *_ in FAMILIES[family]]


def test_the_demo_has_enough_samples_of_both_models_to_plan_from() -> None:
    made = load_study("demo")
    assert min(model.n for model in made.models if isinstance(model.n, int)) >= 5


def test_the_example_is_small_and_copied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_example("example")
    assert is_example(["example"])
    path = copy_example()
    assert path == COPY
    assert sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) < 2_000_000
    Run.open(path)
    (path / "note.txt").write_text("mine", encoding="utf-8")
    assert copy_example() == path
    assert (path / "note.txt").exists()
    (path / "run.toml").unlink()  # a copy that was cut short
    Run.open(copy_example())
    Path("example").mkdir()
    assert not is_example("example"), "a folder of that name is the user's own"


def test_every_reader_knows_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for read in (api.curves, api.passk, api.plan, api.compare, api.show, api.judge, api.check, api.report):
        shutil.rmtree("runs", ignore_errors=True)
        read("example", **({"replicates": 100} if read in (api.curves, api.passk, api.plan, api.compare) else {}))
        assert (COPY / "run.toml").is_file()
    assert api.passk(["example", "example"]).to_dict() == api.passk(COPY).to_dict()
    Path("example").write_text('{"model": "own", "task_id": "t", "n": 3, "c": 1}\n')
    assert [one.model for one in api.passk("example")] == ["own"], "a file of that name is the user's own"
