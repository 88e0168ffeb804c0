"""The header of a GGUF file: its metadata, and the names, shapes and places of its tensors. Weights are not read.

A GGUF file (versions 2 and 3, little endian) is: magic, version, number of tensors, number of metadata entries; the
entries (key, type, value); per tensor its name, shape, type and offset; padding; the data. A file from elsewhere may
be cut off, damaged or hostile. So every length is compared with what is left of the file before anything is read or
allocated. If the size of a tensor's type is known, the tensor's end is compared with the end of the file.

Not covered: checksums, see `isobudget.models.weights`.
"""

from __future__ import annotations

import math
import mmap
import stat
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

from isobudget.errors import ModelError

#: arrays up to this length are kept, longer ones (a tokenizer's) only counted
_KEPT_ARRAY = 1024
_MAX_NESTING = 4
#: if a file is older than this, writing it again changes its time, so that its header can be cached
_SETTLED_SECONDS = 2.0
_MAX_DIMENSIONS = 4

#: metadata type -> struct format
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9


class StorageForm(NamedTuple):
    """How weights are stored: the kind's name, and the numbers of weights and of bytes per block."""

    kind: str
    block: int
    block_bytes: int

    def size(self, shape: Sequence[int]) -> int:
        """Bytes of a tensor."""
        return math.prod(shape) // self.block * self.block_bytes


#: tensor type -> its form
_TENSOR_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
}  # fmt: skip
FORMS = {number: StorageForm(*form) for number, form in _TENSOR_TYPES.items()}


@dataclass(frozen=True, slots=True)
class LongArray:
    """A placeholder for an array that was skipped: only its length is known."""

    length: int


Value = int | float | bool | str | LongArray | tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the file.

    Attributes:
        shape: as stored, the innermost dimension first: a matrix from d to f is (d, f).
        kind: name of the type, such as `Q4_K`; `type 99` for an unknown type.
        offset: bytes from the start of the data.
        size: bytes; None if the type is not known.
    """

    shape: tuple[int, ...]
    kind: str
    offset: int
    size: int | None


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """The header of a GGUF file.

    Attributes:
        path: the file.
        version: version of the format.
        metadata: key -> value; long arrays are `LongArray`.
        tensors: name -> `Tensor`, in the file's order.
        tensors_start: byte at which the list of tensors begins, behind the metadata.
        data_start: byte at which the tensors' data begins.
        file_size: size of the file in bytes.
    """

    path: Path
    version: int
    metadata: Mapping[str, Value]
    tensors: Mapping[str, Tensor]
    tensors_start: int
    data_start: int
    file_size: int

    @property
    def parameters(self) -> int:
        """How many numbers all tensors hold together, norms and biases included."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())

    @property
    def architecture(self) -> str:
        """The name of the model's family, with which the model's own keys begin; empty if the file states none."""
        return str(self.metadata.get("general.architecture", ""))

    def value(self, key: str, default: Value | None = None) -> Value | None:
        """The value of one of the model's own keys, such as `block_count`."""
        return self.metadata.get(f"{self.architecture}.{key}", default)

    def number(self, key: str, default: int | None = None) -> int:
        """The whole number of one of the model's own keys.

        A list, with one value per layer, counts as a whole number if all its values are equal.

        Raises:
            ModelError: the key is missing, or its value is not a whole number or differs between layers.
        """
        value = self.value(key, default)
        if isinstance(value, tuple) and value and len(set(value)) == 1:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, int):
            problem = "is missing" if value is None else f"is {str(value)[:60]!r}, not one whole number for all layers"
            raise ModelError(
                f"{self.path}: {self.architecture}.{key} {problem}, "
                "so the architecture cannot be derived from this file"
            )
        return value


def read_gguf_header(path: str | Path) -> GgufHeader:
    """Read and check the header of a GGUF file.

    Raises:
        ModelError: the file cannot be read, is not a GGUF file, or is damaged or cut off; the message says where.
    """
    path = Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # to open a pipe would wait for whoever writes into it
            raise ModelError(f"cannot read {path}: it is not a file")
        version = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        # A file that was written just now may be written again within one tick of its clock.
        is_settled = time.time() - status.st_mtime > _SETTLED_SECONDS
        return (_read_version if is_settled else _read_version.__wrapped__)(path, version)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from None


@lru_cache(32)
def _read_version(path: Path, version: tuple[int, ...]) -> GgufHeader:
    """The header of an unchanged file, cached: parsing a vocabulary takes long, and a command reads it repeatedly."""
    with path.open("rb") as file:
        return _read(_Reader(path, file, version[2]))


class _Reader:
    """Reads a file front to back and knows how much of it is left."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.path, self.file, self.size, self.at = path, file, size, 0

    def fail(self, what: str) -> ModelError:
        return ModelError(
            f"{self.path} is damaged or cut off: {what} at byte {self.at:,} of {self.size:,}; fetch it again"
        )

    def need(self, length: int, what: str) -> None:
        if length > self.size - self.at:
            raise self.fail(f"{what} of {length:,} bytes does not fit the file")

    def bytes(self, length: int, what: str) -> bytes:
        self.need(length, what)
        data = self.file.read(length)
        if len(data) != length:
            raise self.fail(f"{what} ends early")
        self.at += length
        return data

    def skip(self, length: int, what: str) -> None:
        self.need(length, what)
        self.file.seek(length, 1)
        self.at += length

    def skip_strings(self, count: int, what: str) -> None:
        at, length_at = self.at, struct.Struct("<Q").unpack_from
        with mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            size = min(self.size, len(data))
            for _ in range(count):
                length = size if at + 8 > size else length_at(data, at)[0]
                at += 8
                if length > size - at:
                    self.at = min(at, size)
                    raise self.fail(f"an entry of {what}, of {length:,} bytes, does not fit the file")
                at += length
        self.skip(at - self.at, what)

    def scalar(self, code: str, what: str) -> int | float | bool:
        size = struct.calcsize("<" + code)
        value: int | float | bool = struct.unpack("<" + code, self.bytes(size, what))[0]
        return value

    def count(self, what: str, least_bytes: int) -> int:
        """Read the number of entries that follow, each of at least `least_bytes` bytes."""
        count = int(self.scalar("Q", what))
        if count * least_bytes > self.size - self.at:
            raise self.fail(f"{what} is {count:,}, more than the file can hold")
        return count

    def string(self, what: str) -> str:
        length = int(self.scalar("Q", f"length of {what}"))
        try:
            return self.bytes(length, what).decode("utf-8")
        except UnicodeDecodeError:
            raise self.fail(f"{what} is not UTF-8 text") from None


def _read(reader: _Reader) -> GgufHeader:
    magic = reader.file.read(4)
    if magic != b"GGUF":
        what = "is empty" if not magic else f"begins with {magic.decode('latin-1')!r}, not with 'GGUF'"
        raise ModelError(f"{reader.path} {what}: it is not a GGUF file")
    reader.at = 4
    version = int(reader.scalar("I", "version"))
    if version not in (2, 3):
        hint = ", a big-endian file" if version in (2 << 24, 3 << 24) else ""
        raise ModelError(f"{reader.path}: GGUF version {version}{hint} is not supported; versions 2 and 3 are")
    tensor_count = reader.count("number of tensors", 24)
    entry_count = reader.count("number of metadata entries", 13)
    metadata: dict[str, Value] = {}
    for _ in range(entry_count):
        key = reader.string("a metadata key")
        metadata[key] = _value(reader, int(reader.scalar("I", f"type of {key}")), key)
    tensors_start = reader.at
    tensors: dict[str, Tensor] = {}
    for _ in range(tensor_count):
        name = reader.string("a tensor's name")
        if name in tensors:
            raise reader.fail(f"a second tensor named {name!r}")
        tensors[name] = _tensor(reader, name)
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise reader.fail(f"general.alignment is {alignment!r}")
    data_start = -(-reader.at // alignment) * alignment
    _check_ends(reader, tensors, data_start)
    return GgufHeader(
        reader.path,
        version,
        MappingProxyType(metadata),
        MappingProxyType(tensors),
        tensors_start,
        data_start,
        reader.size,
    )


def _value(reader: _Reader, kind: int, key: str, depth: int = 0) -> Value:
    if kind in SCALARS:
        return reader.scalar(SCALARS[kind], key)
    if kind == STRING:
        return reader.string(key)
    if kind != ARRAY:
        raise reader.fail(f"{key} has type {kind}, which GGUF does not know")
    if depth >= _MAX_NESTING:
        raise reader.fail(f"{key} is nested too deeply")
    element = int(reader.scalar("I", f"element type of {key}"))
    size = struct.calcsize("<" + SCALARS[element]) if element in SCALARS else 8
    length = reader.count(f"length of {key}", size)
    if length <= _KEPT_ARRAY:
        return tuple(_value(reader, element, key, depth + 1) for _ in range(length))
    if element in SCALARS:
        reader.skip(size * length, key)
    elif element == STRING:
        reader.skip_strings(length, key)
    else:
        for _ in range(length):
            _value(reader, element, key, depth + 1)
    return LongArray(length)


def _tensor(reader: _Reader, name: str) -> Tensor:
    dimensions = int(reader.scalar("I", f"dimensions of {name}"))
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise reader.fail(f"tensor {name} has {dimensions} dimensions")
    shape = tuple(int(reader.scalar("Q", f"shape of {name}")) for _ in range(dimensions))
    kind = int(reader.scalar("I", f"type of {name}"))
    offset = int(reader.scalar("Q", f"offset of {name}"))
    if (form := FORMS.get(kind)) is None:
        return Tensor(shape, f"type {kind}", offset, None)
    if shape[0] % form.block:
        raise reader.fail(f"tensor {name} has rows of {shape[0]:,}, which {form.kind} cannot hold")
    return Tensor(shape, form.kind, offset, form.size(shape))


def _check_ends(reader: _Reader, tensors: Mapping[str, Tensor], data_start: int) -> None:
    """Check that every tensor ends inside the file: a truncated download has a complete header but not all weights."""
    for name, tensor in tensors.items():
        end = data_start + tensor.offset + (tensor.size or 0)
        if end > reader.size:
            raise ModelError(
                f"{reader.path} is cut off: tensor {name} ends at byte {end:,}, the file at {reader.size:,}; "
                "fetch it again"
            )
