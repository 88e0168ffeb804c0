"""Rewards from a real shared pool, used by several threads and processes; what a policy could game gets nothing."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from isobudget.errors import InputError, JudgeError
from isobudget.judge.verdict import Limits, Outcome, Verdict
from isobudget.problems.given import given_problem
from isobudget.problems.problem import Problem
from isobudget.rewards import JudgePool, Reward, SharedPool, compute_score, frames, reward
from isobudget.rewards.daemon import Daemon
from isobudget.rewards.place import socket_path
from isobudget.rewards.shared import connect

TESTS = "assert add(2, 3) == 5\nassert add(-1, 1) == 0\nassert add(10, 5) == 15"
RIGHT = "Sure:\n```python\ndef add(a, b):\n    return a + b\n```"
WRONG = "```python\ndef add(a, b):\n    return 5\n```"


@pytest.fixture(autouse=True)
def own_pool(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A pool for one test, ended with it."""
    folder = Path("/tmp") / f"isobudget-test-{os.getpid()}"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setattr("isobudget.rewards.from_verdicts._pools", {})
    yield folder
    for pid in daemons(folder):
        os.kill(pid, signal.SIGKILL)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    if folder.exists():
        folder.rmdir()


def daemons(folder: Path) -> list[int]:
    """The pools that listen below a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if "isobudget.rewards.daemon" in words and any(word.startswith(str(folder)) for word in words):
                found.append(int(entry.name))
    return found


def test_right_and_wrong_programs_as_text_and_as_messages(own_pool: Path) -> None:
    answers = [RIGHT, WRONG, [{"role": "assistant", "content": RIGHT}], "no code at all", ""]
    assert reward(answers, [TESTS] * 5, prompts=["p"] * 5, step=3) == [1.0, 0.0, 1.0, 0.0, 0.0]
    strict = Reward(partial=True, malformed=-1.0, timeout=-0.5, limits=Limits(0.3, 3.0))
    loops = "```python\ndef add(a, b):\n    while True: pass\n```"
    assert strict([WRONG, loops, "```python\ndef add(:\n```"], TESTS) == [pytest.approx(1 / 3), -0.5, -1.0]
    assert compute_score("own", RIGHT, TESTS) == 1.0
    check = "def check(candidate):\n    assert candidate(1, 1) == 2\n"
    assert compute_score("own", RIGHT, json.dumps({"test": check}), {"entry_point": "add"}) == 1.0
    parts = [{"type": "text", "text": RIGHT}, {"type": "image", "text": None}]
    assert reward([[{"content": parts}]], TESTS) == [1.0]
    fields = {"arguments": [[1, 2]], "results": [3], "entry_point": "add"}
    assert reward([RIGHT, WRONG], tests=fields) == [1.0, 0.0]
    assert len(daemons(own_pool)) == 1


def test_what_a_policy_could_game_gets_nothing(own_pool: Path) -> None:
    games = [
        "import sys\nsys.exit(0)",
        "import os\nos._exit(0)",
        "class Yes:\n    __eq__ = lambda s, o: True\ndef add(a, b):\n    return Yes()",
        "def add(a, b):\n    raise StopIteration",
        "import builtins\nbuiltins.AssertionError = Exception\ndef add(a, b):\n    return None",
        "def add(a, b):\n    import inspect\n    return [f.frame.f_globals for f in inspect.stack()]",
        "print('1 passed')\ndef add(a, b):\n    return 0",
        "class Any(int):\n    __eq__ = lambda s, o: True\ndef add(a, b):\n    return Any(0)",
        "def add(a, b):\n    yield 5",
        "import os\nfor at in range(3, 64):\n    try: os.write(at, b'passed' * 99)\n    except OSError: pass\n"
        "def add(a, b):\n    return 0",
        "import os, signal\ntry: os.kill(os.getppid(), signal.SIGKILL)\nexcept OSError: pass\n"
        "def add(a, b):\n    return 0",
        "import builtins\nbuiltins.isinstance = lambda *_: True\nbuiltins.eval = builtins.exec = print\n"
        "def add(a, b):\n    return 0",
        "import gc\ndef add(a, b):\n    return [one for one in gc.get_objects() if 'add(' in str(one)]",
    ]
    assert reward([f"```python\n{one}\n```" for one in games], TESTS) == [0.0] * len(games)


def test_tests_that_cannot_be_read_are_said() -> None:
    with pytest.raises(InputError, match="2 for 1 completions"):
        reward([RIGHT], [TESTS, TESTS])
    with pytest.raises(InputError, match="own: the tests of completion 0: hold no assert"):
        compute_score("own", RIGHT, "add(1, 2)")
    with pytest.raises(InputError, match="list of messages"):
        reward([[]], TESTS)


@pytest.mark.parametrize(
    ("completions", "tests", "message"),
    [
        ("one text", TESTS, "pass a list of answers, such as \\[text\\], not a str"),
        (b"bytes", TESTS, "not a bytes"),
        ({"content": RIGHT}, TESTS, "not a dict"),
        (None, TESTS, "not a NoneType"),
        ([5], TESTS, "must be a string or a list of messages, not 5"),
        ([None], TESTS, "must be a string or a list of messages, not None"),
        ([[]], TESTS, "must be a string or a list of messages"),
        ([b"bytes"], TESTS, "must be a string or a list of messages"),
        ([RIGHT], None, "tests: pass a list with an item for each completion, or one item for all, not a NoneType"),
        ([RIGHT], [None], "must be source or an object with fields, not NoneType"),
        ([RIGHT], 5, "tests: pass a list with an item for each completion"),
        (
            [RIGHT],
            {"arguments": [[{1}, 2]], "results": [3], "entry_point": "add"},
            "has a value that JSON cannot represent",
        ),
        ([RIGHT], {"arguments": [[10**5000, 0]], "results": [0], "entry_point": "add"}, "too many digits"),
    ],
)
def test_what_is_no_list_of_answers(completions: Any, tests: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        reward(completions, tests)


@pytest.mark.parametrize("name", ["failed", "timeout", "malformed"])
def test_a_reward_is_a_finite_number(name: str) -> None:
    for value in (math.nan, math.inf, "0"):
        with pytest.raises(InputError, match=f"'{name}' must be a finite number"):
            Reward(**{name: value})
    assert Reward(failed=-1).failed == -1


def test_a_verdict_that_is_none_is_no_reward() -> None:
    assert math.isnan(Reward().of(Verdict(Outcome.INVALID)))
    assert Reward(failed=-1.0, partial=True).of(Verdict(Outcome.FAILED, tests_passed=None, tests_total=None)) == -1.0


CHILD = """
import sys
from isobudget.rewards import reward
right = "def add(a, b): return a + b"
wrong = "def add(a, b): return a - b"
for _ in range(5):
    assert reward([right, wrong] * 4, "assert add(2, 3) == 5") == [1.0, 0.0] * 4
print("fine")
"""


def test_several_processes_at_once_share_one_pool(own_pool: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    outputs = [child.communicate(timeout=120) for child in children]
    assert [out for out, _ in outputs] == ["fine\n"] * 4, outputs
    assert len(daemons(own_pool)) == 1


def test_a_pool_that_is_killed_is_started_again_and_nothing_is_lost(own_pool: Path) -> None:
    slow = "```python\nimport time\ndef add(a, b):\n    time.sleep(0.05)\n    return a + b\n```"
    results: list[list[float]] = []
    thread = threading.Thread(target=lambda: results.append(reward([slow] * 30, TESTS)))
    assert reward([RIGHT], TESTS) == [1.0]
    (first,) = daemons(own_pool)
    thread.start()
    os.kill(first, signal.SIGKILL)
    thread.join(120)
    assert results == [[1.0] * 30]
    assert daemons(own_pool) != [first]


def test_a_client_that_talks_nonsense_harms_itself_only(own_pool: Path) -> None:
    assert reward([RIGHT], TESTS) == [1.0]
    for nonsense in (b"\xff\xff\xff\xff", b"\0\0\0\x02{]", b"\0\0\0\x02[]", b"\0\0\0\x02{}", b"GET / HTTP/1.1\r\n\r\n"):
        with connect(socket_path()) as connection:
            connection.settimeout(10)
            connection.sendall(nonsense)
            connection.shutdown(1)
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(1000):
                    pass
    assert reward([RIGHT, WRONG], TESTS) == [1.0, 0.0]


def test_jobs_and_verdicts_survive_the_frames() -> None:
    problem = given_problem(TESTS, "add")
    job = frames.read_job(json.loads(frames.pack(frames.job(7, problem, "x = '\ud800'", Limits()))[4:]))
    assert job == (7, problem, "x = '\ud800'", Limits())
    verdict = Verdict(Outcome.FAILED, 0.5, float("nan"), "a", tests_passed=1, tests_total=2, observed=("1", "2"))
    number, read = frames.read_answer(json.loads(json.dumps(frames.answer(3, verdict))))
    assert (number, read._replace(peak_memory_mb=0)) == (3, verdict._replace(peak_memory_mb=0))
    with pytest.raises(JudgeError, match=r"without a request \(KeyError\)"):
        frames.read_job({"id": 1})


def test_the_socket_is_its_users_alone(own_pool: Path) -> None:
    assert reward([RIGHT], TESTS) == [1.0]
    place = socket_path()
    assert (place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    place.parent.chmod(0o777)
    with pytest.raises(JudgeError, match="not a folder that only this user can open"):
        SharedPool().judge([(given_problem(TESTS, "add"), RIGHT)])
    place.parent.chmod(0o700)


def test_a_reward_says_at_once_what_is_wrong_with_its_settings() -> None:
    settings: tuple[dict[str, Any], ...] = ({"partial": "no"}, {"failed": None}, {"extraction": "bogus"})
    for one in settings:
        with pytest.raises(InputError, match=next(iter(one))):
            Reward(**one)
    with pytest.raises(InputError, match="completion 1: must be a string"):
        reward([RIGHT, None], TESTS)  # type: ignore[list-item]


def test_more_kinds_of_limits_than_are_served_at_once(own_pool: Path) -> None:
    for seconds in (2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.0):
        assert Reward(limits=Limits(seconds))([RIGHT, WRONG], TESTS) == [1.0, 0.0]
    assert len(daemons(own_pool)) == 1


#: a child that is forked while a thread holds the lock under which its parent connects
FORKED = """
import os, threading
from isobudget.rewards import reward
from isobudget.rewards.from_verdicts import _pool
tests, right = "assert add(2, 3) == 5", "def add(a, b): return a + b"
assert reward([right], tests) == [1.0]
with _pool(reward.limits)._lock:
    child = os.fork()
    if child == 0:
        os._exit(0 if reward([right, "x"], tests) == [1.0, 0.0] else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_does_not_wait_for_a_lock_of_its_parents_threads(own_pool: Path) -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_runtime_folder_that_cannot_be_used_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = tmp_path / f"isobudget-{os.getuid()}"
    for runtime in ("relative", "", str(tmp_path / "file"), str(tmp_path / "file" / "below"), f"/{'long/' * 30}"):
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        assert socket_path().parent == mine
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    with pytest.raises(JudgeError, match="set XDG_RUNTIME_DIR to a folder that can be written"):
        socket_path()


def test_a_folder_in_the_place_of_the_socket_is_said(own_pool: Path) -> None:
    socket_path().mkdir()
    with pytest.raises(JudgeError, match=r"cannot be (reached|started: )"):
        connect(socket_path())


def test_verl_gets_a_number_where_the_judge_failed(own_pool: Path) -> None:
    assert compute_score("own", RIGHT, TESTS, None, reward_router_address="of a newer verl") == 1.0
    checker = "def check(input, output, expected):\n    raise KeyError(1)"
    tests = {"inputs": ["1\n"], "outputs": ["1\n"], "checker": checker}
    assert math.isnan(reward(["print(input())"], tests)[0])
    assert compute_score("own", "print(input())", tests) == 0.0


class SlowPool:
    """Listens in a pool's place, takes the jobs that it is told to and no more, and leaves the rest in the socket."""

    def __init__(self, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        self.place, self.listener = place, socket.socket(socket.AF_UNIX)
        self.listener.bind(str(place))
        self.listener.listen()
        self.listener.settimeout(60)

    def __enter__(self) -> SlowPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()
        self.connection.close()

    def take(self) -> int:
        """The number of the first job of the first client."""
        self.connection, _ = self.listener.accept()
        message = frames.receive(self.connection)
        assert message is not None
        return int(message["id"])

    def wait_for_more(self) -> None:
        """Until a further job has begun to come."""
        assert self.connection.recv(1, socket.MSG_PEEK)

    def leave(self) -> None:
        """Another pool may come in its place; who is connected stays so."""
        self.listener.close()
        self.place.unlink()


LONG = f"{RIGHT}\n#{'x' * 4_000_000}"


def test_verdicts_come_while_the_pool_takes_no_jobs(own_pool: Path) -> None:
    problem, verdict = given_problem(TESTS), Verdict(Outcome.PASSED)
    pool, came = SharedPool(place=own_pool / "slow.sock"), list[list[Verdict]]()
    jobs = [(problem, "only the slow pool says that it passes"), (problem, LONG)]
    with SlowPool(own_pool / "slow.sock") as slow:
        thread = threading.Thread(target=lambda: came.append(pool.judge(jobs)))
        thread.start()
        number = slow.take()
        slow.wait_for_more()
        slow.connection.sendall(frames.pack(frames.answer(number, verdict)))
        slow.leave()
        slow.connection.shutdown(socket.SHUT_WR)
        thread.join(60)  # a pool of its own judges the second, which is an answer and no program
    assert [one.outcome for one in came[0]] == [Outcome.PASSED, Outcome.SYNTAX_ERROR]


def test_a_batch_that_is_given_up_ends_its_own_connection_alone(own_pool: Path) -> None:
    problem, pool = given_problem(TESTS), SharedPool(place=own_pool / "slow.sock")
    came = list[list[Verdict]]()
    with SlowPool(own_pool / "slow.sock") as slow:
        other = threading.Thread(target=lambda: came.append(pool.judge([(problem, "of another thread")])))
        other.start()
        number = slow.take()

        def time_out(*_: object) -> None:
            raise TimeoutError

        before = signal.signal(signal.SIGALRM, time_out)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            with pytest.raises(TimeoutError):
                pool.judge([(problem, "of this one")])
        finally:
            signal.signal(signal.SIGALRM, before)
        given_up, _ = slow.listener.accept()
        with given_up:
            assert frames.receive(given_up) is not None  # the job
            assert frames.receive(given_up) is None
        slow.connection.sendall(frames.pack(frames.answer(number, Verdict(Outcome.PASSED))))
        other.join(60)
        slow.leave()
    assert [one.outcome for one in came[0]] == [Outcome.PASSED]


@pytest.mark.parametrize("moment", ["while it sends", "while it waits"])
def test_after_an_interrupt_the_next_batch_is_judged(own_pool: Path, moment: str) -> None:
    problem, place = given_problem(TESTS), own_pool / "slow.sock"
    pool = SharedPool(place=place)

    def interrupt(slow: SlowPool) -> None:
        slow.take()
        if moment == "while it sends":
            slow.wait_for_more()
        slow.leave()
        os.kill(os.getpid(), signal.SIGINT)

    with SlowPool(place) as slow:
        thread = threading.Thread(target=interrupt, args=(slow,))
        thread.start()
        jobs = [(problem, "first"), (problem, LONG)] if moment == "while it sends" else [(problem, "first")]
        with pytest.raises(KeyboardInterrupt):
            pool.judge(jobs)
        thread.join()
        # what was half sent would be followed by this, which the pool would take for the rest of it
        assert [one.outcome for one in pool.judge([(problem, "def add(a, b): return a + b")])] == [Outcome.PASSED]


def test_jobs_of_a_client_that_has_gone_are_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Future[Verdict]] = []

    class Pool:
        idle = False

        def __init__(self, limits: Limits) -> None:
            pass

        def submit(self, problem: Problem, program: str) -> Future[Verdict]:
            asked.append(Future())
            return asked[-1]

        def close(self) -> None:
            pass

    monkeypatch.setattr("isobudget.rewards.daemon.JudgePool", Pool)
    place = tmp_path / "pool.sock"
    serving = threading.Thread(target=Daemon(place).serve, args=(0.5,))
    serving.start()
    with connect(place) as client:
        for number in range(3):
            client.sendall(frames.pack(frames.job(number, given_problem(TESTS), RIGHT, Limits())))
        client.sendall(frames.pack({"id": 3}))
        assert "without a request" in str(frames.receive(client))
    serving.join(60)
    assert [one.cancelled() for one in asked] == [True] * 3


def test_what_is_cancelled_in_time_is_not_judged() -> None:
    problem = given_problem(TESTS)
    with JudgePool(1) as pool:
        waiting = [pool.submit(problem, f"def add(a, b): return a + b  # {number}") for number in range(9)]
        cancelled = [one.cancel() for one in waiting[5:]]
        assert all(one.result(60).passed for one in waiting[:5])
        assert pool.submit(problem, "x").result(60).outcome is Outcome.ERROR
        assert cancelled == [True] * 4


def test_an_answer_that_is_too_long_for_a_frame_fails_alone(own_pool: Path) -> None:
    long = f"def add(a, b):\n    '{'é' * (12 << 20)}'\n    return a + b\n"
    whole = Reward(extraction="none")  # the rule for chats takes a part of it
    assert whole(["def add(a, b): return a + b", long], TESTS) == [1.0, 0.0]


def test_an_entry_point_that_is_missing_is_none_and_an_odd_one_is_said(own_pool: Path) -> None:
    asserts, check = TESTS, "def check(candidate):\n    assert candidate(1, 1) == 2\n"
    assert reward([RIGHT, RIGHT], [asserts, check], entry_point=[None, "add"]) == [1.0, 1.0]  # type: ignore[list-item]
    assert compute_score("own", RIGHT, json.dumps({"test": check, "entry_point": "add"}), {"entry_point": None}) == 1.0
    with pytest.raises(InputError, match="entry_point of completion 0: must be a function's name, not 5"):
        reward([RIGHT], [asserts], entry_point=[5])  # type: ignore[list-item]
    with pytest.raises(InputError, match="own: 'extra_info' must be a dictionary"):
        compute_score("own", RIGHT, TESTS, [1])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown extraction rule 5"):
        Reward(extraction=5)  # type: ignore[arg-type]
