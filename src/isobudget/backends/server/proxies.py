"""The route to a server: direct, or through the proxy named in the environment.

This machine and private networks are reached directly, whatever the environment says: a proxy cannot reach them, and
could read a key sent over plain http. Other servers are reached as HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say.
Keys are only sent to them over https, which a proxy cannot read (see `keys`).
"""

from __future__ import annotations

import importlib
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from isobudget.backends.server.bounded import HEADERS, bounded_transport
from isobudget.backends.server.keys import is_local, is_loopback
from isobudget.backends.server.pools import spread
from isobudget.errors import BackendError

#: limits of a pool, see `pools`
_MOST_CONNECTIONS, _KEPT_CONNECTIONS = 1000, 100


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy from the environment: its URL, which may contain a password, and the variable."""

    url: str
    variable: str

    def __repr__(self) -> str:
        return f"Proxy({self.label})"

    @property
    def label(self) -> str:
        """The route through the proxy, for messages, without user and password."""
        scheme, _, rest = self.url.partition("://")
        return f"through the proxy {scheme}://{rest.rpartition('@')[2].rstrip('/')} of {self.variable}"


def find_proxy(url: str) -> Proxy | None:
    """The proxy on the route to a server; None for a direct connection."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or is_local(host) or urllib.request.proxy_bypass(parts.netloc):
        return None
    known = urllib.request.getproxies()
    scheme = next((one for one in (parts.scheme, "all") if known.get(one)), None)
    if scheme is None:
        return None
    named = known[scheme]
    return Proxy(named if "://" in named else f"http://{named}", f"{scheme.upper()}_PROXY")


def open_client(openai: Any, proxy: Proxy | None, calls: int) -> Any:
    """The official client's HTTP client, restricted to this route.

    Args:
        openai: the official client.
        proxy: the proxy; None for a direct connection.
        calls: maximum number of simultaneous calls.

    Raises:
        BackendError: the kind of proxy is not supported, or its URL is not valid.
    """
    base = openai.DefaultAsyncHttpxClient.__mro__[1]  # of httpx, under the name that this client has it by
    http = importlib.import_module(base.__module__.partition(".")[0])
    limits = http.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=_KEPT_CONNECTIONS)
    verify = http.create_ssl_context()
    try:
        way_there = {"verify": verify, "limits": limits, "proxy": proxy.url if proxy else None}
        transport = spread(http, lambda: bounded_transport(http, **way_there), calls)
    except (ImportError, ValueError, http.InvalidURL) as error:
        way = "" if proxy is None else f" {proxy.label}"
        remedy = "Set NO_PROXY for this server, or use another proxy."
        raise BackendError(f"the server cannot be reached{way}: {error}. {remedy}") from None
    return openai.DefaultAsyncHttpxClient(transport=transport, headers=HEADERS)
