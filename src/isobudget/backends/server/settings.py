"""Settings of a model behind an OpenAI-compatible server."""

from __future__ import annotations

import socket
import urllib.parse
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from isobudget.backends.base import Chat, Prompt
from isobudget.backends.server.keys import is_loopback
from isobudget.backends.settings import BackendSettings, Needs, Pacing, Positive

Api = Literal["completions", "chat"]

#: how long a server on this machine may take to accept a connection
_CONNECT_SECONDS = 1.0


def _plain(url: str) -> str:
    """The URL, if it is valid and contains only an address."""
    try:
        parts = urllib.parse.urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        fits &= url.isprintable() and " " not in url
    except ValueError:
        fits = False
    if not fits:
        raise ValueError("must be like http://127.0.0.1:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise PydanticCustomError(  # not a ValueError: those are shown with what was given
            "secret",
            "holds more than an address. The URL is written into the run folder, so it must not contain a key: put the "
            "key into an environment variable, and name the variable in key_env",
        )
    return url


class ServerSettings(BackendSettings):
    """A model behind a server.

    Attributes:
        model: the model's name at the server.
        url: base URL, usually ending in ``/v1``, which is added if the URL names no path.
        api: ``completions`` continues text; ``chat`` answers conversations by the model's own template.
        key_env: the environment variable that holds the key; if it is unset or empty, no key is sent. By default
            OPENAI_API_KEY for https://api.openai.com, and none for any other server. Keys themselves do not belong in a
            study.
        concurrency: maximum number of simultaneous requests.
        timeout_seconds: limit for one request, from connecting to the end of its answer.
        attempts: maximum number of tries of one request.
        requests_per_minute: maximum rate; None for no limit.
    """

    needs: ClassVar[Needs] = Needs(("openai",), "openai", "reaching a model through a server")
    opens: ClassVar[str] = "isobudget.backends.server.backend:ServerBackend"
    pace: ClassVar[Pacing] = Pacing(16, by_calls=True, ahead=1.0, on_cores=False)
    recorded: ClassVar[tuple[str, ...]] = ("url", "api")
    paid_by_token: ClassVar[bool] = True
    runs_elsewhere: ClassVar[bool] = True

    backend: Literal["server"] = "server"
    url: Annotated[str, Field(examples=["http://localhost:8000/v1"]), AfterValidator(_plain)]
    api: Api = "completions"
    key_env: Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")] | None = None
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] = 600.0
    attempts: Positive = 6
    concurrency: Positive = 16

    @property
    def base_url(self) -> str:
        """The base URL, to which paths are appended."""
        url = self.url.rstrip("/")
        return url if urllib.parse.urlsplit(url).path else f"{url}/v1"

    @property
    def devices(self) -> None:
        """None: a server does not state its hardware."""
        return

    def refuses(self, prompt: Prompt) -> str:
        """Why this API cannot take the prompt: conversations need `chat`, texts need `completions`."""
        if isinstance(prompt, Chat) and self.api != "chat":
            return (
                'a conversation, but api = "completions" continues text. Set api = "chat", or a prompt format that '
                'gives text, such as "completion"'
            )
        if not isinstance(prompt, Chat) and self.api == "chat":
            return (
                'text to continue, but api = "chat" answers conversations. Set a prompt format that makes them, such '
                'as "chat", or api = "completions"'
            )
        return ""

    def not_running(self) -> str:
        """Why a server on this machine does not run, or an empty string. Other machines are not contacted."""
        parts = urllib.parse.urlsplit(self.url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        if not is_loopback(host):
            return ""
        try:
            socket.create_connection((host, port), _CONNECT_SECONDS).close()
        except OSError as error:
            return f"nothing listens at {host}:{port} ({error.strerror or error}); start the server"
        return ""

    def facts(self) -> dict[str, Any]:
        """The recorded facts, including the API even if it is the default."""
        return super().facts() | {"url": self.url, "api": self.api}
