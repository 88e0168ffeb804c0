"""JSON lines, TOML and spelling hints: whole, damaged and hostile files."""

from __future__ import annotations

import gzip
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isobudget.errors import InputError, StudyError
from isobudget.files.hints import did_you_mean, nearest
from isobudget.files.jsonl import read_numbered, read_objects
from isobudget.files.toml import parse_toml, read_toml, shipped_toml

RECORDS = st.lists(st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.booleans()), max_size=5)


@given(RECORDS, st.sampled_from(["\n", "\r\n", "\n\n \t\n"]), st.booleans(), st.booleans(), st.booleans())
def test_what_is_written_is_read(
    records: list[dict[str, object]], end: str, mark: bool, packed: bool, ascii_only: bool
) -> None:
    text = "\ufeff" * mark + "".join(json.dumps(one, ensure_ascii=ascii_only) + end for one in records)
    content = gzip.compress(text.encode()) if packed else text.encode()
    assert [record for _, record in read_objects("x", content)] == records


def test_lines_are_counted_with_the_blank_ones_and_the_last_of_two_keys_counts(tmp_path: Path) -> None:
    path = tmp_path / "named_as_plain.jsonl"
    path.write_bytes(gzip.compress(b'\xef\xbb\xbf{"a": 1, "a": 2}\r\n\n  \n{}'))
    assert list(read_numbered(path)) == [(1, {"a": 2}), (4, {})]
    assert [where for where, _ in read_objects(path)] == [f"{path}, line 1", f"{path}, line 4"]


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b'{"a": 1}\n',))
    writer.start()
    assert list(read_numbered(path)) == [(1, {"a": 1})]
    writer.join()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}\n{", "line 2: is not JSON .*; write one JSON object per line"),
        (b"{}\n\n[1]", "line 3: must be a JSON object, not a list; write one JSON object per line"),
        (b"[" * 100_000, "line 1: is not JSON"),
        (b'{"n": ' + b"9" * 5000 + b"}", "line 1: is not JSON"),
        (b'{}\n{"caf\xe9": 1}', r"line 2: is not UTF-8 \(byte 0xe9 at column 6\); save it as UTF-8"),
        (b" " * 100, "line 1: is longer than 0 MiB"),
        (gzip.compress(b"{}\n" * 99, mtime=0)[:-9], "after line 99: the gzip data is damaged or cut off"),
        (b"\x1f\x8bnot gzip", "after line 0: the gzip data is damaged"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    limit = 99 if content.isspace() else 2**20
    with pytest.raises(InputError, match=message) as caught:
        list(read_objects(path, max_line_bytes=limit))
    assert str(caught.value).startswith(str(path))
    with pytest.raises(InputError, match=message):
        list(read_objects("memory", content, max_line_bytes=limit))


@pytest.mark.parametrize(("path", "message"), [("absent", "No such file"), (".", "Is a directory"), ("a\0b", "null")])
def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    for read in (lambda: list(read_objects(path)), lambda: read_toml(Path(path))):
        with pytest.raises(InputError, match=f"cannot be read: .*{message}"):
            read()


def test_toml_is_read_and_its_mistakes_have_a_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b'\xef\xbb\xbfa = 1\r\nb = "x"\r\n')
    assert read_toml(path) == {"a": 1, "b": "x"}
    path.write_text("a = 1\nb =\n")
    with pytest.raises(StudyError, match=r"mine\.toml: not valid TOML: .*line 2"):
        read_toml(path, StudyError)
    path.write_bytes(b"a = 1\nb = '\xe9'")
    with pytest.raises(InputError, match=r"mine\.toml: is not UTF-8 \(byte 0xe9 at line 2, column 6\)"):
        read_toml(path)
    with pytest.raises(InputError, match="text: not valid TOML"):
        parse_toml("a = " + "[" * 100_000, "text")
    assert shipped_toml("isobudget.costs", "data/prices.toml")["price"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("humaneva", " Did you mean 'HumanEval'?"),
        ("MBPP", " Did you mean 'mbpp'?"),
        ("zzz", ""),
        ("human", " Did you mean 'HumanEval'?"),
        ("", ""),
    ],
)
def test_hints_name_the_nearest_whatever_the_case(name: str, hint: str) -> None:
    assert did_you_mean(name, ["mbpp", "HumanEval", "apps"]) == hint
    assert did_you_mean("nobench", ["livecodebench"]) == ""  # twice as long: no slip of the pen
    assert nearest("ap", ["apps", "app", "ape"], most=2) == ["app", "ape"]
