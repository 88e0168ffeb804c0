"""Decides which API key goes to which server.

The author of a study chooses its `url`, but the key belongs to the user. So ``OPENAI_API_KEY``, which many people have
in their environment, is only sent to OpenAI, over TLS. Any other server gets the key in the variable that `key_env`
names, or none. Other values that the official client takes from the environment (organisation, project, custom headers)
are only sent to OpenAI, too.

Over plain http a key is unencrypted, so it is only sent to this machine and, with a note, to local networks.

Not covered: whether a server deserves the key in the variable that `key_env` names. The user or the author of the study
decides that.
"""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from isobudget.errors import BackendError

OPENAI_HOST = "api.openai.com"
OPENAI_VARIABLE = "OPENAI_API_KEY"

#: begins with a letter: a number alone, even 0x7f000001, is an address, which may be anywhere
_LOCAL_NAME = re.compile(r"[a-z][a-z0-9_-]*|.+\.(?:local|internal)")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The API key for a server.

    Attributes:
        secret: the key, "" for none; it is not part of the repr.
        variable: the environment variable that holds it; "" if none is used.
        named: whether the settings name that variable.
        note: a warning about how the key is sent; "" for none.
    """

    secret: str
    variable: str
    named: bool
    note: str = ""

    def __repr__(self) -> str:
        return f"Key(variable={self.variable!r})"

    def refused(self, status: int) -> str:
        """The message for an answer with status 401 or 403, with what to do."""
        message = f"the server answered {status}: "
        if self.secret:
            return f"{message}the key in the environment variable {self.variable} is not accepted"
        if self.variable:
            return f"{message}it requires a key; put it into the environment variable {self.variable}"
        alone = "" if self.named else f". {OPENAI_VARIABLE} is sent to {OPENAI_HOST} alone, unless key_env names it"
        return (
            f"{message}it requires a key. Put it into an environment variable, and name the variable in key_env{alone}"
        )


def find_key(url: str, key_env: str | None) -> ApiKey:
    """The key for a server.

    Args:
        url: URL of the server, already checked.
        key_env: the variable that holds its key; "" for none; None for `OPENAI_VARIABLE`, if the server is OpenAI's.

    Raises:
        BackendError: the variable's value cannot be a key, or the key would be sent unencrypted to the internet.
    """
    named = key_env is not None
    variable = key_env or "" if named else OPENAI_VARIABLE if is_openai(url) else ""
    secret = os.environ.get(variable, "").strip() if variable else ""
    if not (secret.isascii() and secret.isprintable()):
        raise BackendError(
            f"the environment variable {variable} does not hold a key: its value has characters that cannot be in a key"
        )
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if not secret or parts.scheme == "https" or is_loopback(host):
        return ApiKey(secret, variable, named)
    if not is_local(host):
        raise BackendError(
            f"the key in {variable} would be sent to {host} unencrypted (http). Use https:// or a tunnel to this "
            "machine (http://127.0.0.1:PORT/v1), or leave key_env out if the server needs no key."
        )
    return ApiKey(secret, variable, named, f"the key in {variable} is sent to {host} unencrypted (http)")


def is_openai(url: str) -> bool:
    """Whether this is OpenAI's own server, over TLS."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == "https" and parts.hostname == OPENAI_HOST


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def is_local(host: str) -> bool:
    """Whether a host is this machine or on a local network: a private address, a name without a domain, .local."""
    address = _address(host)
    return _LOCAL_NAME.fullmatch(host) is not None if address is None else address.is_private


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def foreign_headers(url: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the headers that the official client takes from the environment but that are not for this server."""
    if is_openai(url):
        return ()
    lines = environment.get("OPENAI_CUSTOM_HEADERS", "").split("\n")
    return ("OpenAI-Organization", "OpenAI-Project", *(line.partition(":")[0].strip() for line in lines if ":" in line))
