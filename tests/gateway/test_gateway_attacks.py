"""Attacks on the gateway: refused or harmless, and it goes on serving."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.fake_upstream import FakeUpstream, Reply
from support.gateway import ASK, GOOD, TESTS, Running, serving, until

MB = 1 << 20


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("attacked")
    with serving(
        folder, {"m": upstream}, budgets=("100usd/day",), first_byte_seconds=1.0, body_seconds=0.4, connections=40
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def still_serves(gateway: Running) -> Iterator[None]:
    """Whatever a test did: the next client is served."""
    yield
    assert gateway.client().chat.completions.create(model="m", messages=ASK).choices[0].message.content == GOOD


def connect(gateway: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(gateway.url.split(":")[2].split("/")[0])), timeout=10)


def raw(gateway: Running, data: bytes) -> bytes:
    """What a connection says to these bytes, until it is closed."""
    with connect(gateway) as connection:
        said = b""
        with contextlib.suppress(OSError):
            connection.sendall(data)
            while piece := connection.recv(1 << 16):
                said += piece
        return said


def post(gateway: Running, body: bytes, **headers: str) -> bytes:
    """An answer to a body; `headers` replace those that are usual."""
    fields = {"Host": "x", "Connection": "close", "Authorization": f"Bearer {gateway.key}"}
    fields |= {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return raw(gateway, f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n".encode() + body)


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


HOSTILE_CHECKER = """
import glob, os, socket
found = []
for path in ({ledger!r}, {ledger!r} + "-wal", "/etc/passwd", os.path.expanduser("~/.bashrc"), "/proc/self/environ"):
    try:
        found.append(open(path, "rb").read(100))
    except OSError:
        pass
try:
    socket.create_connection(("127.0.0.1", {port}))
    found.append("connected")
except OSError:
    pass
if found:
    raise SystemExit("found " + repr(found))


def check(given, printed, expected):
    return True
"""


def test_tests_that_look_for_the_ledger_and_the_gateway_find_nothing(gateway: Running, tmp_path: Path) -> None:
    port = int(gateway.url.split(":")[2].split("/")[0])
    checker = HOSTILE_CHECKER.format(ledger=str(gateway.store.path), port=port)
    tests = {"inputs": ["1"], "outputs": ["1"], "checker": checker}
    extra = {"isobudget": {"tests": tests, "samples": 1}}
    try:
        answer = gateway.client().chat.completions.create(model="m", messages=ASK, extra_body=extra)
        said = json.dumps(answer.model_dump())
    except Exception as error:
        said = str(error)
    assert "found" not in said


def test_tests_of_one_key_cannot_change_the_verdicts_of_another(gateway: Running) -> None:
    """A checker that replaces what judges programs says `passed` for its own key, and for nobody else."""
    evil = (
        "import isobudget.judge.trusted.kinds.programs as programs\n"
        "programs.ProgramTests.judge = lambda self, host, text: __import__('isobudget.judge.verdict').judge.verdict."
        "Verdict(__import__('isobudget.judge.verdict').judge.verdict.Outcome.PASSED)\n"
        "def check(given, printed, expected):\n    return True\n"
    )
    tests = {"inputs": ["1"], "outputs": ["1"], "checker": evil}
    from isobudget.gateway.keys import make_key

    other = make_key(gateway.store, "another")
    honest = {"isobudget": {"tests": {"inputs": ["1"], "outputs": ["never"]}, "samples": 1}}
    for _ in range(2):
        gateway.client().chat.completions.create(
            model="m", messages=ASK, extra_body={"isobudget": {"tests": tests, "samples": 1}}
        )
        answer = gateway.client(other).chat.completions.create(model="m", messages=ASK, extra_body=honest)
        assert answer.model_extra is not None
        assert answer.model_extra["isobudget"]["verified"] is False


BODIES: dict[str, tuple[bytes, int]] = {
    "no JSON": (b"{", 400),
    "not UTF-8": (b'{"model": "\xff"}', 400),
    "a list": (b"[]", 400),
    "NaN": (b'{"model": "m", "temperature": NaN}', 400),
    "deep": (b"[" * 100_000, 400),
    "a number too long": (b'{"model": "m", "seed": ' + b"9" * 10_000 + b"}", 400),
    "a bomb of keys": (json.dumps({f"k{n}": n for n in range(10_000)}).encode(), 400),
    "half a surrogate pair": (b'{"model": "\\ud800", "messages": [{"role": "user", "content": "\\ud800"}]}', 400),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_no_requests(gateway: Running, name: str) -> None:
    body, expected = BODIES[name]
    answer = post(gateway, body)
    assert status(answer) == expected
    assert b'"error"' in answer


HALF = "\ud800"
#: fields that no model server could be sent, beside a request that is well formed
UNSENDABLE: dict[str, dict[str, Any]] = {
    "messages": {"messages": [{"role": "user", "content": HALF}]},
    "messages, system": {"messages": [{"role": "system", "content": HALF}, *ASK]},
    "messages, a name in one": {"messages": [{**ASK[0], f"x{HALF}": 1}]},
    "stop": {"stop": [HALF]},
    "user": {"user": f"a{HALF}"},
    "metadata": {"metadata": {HALF: "x"}},
    "tools": {"tools": [{"type": "function", "function": {"name": HALF}}]},
    "isobudget, tests": {"isobudget": {"tests": f"assert double(2) == '{HALF}'"}},
    "isobudget, entry_point": {"isobudget": {"tests": TESTS, "entry_point": HALF}},
    "isobudget, policy": {"isobudget": {"policy": HALF}},
    "logit_bias": {"logit_bias": {"1": float("inf")}},
    "temperature": {"temperature": float("inf")},
    f"x{HALF}": {f"x{HALF}": 1},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", UNSENDABLE)
def test_what_no_server_could_be_sent_is_refused_before_it_costs(
    gateway: Running, upstream: FakeUpstream, name: str, stream: bool
) -> None:
    calls, rows = len(upstream.bodies), gateway.rows(kind="reserve")
    body = json.dumps({"model": "m", "messages": ASK, "stream": stream, **UNSENDABLE[name]})
    answer = post(gateway, body.replace("Infinity", "1e400").encode())
    assert status(answer) == 400
    assert json.loads(answer.split(b"\r\n\r\n")[1])["error"]["param"] == name.split(",")[0]
    assert (len(upstream.bodies), gateway.rows(kind="reserve")) == (calls, rows)


def test_a_prompt_of_a_megabyte_is_refused_by_length_before_it_is_read(gateway: Running) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * MB}]}).encode()
    assert status(post(gateway, body)) == 413
    assert status(post(gateway, b"", **{"Content-Length": "99999999999999999999999"})) in (400, 413)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [b"x" * 65536] * 20) + b"0\r\n\r\n"
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n"
    assert (
        status(raw(gateway, f"{head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks)) == 413
    )


def test_a_long_prompt_that_fits_is_reserved_by_its_bytes(gateway: Running) -> None:
    content = "x" * (900 << 10)
    gateway.client().chat.completions.create(model="m", messages=[{"role": "user", "content": content}])
    assert gateway.rows("tokens", "reserve")[-1][0] > 900 << 10


def test_long_tests_are_refused(gateway: Running, upstream: FakeUpstream) -> None:
    before = len(upstream.bodies)
    tests = "assert double(1) == 2\n" * 20_000
    body = json.dumps({"model": "m", "messages": ASK, "isobudget": {"tests": tests}}).encode()
    assert status(post(gateway, body)) == 400
    assert len(upstream.bodies) == before


def test_requests_that_are_no_http(gateway: Running) -> None:
    assert b" 400 " in raw(gateway, b"\x00\x01\x02\r\n\r\n")
    assert b" 400 " in raw(gateway, b"GET / HTTP/1.1\r\nA b: c\r\n\r\n")
    long = raw(gateway, b"GET / HTTP/1.1\r\nX: " + b"y" * 200_000)
    assert long == b"" or b" 400 " in long


@pytest.mark.parametrize(
    "path", ["/v1/models/..%2f..%2fetc%2fpasswd", "/v1/models/%00", "/../../etc/passwd", "/v1/models/" + "x" * 10_000]
)
def test_paths_lead_nowhere(gateway: Running, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {gateway.key}\r\n\r\n"
    answer = raw(gateway, request.encode())
    assert status(answer) == 404
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "name", ["../../policy", "x'; DROP TABLE entries; --", "a\r\nSet-Cookie: x=1", "\u202e", "m\x00"]
)
def test_names_of_models_lead_nowhere(gateway: Running, name: str) -> None:
    answer = post(gateway, json.dumps({"model": name, "messages": ASK}).encode())
    assert status(answer) == 404
    assert b"set-cookie" not in answer.lower().split(b"\r\n\r\n")[0]
    policy = post(gateway, json.dumps({"model": f"isobudget/{name}", "messages": ASK}).encode())
    assert status(policy) == 404


def test_sql_in_what_is_written_to_the_ledger_is_text(gateway: Running) -> None:
    before = len(gateway.rows())
    extra = {"isobudget": {"tests": TESTS, "entry_point": "'); DELETE FROM entries; --"}}
    gateway.client().chat.completions.create(model="m", messages=ASK, extra_body=extra)
    assert len(gateway.rows()) > before
    with sqlite3.connect(gateway.store.path) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_headers_take_nobody_s_place(gateway: Running) -> None:
    body = json.dumps({"model": "m", "messages": ASK}).encode()
    assert status(post(gateway, body, Authorization="Bearer isb-x")) == 401
    forged = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-User": "root", "Authorization": "Basic cm9vdDpyb290"}
    assert status(post(gateway, body, **forged)) == 401
    twice = f"Bearer isb-x\r\nAuthorization: Bearer {gateway.key}"
    assert status(post(gateway, body, Authorization=twice)) == 401


def test_connections_that_say_nothing_make_room_and_are_closed(gateway: Running) -> None:
    """Far more than there may be: the next client is served at once, and the silent ones are closed in time."""
    silent = [connect(gateway) for _ in range(120)]
    began = time.monotonic()
    assert gateway.client().chat.completions.create(model="m", messages=ASK).choices
    assert time.monotonic() - began < 5
    assert all(one.recv(1) == b"" for one in silent if one.settimeout(10) is None)
    for one in silent:
        one.close()


def test_headers_that_never_end_are_cut_off(gateway: Running) -> None:
    with connect(gateway) as slow:
        slow.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n")
        began = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(1) == b""
        assert time.monotonic() - began < 8


@pytest.mark.parametrize("length", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_bodies_that_stop_are_told_so_and_cut_off(gateway: Running, length: str) -> None:
    """Half of a body, and then silence: 408 once `body_seconds` are over, and the connection is closed."""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n{length}\r\n\r\n"
    began = time.monotonic()
    answer = raw(gateway, head.encode() + (b'4\r\n{"mo\r\n' if "chunked" in length else b'{"mo'))
    assert status(answer) == 408
    assert b"0.4 s without a byte" in answer
    assert 0.4 <= time.monotonic() - began < 8


def test_a_slow_body_that_goes_on_is_read(gateway: Running) -> None:
    """Its whole takes longer than it may be silent."""
    body = json.dumps({"model": "m", "messages": ASK}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n"
    with connect(gateway) as slow:
        slow.sendall(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        began = time.monotonic()
        for at in range(0, len(body), 10):
            slow.sendall(body[at : at + 10])
            with contextlib.suppress(TimeoutError):
                slow.settimeout(0.1)
                slow.recv(1, socket.MSG_PEEK)
        assert time.monotonic() - began > 0.4
        slow.settimeout(10)
        assert status(slow.recv(1 << 16)) == 200


def test_what_is_no_place_in_the_server_is_told_so(gateway: Running, upstream: FakeUpstream) -> None:
    """As many at work as there may be connections: the next one hears 503 at once."""
    hang: Any = lambda number, body: Reply(GOOD, seconds=3600.0)  # noqa: E731
    upstream.script, usual = hang, upstream.script
    body = json.dumps({"model": "m", "messages": ASK}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n"
    before = upstream.in_flight
    held = [connect(gateway) for _ in range(40)]
    try:
        for one in held:
            one.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        until(lambda: upstream.in_flight - before == 40)
        assert b" 503 " in raw(gateway, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    finally:
        for one in held:
            one.close()
        upstream.script = usual
    until(lambda: not gateway.gateway.ledger.open)


def test_secrets_are_in_no_log(gateway: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    text = "a secret in the prompt"
    gateway.client().chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
    post(gateway, b"{ a secret in a broken body")
    said = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("isobudget", "uvicorn"))
    )
    assert "POST /v1/chat/completions" in said
    assert "a secret" not in said
    assert gateway.key not in said
