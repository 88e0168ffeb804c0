"""Where data is looked for, in which order, and what tells the published file from another one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from isobudget.errors import InputError
from isobudget.problems import benchmark_names, load_benchmark
from isobudget.problems.sources import DATA_VARIABLE, Hub, Published, Way, find_data, identify

THIS = "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0"  # of b"aaa"
HUB = Hub(repo="someone/sums", revision="0123456789abcdef0123456789abcdef01234567", files=("one.jsonl", "two.jsonl"))
SUMS = Published(name="sums", title="Sums 1.0", usual=("sums.jsonl", "sums/all.jsonl"), checksums={THIS: "sums.jsonl"})
SUMS_ON_HUB = Published("sums", "Sums 1.0", ("sums.jsonl",), {THIS: "sums.jsonl"}, HUB)


class FakeHub:
    """The hub's client, as far as it is used: it notes what it is asked for and gives a file, or fails.

    The real client against a small hub is in test_hub.py.
    """

    def __init__(self, folder: Path, error: Exception | None = None) -> None:
        self.folder, self.error = folder, error
        self.asked: list[dict[str, str]] = []

    def try_to_load_from_cache(self, **_: str) -> None:
        """Nothing is in the cache."""

    def hf_hub_url(self, repo: str, file: str, **_: str) -> str:
        return f"{repo}/{file}"

    def get_hf_file_metadata(self, _: str) -> SimpleNamespace:
        if self.error is not None:
            raise self.error
        return SimpleNamespace(size=3)

    def hf_hub_download(self, **asked: str) -> str:
        self.asked.append(asked)
        path = self.folder / asked["filename"]
        path.write_bytes(b"aaa")
        return str(path)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv(DATA_VARIABLE, str(folder))
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHub:
    fake = FakeHub(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    return fake


def test_the_path_given_comes_first_then_the_data_folder_then_the_hub(data: Path, hub: FakeHub, tmp_path: Path) -> None:
    assert find_data(SUMS_ON_HUB).way is Way.HUB
    (data / "sums.jsonl").write_bytes(b"aaa")
    assert (find_data(SUMS_ON_HUB).path, find_data(SUMS_ON_HUB).way) == (data / "sums.jsonl", Way.FOLDER)
    (tmp_path / "mine.jsonl").write_bytes(b"bbb")
    given = find_data(SUMS_ON_HUB, tmp_path / "mine.jsonl")
    assert (given.path, given.way) == (tmp_path / "mine.jsonl", Way.GIVEN)


def test_folders_are_looked_into_for_the_usual_name(data: Path) -> None:
    (data / "sums").mkdir()
    (data / "sums" / "all.jsonl").write_bytes(b"aaa")
    assert find_data(SUMS).path == data / "sums" / "all.jsonl"
    assert find_data(SUMS, data / "sums").path == data / "sums" / "all.jsonl"
    assert find_data(SUMS, data).path == data


def test_the_hub_is_asked_for_the_pinned_files(monkeypatch: pytest.MonkeyPatch, hub: FakeHub) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    found = find_data(SUMS_ON_HUB)
    assert [path.name for path in found.paths] == ["one.jsonl", "two.jsonl"]
    common = {"repo_id": "someone/sums", "repo_type": "dataset", "revision": HUB.revision}
    assert hub.asked == [common | {"filename": "one.jsonl"}, common | {"filename": "two.jsonl"}]
    source = identify(found).source(3)
    assert source == f"published: Sums 1.0, one.jsonl from someone/sums at {HUB.revision}, sha256 {THIS}"


def test_published_and_changed_files(data: Path, hub: FakeHub, tmp_path: Path) -> None:
    file = data / "sums.jsonl"
    file.write_bytes(b"aaa")
    assert identify(find_data(SUMS)).source(3) == f"published: Sums 1.0, sums.jsonl, sha256 {THIS}"
    file.write_bytes(b"aab")
    with pytest.raises(InputError, match=rf"sums\.jsonl: is not the published Sums 1\.0.* expected {THIS}\. .*sums=/"):
        identify(find_data(SUMS))
    given = identify(find_data(SUMS, file)).source(1, "a note")
    assert given.startswith("not the published set: sums.jsonl, 1 problem, sha256 ")
    assert given.endswith("; a note")
    changed = Published("sums", "Sums 1.0", (), {"0" * 64: "other"}, HUB)
    with pytest.raises(InputError, match=r"one\.jsonl: is not the published Sums"):
        identify(find_data(changed))
    assert identify(find_data(Published("sums", "Sums 1.0", (), {}, HUB))).known


@pytest.mark.parametrize(
    "name", [name for name in benchmark_names() if name not in ("demo", "humaneval", "quickstart")]
)
def test_without_data_all_ways_are_named(monkeypatch: pytest.MonkeyPatch, data: Path, name: str) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError) as caught:
        load_benchmark(name)
    message = str(caught.value)
    assert f"(1) name its path: {name}=PATH" in message
    assert f"(2) put it at ${DATA_VARIABLE}/" in message
    assert f"{data} holds none of them" in message
    assert ("GitHub" if name.endswith("+") else "pip install 'isobudget[hub]'") in message


def test_a_hub_out_of_reach_says_so(monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path) -> None:
    fake = FakeHub(tmp_path, ConnectionError("no route\n  and more"))
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    with pytest.raises(InputError, match=r"mbpp=PATH.*google-research-datasets/mbpp.*broke off \(no route"):
        load_benchmark("mbpp")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mbpp=", "write the path of the data after the '='"),
        ("mbpp=\0", "write the path of the data after the '='"),
        ("mbpp=/nowhere/mbpp.jsonl", "mbpp=/nowhere/mbpp.jsonl: there is no such file or folder"),
        ("mbpp=" + "x" * 5000, "cannot be read: File name too long|there is no such file"),
        ("mbpp=/dev/zero", "/dev/zero: is not a file"),
        ("mbpp=/", "/: is not a file; mbpp is read from a file such as mbpp.jsonl"),
        ("quickstart=x", "quickstart ships with isobudget"),
        ("mbp=data/mbpp.jsonl", "unknown benchmark 'mbp'. Did you mean 'mbpp'"),
        ("mbp=data", "unknown benchmark 'mbp'. Did you mean 'mbpp'"),
        ("livecodebench=/", "holds none of test.jsonl, test2.jsonl"),
    ],
)
def test_wrong_names_with_data(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_benchmark(name)


def test_a_file_whose_name_looks_like_a_name_with_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    line = '{"task_id": "a", "prompt": "def f():\\n", "entry_point": "f", "test_list": ["assert f()"]}\n'
    (tmp_path / "k=1.jsonl").write_text(line)
    assert load_benchmark("k=1.jsonl").name == "k=1"
    assert load_benchmark("./k=1.jsonl").name == "k=1"
