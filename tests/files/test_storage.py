"""Files appear whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isobudget.errors import RunError, StorageError
from isobudget.files.whole import locked, make_folder, write_whole

HOLD = """
import sys
from pathlib import Path
from isobudget.files.whole import locked
with locked(Path(sys.argv[1]), "the run"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "facts"
    write_whole(target, b"old")
    write_whole(target, b"new")
    assert target.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["facts"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """A file size limit stands in for the full disk: the write fails in the middle."""
    code = f"""
import resource, signal
from pathlib import Path
from isobudget.files.whole import write_whole
from isobudget.errors import StorageError
write_whole(Path({str(tmp_path)!r}) / "facts", b"old")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole(Path({str(tmp_path)!r}) / "facts", b"x" * 5000)
except StorageError as error:
    print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("refused:")
    assert (tmp_path / "facts").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["facts"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_the_message_for_a_full_disk_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught, Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")
    from isobudget.files.whole import storage_error

    assert "the disk is full" in str(storage_error(caught.value, tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="no permission"):
        write_whole(tmp_path / "facts", b"x")


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("I am a file")
    with pytest.raises(StorageError, match="in the way"):
        make_folder(tmp_path / "run")
    with pytest.raises(StorageError, match="in the way"):
        make_folder(tmp_path / "run" / "samples")


def test_a_second_process_is_refused_and_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(RunError, match=rf"the run is in use .*process {holder.pid}"), locked(lock, "the run"):
        pass
    holder.kill()
    holder.communicate()
    with locked(lock, "the run"):
        assert lock.read_text() == str(os.getpid())


def test_threads_that_write_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: write_whole(path, bytes([number]) * 10_000), range(32)))
    assert len(set(path.read_bytes())) == 1
    assert list(tmp_path.iterdir()) == [path]
