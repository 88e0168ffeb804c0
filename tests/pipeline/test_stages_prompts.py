"""Prompt formats and extraction at work in a run: what models get, what is recorded, what is judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget.analysis.load_samples import load_samples
from isobudget.backends.base import Chat, Generation, Prompt, Sampling
from isobudget.errors import InputError, RunError
from isobudget.pipeline.generate import generate
from isobudget.pipeline.judging import judge_run_samples
from isobudget.pipeline.prompts import RunPrograms, RunPrompts
from isobudget.problems.problem import Problem
from isobudget.records.run import load_run
from isobudget.study.read import parse_study
from isobudget.study.resolve import ResolvedModel
from support.fakes import FakeBackend
from support.stage_study import Backends, write_study


class Keeping(FakeBackend):
    """Remembers prompts and stop texts as it got them."""

    got: list[tuple[Prompt, tuple[str, ...]]]

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        self.got.append((prompt, sampling.stop))
        return super().generate(prompt, sampling, seeds)


class Made:
    """Makes such backends."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.by_model: dict[str, Keeping] = {}

    def __call__(self, model: ResolvedModel) -> Keeping:
        made = self.by_model[model.name] = Keeping(lambda _prompt, _seed: self.text)
        made.got = []
        return made


@pytest.fixture
def study_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    return write_study(tmp_path)


FENCED = "Here it is:\n```python\ndef f0(x):\n    return x + 1\n```\nThat adds one."


def test_a_chat_format_gives_conversations_and_judges_the_block(tmp_path: Path, study_text: str) -> None:
    made = Made(FENCED)
    study = parse_study(study_text + '[prompt]\nformat = "chat"\n', "mine")
    run, _ = generate(study, tmp_path / "run", make_backend=made)
    prompts = [prompt for prompt, _ in made.by_model["small"].got]
    assert all(isinstance(prompt, Chat) for prompt in prompts)
    judge_run_samples(run, workers=1)
    small = load_samples(run, ["own"]).samples("own")[0]
    assert small.c.tolist() == [10, 0, 0]
    assert small.greedy is not None
    assert small.greedy.c.mean() == pytest.approx(1 / 3)
    facts = run.facts["models"]["small"]["prompts"]["own"]
    assert facts["format"] == "chat"
    assert facts["extraction"] == "block"
    rows = run.prompts("own")
    assert len(rows) == 6  # the two models have different rules for newlines
    kept = RunPrompts(load_run(run.path)).prompt("small", run.problems()["own", "p/0"])
    assert kept == prompts[0]


def test_the_study_overrides_by_model_and_benchmark(tmp_path: Path, study_text: str) -> None:
    text = study_text.replace('prompt_newline = "strip"', 'prompt = {own = "completion-stripped"}', 1)
    made = Made("\n    return x + 1\n")
    run, _ = generate(parse_study(text, "mine"), tmp_path / "run", make_backend=made)
    assert not any(str(prompt).endswith("\n") for prompt, _ in made.by_model["small"].got)
    assert all(str(prompt).endswith('"""\n') for prompt, _ in made.by_model["large"].got)
    assert run.facts["models"]["small"]["prompts"]["own"]["newline"] == "strip"


@pytest.mark.parametrize(
    ("extra", "stop"),
    [
        ('[prompt]\nformat = "completion-body"\n', None),
        ('[sampling]\nstop = ["END"]\n[prompt]\nformat = "completion-body"\n', ("END",)),
    ],
)
def test_stop_texts_are_the_studys_then_the_formats(
    tmp_path: Path, study_text: str, extra: str, stop: tuple[str, ...] | None
) -> None:
    from isobudget.prompts import find_format

    made = Made("    return x + 1\n")
    run, _ = generate(parse_study(study_text + extra, "mine"), tmp_path / "run", make_backend=made)
    wanted = stop or find_format("completion-body").stop
    assert {got for _, got in made.by_model["small"].got} == {wanted}
    facts = run.facts["models"]["small"]["prompts"]["own"]
    assert facts.get("stop") == (None if stop else list(wanted or ()))


def test_extraction_is_redone_without_generating(tmp_path: Path, study_text: str) -> None:
    run, _ = generate(
        parse_study(study_text, "mine"), tmp_path / "run", make_backend=Made("\n    return x + 1\nprose!\n")
    )
    judge_run_samples(run, workers=1)
    assert load_samples(run, ["own"]).samples("own")[1].c.tolist() == [0, 0, 0]
    with pytest.raises(RunError, match=r"--again --extraction function"):
        judge_run_samples(run, extraction="function", workers=1)
    run, judged = judge_run_samples(run, extraction="function", again=True, workers=1)
    assert judged.outcomes["passed"] == sum(int(one.c[0]) for one in load_samples(run, ["own"]).samples("own")) + 2
    assert load_samples(run, ["own"]).samples("own")[1].c.tolist() == [2, 0, 0]
    row = next(row for row in run.samples() if row.model == "large" and row.task_id == "p/0")
    programs = RunPrograms(load_run(run.path), run.facts.get("extraction"))
    assert "prose" not in programs.program(run.problems()["own", "p/0"], row.model, row.text)
    _, judged = judge_run_samples(load_run(run.path), workers=1)
    assert not judged.outcomes
    run, _ = judge_run_samples(run, again=True, workers=1)
    assert load_samples(run, ["own"]).samples("own")[1].c.tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="unknown extraction rule 'guess'"):
        judge_run_samples(run, extraction="guess", again=True)


def test_a_format_that_changed_is_noticed(tmp_path: Path, study_text: str) -> None:
    own = tmp_path / "formats.toml"
    own.write_text('[formats.mine]\nkind = "text"\ntemplate = "# task\\n{prompt}"\nextraction = "program"\n')
    study = parse_study(study_text + f'[prompt]\nformat = "{own}#mine"\n', "mine")
    run, _ = generate(study, tmp_path / "run", make_backend=Made("x = 1\n"))
    own.write_text(own.read_text().replace("# task", "# the task"))
    with pytest.raises(RunError, match=r"the prompts of own \(model small\) differ from those that .*--out"):
        generate(study, tmp_path / "run", make_backend=Made("x = 1\n"))
    own.unlink()
    judge_run_samples(run, workers=1)  # what was given is in the run folder
    assert run.prompts()["own", "p/0", f"{own}#mine", "strip"].prompt.startswith("# task")


def test_quickstart_prompts_and_programs_are_those_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isobudget.problems import load_benchmark

    text = write_study(tmp_path).replace(str(tmp_path / "own.jsonl"), "quickstart")
    made = Made("    return 1\n")
    run, _ = generate(parse_study(text, "mine"), tmp_path / "run", make_backend=made)
    problems = {problem.task_id: problem for problem in load_benchmark("quickstart").problems}
    assert {prompt for prompt, _ in made.by_model["large"].got} == {one.prompt for one in problems.values()}
    for row in run.samples():
        problem: Problem = problems[row.task_id]
        before = problem.prompt.rstrip("\n") if row.model == "small" else problem.prompt
        assert RunPrograms(run).program(problem, row.model, row.text) == before + row.text


def test_prompts_are_recorded_once_for_models_that_share_them(tmp_path: Path, study_text: str) -> None:
    text = study_text.replace('prompt_newline = "strip"\n', "")
    run, _ = generate(parse_study(text, "mine"), tmp_path / "run", make_backend=Backends())
    assert len(run.prompts()) == 3
    assert json.loads(json.dumps(run.facts["models"]["small"]["prompts"])) == run.facts["models"]["large"]["prompts"]
