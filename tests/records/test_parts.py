"""Tables of part files."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from isobudget.errors import RunError
from isobudget.records.part_writer import PartWriter
from isobudget.records.parts import read_each, read_rows


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    count: int
    share: float
    right: bool
    note: str | None
    tests: int | None


ROWS = [Row("a", 1, 0.5, True, None, 3), Row("ü\n\0'\"", -(2**40), math.inf, False, "x", None)]


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    with PartWriter(tmp_path / "t", Row) as writer:
        writer.add(ROWS)
    assert list(read_rows(tmp_path / "t", Row)) == ROWS
    (table,) = read_each(tmp_path / "t", Row, ["count"])
    assert table.to_pydict() == {"count": [1, -(2**40)]}


def test_any_parquet_reader_reads_a_part(tmp_path: Path) -> None:
    with PartWriter(tmp_path / "t", Row) as writer:
        writer.add(ROWS)
    table = pq.read_table(tmp_path / "t" / "part-000001.parquet")
    assert table.num_rows == 2
    assert table.schema.field("note").nullable
    assert not table.schema.field("name").nullable


def test_a_missing_folder_is_an_empty_table(tmp_path: Path) -> None:
    assert list(read_each(tmp_path / "none", Row)) == list(read_rows(tmp_path / "none", Row)) == []


def test_parts_are_written_when_the_interval_is_over(tmp_path: Path) -> None:
    clock = [0.0]
    with PartWriter(tmp_path / "t", Row, now=lambda: clock[0]) as writer:
        writer.add(ROWS)
        assert parts(tmp_path / "t") == []
        clock[0] = 6.0
        writer.add(ROWS)
        assert parts(tmp_path / "t") == ["part-000001.parquet"]
        clock[0] = 10_000.0  # hours later the interval is a minute, not five seconds
        writer.add(ROWS)
        clock[0] += 10.0
        writer.add(ROWS)
        assert len(parts(tmp_path / "t")) == 2
    assert len(list(read_rows(tmp_path / "t", Row))) == 8


def test_a_new_writer_goes_on_after_the_last_part(tmp_path: Path) -> None:
    for _ in range(3):
        with PartWriter(tmp_path / "t", Row) as writer:
            writer.add(ROWS)
    assert parts(tmp_path / "t") == [f"part-{i:06d}.parquet" for i in (1, 2, 3)]


def test_rows_survive_an_error_in_the_writers_block(tmp_path: Path) -> None:
    def interrupted() -> None:
        with PartWriter(tmp_path / "t", Row) as writer:
            writer.add(ROWS)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(list(read_rows(tmp_path / "t", Row))) == 2


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"not parquet at all, but long enough to look at" * 9])
def test_a_damaged_part_is_named(tmp_path: Path, damage: bytes) -> None:
    with PartWriter(tmp_path / "t", Row) as writer:
        writer.add(ROWS)
    (tmp_path / "t" / "part-000002.parquet").write_bytes(damage)
    with pytest.raises(
        RunError, match=r"part-000002\.parquet: not a whole part of this run: it is truncated, .*\. Put"
    ) as told:
        list(read_each(tmp_path / "t", Row))
    assert ".." not in str(told.value)


def test_files_that_are_no_parts_are_left_alone(tmp_path: Path) -> None:
    with PartWriter(tmp_path / "t", Row) as writer:
        writer.add(ROWS)
    (tmp_path / "t" / ".part-000002.parquet.77.tmp").write_bytes(b"half")
    (tmp_path / "t" / "notes.txt").write_text("mine")
    assert sum(part.num_rows for part in read_each(tmp_path / "t", Row)) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_part_that_may_not_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    with PartWriter(tmp_path / "t", Row) as writer:
        writer.add(ROWS)
    (tmp_path / "t" / parts(tmp_path / "t")[0]).chmod(0)
    with pytest.raises(RunError, match="cannot be read: Permission denied"):
        list(read_rows(tmp_path / "t", Row))
    (tmp_path / "t").chmod(0)
    with pytest.raises(RunError, match="cannot be read: Permission denied"):
        list(read_rows(tmp_path / "t", Row))
    (tmp_path / "t").chmod(0o700)
