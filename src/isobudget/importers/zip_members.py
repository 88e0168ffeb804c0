"""Unpacks members of a zip file in memory one at a time, including those compressed with zstd (method 93).

Python's `zipfile` reads zstd only from 3.14 on; pyarrow's decompressor is used for older versions. To protect memory, a
member that unpacks to more than `MAX_MEMBER_BYTES` is refused, and so is a file whose members unpack to more than a
fixed multiple of its size. Nothing is written, and no member's name is used as a path.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from isobudget.errors import InputError
from isobudget.files.whole import unreadable

MAX_MEMBER_BYTES = 512 * 2**20
MAX_MEMBERS = 2_000_000
#: limit for all members together: this many times their compressed size, or this many bytes if that is more
_MOST_TIMES, _ALWAYS_BYTES = 500, 2**30
_ZSTD = 93
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_CHUNK = 2**20


class ZipMembers:
    """The members of an open zip file by name."""

    def __init__(self, path: Path, file: BinaryIO, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._file, self._archive = file, archive
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise InputError(f"{path}: has {len(members):,} members, but a log has at most {MAX_MEMBERS:,}")
        self._members = {one.filename: one for one in members}
        size = sum(one.compress_size for one in members)
        self._left = max(_ALWAYS_BYTES, _MOST_TIMES * size)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def names(self, under: str = "") -> list[str]:
        """The names that begin with `under`, in the order of the file."""
        return [name for name in self._members if name.startswith(under)]

    def read(self, name: str) -> bytes:
        """A member, unpacked.

        Raises:
            InputError: the member is damaged, compressed in an unknown way, or too large.
        """
        info = self._members[name]
        where = f"{self.path}, {name!r}"
        most = min(MAX_MEMBER_BYTES, self._left)
        if info.flag_bits & 1:
            raise InputError(f"{where}: is encrypted")
        try:
            data = self._zstd(info, most) if info.compress_type == _ZSTD else self._plain(info, most)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            struct.error,
            NotImplementedError,
            ValueError,
        ) as error:
            raise InputError(f"{where}: is damaged or packed in an unknown way ({error})") from error
        if len(data) > most:
            raise InputError(f"{where}: unpacks to more than {most // 2**20:,} MiB, so this is not a log")
        self._left -= len(data)
        return data

    def _plain(self, info: zipfile.ZipInfo, most: int) -> bytes:
        with self._archive.open(info) as member:
            return member.read(most + 1)

    def _zstd(self, info: zipfile.ZipInfo, most: int) -> bytes:
        import pyarrow as pa

        self._file.seek(info.header_offset)
        magic, name, extra = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
        if magic != b"PK\x03\x04":
            raise zipfile.BadZipFile("no local header")
        self._file.seek(name + extra, 1)
        raw = self._file.read(min(info.compress_size, MAX_MEMBER_BYTES))
        if len(raw) < info.compress_size:
            raise EOFError("cut off")
        pieces, size = [], 0
        with pa.CompressedInputStream(pa.BufferReader(raw), "zstd") as stream:
            while size <= most and (piece := stream.read(_CHUNK)):
                pieces.append(piece)
                size += len(piece)
        data = b"".join(pieces)
        if size <= most and zlib.crc32(data) != info.CRC:
            raise zipfile.BadZipFile("its checksum does not match")
        return data


@contextmanager
def open_zip(path: Path) -> Iterator[ZipMembers]:
    """The members of a zip file; raises `InputError` if the file is not a zip or is cut off."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            yield ZipMembers(path, file, archive)
    except zipfile.BadZipFile as error:
        raise InputError(f"{path}: is not a whole zip file ({error})") from error
    except OSError as error:
        raise unreadable(error, path) from error
