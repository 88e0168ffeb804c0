"""Whole studies with servers: what is recorded, said and refused, from the study's file to pass@k."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from isobudget import api
from isobudget.analysis.passk import passk
from isobudget.cli import build_app
from isobudget.errors import BackendError
from isobudget.importers.counts import CountRow, group_counts
from isobudget.pipeline.generate import generate
from isobudget.pipeline.generate_and_judge import generate_and_judge
from isobudget.records.parts import part_paths
from isobudget.records.run import load_run
from isobudget.study import load_study
from support.bad_server import BadServer
from support.odd_answers import BAD, GOOD, chat, usage

pytest.importorskip("openai")

Script = Callable[[int, dict[str, Any]], Any]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def study(folder: Path, server: BadServer, models: dict[str, str] | None = None, n: int = 4, problems: int = 2) -> Path:
    """A study of chat models, name -> name at the server, on problems that `GOOD` solves and `BAD` does not."""
    lines = [
        {
            "task_id": f"add{place}",
            "form": "text",
            "entry_point": "add",
            "prompt": f"Write add(a, b). {place}",
            "test_list": [f"assert add(1, {place + 1}) == {place + 2}"],
        }
        for place in range(problems)
    ]
    (folder / "own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    tables = "".join(
        f'[[models]]\nname = "{name}"\nbackend = "server"\nurl = "{server.url}"\nmodel = "{at}"\n'
        f'api = "chat"\nprompt = "chat"\nattempts = 2\nn = {n}\n'
        for name, at in (models or {"m": "m"}).items()
    )
    path = folder / "study.toml"
    path.write_text(
        f'name = "s"\nbenchmarks = ["{folder / "own.jsonl"}"]\n'
        f"[sampling]\ntemperature = 0.8\ntop_p = 0.95\nmax_tokens = 300\n[judge]\nworkers = 1\n{tables}"
    )
    return path


def without_content(right: Callable[[dict[str, Any]], bool]) -> Script:
    """A server whose wrong half runs out of tokens inside the thought: such a message has no content."""

    def script(number: int, body: dict[str, Any]) -> Any:
        is_right = right(body)
        finish, tokens = ("stop", 200) if is_right else ("length", 300)
        return chat(
            GOOD if is_right else ..., finish=finish, used=usage(50, tokens), reasoning="hmm", top={"model": "m"}
        )

    return script


@pytest.mark.parametrize("by_seed", [True, False])
def test_a_model_that_is_right_half_of_the_time_is_so_by_its_run(tmp_path: Path, by_seed: bool) -> None:
    """20 problems x 8: by the seed or by chance, with no request asked again; 50 % within the interval."""
    chance = random.Random(4)

    def right(body: dict[str, Any]) -> bool:
        return (random.Random(body["seed"]) if by_seed else chance).random() < 0.5

    with BadServer(script=without_content(right)) as server:
        path = study(tmp_path, server, n=8, problems=20)
        run, _, _ = generate_and_judge(load_study(str(path)), tmp_path / "run")
    rows = list(run.samples())
    assert len(rows) == len(server.requests) == 160
    assert {(one.finish_reason, one.completion_tokens, bool(one.text)) for one in rows} == {
        ("stop", 200, True),
        ("length", 300, False),
    }
    verdicts = list(run.verdicts())
    assert sum(one.passed for one in verdicts) == sum(bool(one.text) for one in rows)
    passes = Counter(one.task_id for one in verdicts if one.passed)
    counts = [CountRow("own", "m", "", f"add{place}", 8, passes[f"add{place}"], None, None, 0) for place in range(20)]
    (result,) = passk(group_counts(counts).values(), [1])
    assert result.low[0] <= 0.5 <= result.high[0]
    assert "of 160 texts are empty because max_tokens ran out during reasoning" in " ".join(
        run.facts["models"]["m"]["notes"]
    )


def test_two_models_answered_by_one_name_are_an_error(tmp_path: Path) -> None:
    with BadServer(script=lambda n, b: chat(top={"model": "tiny"})) as server:
        path = study(tmp_path, server, {"small": "coder-1.5b", "large": "coder-32b"})
        for _ in range(2):  # also when the run goes on
            with pytest.raises(BackendError, match=r"large and small are one model.*'tiny'"):
                generate(load_study(str(path)), tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert {(one.model, one.served) for one in run.samples()} == {("small", "tiny")}
    assert run.facts["models"]["small"]["served"] == "tiny"


def test_one_model_under_two_names_of_a_study_is_none(tmp_path: Path) -> None:
    """The same model twice, as with two prompt formats, and two models with their own names."""
    with BadServer(script=lambda n, b: chat(top={"model": b["model"]})) as server:
        path = study(tmp_path, server, {"a": "coder", "b": "coder", "c": "other"})
        run, done = generate(load_study(str(path)), tmp_path / "run")
    assert done.samples == 24
    assert {(one.model, one.served) for one in run.samples()} == {("a", "coder"), ("b", "coder"), ("c", "other")}


def test_one_unreadable_answer_is_a_named_failure_and_costs_no_other(tmp_path: Path) -> None:
    def script(number: int, body: dict[str, Any]) -> Any:
        return chat(7) if number == 2 else chat(GOOD if number % 2 else BAD)

    with BadServer(script=script) as server:
        path = study(tmp_path, server)
        run, done = generate(load_study(str(path)), tmp_path / "run")
        asked = len(server.requests)
        assert asked == 8, "what came in no form is not asked for again"
        assert (done.samples, [(one.samples, one.model) for one in done.failures]) == (7, [(1, "m")])
        assert json.loads((run.path / "failures.json").read_text()) == [asdict(one) for one in done.failures]
        assert "a form that cannot be read" in done.failures[0].reason
        again, done = generate(load_study(str(path)), tmp_path / "run")
        assert len(server.requests) == asked + 1, "the same command asks for what is missing"
    assert done.samples == 1
    assert len(list(again.samples())) == 8


def test_generate_shows_what_was_noticed(tmp_path: Path) -> None:
    with BadServer(script=lambda n, b: chat(top={"model": "another"})) as server:
        path = study(tmp_path, server)
        shown = CliRunner().invoke(build_app(), ["generate", str(path), "--out", str(tmp_path / "run")])
        as_json = CliRunner().invoke(build_app(), ["generate", str(path), "--out", str(tmp_path / "run"), "--json"])
    assert shown.exit_code == 0, shown.output
    assert "all 8 texts of 2 prompts are identical" in shown.stdout
    assert shown.stderr.count("m: asked for the model 'm', but 'another' answered") == 1
    assert any("n identical samples are worth only one" in note for note in json.loads(as_json.stdout)["notes"])


def test_a_run_without_any_sample_says_why(tmp_path: Path) -> None:
    with BadServer(script=lambda n, b: chat(7)) as server:
        path = study(tmp_path, server)
        with pytest.raises(
            BackendError, match=r"no sample was generated; 2 problems failed.*a form that cannot be read"
        ):
            api.run(str(path), tmp_path / "run")


def test_a_run_from_before_these_columns_still_opens_and_goes_on(tmp_path: Path) -> None:
    with BadServer(script=lambda n, b: chat(GOOD if n % 2 else BAD, top={"model": "m"})) as server:
        path = study(tmp_path, server)
        run, _ = generate(load_study(str(path)), tmp_path / "run")
        for part in part_paths(run.path / "samples"):
            old = pq.read_table(part).drop_columns(["served", "billed_prompt_tokens", "cached_tokens"])
            pq.write_table(old, part)
        assert {(one.served, one.billed_prompt_tokens) for one in load_run(run.path).samples()} == {(None, None)}
        path = study(tmp_path, server, n=5)
        run, done = generate(load_study(str(path)), tmp_path / "run")
    assert done.samples == 2
    assert sorted({str(one.served) for one in run.samples()}) == ["None", "m"]
