"""A small study from samples to report with a tiny real model, from a folder and from a hub on the loopback.

For backends whose engines are too large for the ordinary tests: they call this where their engine is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from isobudget import api
from isobudget.records.run import load_run
from support.fake_hub import FakeHub
from support.stage_study import TASKS, write_study

Key = tuple[str, bool, int]


def study_file(tmp_path: Path, model: Path | str, lines: str, n: int) -> Path:
    """A study of three problems with one model, which its name says where to find."""
    begin = write_study(tmp_path).partition("[[models]]")[0] + "[sampling]\nmax_tokens = 16\n"
    path = tmp_path / "study.toml"
    path.write_text(f'{begin}[[models]]\nname = "{model}"\nn = {n}\n{lines}')
    return path


def isobudget(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "isobudget", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=env)


def samples_of(run: Path) -> dict[Key, Any]:
    """A run's samples by problem, greediness and index."""
    return {(one.task_id, one.greedy, one.index): one for one in load_run(run).samples()}


def check_a_study_end_to_end(tmp_path: Path, model: Path, lines: str) -> None:
    """Dry run, run, a larger n that only adds, and ranking by the model itself, which finds what was recorded.

    Args:
        tmp_path: for everything that is written.
        model: the folder of a tiny model.
        lines: the model's further lines in the study, its backend among them.
    """
    out, study = tmp_path / "run", study_file(tmp_path, model, lines, 2)
    plan = api.dry_run(str(study), out)
    assert (plan.missing, [one.left for one in plan.expected], out.exists()) == ((), [3 * len(TASKS)], False)
    report, done = api.run(str(study), out)
    assert (done.samples, done.failures) == (3 * len(TASKS), [])
    assert report.page.is_file()
    first = samples_of(out)
    assert set(first) == {(task, greedy, at) for task in TASKS for greedy, at in ((True, 0), (False, 0), (False, 1))}
    assert all(one.completion_tokens > 0 and one.seconds > 0 for one in first.values())
    assert len(list(load_run(out).verdicts())) == len(first)

    _, done = api.run(str(study_file(tmp_path, model, lines, 3)), out)
    assert done.samples == len(TASKS)
    second = samples_of(out)
    assert {key: second[key] for key in first} == first
    assert [one.left for one in api.dry_run(str(study), out).expected] == [0]

    kind = load_run(out).facts["models"][str(model)]["backend"]
    ranked = isobudget("rank", out, "--ranker", "likelihood", "--backend", kind, "--model", model)
    assert ranked.returncode == 0, ranked.stderr
    rows = [row for part in sorted((out / "scores").glob("*.parquet")) for row in pq.read_table(part).to_pylist()]
    drawn = {key: one for key, one in second.items() if not one.greedy}
    assert {(row["task_id"], row["greedy"], row["index"]) for row in rows} == set(drawn)
    for row in rows:
        one = drawn[row["task_id"], row["greedy"], row["index"]]
        assert row["tokens"] == len(one.token_ids)
        if one.token_ids:
            assert row["value"] == pytest.approx(one.sum_logprob, abs=1e-4 * len(one.token_ids))


def check_a_model_of_the_hub(tmp_path: Path, model: Path, lines: str) -> None:
    """A study of a model of the hub without a revision: its commit is recorded, another refused; pinned, it goes on.

    Args:
        tmp_path: for everything that is written.
        model: the folder of a tiny model, which a hub on the loopback gives out.
        lines: the model's further lines in the study, its backend among them.
    """
    files = {path.name: path.read_bytes() for path in model.iterdir()}
    out = tmp_path / "run"
    with FakeHub() as hub:
        first = hub.add("o/tiny", files)
        env = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
        env |= {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_CACHE": str(tmp_path / "home" / "hub"),
        }

        def run(name: str, more: str, n: int) -> subprocess.CompletedProcess[str]:
            return isobudget("generate", study_file(tmp_path, name, lines + more, n), "--out", out, env=env)

        done = run("o/tiny", "", 1)
        assert done.returncode == 0, done.stderr
        facts = load_run(out).facts["models"]["o/tiny"]
        assert (facts["commit"], facts["served"]) == (first, f"o/tiny@{first}")

        second = hub.add("o/tiny", files | {"README.md": b"Better weights now."})
        done = run("o/tiny", "", 2)
        assert done.returncode == 2
        assert f"of commit {first} of o/tiny, but commit {second} was loaded now" in done.stderr
        assert len(samples_of(out)) == 2 * len(TASKS)
        hub.script = lambda *_: 503  # what is pinned and here already needs no hub
        done = run("o/tiny", f'revision = "{first}"\n', 2)
        assert done.returncode == 0, done.stderr
        assert len(samples_of(out)) == 3 * len(TASKS)

        out = tmp_path / "other"
        hub.script = lambda *_: None
        done = run("o/none", "", 1)
        assert done.returncode == 2
        said = f"error: o/none: not a local folder, and not available on the hub: {hub.url} has no o/none"
        assert said in done.stderr
        assert "Traceback" not in done.stderr
