"""A run with two replicas of the embedded engine on a real local Ray: samples and verdicts are those of one engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from isobudget.models.catalog import find_model
from isobudget.models.weights import local_weights
from isobudget.records.run import load_run
from support.loopback import Command

PROBLEMS, SAMPLES = 4, 5


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of four problems of one's own with a small model."""
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    if local_weights(find_model("smollm2-135m")) is None:
        pytest.skip("SmolLM2 is not on this machine; fetch it with: isobudget models fetch smollm2-135m")
    lines = [
        {
            "task_id": f"p/{at}",
            "prompt": f'def {name}(a, b):\n    """Return the {name} of a and b."""\n',
            "entry_point": name,
            "test_list": [f"assert {name}(2, 3) == {right}"],
        }
        for at, (name, right) in enumerate({"add": 5, "product": 6, "power": 8, "minimum": 2}.items())
    ]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = tmp_path / "study.toml"
    path.write_text(
        f'name = "replicas"\nbenchmarks = ["{tmp_path / "own.jsonl"}"]\ngreedy = true\n'
        f'[sampling]\nmax_tokens = 24\n[[models]]\nname = "smollm2-135m"\nn = {SAMPLES}\nslots = 4\n'
    )
    return path


def samples_of(run: Path) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """What must be the same wherever a sample is drawn."""
    return {
        (one.task_id, one.greedy, one.index): (one.text, one.seed, one.prompt_tokens, one.completion_tokens)
        for one in load_run(run).samples()
    }


def verdicts_of(run: Path) -> dict[tuple[Any, ...], str]:
    """The outcome of every sample."""
    return {(one.task_id, one.greedy, one.index): one.outcome for one in load_run(run).verdicts()}


@pytest.mark.models
def test_replicas_draw_the_samples_of_one_engine(on_loopback: Command, study: Path, tmp_path: Path) -> None:
    one = on_loopback("-m", "isobudget", "run", str(study), "--out", str(tmp_path / "one"))
    assert one.returncode == 0, one.stderr
    more = ["--cluster", "local", "--replicas", "2"]
    two = on_loopback("-m", "isobudget", "run", str(study), "--out", str(tmp_path / "two"), *more)
    assert two.returncode == 0, two.stderr
    assert "2 replicas" in two.stderr
    drawn = samples_of(tmp_path / "two")
    assert len(drawn) == PROBLEMS * (SAMPLES + 1)
    assert drawn == samples_of(tmp_path / "one")
    assert verdicts_of(tmp_path / "two") == verdicts_of(tmp_path / "one")
    assert len(verdicts_of(tmp_path / "two")) == len(drawn)
