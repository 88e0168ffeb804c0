"""Serves the page of a running run, for `isobudget view`, to browsers on this machine only.

The page is that of the report, but without Matplotlib's figures, policies and rankers. It is rebuilt whenever there are
new verdicts. The server listens on this machine only. It compares the `Host` header with its address, which refuses any
other name that resolves to this machine. It also refuses requests made by pages of other sites. The run is not changed.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from isobudget.errors import InputError, IsobudgetError, RunError
from isobudget.grid import printable
from isobudget.records.run import Run, load_run
from isobudget.report.contents import Asked, PageContent, collect_content, page_text
from isobudget.report.known import known_of
from isobudget.report.progress import RunProgress
from isobudget.report.sources import opened

#: default port of the server
PORT = 8765
_HOST = "127.0.0.1"
_TYPES = {"html": "text/html; charset=utf-8", "json": "application/json", "js": "text/javascript"}


@dataclass(slots=True)
class Live:
    """The page of a live run, kept up to date.

    Attributes:
        path: the run folder.
        asked: options of the page.
        progress: progress of the run.
    """

    path: Path
    asked: Asked
    progress: RunProgress
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _version: str = ""
    _page: bytes = b""
    _files: Mapping[str, bytes] = field(default_factory=dict)

    def state(self) -> bytes:
        """The progress of the run, as JSON."""
        with self._lock:
            return json.dumps(self.progress.state(), allow_nan=False).encode()

    def page(self) -> bytes:
        """The page of the current verdicts, rebuilt only if there are new verdicts."""
        with self._lock:
            version = self.progress.version()
            if version != self._version or not self._page:
                collected = _collected(self.path, self.asked)
                self._files = {name: data for files in collected.outputs.values() for name, _, data in files}
                self._page, self._version = page_text(collected, {}, live=version).encode(), version
            return self._page

    def file(self, name: str) -> bytes | None:
        """A file of outputs that the page refers to; None for any other name."""
        with self._lock:
            return self._files.get(name)


def _collected(path: Path, asked: Asked) -> PageContent:
    """The content so far; without a comparison if no sample is judged or a price is missing."""
    run = Run.open(path)
    try:
        with opened(run) as sources:
            return collect_content(sources, asked, whole=False)
    except (RunError, InputError) as error:
        return PageContent(run.facts, path, (), known=known_of(run, error))


def make_server(path: str | Path, port: int = PORT, asked: Asked | None = None) -> ThreadingHTTPServer:
    """Create the server of a run's page. Call its `serve_forever` to serve; `server_address` is its address.

    Args:
        path: the run folder.
        port: port to listen on; 0 for any free port.
        asked: options of the page.

    Raises:
        RunError: the run does not exist.
        InputError: the port is in use or not valid.
    """
    folder = load_run(path).path
    live = Live(folder, asked or Asked(), RunProgress(folder))

    class Handler(_Handler):
        pass

    Handler.live = live
    try:
        server = ThreadingHTTPServer((_HOST, port), Handler)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"port {port}: {why}; choose another with --port, or --port 0 for any free port") from error
    Handler.port = server.server_port
    return server


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for the page, its progress and its files of outputs."""

    live: Live
    port: int
    server_version, sys_version = "isobudget", ""
    timeout = 30

    def handle(self) -> None:
        """Answer a connection's requests; a browser that disconnects early is not an error."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Answer a GET or HEAD request."""
        status, kind, content = self._answer()
        self.send_response(status)
        headers = {
            "Content-Type": _TYPES[kind],
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Frame-Options": "DENY",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815 - as above

    def _answer(self) -> tuple[HTTPStatus, str, bytes]:
        if not self._from_here():
            return HTTPStatus.FORBIDDEN, "html", b"This server answers only browsers on this machine."
        name = self.path.split("?", 1)[0].removeprefix("/")
        try:
            if name in ("", "index.html"):
                return HTTPStatus.OK, "html", self.live.page()
            if name == "live.json":
                return HTTPStatus.OK, "json", self.live.state()
        except IsobudgetError as error:
            return HTTPStatus.INTERNAL_SERVER_ERROR, "json", json.dumps({"error": printable(str(error))}).encode()
        content = self.live.file(name)
        if content is None:
            return HTTPStatus.NOT_FOUND, "html", b"Not found."
        return HTTPStatus.OK, "js", content

    def _from_here(self) -> bool:
        """Whether the request names this address and was not made by a page of another site."""
        hosts = {f"{name}:{self.port}" for name in (_HOST, "localhost")}
        site = self.headers.get("Sec-Fetch-Site", "none")
        return self.headers.get_all("Host", []) in [[host] for host in hosts] and site in ("none", "same-origin")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server uses
        """Suppress the log of requests."""
