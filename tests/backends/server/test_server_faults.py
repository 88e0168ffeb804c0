"""The server backend against servers that fail: what is tried again, what not; nothing is lost or doubled."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isobudget.backends.base import Chat, Generation, Message
from isobudget.backends.server import ServerBackend
from isobudget.backends.server.faults import UnsendableError
from isobudget.errors import BackendError
from support.asking import CHAT, WARM, Waits, assert_right, draw, settings
from support.bad_server import BadServer, Fault, Habits, text_of, wait_until

pytest.importorskip("openai")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))  # no TLS here, and reading all certificates takes most of a test
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


ONE_TIME_FAULTS: list[Fault] = [
    (429, {"Retry-After": "3"}, "{}"),
    (429, {"retry-after-ms": "1500"}, "{}"),
    (500, {}, "<html>oops</html>"),
    (503, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, "{}"),
    (408, {}, ""),
    "disconnect",
    "disconnect mid-body",
    "truncated",
    "html",
    "no choices",
    "null choices",
    "error in 200",
    "abort",
]


@pytest.mark.parametrize("fault", ONE_TIME_FAULTS, ids=str)
def test_what_may_pass_is_tried_again(fault: Fault) -> None:
    waits = Waits()
    server = BadServer(script=lambda number, body: fault if number < 2 else None)
    with server, ServerBackend(settings(server), waits) as backend:
        assert_right(backend.generate("hello", WARM, [40, 41]), (40, 41))
        notes = backend.describe().notes
    assert len(server.requests) == 3
    assert server.requests[0] == server.requests[2]
    assert any(note.startswith("2 requests were repeated") for note in notes)
    if isinstance(fault, tuple) and "Retry-After" in fault[1] and fault[0] == 429:
        assert all(3.0 <= seconds <= 4.0 for seconds in waits.seconds[:1])
    if isinstance(fault, tuple) and "retry-after-ms" in fault[1]:
        assert all(1.5 <= seconds <= 2.5 for seconds in waits.seconds[:1])


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_hang_is_ended(fault: str) -> None:
    server = BadServer(script=lambda number, body: fault if number == 0 else None)
    with server, ServerBackend(settings(server, timeout_seconds=0.5), Waits()) as backend:
        assert_right(backend.generate("hello", WARM, [40]), (40,))
        assert any("x timeout" in note for note in backend.describe().notes)


@pytest.mark.parametrize("api", ["completions", "chat"])
@pytest.mark.parametrize("where", ["prompt", "stop"])
def test_what_cannot_be_written_is_not_sent_and_not_tried_again(api: str, where: str) -> None:
    """Half a surrogate pair: no fault of the server's."""
    half, waits, server = "a\ud800", Waits(), BadServer()
    prompt = CHAT if api == "chat" else "hello"
    if where == "prompt":
        prompt = Chat((Message("system", half), Message("user", "hello"))) if api == "chat" else half
    sampling = replace(WARM, stop=(half,)) if where == "stop" else WARM
    with server, ServerBackend(settings(server, api=api), waits) as backend:
        with pytest.raises(UnsendableError, match=r"'\\ud800', half a surrogate pair") as raised:
            backend.generate(prompt, sampling, [40])
        assert not raised.value.again
        assert not any("repeated" in note for note in backend.describe().notes)
    assert (server.requests, waits.seconds) == ([], [])


def test_json_under_a_wrong_content_type_is_read() -> None:
    generations, server, _ = draw(script=lambda number, body: "wrong content type")
    assert_right(generations)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ((500, {}, '{"error": {"message": "out of cheese"}}'), "answered 500: out of cheese; gave up after 3 attempts"),
        ((429, {}, "{}"), "answered 429"),
        ("truncated", "not JSON"),
        ("html", "Bad gateway"),
        ("disconnect", "lost"),
        ("no choices", "has no choices"),
        ("null choices", "cannot be read"),
        ("error in 200", "upstream is busy"),
    ],
)
def test_what_does_not_pass_is_one_error(fault: Fault, said: str) -> None:
    with BadServer(script=lambda number, body: fault) as server:
        with ServerBackend(settings(server, attempts=3), Waits()) as backend, pytest.raises(BackendError) as caught:
            backend.generate("hello", WARM, [40])
        assert len(server.requests) == 3
    assert said in str(caught.value)
    assert "gave up after 3 attempts" in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ((404, {}, '{"error": {"message": "model m does not exist"}}'), "model m does not exist. Check url"),
        ((429, {"Retry-After": "86400"}, "{}"), "too long"),
        ((429, {}, '{"error": {"code": "insufficient_quota", "message": "pay"}}'), "no credit left"),
        ((400, {}, '{"error": {"message": "temperature is too high"}}'), "temperature is too high"),
        ((413, {}, "{}"), "answered 413"),
    ],
)
def test_what_repeating_does_not_help_is_not_repeated(fault: Fault, said: str) -> None:
    with BadServer(Habits(refuses=()), script=lambda number, body: fault) as server:
        backend = ServerBackend(settings(server), Waits())
        with backend, pytest.raises(BackendError) as caught:
            backend.generate("hello", WARM, [40])
        assert len({json.dumps(request) for request in server.requests}) == len(server.requests)
    assert said in str(caught.value)


def test_a_server_that_is_not_there_is_told() -> None:
    waits = Waits()
    with BadServer() as server:
        gone = settings(server, attempts=3)
    with pytest.raises(BackendError, match="the connection failed"), ServerBackend(gone, waits):
        pass
    assert len(waits.seconds) == 2


def test_requests_per_minute() -> None:
    waits = Waits()
    server = BadServer(Habits(most_samples=1))
    with server, ServerBackend(settings(server, requests_per_minute=30.0), waits) as backend:
        backend.generate("hello", WARM, [1, 2, 3])
    # 1 request to know the server, 1 to see whether it scores, 3 for samples: one every 2 seconds, and no wait is real
    assert [round(seconds / 2.0) for seconds in waits.seconds] == list(range(1, len(waits.seconds) + 1))
    assert len(waits.seconds) == 4


def test_no_more_requests_at_once_than_the_settings_say() -> None:
    here, most, lock, go = 0, 0, threading.Lock(), threading.Event()

    def script(number: int, body: dict[str, Any]) -> Fault:
        nonlocal here, most
        with lock:
            here += 1
            most = max(most, here)
            if here == 3:
                go.set()
        go.wait(10)
        with lock:
            here -= 1
        return None

    generations, _, _ = draw(Habits(refuses=()), script, tuple(range(0, 40, 2)), concurrency=3)
    assert_right(generations, tuple(range(0, 40, 2)))
    assert most == 3


def test_closing_ends_what_is_in_flight() -> None:
    caught: list[str] = []
    with BadServer(script=lambda number, body: "hang") as server:
        backend = ServerBackend(settings(server))

        def ask() -> None:
            try:
                backend.generate("hello", WARM, [1, 2])
            except BackendError as error:
                caught.append(str(error))

        with backend:
            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            wait_until(lambda: len(server.requests) == 4)
        for thread in threads:
            thread.join(10)
    assert len(caught) == 4
    assert all("closed" in message for message in caught)
    assert not any(thread.name == "isobudget-server" for thread in threading.enumerate())
    with pytest.raises(BackendError, match="context manager"):
        backend.generate("hello", WARM, [1])


def test_ctrl_c_ends_what_is_in_flight() -> None:
    main = threading.main_thread().ident
    assert main is not None
    with BadServer(script=lambda number, body: "hang") as server, ServerBackend(settings(server)) as backend:

        def press() -> None:
            wait_until(lambda: len(server.requests) == 1)
            signal.pthread_kill(main, signal.SIGINT)

        presser = threading.Thread(target=press)
        presser.start()
        with pytest.raises(KeyboardInterrupt):
            backend.generate("hello", WARM, [1])
        presser.join()


def test_a_whole_study_with_a_bad_server_ends_whole() -> None:
    """30 prompts from 8 threads, a fault in every third request: every sample once, or its failure told."""
    faults = [*ONE_TIME_FAULTS, "hang", "drip"]
    chance, lock = random.Random(5), threading.Lock()

    def script(number: int, body: dict[str, Any]) -> Fault:
        if "doomed" in body["prompt"]:
            return (500, {}, '{"error": {"message": "never this one"}}')
        with lock:
            # few hangs: each costs the timeout
            return (
                chance.choice(faults if chance.random() < 0.3 else ONE_TIME_FAULTS) if chance.random() < 1 / 3 else None
            )

    prompts = [f"p{number}" for number in range(28)] + ["doomed1", "doomed2"]
    seeds = {prompt: [1000 * place + index for index in range(6)] for place, prompt in enumerate(prompts)}
    failures: dict[str, str] = {}
    rows: list[tuple[str, Generation]] = []
    began = time.perf_counter()
    with BadServer(Habits(most_samples=2), script) as server:
        allowed = settings(server, concurrency=8, attempts=12, timeout_seconds=1.0)
        with ServerBackend(allowed, Waits()) as backend, ThreadPoolExecutor(8) as pool:
            futures = {prompt: pool.submit(backend.generate, prompt, WARM, seeds[prompt]) for prompt in prompts}
            for prompt, future in futures.items():
                try:
                    rows += [(prompt, one) for one in future.result()]
                except BackendError as error:
                    failures[prompt] = str(error)
            notes = backend.describe().notes
    passed = time.perf_counter() - began
    expected = [(prompt, seed, text_of(prompt, seed)) for prompt in prompts[:28] for seed in seeds[prompt]]
    assert sorted((prompt, one.seed, one.text) for prompt, one in rows) == sorted(expected)
    assert 0 < sum(one.seconds for _, one in rows) < passed, "shares of busy time add up to no more than the time"
    assert sorted(failures) == ["doomed1", "doomed2"]
    assert all("never this one" in message for message in failures.values())
    assert any("requests were repeated" in note for note in notes)
