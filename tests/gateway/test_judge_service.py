"""The judge's service by its client: the same verdicts, foreign tests confined, clear errors, and on after its end."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from isobudget import api
from isobudget.errors import InputError, JudgeError
from isobudget.gateway.keys import make_key
from isobudget.gateway.serving import open_judge_service
from isobudget.gateway.settings import ServeSettings
from isobudget.gateway.store import SqliteStore
from isobudget.judge import Judge, Limits
from isobudget.judge.verdict import RULES, Verdict
from isobudget.problems.given import given_problem
from isobudget.problems.problem import Problem
from isobudget.records.rows import row_of
from isobudget.records.run import load_run
from isobudget.remote import RemoteJudge
from support.command import isobudget
from support.gateway import listening
from support.stage_study import Backends, answer, write_study

GOOD, BAD = "def double(x):\n    return 2 * x\n", "def double(x):\n    return 3 * x\n"
DOUBLE = given_problem("assert double(2) == 4\n")


@dataclass
class Service:
    url: str
    key: str


@contextlib.contextmanager
def judging(folder: Path, *, key: bool = True, **settings: Any) -> Iterator[Service]:
    made = ServeSettings(port=0, ledger=str(folder / "ledger.sqlite"), workers=1, **settings)
    secret = ""
    if key:
        with contextlib.closing(SqliteStore(folder / "ledger.sqlite")) as store:
            secret = make_key(store, "a")
    with open_judge_service(made) as service, listening(service.app(), made) as url:
        yield Service(url, secret)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with judging(tmp_path_factory.mktemp("judge"), heartbeat_seconds=0.05) as running:
        yield running


def pairs() -> list[tuple[Problem, str]]:
    programs = given_problem({"inputs": ["2\n"], "outputs": ["4\n"]})
    return [
        (DOUBLE, GOOD),
        (DOUBLE, BAD),
        (DOUBLE, "def double(x:\n"),
        (DOUBLE, "\ud800"),
        (programs, "print(2 * int(input()))\n"),
        (programs, "print(7)\n"),
    ] * 40


def test_verdicts_are_those_of_a_judge_here_in_order(service: Service) -> None:
    asked = pairs()
    with RemoteJudge(service.url, key=service.key) as remote:
        there = list(remote.run(asked))
        assert list(remote.run([])) == []
    with Judge(1) as judge:
        here = [next(judge.run([pair])) for pair in asked[:6]] * 40
    assert [(one.outcome, one.tests_passed, one.first_failing) for one in there] == [
        (one.outcome, one.tests_passed, one.first_failing) for one in here
    ]


def test_a_file_is_judged_by_the_service(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOBUDGET_JUDGE_KEY", service.key)
    problem = {
        "task_id": "a",
        "prompt": "def double(x):\n",
        "entry_point": "double",
        "test_list": ["assert double(2) == 4"],
    }
    (tmp_path / "problems.jsonl").write_text(json.dumps(problem) + "\n")
    lines = [{"task_id": "a", "solution": GOOD}, {"task_id": "a", "solution": BAD}]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    summary = api.judge(
        tmp_path / "samples.jsonl", str(tmp_path / "problems.jsonl"), tmp_path / "v.jsonl", judge=service.url
    )
    assert summary.outcomes == {"passed": 1, "failed": 1}


def test_hostile_tests_reach_nothing_and_another_key_s_are_judged_after_them(service: Service, tmp_path: Path) -> None:
    place = tmp_path / "written"
    checker = f"open({str(place)!r}, 'w').write('x')\ndef check(a, b, c):\n    return True\n"
    hostile = given_problem({"inputs": ["1"], "outputs": ["1"], "checker": checker})
    with RemoteJudge(service.url, key=service.key) as remote:
        assert [one.outcome.value for one in remote.run([(hostile, "print(1)\n"), (DOUBLE, GOOD)])] == [
            "invalid",
            "passed",
        ]
    assert not place.exists()


def test_what_does_not_fit_is_said(service: Service, tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match=r"no valid key.*ISOBUDGET_JUDGE_KEY"), RemoteJudge(service.url, key="isb-x"):
        pass
    with pytest.raises(JudgeError, match="judges with"), RemoteJudge(service.url, Limits(9.0), key=service.key):
        pass
    cannot_be = ("http://[::1", "http://judge.local:99999", "http://a@judge.local", "http://judge.local/\x1b[31m")
    for url in ("judge.local", "ftp://judge.local", *cannot_be):
        with pytest.raises(JudgeError, match="is not a URL"):
            RemoteJudge(url)
    with pytest.raises(JudgeError, match="cannot be reached"), RemoteJudge("http://127.0.0.1:9", patience_seconds=0):
        pass
    with pytest.raises(JudgeError, match="inside a `with` block"):
        next(RemoteJudge(service.url).run([]))


def test_a_program_that_is_too_long_is_said_at_once(service: Service) -> None:
    with (
        RemoteJudge(service.url, key=service.key) as remote,
        pytest.raises(JudgeError, match="accepts 1024 kB per request, but a batch of programs with their tests has 20"),
    ):
        list(remote.run([(DOUBLE, GOOD), (DOUBLE, "#" * (2 << 20))]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--serve", "samples.jsonl"], "cannot be combined with SAMPLES"),
        (["--serve", "--problems", "humaneval"], "--problems"),
        (["--serve", "--judge", "http://127.0.0.1:1"], "--judge"),
        (["--serve", "--json"], "--json"),
        (["samples.jsonl", "--port", "8401"], "--port"),
        (["samples.jsonl", "--ledger", "x"], "--ledger"),
    ],
)
def test_options_that_would_not_be_heeded_are_refused(options: list[str], said: str) -> None:
    done = isobudget("judge", *options)
    assert done.returncode == 2
    assert said in done.stderr


@contextlib.contextmanager
def answering(described: bytes, verdicts: bytes = b"") -> Iterator[str]:
    """The URL of another server, which answers with these bytes to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(described)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(verdicts)

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)


@pytest.mark.parametrize(
    "described", [b"<html>", b"", b"[]", b'{"data": []}', b"[" * 100_000, b'{"limits": 1, "rules": 1, "workers": 1}']
)
def test_another_server_is_told_apart(described: bytes) -> None:
    with (
        answering(described) as url,
        pytest.raises(JudgeError, match="is not a judge's service"),
        RemoteJudge(url, patience_seconds=0),
    ):
        pass


def test_a_service_that_answers_nothing_is_not_asked_for_ever() -> None:
    described = json.dumps({"limits": list(Limits()), "rules": RULES, "workers": 1, "body_kb": 64}).encode()
    with (
        answering(described, b"\n\n") as url,
        RemoteJudge(url, patience_seconds=0) as judge,
        pytest.raises(JudgeError, match="no verdict on 2 programs for 0 s"),
    ):
        list(judge.run([(DOUBLE, GOOD), (DOUBLE, BAD)]))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"problems": [], "jobs": [[0, "x"]]},
        {"problems": [{"tests": "x"}], "jobs": []},
        {"problems": [], "jobs": [["x"]]},
        {"problems": [[]], "jobs": []},
        {"problems": [], "jobs": [[-1, ""]] * 2},
        {"problems": [], "jobs": [[0, ""]] * 2000},
    ],
)
def test_batches_that_are_none_are_refused(service: Service, body: Any) -> None:
    assert posted(service, body)[0] == 400


def posted(service: Service, body: Any) -> tuple[int, str]:
    connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=30)
    headers = {"Authorization": f"Bearer {service.key}"}
    with contextlib.closing(connection):
        connection.request("POST", "/v1/judge", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_what_is_not_known_of_a_verdict_is_null_in_its_line(service: Service) -> None:
    """Tests that cannot be used have no seconds and no memory, and JSON has no NaN."""

    def no_json(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    row = asdict(row_of(DOUBLE))
    row["tests"] = row["tests"].replace("== 4", "== 4, '\\ud800'")
    status, text = posted(service, {"problems": [row], "jobs": [[0, GOOD]]})
    fields = json.loads(text, parse_constant=no_json)["verdict"]
    assert (status, *fields[:3]) == (200, "invalid", None, None)
    verdict = Verdict.of_foreign(fields)
    assert math.isnan(verdict.seconds)
    assert math.isnan(verdict.peak_memory_mb)


SERVE = """
import sys
from isobudget import api
api.serve_judge(port=int(sys.argv[1]), ledger=sys.argv[2], workers=1, on_ready=lambda url: print(url, flush=True))
"""


def test_clients_go_on_after_the_service_was_killed_and_started_again(tmp_path: Path) -> None:
    def start(port: int) -> tuple[subprocess.Popen[str], int]:
        command = [sys.executable, "-c", SERVE, str(port), str(tmp_path / "ledger.sqlite")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        return process, int(process.stdout.readline().split(":")[2].split("/")[0])

    def end(process: subprocess.Popen[str]) -> None:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    process, port = start(0)
    verdicts: list[str] = []
    try:
        with RemoteJudge(f"http://127.0.0.1:{port}") as judge:
            for verdict in judge.run([(DOUBLE, GOOD)] * 300):
                verdicts.append(verdict.outcome.value)
                if len(verdicts) == 64:
                    end(process)
                    process, _ = start(port)
        assert verdicts == ["passed"] * 300
    finally:
        end(process)


def test_the_client_needs_nothing_of_posix() -> None:
    code = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "resource", "pwd", "grp"):
            raise ImportError(name)
for name in ("fcntl", "resource", "pwd", "grp"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Blocked())
from isobudget.remote import RemoteJudge
from isobudget.problems.given import given_problem
from isobudget.remote.client import _body
print(len(_body([(given_problem("assert f(1) == 1"), "def f(x): return x")])) > 100, RemoteJudge("http://x").workers)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "1"]


def outcomes_of(run: Path) -> dict[tuple[object, ...], tuple[str, int | None]]:
    return {one.key[1:]: (one.outcome, one.tests_passed) for one in load_run(run).verdicts()}


def test_a_study_is_made_with_the_service_and_goes_on_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdicts are those of a run judged here. Gone in the middle, what is left is judged the next time."""
    monkeypatch.setattr("isobudget.remote.client.PATIENCE_SECONDS", 0.2)
    study = tmp_path / "study.toml"
    study.write_text(write_study(tmp_path))
    api.run(str(study), tmp_path / "here", make_backend=Backends())
    stack, drawn = contextlib.ExitStack(), 0

    def answers(prompt: str, seed: int) -> str:
        nonlocal drawn
        drawn += 1
        if drawn == 20:
            stack.close()
        return answer(prompt, seed)

    with stack:
        service = stack.enter_context(judging(tmp_path, key=False))
        with pytest.raises(JudgeError, match=r"cannot be reached.*Start it again. Finished work is saved"):
            api.run(str(study), tmp_path / "there", judge=service.url, make_backend=Backends(answers))
    assert len(outcomes_of(tmp_path / "there")) < len(outcomes_of(tmp_path / "here"))
    with judging(tmp_path, key=False) as service:
        api.run(str(study), tmp_path / "there", judge=service.url, make_backend=Backends(answers))
    assert drawn == len(outcomes_of(tmp_path / "here"))
    assert outcomes_of(tmp_path / "there") == outcomes_of(tmp_path / "here")


def test_what_the_service_decides_is_not_stated_beside_it(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(write_study(tmp_path))
    with pytest.raises(InputError, match="--unsafe: the judge service decides"):
        api.run(str(study), tmp_path / "run", judge="http://127.0.0.1:9", unsafe=True)
    with pytest.raises(InputError, match="both say where to judge"):
        api.run(str(study), tmp_path / "run", judge="http://127.0.0.1:9", cluster="local")
    with pytest.raises(InputError, match="--workers: the judge service decides"):
        api.judge(tmp_path, judge="http://127.0.0.1:9", workers=2)
    assert not (tmp_path / "run").exists()
