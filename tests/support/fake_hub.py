"""A hub over real sockets: what the Hugging Face hub's client asks for, answered as the hub does, and the ways to fail.

Files of at least `LARGE` bytes are answered as the hub answers large ones: with a redirect to another host that knows
ranges, and the sha256 as etag. Without a token, what does not exist is 401, as there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

LARGE = 2000
_RESOLVE = re.compile(r"/(?P<kind>datasets/)?(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
_API = re.compile(
    r"/api/(?P<kind>models|datasets)/(?P<repo>[^/]+/[^/]+)(/(?P<what>revision|tree)/(?P<revision>[^/]+)(/.*)?)?"
)


@dataclass
class Repo:
    """A repository: files by commit, commits by branch."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    gated: bool = False


#: for a request (its method, its path, how often it came before): a status to answer with, "drop" for a connection that
#: ends in the middle, or None for a proper answer
Script = Callable[[str, str, int], int | str | None]


#: what the client library asks for with its first request in a process, whichever that is
ONCE = "/api/agent-harnesses"


class FakeHub:
    """Serves on a free port of the loopback while it is used in a with statement.

    Attributes:
        url: for HF_ENDPOINT.
        script: what goes wrong; see `Script`.
        token: the only access token that it accepts.
        asked: method, path and range of every request so far, but for `ONCE`.
        open: the connections that clients hold.
    """

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.script: Script = lambda *_: None
        self.token = "hf_right"
        self.asked: list[tuple[str, str, str | None]] = []
        self.open: set[socket.socket] = set()
        self._blobs: dict[str, bytes] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self.open):  # a client may keep one for later
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def add(self, repo: str, files: dict[str, bytes], *, kind: str = "models", commit: str = "") -> str:
        """A commit of these files on the main branch; returns it."""
        digest = hashlib.sha1(json.dumps({name: data.hex() for name, data in files.items()}).encode()).hexdigest()
        one = self.repos.setdefault((kind, repo), Repo())
        one.commits[commit or digest] = files
        one.branches["main"] = commit or digest
        self._blobs |= {hashlib.sha256(data).hexdigest(): data for data in files.values()}
        return commit or digest

    def downloads(self) -> list[str]:
        """The files whose bytes were asked for, by the last part of their paths; large ones by their checksum."""
        return [path.rpartition("/")[2] for method, path, _ in self.asked if method == "GET" and "/api/" not in path]

    # what a handler asks ------------------------------------------------------------------------------------------

    def answer(self, path: str, token: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of what lies at a path."""
        path = unquote(urlsplit(path).path)
        if path.startswith("/cdn/"):
            return 200, {"Accept-Ranges": "bytes"}, self._blobs[path.removeprefix("/cdn/")]
        match = _RESOLVE.fullmatch(path) or _API.fullmatch(path)
        if match is None:
            return 404, {}, b""
        kind = "datasets" if (match["kind"] or "").startswith("datasets") else "models"
        repo = self.repos.get((kind, match["repo"]))
        if token is not None and token != self.token:
            return 401, {"X-Error-Message": "Invalid credentials in Authorization header"}, b""
        if repo is None:
            return (404 if token else 401), {"X-Error-Code": "RepoNotFound"}, b""
        if repo.gated and token is None and "/resolve/" in path:
            return 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to it is restricted."}, b""
        revision = match["revision"] or "main"
        commit = repo.branches.get(revision, revision)
        if commit not in repo.commits:
            return 404, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": f"Invalid rev id: {revision}"}, b""
        if path.startswith("/api/"):
            return 200, {"Content-Type": "application/json"}, json.dumps(_listing(match, repo, commit)).encode()
        return self._file(commit, repo.commits[commit].get(match["file"]))

    def _file(self, commit: str, data: bytes | None) -> tuple[int, dict[str, str], bytes]:
        headers = {"X-Repo-Commit": commit}
        if data is None:
            return 404, headers | {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}, b""
        if len(data) < LARGE:
            return 200, headers | {"ETag": f'"{hashlib.sha1(data).hexdigest()}"'}, data
        digest = hashlib.sha256(data).hexdigest()
        headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data)), "Accept-Ranges": "bytes"}
        return 302, headers | {"Location": f"{self.url.replace('127.0.0.1', 'localhost')}/cdn/{digest}"}, b""


def _listing(match: re.Match[str], repo: Repo, commit: str) -> Any:
    """Facts of a repository, or of the files of a commit."""
    files = repo.commits[commit]
    if match["what"] != "tree":
        siblings = [{"rfilename": name} for name in files]
        facts = {"id": match["repo"], "sha": commit, "private": False, "gated": "manual" if repo.gated else False}
        return facts | {"siblings": siblings, "tags": [], "downloads": 0, "likes": 0}
    tree = []
    for name, data in files.items():
        entry: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
        if len(data) >= LARGE:
            entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        tree.append(entry)
    return tree


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:  # noqa: C901
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            hub.open.add(self.connection)

        def finish(self) -> None:
            hub.open.discard(self.connection)
            super().finish()

        def do_HEAD(self) -> None:
            self._reply(body=False)

        def do_GET(self) -> None:
            self._reply(body=True)

        def _reply(self, body: bool) -> None:
            span = self.headers.get("Range")
            if self.path == ONCE:
                self._send(404, {}, b"", body)
                return
            before = sum((method, path) == (self.command, self.path) for method, path, _ in hub.asked)
            hub.asked.append((self.command, self.path, span))
            wrong = hub.script(self.command, self.path, before)
            if isinstance(wrong, int):
                self._send(wrong, {}, b"", body)
                return
            bearer = self.headers.get("Authorization")
            status, headers, data = hub.answer(self.path, bearer.removeprefix("Bearer ") if bearer else None)
            if span and status == 200:
                start = int(span.removeprefix("bytes=").partition("-")[0])
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
                status, data = 206, data[start:]
            self._send(status, headers, data, body, cut=wrong == "drop")

        def _send(self, status: int, headers: dict[str, str], data: bytes, body: bool, cut: bool = False) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(data[: len(data) // 2] if cut else data)
            self.close_connection = cut

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
