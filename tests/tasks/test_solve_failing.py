"""`--failing`: every function of a folder without a body, whatever becomes of one of them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Self

import pytest

import isobudget
from isobudget import api
from isobudget.backends.base import Generation, Prompt, Sampling
from isobudget.errors import InputError
from isobudget.progress import Silent
from isobudget.tasks.solution import Solution
from support.command import isobudget as command_line
from support.fakes import FakeBackend
from support.solve_project import RIGHT, TEXT, WRONG, answering, declare, enter_project

SLUG = "src/pkg/text.py::slugify"
ADD = "        self.words[word] = self.words.get(word, 0) + 1\n"
SOURCE = Path(isobudget.__file__).parents[1]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    return enter_project(tmp_path, monkeypatch)


@pytest.fixture
def served(project: Path) -> Iterator[Path]:
    with answering(lambda model, seed: RIGHT) as (url, _):
        declare(project.parent / "models.toml", url)
        yield project


class Notes(Silent):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def command(*words: str) -> list[str]:
    return ["solve", "src", "--failing", *words, "--python", sys.executable]


def test_failing_takes_every_function_without_a_body(project: Path) -> None:
    def answers(model: str, seed: int) -> str:
        return RIGHT if model == "small" else "        self.words[word] = self.words.get(word, 0) + 1\n"

    with answering(answers) as (url, _):
        declare(project.parent / "models.toml", url)
        solutions = api.solve_failing(
            "src", "tests", budget="4samples", models="small,large", python=sys.executable, apply=True
        )
    assert [(one.target.task_id, one.model) for one in solutions if one.solved] == [(SLUG, "small")]
    assert len(solutions) == 2


def test_what_cannot_be_decided_on_is_left_out_and_told(served: Path) -> None:
    (served / "src/pkg/broken.py").write_text("def broken(:\n    ...\n")
    (served / "src/pkg/bytes.py").write_bytes("def caf\xe9():\n    ...\n".encode("latin-1"))
    (served / "src/pkg/alone.py").write_text("def untested():\n    ...\n")
    (served / "src/pkg/.#text.py").symlink_to("me@host.1234:5678")  # as an editor marks an open file
    (served / "tests/test_old.py").symlink_to("gone.py")
    notes, found = Notes(), list[Solution]()
    solutions = api.solve_failing(
        "src",
        "tests",
        budget="1samples",
        models="small",
        python=sys.executable,
        progress=notes,
        on_solution=found.append,
    )
    assert [(one.target.task_id, one.solved) for one in solutions] == [
        (SLUG, True),
        ("src/pkg/text.py::Counter.add", False),
    ]
    assert found == solutions
    left_out = [one for one in notes.texts if one.startswith("left out: ")]
    expected = (".#text.py: cannot be read", "broken.py, line 1", "is not UTF-8", "alone.py")
    assert [why in said for why, said in zip(expected, left_out, strict=True)] == [True] * 4


def test_nothing_to_decide_on_is_told_and_no_success(served: Path) -> None:
    (served / "src/pkg/text.py").unlink()
    (served / "src/pkg/__init__.py").write_text("")
    (served / "src/pkg/alone.py").write_text("def untested():\n    ...\n")
    (served / "tests/test_text.py").write_text("def test_nothing():\n    pass\n")
    (served / "tests/test_counter.py").unlink()
    done = command_line(*command("--tests", "tests", "--json"))
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "error: src: no function without a body has tests that can decide (found: 1 function); the first: tests: no "
        "test imports" in done.stderr
    )
    with pytest.raises(InputError, match="--out takes one file, and --failing may write several"):
        api.solve_failing("src", "tests", out="found.py")


def test_nothing_to_write_is_a_success(served: Path) -> None:
    (served / "src/pkg/text.py").write_text("def written():\n    return 1\n")
    done = command_line(*command("--tests", "tests", "--json"))
    assert (done.returncode, done.stdout.strip()) == (0, "[]")
    assert "src: every function has a body; there is nothing to write" in done.stderr
    (served / "src/pkg/broken.py").write_text("def broken(:\n    ...\n")
    done = command_line(*command("--tests", "tests", "--json"))
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "error: src: every function that can be read already has a body; left out: src/pkg/broken.py, line 1"
        in done.stderr
    )


def test_diffs_of_one_file_are_told_not_to_add_up(project: Path) -> None:
    (project / "src/pkg/__init__.py").write_text("")
    (project / "src/pkg/text.py").write_text("def one():\n    ...\n\n\ndef two():\n    ...\n")
    (project / "tests/test_text.py").write_text(
        "from pkg.text import one, two\n\n\ndef test_one():\n    assert one() == 1\n\n\n"
        "def test_two():\n    assert two() == 1\n"
    )
    (project / "tests/test_counter.py").unlink()
    with answering(lambda model, seed: "    return 1\n") as (url, _):
        declare(project.parent / "models.toml", url)
        done = command_line(*command("--tests", "tests", "--models", "small", "--budget", "2samples"))
    assert (done.returncode, done.stdout.count("+    return 1")) == (0, 2)
    assert "Each diff is against the project as it is" in done.stderr


def test_what_was_found_before_an_error_is_shown(project: Path) -> None:
    (project / "src/pkg/zz.py").write_text("def last():\n    ...\n")
    (project / "tests/test_zz.py").write_text("from pkg.zz import last\n\n\ndef test_last():\n    assert last() == 1\n")
    (project / "tests/test_counter.py").unlink()

    def answers(model: str, seed: int) -> str:
        (project.parent / "models.toml").write_text("no toml")  # when the next function comes
        return RIGHT

    with answering(answers) as (url, _):
        declare(project.parent / "models.toml", url)
        done = command_line(*command("--tests", "tests", "--models", "small", "--budget", "2samples"))
    assert done.returncode == 2
    assert "+" + RIGHT in done.stdout
    assert "error: " in done.stderr
    assert "models.toml" in done.stderr


def test_ctrl_c_ends_all_of_it(project: Path) -> None:
    drawing = Event()

    def answers(model: str, seed: int) -> tuple[str, int, float]:
        drawing.set()
        return WRONG, 5, 30.0

    with answering(answers) as (url, asked):
        declare(project.parent / "models.toml", url)
        words = command("--tests", "tests", "--models", "small", "--budget", "60s", "--json")
        process = subprocess.Popen(
            [sys.executable, "-m", "isobudget", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert drawing.wait(100)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    (only,) = json.loads(out)
    assert (only["target"], only["ending"], process.returncode) == (SLUG, "it was interrupted", 1)
    assert len(asked) == 1
    assert (project / "src/pkg/text.py").read_text() == TEXT


class Counted(FakeBackend):
    """Notes when it is opened, closed and told to drop what is in flight; the second sample never comes by itself."""

    def __init__(self, log: list[str], drops: bool) -> None:
        super().__init__(lambda prompt, seed: "", concurrency=2)
        self._log, self._given_up = log, Event()
        if drops:
            self.drop = self._drop

    def __enter__(self) -> Self:
        self._log.append("open")
        return self

    def __exit__(self, *_: object) -> None:
        self._log.append("close")
        self._given_up.set()

    def _drop(self) -> None:
        self._log.append("drop")
        self._given_up.set()

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        if seeds[0] % 2:
            self._given_up.wait(60)
        return [
            replace(one, text=RIGHT if "slugify" in str(prompt)[-200:] else ADD)
            for one in super().generate(prompt, sampling, seeds)
        ]


@pytest.mark.parametrize("drops", [True, False])
def test_models_are_loaded_once_for_all_functions(served: Path, drops: bool) -> None:
    """What is in flight when one is solved is dropped; a backend that cannot do so is opened anew."""
    log: list[str] = []
    (served / "policy.toml").write_text(
        'format = 1\npolicy = "cascade"\nunit = "flops"\nbudget = 1.0\nstop = "first pass"\nbatched = true\n'
        'arms = [{name = "small", per_sample = 1.0}]\ndraws = [{arm = "small", count = 2}]\n'
    )
    solutions = api.solve_failing(
        "src",
        "tests",
        budget="60s",
        policy="policy.toml",
        python=sys.executable,
        make_backend=lambda _model: Counted(log, drops),
    )
    assert [one.solved for one in solutions] == [True, True]
    assert log == (["open", "drop", "drop", "close"] if drops else ["open", "close", "open", "close"])
