"""Generating and judging at the same time, failures, models that are gone."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from isobudget.backends.base import Generation, Prompt, Sampling
from isobudget.backends.server.settings import ServerSettings
from isobudget.errors import BackendError
from isobudget.pipeline.generate import FAILURES_FILE, generate
from isobudget.pipeline.generate_and_judge import generate_and_judge
from isobudget.pipeline.judging import judge_run_samples
from isobudget.records.part_writer import PartWriter
from isobudget.records.run import load_run
from isobudget.study.read import parse_study
from support.fakes import FakeBackend
from support.notes import Notes
from support.stage_study import Backends, answer, read_failures, write_study
from support.steps import Steps


@pytest.fixture
def study_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    return write_study(tmp_path)


def outcomes(path: Path) -> dict[tuple[object, ...], str]:
    rows = list(load_run(path).verdicts())
    found = {row.key[1:]: row.outcome for row in rows}
    assert len(found) == len(rows)
    return found


class Waiting(FakeBackend):
    """Its last problem waits until a verdict is there: it ends only if the judge works meanwhile."""

    run: Path

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        if "f2" in str(prompt):
            for _ in range(3000):
                if list(self.run.glob("verdicts/*.parquet")):
                    break
                threading.Event().wait(0.02)
            else:
                raise AssertionError("nothing was judged in a minute")
        return super().generate(prompt, sampling, seeds)


def test_the_judge_works_on_what_has_arrived(tmp_path: Path, study_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PartWriter.add, "__defaults__", None)  # the signature stays; parts are written at once
    monkeypatch.setattr("isobudget.records.part_writer._ROWS_PER_PART", 1)

    def waiting(_model: object) -> Waiting:
        backend = Waiting(answer, concurrency=64)
        backend.run = tmp_path / "both"
        return backend

    study = parse_study(study_text, "mine")
    run, done, judged = generate_and_judge(study, tmp_path / "both", make_backend=waiting)
    assert done.samples == sum(judged.outcomes.values()) == 42
    after, _ = generate(study, tmp_path / "apart", make_backend=Backends())
    judge_run_samples(after, workers=1)
    assert outcomes(run.path) == outcomes(after.path)


def test_a_stop_keeps_samples_and_verdicts_and_the_rest_is_done_later(tmp_path: Path, study_text: str) -> None:
    class Stopped(FakeBackend):
        def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
            if "f2" in str(prompt):
                raise KeyboardInterrupt
            return super().generate(prompt, sampling, seeds)

    study = parse_study(study_text, "mine")
    with pytest.raises(KeyboardInterrupt):
        generate_and_judge(study, tmp_path / "run", make_backend=lambda _model: Stopped(answer, concurrency=1))
    assert not [thread for thread in threading.enumerate() if thread.name == "judge"]
    kept = load_run(tmp_path / "run")
    assert 0 < len(kept.sample_keys()) < 42
    assert kept.verdict_keys() <= kept.sample_keys()
    drawn, judged, seen = len(kept.sample_keys()), len(kept.verdict_keys()), Steps()
    run, _, _ = generate_and_judge(study, tmp_path / "run", make_backend=Backends(), progress=seen)
    assert run.verdict_keys() == run.sample_keys()
    totals = {task: total for task, total, _, _ in seen.started}
    assert totals["judging (in the background)"] == 42 - judged  # both count what remains
    assert sum(total for task, total in totals.items() if task.startswith("generating")) == 42 - drawn
    assert len(outcomes(run.path)) == 42


class Flaky(FakeBackend):
    """Fails once for every prompt."""

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        key = (str(prompt), tuple(seeds))
        if key not in self.seen:
            self.seen.add(key)
            raise BackendError("try again")
        return super().generate(prompt, sampling, seeds)

    seen: set[tuple[str, tuple[int, ...]]]


def test_what_fails_once_is_drawn_at_the_end(tmp_path: Path, study_text: str) -> None:
    def flaky(_model: object) -> Flaky:
        backend = Flaky(answer)
        backend.seen = set()
        return backend

    run, done = generate(parse_study(study_text, "mine"), tmp_path / "run", make_backend=flaky)
    assert not done.failures
    assert len(run.sample_keys()) == done.samples == 42
    assert not (run.path / FAILURES_FILE).exists()


def test_a_model_that_is_gone_ends_the_run_and_keeps_everything(
    tmp_path: Path, study_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isobudget.pipeline.generate.GONE_AFTER", 2)

    class Gone(FakeBackend):
        def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
            if "f0" not in str(prompt):
                raise BackendError("connection refused")
            return super().generate(prompt, sampling, seeds)

    study = parse_study(study_text, "mine")
    with pytest.raises(
        BackendError,
        match=r"seems to be down\. The last reason: connection refused\. Samples received so far are saved",
    ):
        generate(study, tmp_path / "run", make_backend=lambda _model: Gone(answer, concurrency=1))
    run = load_run(tmp_path / "run")
    assert {key[2] for key in run.sample_keys()} == {"p/0"}
    assert {one.task_id for one in read_failures(run)} == {"p/1", "p/2"}
    again, missing = Backends(), 42 - len(run.sample_keys())
    _, done = generate(study, tmp_path / "run", make_backend=again)
    assert done.samples == again.drawn == missing
    assert read_failures(run) == []


def test_some_bad_problems_in_a_row_do_not_look_like_a_model_that_is_gone(
    tmp_path: Path, study_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isobudget.pipeline.generate.GONE_AFTER", 2)
    entered = threading.Event()

    class Slow(FakeBackend):
        def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
            if "f2" in str(prompt):
                entered.set()
            if "f0" not in str(prompt):
                raise BackendError("too long")
            assert entered.wait(60)  # comes back after others have failed
            return super().generate(prompt, sampling, seeds)

    study = parse_study(study_text.rpartition("[[models]]")[0], "mine")  # with several calls a problem
    _, done = generate(study, tmp_path / "run", make_backend=lambda _model: Slow(answer, concurrency=8))
    assert {one.task_id for one in done.failures} == {"p/1", "p/2"}
    assert done.samples == 11


@pytest.mark.parametrize("listens", [True, False])
def test_a_server_on_this_machine_that_does_not_run_is_said_at_once(
    tmp_path: Path, study_text: str, listens: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        if not listens:
            listening.close()
        text = study_text[: study_text.index("[[models]]")]
        text += f'[[models]]\nname = "m"\nbackend = "server"\nurl = "http://127.0.0.1:{port}/v1"\nn = 2\n'
        notes = Notes()
        generate(parse_study(text, "mine"), tmp_path / "run", notes, make_backend=Backends())
    why = f"m: nothing listens at 127.0.0.1:{port} (Connection refused); start the server before this model's turn"
    assert notes.said == ([] if listens else [why])
    assert ServerSettings(model="m", url="http://192.0.2.1/v1").not_running() == ""  # is not contacted
