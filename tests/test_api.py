"""Every command is a function: the same options under the same names, the same results as its `--json`."""

from __future__ import annotations

import importlib
import inspect
import json
import keyword
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isobudget import api
from isobudget.cli import API_NAMES, COMMANDS
from isobudget.cli.declared import with_options
from isobudget.errors import InputError
from isobudget.grid import json_value
from isobudget.results import Results
from support.command import isobudget

GOLDEN_RUN = Path(__file__).parent / "golden" / "run"
#: options that say what is printed, or that are functions of their own
SHOWN = {
    "as_frontier",
    "as_plot",
    "serve",
    "host",
    "port",
    "ledger",
    "form",
    "as_json",
    "as_csv",
    "diff",
    "dry_run",
    "failing",
    "list_formats",
    "context",
}
COUNTS = "".join(
    json.dumps({"model": model, "task_id": f"t{at}", "passed": [int((at * k) % 5 < c) for k in range(10)]}) + "\n"
    for model, c in (("codellama-7b", 2), ("codellama-34b", 3))
    for at in range(6)
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with counts, samples with their problems, and a run; it is the working folder."""
    (tmp_path / "counts.jsonl").write_text(COUNTS)
    problem = {"task_id": "own/1", "prompt": "def one():\n", "entry_point": "one", "test_list": ["assert one() == 1"]}
    (tmp_path / "own.jsonl").write_text(json.dumps(problem) + "\n")
    samples = [{"task_id": "own/1", "completion": f"    return {value}\n"} for value in (1, 2)]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    shutil.copytree(GOLDEN_RUN, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(*words: str) -> Any:
    """What a command prints with `--json`."""
    done = isobudget(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_function_takes_its_commands_options(command: str) -> None:
    python_name = f"{command}_" if keyword.iskeyword(command) else command
    function = with_options(getattr(importlib.import_module(f"isobudget.cli.{python_name}"), python_name))
    option_names = set(inspect.signature(function).parameters)
    taken = inspect.signature(getattr(api, API_NAMES.get(command, command))).parameters
    assert option_names - SHOWN <= set(taken)


CALLS: list[tuple[list[str], Callable[[], Any]]] = [
    (["curves", "counts.jsonl"], lambda: api.curves("counts.jsonl")),
    (
        ["curves", "counts.jsonl", "--unit", "seconds", "--costs", "paper", "--stop", "first-pass", "--level", "0.9"],
        lambda: api.curves("counts.jsonl", "seconds", costs="paper", stop="first-pass", level=0.9),
    ),
    (
        ["curves", "run", "--unit", "seconds", "--charge", "judge", "--benchmark", "own", "--replicates", "500"],
        lambda: api.curves("run", "seconds", charge="judge", benchmark="own", replicates=500),
    ),
    (["curves", "run", "--select", "likelihood"], lambda: api.curves(Path("run"), select="likelihood")),
    (["passk", "counts.jsonl", "--k", "1,5"], lambda: api.passk("counts.jsonl", [1, 5])),
    (["passk", "counts.jsonl", "--k", "1,5"], lambda: api.passk("counts.jsonl", "1,5")),
    (
        ["plan", "counts.jsonl", "--costs", "paper", "--budget", "4x", "--replicates", "500"],
        lambda: api.plan("counts.jsonl", costs="paper", budget="4x", replicates=500),
    ),
    (["rank", "run", "--ranker", "own", "--benchmark", "own"], lambda: api.rank("run", benchmark="own")),
    (["rank", "counts.jsonl", "-r", "order", "--k", "2"], lambda: api.rank("counts.jsonl", ["order"], k=2)),
    (["report", "run", "--unit", "flops", "-o", "shown"], lambda: api.report("run", "shown", unit="flops")),
    (["report", "run", "-o", "shown"], lambda: api.report("run", "shown", unit=("flops", "device_seconds"))),
    (["prompt", "own.jsonl/1", "-f", "chat"], lambda: api.prompt("own.jsonl/1", format="chat")),
    (["prompt", "--list"], api.formats),
    (["models"], api.models),
    (["paper", "--benchmark", "mbpp", "--unit", "flops"], lambda: api.paper(benchmark="mbpp", unit="flops")),
    (["paper", "--table", "1", "--table", "flips"], lambda: api.paper(["1", "flips"])),
    (["doctor"], api.doctor),
    (["run", "quickstart", "--problems", "2", "--dry-run"], lambda: api.dry_run("quickstart", problems=2)),
    (["judge", "run", "--again"], lambda: api.judge("run", again=True)),
]


@pytest.mark.parametrize(("words", "call"), CALLS, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_results_are_what_the_command_prints(here: Path, words: list[str], call: Callable[[], Any]) -> None:
    found = call()
    plain = json.loads(json.dumps(json_value(found.to_dict())))
    if words == ["doctor"]:  # the disk's free space changes under it
        assert [row["name"] for row in plain] == [row["name"] for row in printed(*words)]
    else:
        assert plain == printed(*words)
    assert repr(found).strip()
    assert " object at 0x" not in repr(found)


def test_a_file_is_judged_as_the_command_judges_it(here: Path) -> None:
    summary = api.judge("samples.jsonl", "own.jsonl", "v.jsonl", workers=1, seconds=1)
    command = printed("judge", "samples.jsonl", "--problems", "own.jsonl", "-o", "w.jsonl", "--seconds", "1")
    assert summary.to_dict() == command
    assert (summary.outcomes, summary.pass_at_k) == ({"passed": 1, "failed": 1}, {1: 0.5, 2: 1.0})
    assert [json.loads(line)["passed"] for line in Path("v.jsonl").read_text().splitlines()] == [True, False]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: api.fetch("nosuch"), "unknown model 'nosuch'"),
        (lambda: api.curves("counts.jsonl", "parsecs"), "unknown unit 'parsecs'"),
        (lambda: api.report("run", unit="parsecs"), "unknown unit 'parsecs'"),
        (lambda: api.passk("counts.jsonl", [0]), "whole numbers of 1 or more"),
        (lambda: api.passk("counts.jsonl", "99999999999999999999"), "1 or more, and at most 2,147,483,647"),
        (lambda: api.passk("counts.jsonl", "9" * 5000), "1 or more, and at most 2,147,483,647"),
        (lambda: api.passk("counts.jsonl", level=95), "level of intervals lies between 0 and 1, such as 0.95, not 95"),
        (lambda: api.passk("counts.jsonl", level=1), "level of intervals lies between 0 and 1, such as 0.95, not 1"),
        (lambda: api.passk("counts.jsonl", level=math.nan), "level of intervals lies between 0 and 1"),
        (lambda: api.passk("absent.jsonl"), "absent.jsonl"),
        (lambda: api.judge("samples.jsonl"), "--problems"),
        (lambda: api.judge("run", output="v.jsonl", resume=True), "--output and --resume: only for a file"),
        (lambda: api.judge("samples.jsonl", "own.jsonl"), "--output"),
        (lambda: api.rank("run", url="http://localhost"), "cannot be used without --model"),
        (lambda: api.paper("5"), "no table '5'"),
        (lambda: api.paper(unit="usd"), "flops and seconds"),
        (lambda: api.paper().to_records(), "one table"),
        (lambda: api.prompt("own.jsonl/1", newline="maybe"), "keep or strip"),
        (lambda: api.profile("smollm2-135m", "one"), "whole numbers of 1 or more"),
        (lambda: api.profile("smollm2-135m", quantisation="q1"), "unknown quantization 'q1'"),
    ],
)
def test_wrong_arguments_are_errors_of_ours(here: Path, call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_budgets_may_be_numbers_and_counts_are_never_written_over(here: Path) -> None:
    as_text = api.curves("counts.jsonl", budgets="1x,1e13").to_dict()
    assert api.curves("counts.jsonl", budgets=["1x", 1e13]).to_dict() == as_text
    before = Path("counts.jsonl").read_bytes()
    with pytest.raises(InputError, match="is not a policy"):
        api.plan("counts.jsonl", budget="4x", write="counts.jsonl")
    assert Path("counts.jsonl").read_bytes() == before
    api.plan("counts.jsonl", budget="4x", write="policy.toml")
    api.plan("counts.jsonl", budget="4x", write="policy.toml")
    assert "draws" in Path("policy.toml").read_text()


def test_rows_are_flat_and_become_data_frames(here: Path) -> None:
    found = api.passk("counts.jsonl", [1, 2])
    rows = found.to_records()
    assert [(row["model"], row["k"]) for row in rows] == [
        ("codellama-7b", 1), ("codellama-7b", 2), ("codellama-34b", 1), ("codellama-34b", 2)
    ]  # fmt: skip
    assert rows[0]["pass_at_k"] == found[0].success[0]
    for many in (api.curves("counts.jsonl"), api.rank("counts.jsonl", "order"), api.models(), api.paper("2")):
        assert isinstance(many, Results)
        keys = [set(row) for row in many.to_records()]
        assert keys
        assert all(one == keys[0] for one in keys)
    for library in ("pandas", "polars"):
        try:
            importlib.import_module(library)
        except ImportError:
            with pytest.raises(InputError, match=f"pip install {library}"):
                getattr(found, f"to_{library}")()
        else:
            frame = getattr(found, f"to_{library}")()
            assert list(frame.columns) == list(rows[0])
            assert len(frame) == 4
