"""Every command line of docs/importing.md and of costs.md's one-line costs runs as it stands."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from isobudget.cli import build_app

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "importers" / "fixtures"


def commands(file: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / file).read_text(encoding="utf-8"), flags=re.S)
    return [line for block in blocks for line in block.splitlines() if line.startswith("isobudget ")]


def test_the_commands_of_the_docs_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        {"model": model, "task_id": f"t{at}", "passed": [0, 1, at % 2] * 4, "completion_tokens": [50 + at] * 12}
        for model in ("codellama-7b", "codellama-34b")
        for at in range(4)
    ]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "logs").mkdir()
    shutil.copy(FIXTURES / "inspect_toy.eval", tmp_path / "logs")
    seeds = tmp_path / "qwen-7b" / "eval-results" / "human-eval"
    seeds.mkdir(parents=True)
    for seed in range(2):
        row = {"num_generated_tokens": 5, "is_correct": True}
        (seeds / f"output-rs{seed}.jsonl").write_text("".join(json.dumps(row) + "\n" for _ in range(3)))
    (tmp_path / "counts.csv").write_text(
        "benchmark,model,task_id,passed,completion_tokens\n"
        + "".join(f'human-eval,7b,{at},"[0, 1]","[4, 6]"\n' for at in range(3))
    )
    results = json.loads((FIXTURES / "evalplus_model-7b_eval_results.json").read_text())
    (tmp_path / "eval_results.json").write_text(json.dumps(results))
    monkeypatch.chdir(tmp_path)
    ran = 0
    for line in [*commands("importing.md"), *(one for one in commands("costs.md") if "--tokens-per-second" in one)]:
        words = shlex.split(line, comments=True)[1:]
        if words[0] == "sql":
            pytest.importorskip("duckdb", reason="needs isobudget[sql]")
        if words[0] == "report":
            pytest.importorskip("matplotlib", reason="needs isobudget[report]")
        build_app()(words, standalone_mode=False)
        assert capsys.readouterr().out.strip(), line
        ran += 1
    assert ran >= 9
