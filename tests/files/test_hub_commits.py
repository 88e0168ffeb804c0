"""Models of the hub in a study: the commit that was loaded is recorded, and the run goes on with no other one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from isobudget.api import dry_run
from isobudget.backends.base import Description
from isobudget.errors import RunError
from isobudget.pipeline.generate import generate
from isobudget.records.run import load_run
from isobudget.study import load_study
from isobudget.study.resolve import ResolvedModel
from support.fakes import FakeBackend
from support.stage_study import answer, write_study

FIRST, SECOND = "a" * 40, "b" * 40
MODEL = '[[models]]\nname = "tiny"\nbackend = "transformers"\nmodel = "o/tiny"\n'


class Committed(FakeBackend):
    """A fake that says which commit it loaded."""

    def __init__(self, commit: str) -> None:
        super().__init__(answer)
        self.commit = commit

    def describe(self) -> Description:
        return replace(super().describe(), commit=self.commit)


def write(tmp_path: Path, more: str, model: str = MODEL) -> str:
    """A study with one model; returns its path."""
    text = write_study(tmp_path).partition("[[models]]")[0]
    (tmp_path / "study.toml").write_text(text + model + more)
    return str(tmp_path / "study.toml")


@pytest.fixture
def draw(tmp_path: Path) -> Callable[[str, str], int]:
    """Draw the study with these lines, loading this commit; returns how many samples the run has."""

    def call(more: str, commit: str) -> int:
        def open_one(_: ResolvedModel) -> FakeBackend:
            return Committed(commit)

        run, _ = generate(load_study(write(tmp_path, more)), tmp_path / "run", make_backend=open_one)
        return len(list(run.samples()))

    return call


def test_the_commit_is_recorded_and_the_run_goes_on_with_it(draw: Callable[[str, str], int], tmp_path: Path) -> None:
    assert draw("n = 2\n", FIRST) == 9
    assert load_run(tmp_path / "run").facts["models"]["tiny"]["commit"] == FIRST
    assert draw("n = 2\n", SECOND) == 9  # nothing is left to draw, so nothing is loaded
    assert draw("n = 3\n", FIRST) == 12
    assert load_run(tmp_path / "run").facts["models"]["tiny"]["commit"] == FIRST


def test_another_commit_is_refused_and_says_how_to_go_on(draw: Callable[[str, str], int], tmp_path: Path) -> None:
    draw("n = 2\n", FIRST)
    with pytest.raises(RunError) as caught:
        draw("n = 3\n", SECOND)
    message = str(caught.value)
    assert f"the samples of tiny are of commit {FIRST} of o/tiny, but commit {SECOND} was loaded now" in message
    assert f"set revision = '{FIRST}' in the study" in message
    assert len(list(load_run(tmp_path / "run").samples())) == 9
    assert draw(f'n = 3\nrevision = "{FIRST}"\n', FIRST) == 12
    assert load_run(tmp_path / "run").facts["models"]["tiny"]["revision"] == FIRST
    assert draw(f'n = 4\nrevision = "{FIRST}"\n', FIRST) == 15


@pytest.mark.parametrize("revision", [SECOND, "v2"])
def test_another_revision_is_refused(draw: Callable[[str, str], int], revision: str) -> None:
    draw("n = 2\n", FIRST)
    with pytest.raises(RunError, match=rf"models\.tiny\.revision = None, but the study says '{revision}'"):
        draw(f'n = 3\nrevision = "{revision}"\n', FIRST)


def test_a_run_that_states_no_commit_gets_one(draw: Callable[[str, str], int], tmp_path: Path) -> None:
    draw("n = 2\n", "")
    assert "commit" not in load_run(tmp_path / "run").facts["models"]["tiny"]
    draw("n = 3\n", FIRST)
    assert load_run(tmp_path / "run").facts["models"]["tiny"]["commit"] == FIRST


@pytest.mark.parametrize(
    ("more", "warns"),
    [
        ("", "tiny: o/tiny is not pinned to a commit; its weights may change"),
        ('revision = "v2"\n', "tiny: o/tiny at v2 is not pinned to a commit"),
        (f'revision = "{FIRST}"\n', None),
    ],
)
def test_a_dry_run_warns_of_what_is_not_pinned(tmp_path: Path, more: str, warns: str | None) -> None:
    notes = dry_run(write(tmp_path, "n = 2\n" + more), tmp_path / "run").notes
    assert [note.startswith(warns or "") for note in notes] == ([True] if warns else [])


def test_a_folder_and_a_server_have_no_commit_to_pin(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    folder = MODEL.replace("o/tiny", str(tmp_path / "here"))
    served = '[[models]]\nname = "tiny"\nbackend = "server"\nurl = "http://localhost:1/v1"\n'
    for model in (folder, served):
        assert dry_run(write(tmp_path, "n = 2\n", model), tmp_path / "run").notes == ()


@pytest.mark.parametrize(("study", "models"), [("paper-code-llama", 4), ("paper-llama-3", 2)])
def test_the_papers_studies_warn_of_every_model(tmp_path: Path, study: str, models: int) -> None:
    notes = dry_run(study, tmp_path / "run").notes
    assert sum("is not pinned to a commit" in note for note in notes) == models
