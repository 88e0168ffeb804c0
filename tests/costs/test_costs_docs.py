"""The commands of the README and of docs/costs.md on results run as they stand, also on bare counts."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from isobudget.cli import build_app
from isobudget.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def commands(file: str, part: str) -> list[str]:
    """The commands of a file that hold a text, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / file).read_text(encoding="utf-8"), flags=re.S)
    return [line for block in blocks for line in block.splitlines() if line.startswith("isobudget ") and part in line]


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of two models without token counts, and the example of a costs file."""
    lines = [
        {"model": model, "task_id": f"t{at}", "n": 10, "c": (at * step) % 11}
        for model, step in (("codellama-7b", 2), ("codellama-34b", 3))
        for at in range(4)
    ]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    shutil.copy(str(files("isobudget.costs") / "data" / "example.toml"), tmp_path / "my_costs.toml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_readmes_commands_on_bare_counts(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = commands("README.md", " results.jsonl ")
    assert len(lines) == 3
    for line in lines:
        build_app()(shlex.split(line, comments=True)[1:], standalone_mode=False)
        assert capsys.readouterr().out.strip(), line
    assert (bare / "policy.toml").exists()


@pytest.mark.usefixtures("bare")
def test_one_line_costs_of_bare_counts_run_or_say_what_to_add(capsys: pytest.CaptureFixture[str]) -> None:
    lines = commands("docs/costs.md", "--tokens-per-second")
    assert len(lines) == 3
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        if "--completion-tokens" not in words:
            with pytest.raises(InputError, match=r"no cost in .* --completion-tokens 200$"):
                build_app()(words, standalone_mode=False)
            words += ["--completion-tokens", "200"]
        build_app()(words, standalone_mode=False)
        assert "200 completion tokens" in capsys.readouterr().out
