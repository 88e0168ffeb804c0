"""Messages between the tests and a sample: framed JSON.

A frame is four bytes of length, big-endian, and that many bytes of ASCII JSON. `packing` says how values are encoded.
"""

from __future__ import annotations

import json
import os
from typing import Any

#: longest message; sender and receiver refuse a longer one
FRAME_BYTES = 16 << 20
#: longest program, or longest tests, that are sent, as encoded for the wire
TEXT_BYTES = FRAME_BYTES // 2
#: bytes that are read at once: most frames are smaller, and every process has to allocate a larger buffer anew
READ_BYTES = 4000


class WireError(Exception):
    """A frame is malformed, too long, or holds a value that must not cross."""


class ClosedError(WireError):
    """The other side has closed the wire."""


_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_encode = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, None, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True
)


def encode(message: Any) -> str:
    """Encode a message made of JSON's own types as ASCII text."""
    return "".join(_encode(message, 0))


def is_too_long(*texts: str) -> bool:
    """Whether the texts together, as encoded for the wire, exceed `TEXT_BYTES`."""
    return 6 * sum(map(len, texts)) > TEXT_BYTES and sum(len(encode(text)) for text in texts) > TEXT_BYTES


def decode(text: str) -> Any:
    """Decode the text of a message.

    Raises:
        WireError: the text is not JSON.
    """
    try:
        message, end = _scan(text, 0)
    except (ValueError, RecursionError, StopIteration) as error:
        raise WireError("a message that is not JSON") from error
    if end != len(text):
        raise WireError("trailing data after a message")
    return message


def send(descriptor: int, message: Any) -> int:
    """Send a message made of JSON's own types, and return the message's size in bytes.

    Raises:
        ClosedError: the other side has closed the wire.
        WireError: the message is too long.
    """
    data = encode(message).encode("ascii")
    if len(data) > FRAME_BYTES:
        raise WireError(f"a message of {len(data):,} bytes, more than {FRAME_BYTES >> 20} MiB")
    data = len(data).to_bytes(4, "big") + data
    try:
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, memoryview(data)[written:])
    except OSError as error:
        raise ClosedError("the other side is gone") from error
    return len(data)


def receive(descriptor: int) -> Any:
    """Receive one message; see `receive_counted`."""
    return receive_counted(descriptor)[0]


def receive_counted(descriptor: int) -> tuple[Any, int]:
    """Receive one message, and return it with its size in bytes.

    Raises:
        ClosedError: the other side has closed the wire.
        WireError: the data is not a frame of at most `FRAME_BYTES` with JSON inside.
    """
    try:
        data = os.read(descriptor, READ_BYTES)
    except OSError as error:
        raise ClosedError("the other side is gone") from error
    size = int.from_bytes(data[:4], "big")
    if len(data) != 4 + size or len(data) < 4:
        data = _rest(descriptor, data)
    try:
        return decode(str(memoryview(data)[4:], "ascii")), len(data)
    except UnicodeDecodeError as error:
        raise WireError("a message that is not ASCII") from error


def _rest(descriptor: int, data: bytes) -> bytes:
    """Read to the end of a frame. The sides take turns, so no data may follow a frame."""
    while len(data) < 4:
        data += _more(descriptor)
    wanted = 4 + int.from_bytes(data[:4], "big")
    if wanted - 4 > FRAME_BYTES:
        raise WireError(f"a message of {wanted - 4:,} bytes, more than {FRAME_BYTES >> 20} MiB")
    parts, have = [data], len(data)
    while have < wanted:
        parts.append(_more(descriptor))
        have += len(parts[-1])
    if have > wanted:
        raise WireError("trailing data after a message")
    return b"".join(parts)


def _more(descriptor: int) -> bytes:
    try:
        data = os.read(descriptor, 1 << 20)
    except OSError as error:
        raise ClosedError("the other side is gone") from error
    if not data:
        raise ClosedError("the other side is gone")
    return data
