"""What tests of the gateway share. Nothing is behind TLS; reading all certificates takes most of a client's making."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.fake_upstream import FakeUpstream, Reply
from support.gateway import GOOD


@pytest.fixture(scope="package", autouse=True)
def _no_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    """A model whose every answer passes."""
    with FakeUpstream(lambda number, body: Reply(GOOD)) as upstream:
        yield upstream
