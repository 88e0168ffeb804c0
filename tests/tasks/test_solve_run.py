"""Where `isobudget solve` records, which models it finds, and what `isobudget show` says of other runs."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import isobudget
from isobudget import api
from isobudget.backends.base import Backend
from isobudget.backends.server.settings import ServerSettings
from isobudget.errors import BackendError, InputError
from isobudget.study.resolve import ResolvedModel
from isobudget.tasks.models import choose_models
from support.fakes import FakeBackend
from support.solve_project import RIGHT, answering, declare, enter_project

SLUG_TESTS = "tests/test_text.py"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project, with a server whose models are right."""
    root = enter_project(tmp_path, monkeypatch)
    with answering(lambda model, seed: RIGHT) as (url, _):
        declare(tmp_path / "models.toml", url)
        yield root


def solve(tests: str | tuple[str, ...] = SLUG_TESTS, **options: object) -> isobudget.Solution:
    stated = {"budget": "20samples", "models": "small", "python": sys.executable} | options
    return isobudget.solve("src/pkg/text.py::slugify", tests, **stated)  # type: ignore[arg-type]


def test_other_settings_open_a_record_of_their_own_where_no_run_is_named(served: Path) -> None:
    default = served / "runs/solve"
    assert solve().run == default
    cooler = solve(temperature=0.2)
    assert cooler.solved
    assert cooler.run == served / "runs/solve-2"
    (note,) = cooler.notes
    assert note.startswith(f"recorded apart, in {cooler.run}: {default}: this run was made with benchmarks.solve.")
    assert note.endswith("temperature = 0.7, now it is 0.2")
    assert note in cooler.summary
    assert (solve(temperature=0.2).run, solve().run) == (cooler.run, default)
    models = served.parent / "models.toml"
    models.write_text(models.read_text().replace("codellama-7b", "codellama-34b"))
    assert solve().run == served / "runs/solve-3"


class EndsByCtrlC(FakeBackend):
    """Is right, and is closed when somebody presses Ctrl-C."""

    def __init__(self) -> None:
        super().__init__(lambda prompt, seed: RIGHT)

    def __exit__(self, *_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_behind_the_last_draw_loses_nothing(served: Path) -> None:
    found: list[isobudget.Solution] = []
    with pytest.raises(KeyboardInterrupt):
        solve(make_backend=lambda model: EndsByCtrlC(), on_solution=found.append, apply=True)
    (solution,) = found
    assert solution.solved
    assert (served / "src/pkg/text.py").read_text() == solution.code
    assert [one.passed for one in api.show(served / "runs/solve").tasks] == [1]


def test_a_message_that_is_no_text_is_recorded_as_one(served: Path) -> None:
    body = '    raise Exception("\\ud800 \\x00")\n'
    solution = solve(make_backend=lambda model: FakeBackend(lambda prompt, seed: body), budget="1samples")
    assert not solution.solved
    assert solution.verdict is not None
    assert solution.verdict.detail.startswith("Exception: \ufffd")
    (shown,) = api.show(solution.run, solution.task_id).programs
    assert shown.detail == solution.verdict.detail


def test_a_wrong_model_or_policy_is_told_before_the_tests_are_run(served: Path) -> None:
    (served / "tests/test_text.py").write_text("import nonexistent_package\n")
    for options, message in (
        ({"models": "smal"}, "unknown model 'smal'"),
        ({"models": (), "policy": "a.toml"}, "a.toml"),
    ):
        with pytest.raises(InputError, match=message):
            solve(**options)  # type: ignore[arg-type]


def test_a_run_on_a_full_disk_takes_no_solution_with_it(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def answer(_prompt: str, _seed: int) -> str:
        monkeypatch.setattr(os, "fsync", full)
        return RIGHT

    solution = solve(make_backend=lambda model: FakeBackend(answer))
    assert solution.solved
    assert "not everything was recorded: " in solution.notes[-1]
    assert "the disk is full" in solution.notes[-1]
    monkeypatch.undo()
    assert [one.samples for one in api.show(solution.run).tasks] == [0]


def test_tasks_are_told_apart_by_the_tests_that_count(served: Path) -> None:
    (served / "tests/test_counter.py").unlink()
    every = [solve(tests=tests) for tests in ((), "tests", SLUG_TESTS)]
    assert len({one.task_id for one in every}) == 3
    assert {one.run for one in every} == {served / "runs/solve"}


def test_counts_that_were_imported_are_shown_without_headings(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text("model,benchmark,task_id,n,c\na,b,t1,30,3\na,b,t2,4,0\n")
    api.import_results(tmp_path / "counts.csv", tmp_path / "run")
    assert str(api.show(tmp_path / "run")) == "t1: 30 samples, 3 passed\nt2: 4 samples, 0 passed\n"
    said = "t1: 30 samples, 3 passed; the results were imported without programs, so none can be shown\n"
    assert str(api.show(tmp_path / "run", "t1")) == said
    assert len(api.show(tmp_path / "run", "t1", failed=True).programs) == 27


def test_a_model_that_nobody_knows_is_told_with_how_to_declare_it(served: Path) -> None:
    models = served.parent / "models.toml"
    declare(models, "http://127.0.0.1:9/v1", names=("large",))
    with pytest.raises(InputError, match=r"unknown model 'tiny 1.5'\.") as caught:
        choose_models(["tiny 1.5", "large"])
    said, *example = str(caught.value).splitlines()
    assert f"declared in your models file, {models} (`isobudget models` shows it too), such as" in said
    models.write_text("\n".join([*example, models.read_text()]))
    assert [one.name for one in choose_models(["tiny 1.5", "large"])] == ["tiny 1.5", "large"]
    with pytest.raises(InputError) as caught:
        choose_models(["hf:me/it"])
    assert "models file" not in str(caught.value)


@pytest.mark.parametrize(("stated", "tries"), [("attempts = 1\n", 1), ("", 3), ("attempts = 6\n", 6)])
def test_a_server_is_tried_three_times_unless_its_file_says_otherwise(served: Path, stated: str, tries: int) -> None:
    models = served.parent / "models.toml"
    models.write_text(models.read_text().replace("attempts = 1\n", stated))
    opened: list[ServerSettings] = []

    def gone(model: ResolvedModel) -> Backend:
        assert isinstance(model.settings, ServerSettings)
        opened.append(model.settings)
        raise BackendError("it is down")

    with pytest.raises(BackendError, match="it is down"):
        solve(make_backend=gone)
    assert [one.attempts for one in opened] == [tries]
