"""References and canaries come before anything is generated, judged or ranked; `check=False` goes on and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget import api
from isobudget.errors import InputError
from isobudget.pipeline.checking import NOT_CHECKED, REFERENCES_NOT_CHECKED
from isobudget.pipeline.generate import generate
from isobudget.pipeline.generate_and_judge import generate_and_judge
from isobudget.pipeline.judging import judge_run_samples
from isobudget.study.read import parse_study
from support.notes import Notes
from support.stage_study import Backends, write_study

REASON = r"a reference solution fails its tests: p/1: failed, at assert f1\(0\) == 0 .*--no-check"


@pytest.fixture
def study_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A study of own problems, the second of which has a reference that does not pass its own tests."""
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    text = write_study(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "own.jsonl").read_text().splitlines()]
    for line, body in zip(lines, ("x + 1", "x - 7", "x - 1"), strict=True):
        line["canonical_solution"] = f"    return {body}\n"
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return text


def test_nothing_is_generated_for_a_reference_that_fails(tmp_path: Path, study_text: str) -> None:
    backends = Backends()
    study = parse_study(study_text, "mine")
    with pytest.raises(InputError, match=REASON):
        generate_and_judge(study, tmp_path / "run", make_backend=backends)
    assert (backends.drawn, (tmp_path / "run").exists()) == (0, False)


def test_without_the_check_it_goes_on_and_says_so_once(tmp_path: Path, study_text: str) -> None:
    notes = Notes()
    study = parse_study(study_text, "mine")
    _, _, judged = generate_and_judge(
        study, tmp_path / "run", make_backend=Backends(), check=False, progress=notes, unsafe=True
    )
    assert sum(judged.outcomes.values()) == 42
    assert notes.said.count(NOT_CHECKED) == 1


def test_a_run_and_its_ranking_are_checked(tmp_path: Path, study_text: str) -> None:
    run, _ = generate(parse_study(study_text, "mine"), tmp_path / "run", make_backend=Backends())
    with pytest.raises(InputError, match=REASON):
        judge_run_samples(run, workers=1)
    assert list(run.verdicts()) == []
    notes = Notes()
    _, judged = judge_run_samples(run, workers=1, check=False, progress=notes)
    assert (sum(judged.outcomes.values()), notes.said) == (42, [NOT_CHECKED])
    with pytest.raises(InputError, match=REASON):
        api.rank(run.path, ranker="order")
    assert api.rank(run.path, ranker="order", check=False, progress=notes).to_dict()["benchmarks"]
    assert notes.said == [NOT_CHECKED, REFERENCES_NOT_CHECKED]


def test_a_file_is_checked(tmp_path: Path, study_text: str) -> None:
    del study_text
    samples, output = tmp_path / "samples.jsonl", tmp_path / "verdicts.jsonl"
    samples.write_text(json.dumps({"task_id": "p/0", "completion": "    return x + 1\n"}) + "\n")
    with pytest.raises(InputError, match=REASON):
        api.judge(samples, str(tmp_path / "own.jsonl"), output)
    assert not output.exists()
    notes = Notes()
    summary = api.judge(samples, str(tmp_path / "own.jsonl"), output, check=False, progress=notes)
    assert (summary.outcomes, notes.said) == ({"passed": 1}, [NOT_CHECKED])
