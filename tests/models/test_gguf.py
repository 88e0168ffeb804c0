"""GGUF headers: synthetic files that are whole, cut off at every byte, or lie about their lengths."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isobudget.errors import IsobudgetError, ModelError
from isobudget.models import from_gguf, read_gguf_header
from isobudget.models.gguf import LongArray
from support.tiny_gguf import (
    ARRAY,
    DATA,
    ENTRIES,
    F32,
    INT32,
    Q4_0,
    STRING,
    TENSORS,
    entry,
    header,
    number,
    tensor,
    text,
    whole,
)


def write(folder: Path, data: bytes) -> Path:
    path = folder / "model.gguf"
    path.write_bytes(data)
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    read = read_gguf_header(write(tmp_path, whole()))
    assert read.version == 3
    assert read.metadata["llama.block_count"] == 2
    assert read.metadata["tokenizer.add_bos"] is True
    assert read.metadata["tokenizer.kinds"] == (1, 2, 3)
    assert read.metadata["tokenizer.tokens"] == LongArray(1100)
    assert read.metadata["tokenizer.scores"] == LongArray(1100)
    assert read.tensors["token_embd.weight"].shape == (64, 320)
    assert read.tensors["token_embd.weight"].kind == "Q4_0"
    assert read.parameters == 64 * 320 + 64 * 96
    assert read.data_start + DATA == read.file_size


def test_its_architecture(tmp_path: Path) -> None:
    shape = from_gguf(write(tmp_path, whole()))
    assert (shape.name, shape.layers, shape.hidden, shape.mlp_width) == ("tiny", 2, 64, 96)
    assert (shape.heads, shape.kv_heads, shape.head_size, shape.vocabulary) == (4, 2, 16, 320)
    assert shape.gated_mlp
    assert shape.tied_embeddings


def test_an_output_layer_of_its_own_and_no_gate(tmp_path: Path) -> None:
    tensors = [TENSORS[0], tensor("output.weight", (64, 352), F32, 0), tensor("blk.0.ffn_up.weight", (64, 96), F32, 0)]
    shape = from_gguf(write(tmp_path, whole(tensors=tensors, data=64 * 352 * 4)))
    assert (shape.tied_embeddings, shape.gated_mlp, shape.vocabulary) == (False, False, 352)
    fused = [TENSORS[0], tensor("blk.0.ffn_up.weight", (64, 192), F32, 0)]
    assert from_gguf(write(tmp_path, whole(tensors=fused, data=64 * 192 * 4))).gated_mlp


def test_experts_and_per_layer_lists(tmp_path: Path) -> None:
    heads = entry("llama.attention.head_count_kv", ARRAY, struct.pack("<IQ2i", INT32, 2, 2, 2))
    more = [number("llama.expert_count", 8), number("llama.expert_used_count", 2), heads]
    kept = [item for item in ENTRIES if b"head_count_kv" not in item]
    shape = from_gguf(write(tmp_path, whole(entries=kept + more)))
    assert (shape.experts, shape.active_experts, shape.kv_heads) == (8, 2, 2)
    unequal = entry("llama.attention.head_count_kv", ARRAY, struct.pack("<IQ2i", INT32, 2, 2, 4))
    with pytest.raises(ModelError, match="not one whole number for all layers"):
        from_gguf(write(tmp_path, whole(entries=[*kept, unequal])))


def test_a_file_cut_off_anywhere_is_an_error_and_nothing_else(tmp_path: Path) -> None:
    data = whole()
    tokens_at = data.index(b"tokenizer.tokens")
    ends = [*range(tokens_at + 40), *range(tokens_at + 40, len(data), 997), len(data) - 1]
    for end in ends:
        with pytest.raises(ModelError):
            read_gguf_header(write(tmp_path, data[:end]))


def test_the_message_says_how_much_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cut off: tensor blk.0.ffn_gate.weight ends at byte .*fetch it again"):
        read_gguf_header(write(tmp_path, whole()[:-1]))


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bytes_never_end_in_anything_but_our_error(tmp_path: Path, data: st.DataObject) -> None:
    damaged = bytearray(whole())
    end = damaged.index(b"tokenizer.scores")
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, end))] = data.draw(st.integers(0, 255))
    message = ""
    try:
        assert from_gguf(write(tmp_path, bytes(damaged))).layers >= 1
    except IsobudgetError as error:
        message = str(error)
    assert not message or "model.gguf" in message


HUGE = struct.pack("<Q", 2**62)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty: it is not a GGUF file"),
        (b"PK\x03\x04" + bytes(40), "it is not a GGUF file"),
        (b"hello, this is text", "begins with 'hell', not with 'GGUF': it is not a GGUF file"),
        (header([], [], version=1), "version 1 is not supported"),
        (header([], [], version=3 << 24), "big-endian"),
        (b"GGUF" + struct.pack("<I", 3) + HUGE + HUGE, "number of tensors is 4,611,686,018,427,387,904"),
        (b"GGUF" + struct.pack("<IQ", 3, 0) + HUGE, "number of metadata entries"),
        (header([HUGE + bytes(64)], []), "a metadata key of 4,611,686,018,427,387,904 bytes does not fit"),
        (header([entry("a", STRING, HUGE)], []), "a of 4,611,686,018,427,387,904 bytes"),
        (header([entry("a", ARRAY, struct.pack("<I", STRING) + HUGE)], []), "length of a is 4,611"),
        (header([entry("a", 77, bytes(8))], []), "type 77"),
        (header([entry("a", ARRAY, struct.pack("<IQ", ARRAY, 1) * 9 + bytes(99))], []), "nested too deeply"),
        (header([entry("a", STRING, struct.pack("<Q", 2) + b"\xff\xfe")], []), "not UTF-8"),
        (header([number("general.alignment", 0)], []), "alignment is 0"),
        (header([], [text("t") + struct.pack("<I", 9) + bytes(99)]), "9 dimensions"),
        (header([], [tensor("t", (33,), Q4_0, 0)]) + bytes(99), "rows of 33, which Q4_0 cannot hold"),
        (header([], [tensor("t", (2**40, 2**40), F32, 0)]) + bytes(99), "cut off: tensor t"),
        (header([], [tensor("t", (1,), 99, 2**50)]) + bytes(99), "cut off: tensor t"),
        (header([], [tensor("t", (1,), F32, 0)] * 2) + bytes(99), "a second tensor named 't'"),
    ],
)
def test_hostile_files(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_gguf_header(write(tmp_path, data))


def test_a_header_without_what_a_count_needs(tmp_path: Path) -> None:
    kept = [item for item in ENTRIES if b"embedding_length" not in item]
    with pytest.raises(ModelError, match=r"llama.embedding_length is missing"):
        from_gguf(write(tmp_path, whole(entries=kept)))


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*none.gguf: No such file"):
        read_gguf_header(tmp_path / "none.gguf")
    os.mkfifo(tmp_path / "pipe.gguf")
    for place in (tmp_path, tmp_path / "pipe.gguf", Path("/dev/zero")):
        with pytest.raises(ModelError, match=r"cannot read .*: it is not a file"):
            read_gguf_header(place)


def test_a_file_is_read_once_until_it_is_written_again(tmp_path: Path) -> None:
    path, other = write(tmp_path, whole()), whole()
    assert read_gguf_header(path) is not read_gguf_header(path)  # it may change within a tick of the file's clock
    os.utime(path, (1e9, 1e9))
    header = read_gguf_header(path)
    assert read_gguf_header(str(path)) is header
    path.write_bytes(other.replace(b"llama", b"lloma"))
    assert read_gguf_header(path).architecture == "lloma"
    os.utime(path, (1e9 + 1, 1e9 + 1))
    assert read_gguf_header(path).architecture == "lloma"
    path.unlink()
    with pytest.raises(ModelError, match="cannot read"):
        read_gguf_header(path)
