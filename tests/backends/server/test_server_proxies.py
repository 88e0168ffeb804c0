"""The way to a server: straight to this machine and private networks, else as the environment says; errors name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from isobudget.backends.server import ServerBackend, ServerSettings
from isobudget.backends.server.proxies import find_proxy
from isobudget.errors import BackendError
from support.asking import WARM, Waits, assert_right, settings
from support.bad_server import BadServer, Habits

pytest.importorskip("openai")

KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def through(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, url)


def test_nothing_for_this_machine_reaches_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with BadServer() as proxy, BadServer(Habits(key=KEY)) as server:
        through(monkeypatch, proxy.url.removesuffix("/v1"))
        with ServerBackend(settings(server, key_env="MY_KEY"), Waits()) as backend:
            assert_right(backend.generate("hello", WARM, [40]), (40,))
        assert proxy.headers == []


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://x", "http://[", "127.0.0.1:1"])
def test_a_proxy_of_any_kind_is_no_matter_where_none_is_used(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    through(monkeypatch, proxy)
    with BadServer() as server, ServerBackend(settings(server), Waits()) as backend:
        assert_right(backend.generate("hello", WARM, [40]), (40,))


@pytest.mark.parametrize(
    ("url", "is_straight"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://10.0.0.3/v1", True),
        ("https://192.168.1.4/v1", True),
        ("http://[fd00::1]/v1", True),
        ("http://gpu-node:8000/v1", True),
        ("http://vllm.cluster.local/v1", True),
        ("http://excepted.example.org/v1", True),
        ("https://api.openai.com/v1", False),
        ("http://example.org/v1", False),
        ("http://8.8.8.8/v1", False),
    ],
)
def test_which_way(monkeypatch: pytest.MonkeyPatch, url: str, is_straight: bool) -> None:
    through(monkeypatch, "http://user:word@proxy.example.org:3128")
    monkeypatch.setenv("NO_PROXY", "excepted.example.org")
    proxy = find_proxy(url)
    assert (proxy is None) == is_straight
    if proxy is not None:
        scheme = url.partition(":")[0].upper()
        assert proxy.label == f"through the proxy http://proxy.example.org:3128 of {scheme}_PROXY"
        assert "word" not in repr(proxy)


def test_without_a_proxy_the_way_is_straight() -> None:
    assert find_proxy("https://api.openai.com/v1") is None


def test_all_proxy_and_a_proxy_without_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy.example.org:3128")
    proxy = find_proxy("https://api.openai.com/v1")
    assert proxy is not None
    assert proxy.url == "http://proxy.example.org:3128"
    assert proxy.label.endswith("of ALL_PROXY")


@pytest.mark.parametrize("status", [502, 407])
def test_a_proxy_that_answers_an_error_is_named(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """The bad server as a proxy: it answers whatever is asked of it, for a host that is reached through it alone."""
    with BadServer(script=lambda number, body: (status, {}, "no way")) as proxy:
        address = proxy.url.removesuffix("/v1")
        through(monkeypatch, address)
        far = ServerSettings(url="http://models.example.org/v1", model="m", attempts=2)
        with (
            ServerBackend(far, Waits()) as backend,
            pytest.raises(BackendError, match=rf"answered {status}.*through the proxy {address} of HTTP_PROXY"),
        ):
            backend.generate("hello", WARM, [1])


@pytest.mark.parametrize("url", ["http://models.example.org/v1", "https://models.example.org/v1"])
def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with BadServer() as gone:
        address = gone.url.removesuffix("/v1")
    through(monkeypatch, address.replace("//", "//user:word@"))
    far = ServerSettings(url=url, model="m", attempts=2)
    with pytest.raises(BackendError, match=f"through the proxy {address} of") as caught, ServerBackend(far, Waits()):
        pass
    assert "word" not in str(caught.value)


def test_a_proxy_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    through(monkeypatch, "nonsense://proxy.example.org")
    far = ServerSettings(url="https://models.example.org/v1", model="m")
    with pytest.raises(BackendError, match="NO_PROXY") as caught, ServerBackend(far, Waits()):
        pass
    assert "nonsense://proxy.example.org" in str(caught.value)
