"""Which paths are named where one is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from isobudget.files.near import near_paths
from support.command import isobudget


def _runs(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "run.toml").write_text("format = 3\n")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("runs/quickstrat", ". Did you mean runs/quickstart?"),
        ("run/quickstart", ". Did you mean runs/quickstart?"),
        ("quickstart", ". Did you mean runs/quickstart?"),
        ("runs/x", ". Run folders nearby: runs/quickstart, runs/zz"),
        ("x", ". Run folders nearby: runs/quickstart, runs/zz"),
        ("elsewhere/x", ""),
    ],
)
def test_paths_near_one_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    _runs(tmp_path, "zz", "quickstart")
    (tmp_path / "runs" / ".quickstrat").mkdir()
    (tmp_path / "runs" / "notes").mkdir()
    assert near_paths(Path(missing), runs=True) == said
    assert near_paths(Path("runs/x")) == ""
    (tmp_path / "costs.toml").touch()
    assert near_paths(Path("stdy.toml")) == ""  # what only the extension makes alike
    (tmp_path / "study.toml").touch()
    assert near_paths(Path("stdy.toml")) == ". Did you mean study.toml?"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link").symlink_to("nowhere")
    assert near_paths(Path("elsewhere/link")) == ""


def test_a_few_runs_are_named_of_many(tmp_path: Path) -> None:
    _runs(tmp_path, *"abcdefg")
    assert near_paths(tmp_path / "runs" / "nope", runs=True).endswith("/e, ...")


@pytest.mark.parametrize(
    "command",
    [
        ["show", "RUN"],
        ["curves", "RUN"],
        ["passk", "RUN"],
        ["compare", "RUN", "a@1", "b@1"],
        ["plan", "RUN", "--budget", "8x"],
        ["report", "RUN"],
        ["view", "RUN"],
        ["rank", "RUN"],
        ["judge", "RUN"],
        ["export", "RUN", "--to", "csv", "--out", "x"],
        ["sql", "RUN", "SELECT 1"],
        ["check", "RUN"],
        ["compact", "RUN"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_that_takes_a_run_names_those_that_are_near(tmp_path: Path, command: list[str]) -> None:
    _runs(tmp_path, "quickstart")
    for missing, said in (("runs/quickstrat", "Did you mean runs/quickstart?"), ("runs/x", "nearby: runs/quickstart")):
        done = isobudget(*[missing if word == "RUN" else word for word in command], cwd=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr


@pytest.mark.parametrize("command", ["show", "curves", "passk", "report", "view", "rank", "judge", "check"])
def test_the_example_is_near_a_name_like_its_own(tmp_path: Path, command: str) -> None:
    done = isobudget(command, "exmaple", cwd=tmp_path)
    assert done.returncode == 2
    assert "Did you mean example?" in done.stderr


@pytest.mark.parametrize("command", ["show", "curves", "passk", "report", "view"])
def test_a_missing_file_is_called_so_by_every_command(tmp_path: Path, command: str) -> None:
    (tmp_path / "result.csv").touch()
    done = isobudget(command, "results.csv", cwd=tmp_path)
    assert "results.csv: cannot be read: No such file or directory. Did you mean result.csv?" in done.stderr


def test_a_folder_of_runs_names_them(tmp_path: Path) -> None:
    _runs(tmp_path, "quickstart")
    done = isobudget("show", "runs", cwd=tmp_path)
    assert "not a run folder (it has no run.toml). Run folders nearby: runs/quickstart" in done.stderr
