"""Two writers of one run: the second is refused, or takes over and the first is fenced; nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from isobudget.errors import RunError, StorageError
from isobudget.files.lease import release_other
from isobudget.files.store_path import place
from isobudget.records.check import check_run
from isobudget.records.part_writer import PartWriter
from isobudget.records.rows import SampleRow
from isobudget.records.run import Run, load_run
from support.s3 import BUCKET, s3_server
from support.store_work import sample

#: holds a run for writing, writes a sample for every number that it reads, and ends
WRITER = """
import sys
from isobudget.records.run import Run
from support.store_work import sample
run = Run.create(sys.argv[1], "mine")
with run.writing():
    print("held", flush=True)
    for line in sys.stdin:
        try:
            with run.sample_writer() as writer:
                writer.add([sample("p/0", int(line))])
            print("written", flush=True)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", flush=True)
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with s3_server() as env, pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        yield env


class Writer:
    """A writer in another process."""

    def __init__(self, where: str) -> None:
        path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        command = [sys.executable, "-c", WRITER, where]
        self.process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, text=True, **pipes)
        assert self._said() == "held"

    def _said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def write(self, index: int) -> str:
        """Write a sample; what it says."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{index}\n")
        self.process.stdin.flush()
        return self._said()

    def end(self) -> None:
        """Let it end."""
        self.process.communicate()


def write(run: Run, *indexes: int) -> None:
    with run.writing(), run.sample_writer() as writer:
        writer.add([sample("p/0", index) for index in indexes])


def indexes(run: Run) -> list[int]:
    return [row.index for row in run.samples()]


@pytest.mark.parametrize("where", ["disk", "s3"])
def test_a_second_writer_is_refused_until_the_first_ends(tmp_path: Path, s3: dict[str, str], where: str) -> None:
    run = str(tmp_path / "run") if where == "disk" else f"{BUCKET}/refused"
    other = Writer(run)
    assert other.write(0) == "written"
    mine = load_run(run)
    with pytest.raises(RunError, match=rf"in use by another isobudget \(process {other.process.pid}"):
        write(mine, 1)
    assert indexes(mine) == [0]  # reading needs no lease
    other.end()
    write(mine, 1)
    assert indexes(load_run(run)) == [0, 1]


def test_a_writer_that_comes_back_after_its_lease_is_fenced(s3: dict[str, str]) -> None:
    run = f"{BUCKET}/fenced"
    old = Writer(run)
    assert old.write(0) == "written"
    assert str(old.process.pid) in release_other(place(run))
    mine = load_run(run)
    write(mine, 1)
    assert "another isobudget has taken over" in old.write(1)
    assert "another isobudget has taken over" in old.write(2)
    old.end()
    assert indexes(load_run(run)) == [0, 1]
    kinds = {one.where.name: one.kind for one in check_run(run).findings}
    assert kinds == {"part-000003.parquet": "twice", "part-000004.parquet": "unlisted"}
    write(mine, 3)  # what the old one still put counts if its rows are new
    assert sorted(indexes(load_run(run))) == [0, 1, 2, 3]
    assert check_run(run, repair=True).whole


def test_a_writer_is_fenced_right_between_its_check_and_its_put(
    s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is taken over after the old writer looked at it: the manifest's version still tells."""
    run = Run.create(f"{BUCKET}/between", "mine")
    with run.writing():
        release_other(run.path)
        other = Writer(str(run.path))
        assert other.write(5) == "written"
        with pytest.raises(RunError, match="has taken over"), run.sample_writer() as writer:
            writer.add([sample("p/0", 6)])
        other.end()
    assert indexes(run) == [5]


def test_a_lost_bucket_a_full_disk_and_a_read_only_folder(s3: dict[str, str], tmp_path: Path) -> None:
    for work in (load_run, lambda where: Run.create(where, "mine"), check_run):
        with pytest.raises(StorageError, match=r"there is no bucket s3://gone\. Create it, or correct the name"):
            work("s3://gone/run")
    run = Run.create(tmp_path / "run", "mine")
    write(run, 0)
    code = (
        "import resource, signal, sys; sys.path[:0] = sys.argv[2:]\n"
        "from isobudget.records.run import load_run; from support.store_work import sample\n"
        "from isobudget.errors import StorageError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        "try:\n"
        "    with load_run(sys.argv[1]).writing() as run, run.sample_writer() as writer:\n"
        "        writer.add([sample('p/0', index) for index in range(1, 3000)])\n"
        "except StorageError as error: print('refused', error)\n"
    )
    command = [sys.executable, "-c", code, str(run.path), str(Path(__file__).parents[1]), *sys.path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.startswith("refused"), done.stderr
    assert indexes(load_run(run.path)) == [0]
    assert check_run(run.path).whole


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "mine")
    run.path.chmod(0o500)
    with pytest.raises(StorageError, match="no permission"):
        write(run, 0)
    run.path.chmod(0o700)


@pytest.mark.skipif("ISOBUDGET_TEST_STORE" not in os.environ, reason="ISOBUDGET_TEST_STORE names no real store")
@pytest.mark.store
def test_a_real_store() -> None:
    """``ISOBUDGET_TEST_STORE=s3://bucket/prefix``: a run is written, taken over, checked and compacted there."""
    from isobudget.files.whole import remove_folder
    from isobudget.records.compact import compact

    run = Run.create(f"{os.environ['ISOBUDGET_TEST_STORE']}/isobudget-test-{os.getpid()}", "mine")
    try:
        for index in range(3):
            write(run, index)
        with run.writing():
            with pytest.raises(RunError, match="in use"):
                write(load_run(run.path), 9)
            release_other(run.path)
            other = Writer(str(run.path))
            assert other.write(3) == "written"
            with pytest.raises(RunError, match="has taken over"), PartWriter(run.path / "samples", SampleRow) as writer:
                writer.add([sample("p/0", 4)])
            other.end()
        compact(run)
        assert sorted(indexes(run)) == [0, 1, 2, 3]
    finally:
        remove_folder(run.path)
