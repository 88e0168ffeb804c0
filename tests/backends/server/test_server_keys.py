"""Which key goes to which server: OpenAI's to OpenAI, no other unless it is named, none in the clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from isobudget.backends.server import ServerBackend, ServerSettings
from isobudget.backends.server.keys import find_key, foreign_headers, is_local, is_loopback, is_openai
from isobudget.errors import BackendError
from support.asking import WARM, Waits, assert_right, settings
from support.bad_server import BadServer, Habits

pytest.importorskip("openai")

KEY = "sk-very-secret-0123456789"
#: all that the official client reads from the environment
AMBIENT = {
    "OPENAI_API_KEY": KEY,
    "OPENAI_ADMIN_KEY": f"admin-{KEY}",
    "OPENAI_ORG_ID": f"org-{KEY}",
    "OPENAI_PROJECT_ID": f"proj-{KEY}",
    "OPENAI_CUSTOM_HEADERS": f"X-Gateway: gate-{KEY}\nAuthorization: Bearer own-{KEY}\n: {KEY}",
}


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    for name in AMBIENT:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://api.openai.com/v1", True),
        ("https://API.OpenAI.com/v1", True),
        ("http://api.openai.com/v1", False),
        ("https://api.openai.com.example.org/v1", False),
        ("https://openai.com/v1", False),
        ("https://example.org/api.openai.com/v1", False),
        ("https://api.openai.com@example.org/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://localhost:8000/v1", False),
    ],
)
def test_the_usual_key_goes_to_openai_alone(monkeypatch: pytest.MonkeyPatch, url: str, sent: bool) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert find_key(url, None).secret == (KEY if sent else "")
    assert is_openai(url) == sent
    assert bool(foreign_headers(url, {"OPENAI_CUSTOM_HEADERS": "X-A: 1"})) == (not sent)


def test_a_stranger_gets_nothing_of_what_the_client_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    with BadServer() as server, ServerBackend(settings(server), Waits()) as backend:
        assert_right(backend.generate("hello", WARM, [40]), (40,))
    assert server.headers
    assert not [pair for headers in server.headers for pair in headers.items() if KEY in pair[1]]


def test_a_named_key_is_sent_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    with (
        BadServer(Habits(key=KEY)) as server,
        ServerBackend(settings(server, key_env="OPENAI_API_KEY"), Waits()) as backend,
    ):
        assert_right(backend.generate("hello", WARM, [40]), (40,))
    found = [pair for headers in server.headers for pair in headers.items() if KEY in pair[1]]
    assert found == [("authorization", f"Bearer {KEY}")] * len(server.headers)


def test_a_redirect_to_another_server_takes_no_key_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with BadServer() as other:
        away = (307, {"Location": f"{other.url}/completions"}, "")
        with (
            BadServer(Habits(key=KEY), lambda number, body: away) as server,
            ServerBackend(settings(server, key_env="MY_KEY"), Waits()) as backend,
        ):
            assert_right(backend.generate("hello", WARM, [40]), (40,))
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert other.headers
    assert not any("authorization" in headers for headers in other.headers)


@pytest.mark.parametrize(
    "host", ["example.org", "8.8.8.8", "[2001:4860:4860::8888]", "134744072", "0x08080808", "127.0.0.1.example.org"]
)
def test_no_key_goes_out_in_the_clear(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with pytest.raises(BackendError, match=r"MY_KEY would be sent to .* unencrypted.*https") as caught:
        ServerBackend(ServerSettings(url=f"http://{host}/v1", model="m", key_env="MY_KEY")).__enter__()
    assert KEY not in str(caught.value)
    assert find_key(f"https://{host}/v1", "MY_KEY").secret == KEY
    monkeypatch.delenv("MY_KEY")
    assert find_key(f"http://{host}/v1", "MY_KEY").secret == ""


@pytest.mark.parametrize("host", ["gpu-node:8000", "10.1.2.3", "192.168.0.4:80", "[fd00::1]", "vllm.cluster.local"])
def test_on_a_local_network_the_clear_is_told(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    key = find_key(f"http://{host}/v1", "MY_KEY")
    assert key.secret == KEY
    assert "unencrypted" in key.note
    assert KEY not in key.note + repr(key)
    assert find_key(f"https://{host}/v1", "MY_KEY").note == ""


def test_what_is_near() -> None:
    assert [host for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1") if not is_loopback(host)] == []
    assert [host for host in ("localhost.example.org", "10.0.0.1", "gpu") if is_loopback(host)] == []
    assert not is_local("example.local.org")
    assert not is_local("")


def test_a_note_of_the_clear_is_in_the_description(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.0.0.0 is this machine by another name, which is not known for one."""
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "0.0.0.0")
    with BadServer(Habits(key=KEY)) as server:
        url = server.url.replace("127.0.0.1", "0.0.0.0")
        with ServerBackend(settings(server, url=url, key_env="MY_KEY"), Waits()) as backend:
            notes = backend.describe().notes
    assert "the key in MY_KEY is sent to 0.0.0.0 unencrypted (http)" in notes
