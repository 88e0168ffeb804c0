"""Places in object stores as paths, against a real S3 server on this machine."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from isobudget.api import judge
from isobudget.costs.costs_file import read_costs
from isobudget.errors import InputError, IsobudgetError, RunError, StorageError
from isobudget.files.lease import held, put_held, release_other
from isobudget.files.store_path import StorePath, place
from isobudget.files.whole import read_text, remove_folder, sha256_of, write_whole
from isobudget.problems import load_benchmark
from isobudget.study.read import load_study
from support.s3 import BUCKET, s3_server


@pytest.fixture(scope="module", autouse=True)
def s3() -> Iterator[None]:
    with s3_server() as env, pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        yield


@pytest.mark.parametrize("text", ["s3://bucket/a/run", "gs://bucket/a/run", "az://bucket/a/run"])
def test_a_place_in_a_store_reads_as_a_path(text: str) -> None:
    path = place(text)
    assert isinstance(path, StorePath)
    assert str(path) == str(place(Path(text))) == text  # pathlib folds the two slashes into one
    assert (path.name, str(path.parent), path.key) == ("run", text.removesuffix("/run"), "a/run")
    assert str(path / "b" / "part.parquet") == f"{text}/b/part.parquet"
    assert pickle.loads(pickle.dumps(path)) == path
    assert {path: 1}[place(text)] == 1
    assert str(path.with_name(".x")) == text.replace("run", ".x")


@pytest.mark.parametrize("text", ["runs/mine", "/abs/run", "s3/bucket", "s3:", "mine:/y", "runs/gcs://x"])
def test_other_places_are_plain_paths(text: str) -> None:
    assert type(place(text)) is type(Path(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://x/y", "^http://x/y: isobudget cannot read or write there"),
        ("gcs://bucket/run", "write gs://bucket/run$"),
        ("abfss://bucket/run", "write az://bucket/run$"),
        ("S3://bucket/run", "write s3://bucket/run$"),
        ("s3://", "names no bucket; write s3://BUCKET/RUN"),
        ("file:///tmp/run", "write the path itself, without file://"),
        ("s3://bucket/a/../b", "^s3://bucket/a/../b: a path in an object store cannot contain .."),
    ],
)
def test_an_address_of_another_kind_never_becomes_a_folder(text: str, said: str) -> None:
    for where in [text] + [Path(text)] * (text != "s3://"):
        with pytest.raises(InputError, match=said):
            place(where)


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ("s3", "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("gs", "Set GOOGLE_APPLICATION_CREDENTIALS"),
        ("az", "Set AZURE_STORAGE_ACCOUNT_NAME"),
    ],
)
def test_a_store_without_credentials_is_one_sentence(scheme: str, said: str) -> None:
    """The client asks the machine for its role; what it says then names an address that nobody knows."""
    from isobudget.files.store_path import _translated

    error = OSError("Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token: refused\n...")
    assert str(_translated(error, StorePath(f"{scheme}://bucket/run"))).startswith(
        f"{scheme}://bucket/run: no credentials for it were found. {said}"
    )


def test_azure_without_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    with pytest.raises(StorageError, match=r"^az://nobody: no credentials for it were found\. Set AZURE_STORAGE_ACC"):
        place("az://nobody/run").read_bytes()


@pytest.mark.parametrize("address", ["nonsense", "http://", "http://a b", "http://:x:"])
def test_an_address_that_the_client_cannot_take(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    with pytest.raises(StorageError, match=r"AWS_ENDPOINT_URL = .*: is not a URL"):
        place(f"{BUCKET}/run").read_bytes()


def test_a_key_with_a_line_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token\n")
    with pytest.raises(StorageError, match="AWS_SESSION_TOKEN: contains a line break"):
        place("s3://otherwise/run").read_bytes()


def test_a_bucket_is_a_folder() -> None:
    write_whole(place(f"{BUCKET}/root/a.txt"), b"a")
    root = place(BUCKET)
    assert root.is_dir()
    assert not root.is_file()
    assert root / "root" / "a.txt" in root.walk_objects()


def test_what_would_touch_the_disk_is_refused() -> None:
    with pytest.raises(StorageError, match=r"s3://bucket/x: lies in an object store"):
        os.fspath(place(f"{BUCKET}/x"))
    with pytest.raises(StorageError, match="written whole"):
        place(f"{BUCKET}/x").open("w")


def test_objects_and_prefixes() -> None:
    root = place(f"{BUCKET}/objects")
    assert not root.exists()
    assert list(root.iterdir()) == []
    for name in ("a.txt", "b.txt", "deep/c.txt"):
        write_whole(root / name, name.encode())
    assert root.is_dir()
    assert (root / "a.txt").is_file()
    assert not (root / "a.txt").is_dir()
    assert sorted(one.name for one in root.iterdir()) == ["a.txt", "b.txt", "deep"]
    assert sorted(one.name for one in root.glob("*.txt")) == ["a.txt", "b.txt"]
    assert read_text(root / "deep" / "c.txt") == "deep/c.txt"
    assert (root / "a.txt").stat().st_size == 5
    assert len(sha256_of(root / "a.txt")) == 64
    (root / "a.txt").rename(root / "d.txt")
    assert not (root / "a.txt").exists()
    with pytest.raises(FileNotFoundError):
        (root / "a.txt").rename(root / "e.txt")
    with pytest.raises(FileNotFoundError):
        (root / "a.txt").read_bytes()
    write_whole(Path(str(root / "plan.toml")), b"folded")  # as a command line makes a path of it
    assert (root / "plan.toml").read_bytes() == b"folded"
    remove_folder(root)
    assert not root.exists()


def test_large_objects_are_read_in_blocks() -> None:
    path = place(f"{BUCKET}/large")
    data = os.urandom(9_000_000)
    path.write_bytes(data)
    with path.open("rb") as file:
        assert file.read(10) == data[:10]
        assert file.seek(8_500_000) == 8_500_000
        assert file.read() == data[8_500_000:]


def test_of_two_conditional_puts_one_succeeds() -> None:
    path = StorePath(f"{BUCKET}/once")
    first = path.put_new(b"1")
    assert first is not None
    assert path.put_new(b"2") is None
    assert path.put_over(b"3", first) is not None
    assert path.put_over(b"4", first) is None
    assert path.read_bytes() == b"3"


def test_a_missing_bucket_and_a_silent_store_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for work in (lambda one: one.read_bytes(), lambda one: one.write_bytes(b"x"), lambda one: list(one.iterdir())):
        with pytest.raises(StorageError, match="there is no bucket s3://gone"):
            work(place("s3://gone/run"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="cannot be reached or does not answer"):
        place(f"{BUCKET}/run").read_bytes()


def test_a_second_writer_is_refused_and_may_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place(f"{BUCKET}/held")
    with held(folder):
        put_held(folder / "facts", b"first")
        with pytest.raises(RunError, match="in use by this process"), held(folder):
            pass
        assert "process" in release_other(folder)
        assert release_other(folder) == ""
        _as_another(folder, b"second")
        with pytest.raises(RunError, match="another isobudget has taken over"):
            put_held(folder / "facts", b"third")
    assert (folder / "facts").read_bytes() == b"second"
    with held(folder):
        put_held(folder / "facts", b"fourth")
    assert (folder / "facts").read_bytes() == b"fourth"


def test_a_writer_in_another_process_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from isobudget.files.lease import Lease

    folder = StorePath(f"{BUCKET}/other")
    lease = Lease(folder)
    lease.take()
    with pytest.raises(RunError, match=rf"in use by another isobudget \(process {os.getpid()} .*--take-over"):
        Lease(folder).take()
    lease.release()
    Lease(folder).take()


def test_a_lease_that_ended_by_itself_is_void(monkeypatch: pytest.MonkeyPatch) -> None:
    from isobudget.files.lease import Lease, LeaseState

    folder = StorePath(f"{BUCKET}/void")
    lease = Lease(folder)
    lease.write(LeaseState(lease.nonce, "process 1 on nowhere", 0.0), None)
    Lease(folder).take()
    with pytest.raises(RunError, match="has taken over"):
        lease.renew()


def test_the_first_of_two_puts_whose_answer_was_lost_is_known() -> None:
    """A client that tries again after a lost answer finds its own object there: it has been put."""
    from isobudget.files.lease import put_over_version

    path = StorePath(f"{BUCKET}/lost")
    path.put(b"nonce 1")
    assert put_over_version(path, b"nonce 1", None) is not None
    assert put_over_version(path, b"nonce 2", None) is None


@pytest.mark.parametrize("stated", ["x", "0", "-1", "1e9"])
def test_a_time_of_leases_that_is_none(stated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from isobudget.errors import InputError

    monkeypatch.setenv("ISOBUDGET_LEASE_SECONDS", stated)
    with (
        pytest.raises(InputError, match="ISOBUDGET_LEASE_SECONDS must be a number of seconds"),
        held(place(f"{BUCKET}/time")),
    ):
        pass


def _as_another(folder: Path, data: bytes) -> None:
    """What the writer that takes over does, as it would in a process of its own."""
    from isobudget.files.lease import Lease

    assert isinstance(folder, StorePath)
    lease = Lease(folder)
    lease.take()
    lease.put(StorePath(str(folder / "facts")), data)
    lease.release()


def test_studies_costs_and_problems_are_read_from_a_store(tmp_path: Path) -> None:
    folder = place(f"{BUCKET}/asked")
    problem = {
        "task_id": "own/0",
        "prompt": "def f(x):\n",
        "entry_point": "f",
        "test": "def check(f):\n    assert f(1)\n",
    }
    (folder / "own.jsonl").write_bytes(json.dumps(problem).encode())
    (folder / "costs.toml").write_bytes(b"[models.small]\ntokens = 10\n")
    study = f'name = "far"\nbenchmarks = ["{folder}/own.jsonl"]\n[[models]]\nname = "smollm2-135m"\nn = 2\n'
    (folder / "study.toml").write_bytes(study.encode())
    there = load_benchmark(f"{folder}/own.jsonl")
    here = tmp_path / "own.jsonl"
    here.write_bytes((folder / "own.jsonl").read_bytes())
    assert there == load_benchmark(here) == load_benchmark(folder / "own.jsonl")
    assert read_costs(f"{folder}/costs.toml").models["small"].values == {"tokens": 10}
    assert load_study(f"{folder}/study.toml").benchmarks == [f"{folder}/own.jsonl"]


def test_what_is_not_in_the_store_is_said_with_its_address() -> None:
    for read, name in ((read_costs, "costs.toml"), (load_benchmark, "own.jsonl"), (load_study, "study.toml")):
        with pytest.raises(IsobudgetError, match=rf"^{BUCKET}/none/{name}: (cannot be read: )?no such"):
            read(f"{BUCKET}/none/{name}")
        with pytest.raises(IsobudgetError, match=r"there is no bucket s3://gone\. Create it"):
            read(f"s3://gone/{name}")


def test_verdicts_of_a_file_cannot_be_appended_in_a_store(tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").touch()
    with pytest.raises(
        InputError, match=rf"^{BUCKET}/out.jsonl: verdicts on a file of samples are appended one by one"
    ):
        judge(tmp_path / "samples.jsonl", problems="humaneval", output=f"{BUCKET}/out.jsonl")
