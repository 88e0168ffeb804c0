"""How a command ends that is stopped, or that the system refuses something."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from isobudget.records.run import load_run
from support.solve_project import answering
from support.synthetic_run import synthetic_run


@pytest.mark.parametrize(
    ("resume", "how"), [("", "command to resume"), ("--resume", "command with --resume to resume")]
)
def test_ctrl_c_says_how_to_go_on(resume: str, how: str) -> None:
    program = "from isobudget.cli.interrupts import interruptible\n"
    program += f"with interruptible({resume!r}):\n    raise KeyboardInterrupt"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == f"\nInterrupted. Finished work is saved; run the same {how}.\n"


def test_sigterm_ends_as_ctrl_c_does_with_its_own_status() -> None:
    program = (
        "import os, signal, time\nfrom isobudget.cli.interrupts import interruptible\n"
        "with interruptible():\n    try:\n        os.kill(os.getpid(), signal.SIGTERM)\n        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n        print('saved', flush=True)\n        raise"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 143
    assert done.stdout == "saved\n"
    assert done.stderr == "\nEnded by SIGTERM. Finished work is saved; run the same command to resume.\n"


@pytest.mark.parametrize(("before", "status"), [("SIG_DFL", -signal.SIGTERM), ("SIG_IGN", 0)])
def test_sigterm_is_as_it_was_before_and_after(before: str, status: int) -> None:
    program = (
        f"import os, signal\nfrom isobudget.cli.interrupts import interruptible\n"
        f"signal.signal(signal.SIGTERM, signal.{before})\nwith interruptible():\n    pass\n"
        "os.kill(os.getpid(), signal.SIGTERM)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, "")


@pytest.mark.parametrize("command", ["generate", "run"])
def test_what_is_in_flight_is_kept_when_a_scheduler_ends_the_command(tmp_path: Path, command: str) -> None:
    running, ended = threading.Event(), threading.Event()

    def answer(_model: str, _seed: int) -> tuple[str, int, float]:
        running.set()
        assert ended.wait(60)  # nothing is finished before the signal
        return "    return 1\n", 5, 0.5

    out = tmp_path / "run"
    with answering(answer) as (url, asked):
        reached = ["--model", "m", "--backend", "server", "--url", url]
        words = ["quickstart", *reached, "-n", "30", "--problems", "4", "--out", out]
        process = subprocess.Popen(
            [sys.executable, "-m", "isobudget", command, *words], stderr=subprocess.PIPE, text=True
        )
        try:
            assert running.wait(60)
            process.send_signal(signal.SIGTERM)
            ended.set()
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 143, errors
    assert "Ended by SIGTERM. Finished work is saved; run the same command to resume." in errors
    assert "Traceback" not in errors
    assert len(list(load_run(out).samples())) == len(asked) > 0  # each was paid for once, and is there


def test_ctrl_c_says_what_is_true_of_an_import_and_of_what_the_interrupt_carries() -> None:
    for raised, said in (("", "Nothing was imported."), ("('Judge the rest.')", "Judge the rest.")):
        program = (
            "from isobudget.cli.interrupts import interruptible\n"
            f"with interruptible(message='Nothing was imported.'):\n    raise KeyboardInterrupt{raised}"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (130, f"\nInterrupted. {said}\n")


@pytest.mark.parametrize(
    ("words", "event", "said"),
    [
        ("sql run select", "duckdb", "Nothing unfinished was written; run the same command again."),
        ("passk s.jsonl", "s.jsonl", "Nothing unfinished was written; run the same command again."),
        ("models fetch smollm2-135m", ".parts", "Parts that were fetched are kept; run the same command to resume."),
        ("compact run", "manifest.json", "The run is intact; run the same command to resume."),
        ("export run --to csv", "samples.csv", "Files that were written are complete; run the same command again"),
        ("import s.jsonl -o made", "s.jsonl", "Nothing was imported; run the same command again."),
        ("import s.jsonl -o made", "verdicts", "Nothing was imported; run the same command again."),
    ],
)
def test_ctrl_c_says_what_is_left_of_a_command(tmp_path: Path, words: str, event: str, said: str) -> None:
    """The interrupt comes when the command opens, makes or imports what `event` names."""
    (tmp_path / "s.jsonl").write_text('{"model": "m", "task_id": "t", "completion": "x", "passed": true}\n')
    synthetic_run(tmp_path / "run", benchmarks={"mine": 1})
    program = (
        "import sys\nfrom isobudget.cli import main\n"
        "def interrupt(event, given):\n"
        f"    if event in ('open', 'import', 'os.mkdir') and {event!r} in str(given[0]):\n"
        "        raise KeyboardInterrupt\n"
        f"sys.argv = ['isobudget', *{words.split()!r}]\nsys.addaudithook(interrupt)\nmain()"
    )
    command = [sys.executable, "-c", program]
    env = {**os.environ, "ISOBUDGET_MODELS": str(tmp_path / "models")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60, env=env)
    assert (done.returncode, done.stderr.count("Interrupted.")) == (130, 1)
    assert f"\nInterrupted. {said}" in done.stderr
    assert not (tmp_path / "made").exists()


def test_a_name_that_the_system_refuses_is_one_sentence() -> None:
    command = [sys.executable, "-m", "isobudget", "passk", "x" * 300]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: {'x' * 300}/run.toml: File name too long\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("MemoryError()", "not enough memory"),
        ("MemoryError('Unable to allocate 7 TiB')", "not enough memory: Unable to allocate 7 TiB"),
        ('RuntimeError("can\'t start new thread")', "the system starts no more threads"),
        ("OSError(errno.EMFILE, 'Too many open files')", "the system refuses more: Too many open files"),
    ],
)
def test_what_the_system_has_no_more_of_is_one_sentence(error: str, told: str) -> None:
    done = refusing(error)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {told} (see the limits of this shell, ulimit -a, or of its container)\n"


@pytest.mark.parametrize("error", ["RuntimeError('a mistake of ours')", "RecursionError()", "OSError(errno.EIO, 'x')"])
def test_a_mistake_of_ours_keeps_its_traceback(error: str) -> None:
    done = refusing(error)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "Traceback (most recent call last):")


def refusing(error: str) -> subprocess.CompletedProcess[str]:
    """A command whose work ends with an error of the system."""
    program = (
        "import errno\nfrom isobudget import cli\n"
        f"def refuse(*asked):\n    raise {error}\n"
        "cli.build_app = lambda asked: refuse\ncli.main()"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
