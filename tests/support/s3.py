"""A real S3 server on this machine: moto's, in a process of its own, on loopback."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

BUCKET = "s3://bucket"


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """The environment in which clients find the server; it has one empty bucket."""
    pytest.importorskip("moto")
    pytest.importorskip("obstore")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        assert server.stderr is not None
        found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in server.stderr)))
        threading.Thread(target=server.stderr.read, daemon=True).start()
        urllib.request.urlopen(urllib.request.Request(f"{found[0]}/bucket", method="PUT")).close()
        yield {
            "AWS_ENDPOINT_URL": found[0],
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }
    finally:
        server.terminate()
        server.communicate()
