"""What a study would draw and spend, and that nothing is written for it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from isobudget import api
from isobudget.costs.roofline import Serving, gpu_named, roofline_seconds
from isobudget.errors import RunError
from isobudget.files.hub import is_here
from isobudget.models.named import named
from isobudget.pipeline.generate import generate
from isobudget.study import shipped_studies
from isobudget.study.read import parse_study
from support.command import isobudget
from support.stage_study import Backends, write_study


@pytest.fixture
def study_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("ISOBUDGET_DATA", raising=False)
    return write_study(tmp_path)


def test_samples_and_bounds_before_anything_is_drawn(tmp_path: Path, study_text: str) -> None:
    plan = api.dry_run(parse_study(study_text, "mine"), tmp_path / "run")
    small, large = plan.expected
    assert (small.samples, small.left, large.samples, large.left) == (33, 33, 9, 9)
    assert small.completion_tokens_at_most == 33 * 512  # the default of own problems
    assert small.completion_tokens == 33 * 256
    prompts = [f'def f{i}(x):\n    """Return {rule}."""' for i, rule in enumerate(("x + 1", "x * 2", "x - 1"))]
    assert small.prompt_tokens == sum(round(len(prompt) / 3.2) for prompt in prompts)
    assert small.prompt_tokens_at_most is not None
    assert small.prompt_tokens_at_most >= sum(len(prompt.encode()) for prompt in prompts)
    assert (small.seconds, small.usd, plan.missing) == (None, None, ())
    assert small.seconds_source.endswith("isobudget profile MODEL measures the speed here")
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_there_tells_what_is_left_and_how_long_it_takes(tmp_path: Path, study_text: str) -> None:
    run, _ = generate(parse_study(study_text, "mine"), tmp_path / "run", make_backend=Backends())
    before = sorted((path, path.stat().st_mtime_ns) for path in run.path.rglob("*"))
    more = parse_study(study_text.replace("n = 10", "n = 14"), "mine")
    small, large = api.dry_run(more, tmp_path / "run").expected
    assert (small.samples, small.left, large.left) == (45, 12, 0)
    rows = [row for row in run.samples() if row.model == "small"]
    assert small.seconds == pytest.approx(12 * sum(row.seconds for row in rows) / len(rows))
    assert small.completion_tokens == round(12 * sum(row.completion_tokens for row in rows) / len(rows))
    assert (large.seconds, large.completion_tokens) == (0.0, 0)
    assert sorted((path, path.stat().st_mtime_ns) for path in run.path.rglob("*")) == before


def test_a_roofline_and_an_example_price_where_the_study_names_the_gpu(tmp_path: Path, study_text: str) -> None:
    text = study_text[: study_text.index("[[models]]")]
    text += '[[models]]\nname = "codellama-7b"\nbackend = "vllm"\nn = 10\ngpu = "a100-80gb"\nconcurrency = 8\n'
    (one,) = api.dry_run(parse_study(text, "mine"), tmp_path / "run").expected
    assert one.prompt_tokens is not None
    price = roofline_seconds(named("codellama-7b"), Serving(gpu_named("a100-80gb"), 1, 8), one.prompt_tokens / 3, 256)
    assert one.seconds == pytest.approx(33 * price.per_sample + 3 * price.per_problem)
    assert one.usd == pytest.approx(one.seconds * 2.0 / 3600)


def test_a_served_model_is_priced_by_its_tokens(tmp_path: Path, study_text: str) -> None:
    text = study_text[: study_text.index("[[models]]")] + "[prompt]\nformat = 'chat'\n"
    text += (
        '[[models]]\nname = "big"\nmodel = "gpt-4o"\nbackend = "server"\napi = "chat"\nurl = "http://h/v1"\nn = 40\n'
    )
    (one,) = api.dry_run(parse_study(text, "mine"), tmp_path / "run").expected
    assert one.prompt_tokens is not None
    assert one.prompt_tokens % 4 == 0  # 40 samples and a greedy one are four requests, each with the prompt
    assert one.usd == pytest.approx(one.prompt_tokens * 2.5e-6 + 3 * 41 * 256 * 10e-6)


def test_what_is_missing_is_listed_and_the_rest_is_told(tmp_path: Path, study_text: str) -> None:
    plan = api.dry_run("paper-code-llama", tmp_path / "run")
    assert len(plan.expected) == 20
    seven = {one.benchmark: one for one in plan.expected if one.model == "codellama-7b"}
    assert seven["apps-interview"].samples == 3000 * 1001
    assert any("mbpp" in text for text in plan.missing)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", sorted(shipped_studies()))
def test_every_study_that_ships_can_be_tried_without_a_run(tmp_path: Path, name: str) -> None:
    done = isobudget("run", name, "--dry-run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["study"] == name
    assert told["ready"] == (not told["missing"])
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_blames_no_one_for_being_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "ISOBUDGET_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    text = 'name = "x"\nbenchmarks = ["mbpp"]\n[[models]]\nname = "codellama-7b"\nbackend = "vllm"\nn = 1\n'
    told = "\n".join(api.dry_run(parse_study(text, "mine"), tmp_path / "run").missing)
    assert "the data of the benchmark mbpp" in told
    assert "HF_HUB_OFFLINE" not in told
    # what is installed is not to be installed, what is not is
    assert ("pip install 'isobudget[hub]'" in told) is not is_here()


def test_the_memory_of_the_embedded_engine_is_stated(tmp_path: Path, study_text: str) -> None:
    notes = api.dry_run(parse_study(study_text, "mine"), tmp_path / "run").notes
    assert "small: memory for 30 slots of 768 tokens: 6.29 MB, beside 52.1 kB of weights" in notes
    (tmp_path / "small.gguf").unlink()
    notes = api.dry_run(parse_study(study_text, "mine"), tmp_path / "run").notes
    assert not any(note.startswith("small: ") for note in notes)


def test_memory_beyond_the_machine_is_told(tmp_path: Path, study_text: str) -> None:
    text = study_text.replace("n = 10", "n = 10\ncontext_tokens = 1000000000")
    notes = " ".join(api.dry_run(parse_study(text, "mine"), tmp_path / "run").notes)
    assert "of weights, but this machine has" in notes
    assert notes.count("Set fewer slots or a smaller context_tokens") == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("[sampling]\ntemperature = 0.3\n", "benchmarks.own.temperature = 0.8, but the study says 0.3"),
        ("[prompt]\nextraction = 'block'\n", "models.small.prompts.own.extraction"),
        ("", ""),
    ],
)
def test_a_run_that_will_refuse_the_study_is_told_before(
    tmp_path: Path, study_text: str, change: str, told: str
) -> None:
    run, _ = generate(parse_study(study_text, "mine"), tmp_path / "run", make_backend=Backends())
    before = (run.path / "run.toml").read_bytes()
    changed = parse_study(study_text.replace("[[models]]", f"{change}[[models]]", 1), "mine")
    if told:
        with pytest.raises(RunError, match=re.escape(told)):
            generate(changed, run.path, make_backend=Backends())
    missing = api.dry_run(changed, run.path).missing
    assert [told in text for text in missing] == [True] * bool(told)
    assert (run.path / "run.toml").read_bytes() == before
