"""JSON lines, one JSON object per line, plain or gzip-compressed: the only reader of this format.

Compression is detected from the first bytes, not from the name. Blank lines and a byte order mark are skipped. If an
object has a key twice, the last one counts, as in Python's `json`, unless the caller makes that an error. A file is
read one line at a time. Every error is an `InputError` with file and line. Callers check the fields of the objects.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from isobudget.errors import InputError, json_kind
from isobudget.files.store_path import place
from isobudget.files.whole import decode, unreadable

Record = dict[str, object]

#: the longest line that is read: LiveCodeBench packs all tests of a problem into one
MAX_LINE_BYTES = 512 * 2**20
_ONE_EACH = "; write one JSON object per line"


def read_objects(
    path: Path | str, content: bytes | None = None, *, max_line_bytes: int = MAX_LINE_BYTES, once: bool = False
) -> Iterator[tuple[str, Record]]:
    """The place (file and line, for messages) and the content of every object in a file.

    Args:
        path: the file.
        content: the file's bytes, if already in memory; `path` is then only used in messages.
        max_line_bytes: longer lines are an error, so that a file without line ends does not fill the memory.
        once: whether a repeated key in an object is an error.

    Raises:
        InputError: the file cannot be read, is not UTF-8, is not JSON lines, or is damaged compressed data.
    """
    for number, record in read_numbered(path, content, max_line_bytes=max_line_bytes, once=once):
        yield f"{path}, line {number}", record


def read_numbered(
    path: Path | str,
    content: bytes | None = None,
    *,
    max_line_bytes: int = MAX_LINE_BYTES,
    example: str = "",
    once: bool = False,
) -> Iterator[tuple[int, Record]]:
    """Like `read_objects`, but with the line's number, from 1, as place; messages show `example` as a correct line."""
    for number, text in _lines(path, content, max_line_bytes):
        where = f"{path}, line {number}"
        record = parse_json(text, where, hint=_ONE_EACH, once=once)
        if not isinstance(record, dict):
            what = f"a JSON object such as {example}" if example else "a JSON object"
            raise InputError(f"{where}: must be {what}, not {json_kind(record)}{_ONE_EACH}")
        yield number, record


def parse_json(text: str, where: str, *, hint: str = "", once: bool = False) -> Any:
    """The value of a JSON text.

    Raises:
        InputError: the text is not JSON, is nested too deeply, or has a number with more digits than Python reads. With
            `once`, also if a key is repeated in an object.
    """
    try:
        value = json.loads(text)
        return json.loads(text, object_pairs_hook=_once) if once and not _plainly_once(text, value) else value
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error).split("; use sys.")[0]
        raise InputError(f"{where}: is not JSON ({why}){hint}") from error


def _plainly_once(text: str, value: Any) -> bool:
    """Whether a quick check shows that no key is repeated: the text has as many ``":`` as the outer object has keys."""
    return isinstance(value, dict) and text.count('":') == len(value) and '" ' not in text and '"\t' not in text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:80]!r} occurs twice in an object")
    return made


def _lines(path: Path | str, content: bytes | None, max_line_bytes: int) -> Iterator[tuple[int, str]]:
    """Number and text of every line that is not blank."""
    number = 0
    try:
        memory = None if content is None else cast(io.RawIOBase, io.BytesIO(content))
        with place(path).open("rb") if memory is None else io.BufferedReader(memory) as raw:
            packed = raw.peek(2).startswith(b"\x1f\x8b")
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
            while line := stream.readline(max_line_bytes + 1):
                number += 1
                if len(line) > max_line_bytes:
                    raise InputError(f"{path}, line {number}: is longer than {max_line_bytes // 2**20} MiB")
                if text := _text(line, path, number).strip():
                    yield number, text
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}, after line {number}: the gzip data is damaged or cut off ({error})") from error
    except (OSError, ValueError) as error:
        raise unreadable(error, path) from error


def _text(line: bytes, path: Path | str, number: int) -> str:
    """A line as text; ASCII lines, which are the most common, are decoded without computing their place."""
    return line.decode("ascii") if line.isascii() else decode(line, f"{path}, line {number}")
