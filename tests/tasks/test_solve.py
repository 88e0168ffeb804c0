"""`isobudget solve` from the command line to the run folder, with a server that answers as it is told."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import isobudget
from isobudget import api
from isobudget.analysis.load_samples import load_samples
from isobudget.errors import InputError, RunError, StorageError
from isobudget.records.attempts import AttemptRow, TaskRow
from isobudget.records.parts import read_rows
from support.command import isobudget as command_line
from support.solve_project import COUNTER_TESTS, RIGHT, TEXT, WRONG, answering, declare, enter_project

SLUG = "src/pkg/text.py::slugify"
SLUG_TESTS = "tests/test_text.py"
SOURCE = Path(isobudget.__file__).parents[1]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    return enter_project(tmp_path, monkeypatch)


def right_from(number: int) -> Callable[[str, int], str]:
    """Wrong samples up to one of the small model's, counted from 0."""
    return lambda model, seed: RIGHT if model == "small" and seed >= number else WRONG + f"    # {model} {seed}\n"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "isobudget", "solve", *words, "--python", sys.executable]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return command_line("solve", *words, "--python", sys.executable)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": "1e29s"}, r"at most a year \(31,536,000s\), not 1e\+29s"),
        ({"budget": "9223372037s"}, "at most a year"),
        ({"test_seconds": float("inf")}, "--test-seconds must be between 0.001 and 86,400, not inf"),
        ({"test_seconds": 1e308}, "--test-seconds must be between"),
        ({"test_seconds": float("nan")}, "--test-seconds must be between"),
        ({"seed": 99999999999999999999}, "--seed must be between 0 and 4,611,686,018,427,387,904"),
        ({"seed": -1}, "--seed must be between"),
        ({"memory_mb": 10**20}, "--memory-mb must be between 1 and 1,000,000"),
        ({"max_tokens": 10**20}, "--max-tokens must be between"),
        ({"temperature": float("nan")}, "--temperature must be between 0 and 10, not nan"),
        ({"budget": ""}, "--budget is empty; state it, or leave the option out"),
        ({"models": "small,"}, "--models is empty"),
        ({"policy": ""}, "--policy is empty"),
        ({"budget": "sixty"}, "not a budget; write 60s, 10min, 0.02usd, 5e13flops, 20000tokens or 20samples$"),
        ({"budget": "0s"}, "not a budget; write 60s"),
    ],
)
def test_numbers_and_texts_that_nothing_can_mean(project: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        api.solve(str(project / SLUG), SLUG_TESTS, **options)


def test_a_year_and_the_largest_seed_are_taken(project: Path) -> None:
    with answering(right_from(2**62)) as (url, _):
        declare(project.parent / "models.toml", url)
        options = {"budget": "31536000s", "test_seconds": 86_400.0, "seed": 2**62, "memory_mb": 1024}
        assert api.solve(str(project / SLUG), SLUG_TESTS, models="small", python=sys.executable, **options).solved


def test_a_diff_is_printed_and_nothing_is_changed(project: Path) -> None:
    with answering(right_from(2)) as (url, asked):
        declare(project.parent / "models.toml", url)
        words = command(SLUG, "--tests", SLUG_TESTS, "--budget", "20samples", "--models", "small")
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (project / "src/pkg/text.py").read_text() == TEXT
    assert done.stdout == (
        '--- a/src/pkg/text.py\n+++ b/src/pkg/text.py\n@@ -4,7 +4,7 @@\n \n def slugify(text: str, sep: str = "-") -> '
        'str:\n     """Lower-case words of letters and digits, joined by sep."""\n-    ...\n+'
        f"{RIGHT} \n \n def shout(text: str) -> str:\n"
    )
    assert "src/pkg/text.py::slugify: solved by small (a sample passed) after 4 samples" in done.stderr
    assert "after 4 samples (1 of them started and paid for, but not judged): " in done.stderr
    assert "sample 1 failed; best so far 1 of 4 tests; 19 samples left" in done.stderr
    assert "4 of 4 tests pass; trust: shared." in done.stderr
    # The prompt holds the file up to the hole, names of tests, and no hidden things.
    assert asked[0]["prompt"].endswith('joined by sep."""\n')
    assert "test_slug" in asked[0]["prompt"]
    patched = subprocess.run(["git", "apply", "--check", "-"], input=done.stdout, text=True, cwd=project, check=False)
    assert patched.returncode == 0
    assert "can be piped into git apply; --apply solves again and writes what passes." in done.stderr


def test_what_is_not_solved_exits_with_1_and_shows_the_best_attempt(project: Path) -> None:
    with answering(lambda model, seed: WRONG) as (url, _):
        declare(project.parent / "models.toml", url)
        done = run(SLUG, "--tests", SLUG_TESTS, "--budget", "3samples", "--models", "small,large", "--json")
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    assert (said["solved"], said["ending"], said["samples"]) == (False, "all samples of the budget are drawn", 3)
    assert (said["tests_passed"], said["tests_total"]) == (1, 4)
    assert said["first_failing"] == "tests/test_text.py::test_slug[Hello World-hello-world]"
    assert "; 1 sample left" in done.stderr
    assert said["spent"]["usd"] > 0
    assert said["spent"]["flops"] > 0


def test_misuse_exits_with_2_and_one_line(project: Path) -> None:
    for words, message in (
        ((SLUG, "--tests", "tests/none.py"), "no such test file or folder"),
        ((SLUG, "--budget", "60"), "needs a unit"),
        ((SLUG, "--apply", "--diff"), "choose one"),
        ((SLUG, "--failing"), "--failing takes a folder or a file; leave it out to have this function written"),
        (("src",), "With --failing, solve writes every function of the folder that has no body yet and a failing test"),
        (("src/pkg/text.py::nothing",), "has no function 'nothing'"),
    ):
        done = run(*words)
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.startswith("error: ")


@pytest.fixture
def served(project: Path) -> Iterator[Path]:
    """The project, with a server whose small model is right from its third sample on."""
    with answering(right_from(2)) as (url, _):
        declare(project.parent / "models.toml", url)
        yield project


def solve(target: str = SLUG, **options: object) -> isobudget.Solution:
    tests = options.pop("tests", SLUG_TESTS)
    stated = {"budget": "20samples", "models": "small", "python": sys.executable} | options
    return isobudget.solve(target, tests, **stated)  # type: ignore[arg-type]


def test_python_gets_code_diff_and_what_was_spent(served: Path) -> None:
    solution = solve()
    assert solution.code == TEXT.replace("    ...\n", RIGHT)
    assert solution.diff.startswith("--- a/src/pkg/text.py")
    assert solution.spent["samples"] == 4
    assert {type(unit) for unit in solution.spent} == {str}
    assert solution.to_dict()["spent"] == solution.spent
    assert solution.verdict is not None
    assert solution.to_dict()["trust"] == solution.verdict.trust
    assert repr(solution) == str(solution) == solution.summary
    solution.apply()
    assert (served / "src/pkg/text.py").read_text() == solution.code
    with pytest.raises(InputError, match="has changed since it was read"):
        solution.apply()


def test_apply_and_out(served: Path) -> None:
    mode = 0o640
    (served / "src/pkg/text.py").chmod(mode)
    solution = solve(apply=True, out=served / "found.py")
    assert (served / "src/pkg/text.py").read_text() == solution.code == (served / "found.py").read_text()
    assert (served / "src/pkg/text.py").stat().st_mode & 0o777 == mode
    with pytest.raises(InputError, match="already; there is nothing to solve"):
        solve()


@pytest.mark.parametrize("out", ["tests/test_text.py", "src/pkg/text.py", "new/", "nowhere/found.py"])
def test_out_replaces_nothing_and_has_a_place_before_anything_is_spent(served: Path, out: str) -> None:
    with pytest.raises(InputError, match=r"exists already|is a folder|nowhere does not exist"):
        solve(out=str(served / out) + "/" * out.endswith("/"))
    assert (served / "src/pkg/text.py").read_text() == TEXT
    assert not (served / "runs").exists()


def test_a_tree_with_changes_is_refused_before_anything_is_spent(served: Path) -> None:
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", *words], cwd=served, check=True, capture_output=True)
    (served / "tests/data.txt").write_text("From   Data")
    with pytest.raises(InputError, match=r"data.txt has uncommitted changes"):
        solve(apply=True)
    assert not (served / "runs").exists()
    assert solve(apply=True, force=True).solved


def test_what_solving_records_is_no_change_of_the_tree(served: Path) -> None:
    assert solve().solved
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", *words], cwd=served, check=True, capture_output=True)
    assert solve(apply=True).solved
    assert (served / "src/pkg/text.py").read_text() != TEXT


def test_a_file_that_changed_meanwhile_is_left_as_it_is(served: Path) -> None:
    solution = solve()
    (served / "src/pkg/text.py").write_text(TEXT + "# mine\n")
    with pytest.raises(
        InputError, match="has changed since it was read, so nothing was written; run the command again"
    ):
        solution.apply()
    assert (served / "src/pkg/text.py").read_text() == TEXT + "# mine\n"


@pytest.mark.parametrize("become", ["link", "folder", "pipe", "nothing"])
def test_a_file_that_became_something_else_is_left_as_it_is(served: Path, become: str) -> None:
    solution = solve()
    path = served / "src/pkg/text.py"
    other = path.rename(served / "other.py")
    if become == "link":
        path.symlink_to(other)
    elif become == "folder":
        path.mkdir()
    elif become == "pipe":
        os.mkfifo(path)
    with pytest.raises(InputError, match="has changed since it was read, so nothing was written"):
        solution.apply()
    assert other.read_text() == TEXT
    assert path.is_symlink() == (become == "link")


def test_a_file_that_is_there_meanwhile_is_not_replaced_by_out(project: Path) -> None:
    def answers(model: str, seed: int) -> str:
        (project / "found.py").write_text("mine")
        return RIGHT

    with answering(answers) as (url, _):
        declare(project.parent / "models.toml", url)
        with pytest.raises(InputError, match=r"found\.py exists already(.|\n)*The program that passed is recorded"):
            solve(out=project / "found.py")
    assert (project / "found.py").read_text() == "mine"


def test_what_cannot_be_written_says_where_it_is_kept(project: Path) -> None:
    def answers(model: str, seed: int) -> str:
        (project / "src/pkg/text.py").write_text(TEXT + "# mine\n")
        return RIGHT

    with answering(answers) as (url, _):
        declare(project.parent / "models.toml", url)
        done = run(SLUG, "--tests", SLUG_TESTS, "--models", "small", "--budget", "2samples", "--apply")
    assert done.returncode == 2
    assert "has changed since it was read, so nothing was written; run the command again" in done.stderr
    words = done.stderr.partition("To print it: isobudget show ")[2].split()
    assert RIGHT in str(api.show(words[0], words[1], passed=True))


def test_what_can_neither_be_written_nor_recorded_is_in_the_error(project: Path) -> None:
    def answers(model: str, seed: int) -> str:
        (project / "src/pkg/text.py").write_text(TEXT + "# mine\n")
        shutil.rmtree(project / "runs")
        return RIGHT

    with answering(answers) as (url, _):
        declare(project.parent / "models.toml", url)
        with pytest.raises(InputError, match=r"could not be recorded either\. Its diff is:\n--- a/src") as raised:
            solve(apply=True)
    assert f"+{RIGHT}" in str(raised.value)


def test_a_full_disk_leaves_the_file_as_it_was(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solution = solve()

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        solution.apply()
    assert (served / "src/pkg/text.py").read_text() == TEXT
    assert sorted(path.name for path in (served / "src/pkg").iterdir()) == ["__init__.py", "text.py"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_the_file_is_unchanged_when_it_is_ended(project: Path, number: signal.Signals) -> None:
    with answering(lambda model, seed: (WRONG, 5, 0.0 if seed < 2 else 30.0)) as (url, asked):
        declare(project.parent / "models.toml", url)
        words = command(SLUG, "--tests", SLUG_TESTS, "--budget", "60s", "--models", "small", "--apply")
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while len(asked) < 2 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.05)  # until it draws
        process.send_signal(number)
        began = time.monotonic()
        _, errors = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode != 0
    assert (project / "src/pkg/text.py").read_text() == TEXT
    assert sorted(path.name for path in (project / "src/pkg").iterdir()) == ["__init__.py", "text.py"]
    if number == signal.SIGINT:
        assert "it was interrupted" in errors or "Interrupted" in errors


def test_every_attempt_is_recorded_with_its_place(served: Path) -> None:
    solution = solve()
    rows = sorted(read_rows(solution.run / "attempts", AttemptRow), key=lambda row: row.place)
    assert [(row.model, row.index, row.step, row.explored, row.parent) for row in rows][:2] == [
        ("small", 0, 0, False, None),
        ("small", 1, 1, False, None),
    ]
    (task,) = read_rows(solution.run / "tasks", TaskRow)
    assert (task.solved, task.ending, task.samples) == (True, "a sample passed", 4)
    assert task.schedule.startswith("small x 1, small x 1, small x 2")
    shown = api.show(solution.run, SLUG, passed=True)
    assert {one.program for one in shown.programs} == {solution.code}
    assert len(api.show(solution.run, solution.task_id, model="small").programs) == len(rows)
    failed = api.show(solution.run, SLUG, failed=True)
    assert {one.outcome for one in failed.programs} == {"failed"}
    assert len(failed.programs) + len(shown.programs) == len(rows)
    tasks = api.show(solution.run)
    assert str(tasks) == f"{solution.task_id}: {len(rows)} samples, {len(shown.programs)} passed\n"
    assert api.show(solution.run, passed=True) == tasks
    assert str(api.show(solution.run, failed=True)) == "no task\n"
    solve(run="wrong", budget="1samples")
    assert str(api.show("wrong", SLUG, passed=True)) == "# 1 sample, none of which passed\n"
    with pytest.raises(InputError, match="no task 'other'"):
        api.show(solution.run, "other")
    with pytest.raises(InputError, match="--passed and --failed cannot be combined"):
        api.show(solution.run, passed=True, failed=True)


def test_a_run_made_otherwise_is_told_with_the_option_of_solve(served: Path) -> None:
    solve(run="kept")
    with pytest.raises(RunError, match=r"now it is .*use another folder \(--run\)") as caught:
        solve(run="kept", temperature=0.2)
    assert "--out" not in str(caught.value)


def test_what_is_no_interpreter_is_told_in_short(project: Path) -> None:
    with pytest.raises(
        InputError, match=r"^/bin/ls: is not a working Python .* \(it ended with exit code 2\); name one"
    ):
        api.solve(str(project / SLUG), SLUG_TESTS, python="/bin/ls")
    with pytest.raises(InputError, match=r"its answer cannot be read"):
        api.solve(str(project / SLUG), SLUG_TESTS, python="/bin/echo")


def test_what_was_drawn_until_one_passed_is_not_pooled(served: Path) -> None:
    solution = solve()
    for pooled in (api.curves, api.plan, api.report):
        with pytest.raises(RunError, match="drawn until one passed"):
            pooled(solution.run)
    explored = solve(explore=5)
    assert explored.drawn == {"small": 5}
    (samples,) = load_samples(explored.run).samples("solve")
    assert samples.n.tolist() == [5]
    first = int(samples.problems[0].index[0])  # after the one that passed, which of the last two may have come first
    assert first in (3, 4)
    assert samples.problems[0].index.tolist() == list(range(first, first + 5))
    solve("src/pkg/text.py::Counter.add", tests="tests/test_counter.py", explore=3)
    assert api.plan(explored.run, "tokens", budget="4x", replicates=100).rows
    with pytest.raises(RunError, match=r"has tests of a project, so .* Only isobudget solve can"):
        api.judge(explored.run, again=True)


def test_several_functions_and_new_files_are_written_by_conversations(project: Path) -> None:
    whole = "```python\n" + TEXT.replace("    ...\n", RIGHT).replace("raise NotImplementedError", "ADD") + "```\n"
    whole = whole.replace("ADD", "self.words[word] = self.words.get(word, 0) + 1")
    (project / "tests/test_new.py").write_text("from pkg.new import one\n\n\ndef test_one():\n    assert one() == 1\n")
    with answering(lambda model, seed: whole if model == "small" else "```python\ndef one():\n    return 1\n```") as (
        url,
        asked,
    ):
        declare(project.parent / "models.toml", url, api="chat")
        both = solve("src/pkg/text.py", tests=["tests/test_text.py", "tests/test_counter.py"])
        new = solve("src/pkg/new.py", tests="tests/test_new.py", models="large", apply=True)
    assert both.solved
    assert "self.words.get(word, 0) + 1" in both.diff
    assert (project / "src/pkg/new.py").read_text() == "def one():\n    return 1\n"
    assert new.diff.startswith("--- /dev/null\n+++ b/src/pkg/new.py")
    assert COUNTER_TESTS.splitlines()[0] in asked[0]["messages"][-1]["content"]


def test_settings_of_the_project_are_its_defaults(served: Path) -> None:
    with (served / "pyproject.toml").open("a") as file:
        file.write(f'[tool.isobudget]\nbudget = "1samples"\nmodels = ["small"]\npython = "{sys.executable}"\n')
    assert isobudget.solve(SLUG).samples == 1
    assert isobudget.solve(SLUG, budget="2samples").samples == 2


def test_a_policy_is_played_as_it_is(served: Path) -> None:
    (served / "policy.toml").write_text(
        'format = 1\npolicy = "cascade"\nunit = "flops"\nbudget = 1.0\nstop = "first pass"\nbatched = false\n'
        'arms = [{name = "small", per_sample = 1.0}, {name = "large", per_sample = 2.0}]\n'
        'draws = [{arm = "large", count = 1}, {arm = "small", count = 2}]\n'
    )
    solution = solve(models=(), policy="policy.toml")
    assert (solution.solved, solution.drawn) == (False, {"large": 1, "small": 2})
    assert solution.ending == "all draws of the schedule are made"


CASES = """format = 1
policy = "%s"
unit = "flops"
budget = 1.0
stop = "first pass"
arms = [{name = "small", per_sample = 1.0}, {name = "large", per_sample = 2.0}]
[[labels]]
label = "first"
draws = [{arm = "small", count = 2}]
[[labels]]
label = "none"
draws = [{arm = "large", count = 3}]
[[labels]]
label = "some"
draws = [{arm = "small", count = 1}, {arm = "large", count = 1}]
"""


def test_a_policy_that_looks_at_the_share_of_tests_is_played(project: Path) -> None:
    (project / "policy.toml").write_text(CASES % "by_share")
    half = "    return 'a-b'\n"
    for answer, drawn in (("    return None\n", {"small": 2, "large": 3}), (half, {"small": 3, "large": 1})):
        with answering(lambda model, seed, answer=answer: answer) as (url, _):  # type: ignore[misc]
            declare(project.parent / "models.toml", url)
            assert solve(models=(), policy="policy.toml", tests=f"{SLUG_TESTS}::test_slug").drawn == drawn
    (project / "policy.toml").write_text(CASES % "by_label")
    with pytest.raises(InputError, match="one order of draws for each label"):
        solve(models=(), policy="policy.toml")
    with answering(lambda model, seed: WRONG) as (url, _):
        declare(project.parent / "models.toml", url)
        assert solve(models=(), policy="policy.toml#none").drawn == {"large": 3}


def test_several_tasks_are_solved_in_one_run_at_the_same_time(project: Path) -> None:
    """Two at once, of the same task: their samples have numbers and seeds of their own."""
    with answering(lambda model, seed: (WRONG, 5, 0.4)) as (url, asked):
        declare(project.parent / "models.toml", url)
        words = command(SLUG, "--tests", SLUG_TESTS, "--budget", "6samples", "--models", "small")
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        both = [subprocess.Popen(words, **pipes) for _ in range(2)]  # type: ignore[call-overload]
        said = [one.communicate(timeout=120)[1] for one in both]
    assert [one.returncode for one in both] == [1, 1], said
    rows = list(read_rows(project / "runs/solve/attempts", AttemptRow))
    assert len({row.key for row in rows}) == len(rows) == 12
    assert len({one["seed"] for one in asked}) == 12
    assert len(list(read_rows(project / "runs/solve/tasks", TaskRow))) == 2


def test_of_several_tasks_of_one_name_the_newest_is_shown(served: Path) -> None:
    first = solve()
    tests = served / SLUG_TESTS
    tests.write_text(tests.read_text() + "\n\ndef test_more():\n    assert slugify('A') == 'a'\n")
    second = solve()
    assert first.task_id != second.task_id
    shown = api.show(second.run, SLUG)
    assert shown.task_id == second.task_id
    assert str(shown).startswith(f"# the newest of 2 tasks of this name: {second.task_id}, not {first.task_id}\n")
    assert not api.show(second.run, first.task_id).note
    assert api.show(second.run, "slugify").task_id == second.task_id  # the function alone
    with pytest.raises(InputError, match="no task 'slug'"):
        api.show(second.run, "slug")
    with pytest.raises(InputError, match=r"no task '.*slugif'\. Did you mean"):
        api.show(second.run, SLUG[:-1])  # not a whole word
    assert api.show(second.run, second.task_id[:-2]).task_id == second.task_id  # of a hash, the beginning will do
