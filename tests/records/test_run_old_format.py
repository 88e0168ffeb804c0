"""Runs that version 0.1.0 began: read, judged, gone on with. The schemas are those that it wrote, written out."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w

from isobudget.analysis.load_samples import load_samples
from isobudget.errors import RunError
from isobudget.pipeline.generate import generate
from isobudget.pipeline.judging import judge_run_samples
from isobudget.pipeline.work import base_seed
from isobudget.problems import load_benchmark
from isobudget.problems.problem import Form
from isobudget.records.run import load_run
from isobudget.study.read import parse_study
from support.stage_study import TASKS, Backends, answer, write_study

SAMPLES = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("benchmark", "model", "task_id")),
        pa.field("greedy", pa.bool_(), nullable=False),
        pa.field("index", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),
        pa.field("prompt_tokens", pa.int64(), nullable=False),
        pa.field("completion_tokens", pa.int64(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in ("sum_logprob", "mean_logprob", "seconds")),
        pa.field("joules", pa.float64()),
        pa.field("seed", pa.int64(), nullable=False),
    ]
)
PROBLEMS = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("benchmark", "task_id", "prompt", "entry_point")),
        pa.field("tests", pa.string(), nullable=False),
        pa.field("reference", pa.string()),
    ]
)


def make_old(folder: Path, tmp_path: Path) -> None:
    """Turn a run into what version 0.1.0 would have written: facts and tables without what is new."""
    facts = tomllib.loads((folder / "run.toml").read_text())
    for model in facts["models"].values():
        for field in ("prompts", "backend", "served", "repeatable", "architecture_source"):
            model.pop(field, None)
    (folder / "run.toml").write_text(tomli_w.dumps(facts | {"format": 1}))
    (folder / "manifest.json").unlink()
    for path in (folder / "prompts").iterdir():
        path.unlink()
    (folder / "prompts").rmdir()
    for table, schema in (("samples", SAMPLES), ("problems", PROBLEMS)):
        for path in (folder / table).glob("*.parquet"):
            pq.write_table(pq.read_table(path, columns=schema.names).cast(schema), path)


@pytest.fixture
def study_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    return write_study(tmp_path)


@pytest.fixture
def old(tmp_path: Path, study_text: str) -> Path:
    generate(parse_study(study_text, "mine"), tmp_path / "run", make_backend=Backends())
    make_old(tmp_path / "run", tmp_path)
    return tmp_path / "run"


def test_an_old_run_is_read_with_what_is_new_left_empty(old: Path) -> None:
    run = load_run(old)
    rows = list(run.samples())
    assert len(rows) == 42
    assert {(row.latency_seconds, row.token_ids) for row in rows} == {(None, None)}
    assert {problem.form for problem in run.problems().values()} == {Form.SOURCE}
    assert run.prompts() == {}


def test_an_old_run_is_judged_by_its_own_newline_rule(old: Path) -> None:
    run, judged = judge_run_samples(old, workers=1)
    assert sum(judged.outcomes.values()) == 42
    small, large = load_samples(run, ["own"]).samples(
        "own"
    )  # the fake answers what fits a stripped prompt, or one that is not
    assert small.c.tolist()[0] == 10
    assert large.c.tolist()[0] == 2


def test_an_old_run_goes_on_with_the_same_prompts_and_seeds(old: Path, study_text: str) -> None:
    before = {row.key: row for row in load_run(old).samples()}
    more = Backends()
    run, done = generate(parse_study(study_text.replace("n = 10", "n = 12"), "mine"), old, make_backend=more)
    assert done.samples == more.drawn == 6
    rows = {row.key: row for row in run.samples()}
    assert {key: rows[key] for key in before} == before
    fresh = [row for key, row in rows.items() if key not in before]
    assert {(row.model, row.index) for row in fresh} == {("small", 10), ("small", 11)}
    assert all(row.seed == base_seed(0, "small", "own", row.task_id) + row.index for row in fresh)
    right = answer("def f0(x):", 0)
    assert {row.text for row in rows.values() if row.model == "small" and row.task_id == "p/0"} == {right}
    assert run.facts["models"]["small"]["prompts"]["own"]["format"] == "completion"
    assert run.facts["models"]["small"]["backend"] == "llama.cpp"
    assert {key[1] for key in run.prompts()} == set(TASKS)


def test_an_old_run_refuses_another_prompt_format(old: Path, study_text: str) -> None:
    changed = parse_study(study_text + '[prompt]\nformat = "chat"\n', "mine")
    with pytest.raises(RunError, match=r"prompts\.own\.format = 'completion', but the study says 'chat'"):
        generate(changed, old, make_backend=Backends())


def test_a_problem_that_older_versions_recorded_may_now_say_more(old: Path, tmp_path: Path) -> None:
    run = load_run(old)
    run.add_problems(load_benchmark(str(tmp_path / "own.jsonl")).problems)
    assert len(run.problems()) == 3
