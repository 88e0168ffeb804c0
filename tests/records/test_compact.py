"""Few large parts of many small ones: the same rows in the same order, for readers at any moment."""

from __future__ import annotations

from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from isobudget import api
from isobudget.records import compact as compacting
from isobudget.records.compact import compact, groups
from isobudget.records.manifest import Part
from isobudget.records.parts import part_paths, read_rows
from isobudget.records.rows import SampleRow
from isobudget.records.run import Run
from support.store_work import sample
from support.synthetic_run import PAIR, synthetic_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = synthetic_run(tmp_path / "run", PAIR, {"own": 3}, seed=1)
    for index in range(5):
        with made.writing(), made.sample_writer() as writer:
            writer.add([sample("p/0", index)])
    return made


def test_the_same_rows_in_the_same_order(run: Run) -> None:
    before = list(run.samples()), list(run.verdicts()), run.problems()
    made = api.compact(run)
    assert made.tables == {"problems": (1, 1), "samples": (6, 1), "verdicts": (1, 1)}
    assert (list(run.samples()), list(run.verdicts()), run.problems()) == before
    (part,) = (run.path / "samples").glob("*.parquet")
    assert [SampleRow(**row) for row in pq.read_table(part).to_pylist()] == before[0]
    assert len(list((run.path / ".superseded" / "samples").iterdir())) == 6
    assert "nothing to merge" in str(api.compact(run))


def test_who_began_to_read_before_reads_on(run: Run) -> None:
    before = list(run.samples())
    rows = read_rows(run.path / "samples", SampleRow)
    first = [next(rows)]
    compact(run)
    assert first + list(rows) == before


def test_a_glob_never_sees_a_row_twice(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    rename = Path.rename

    def watched(path: Path, target: Path) -> Path:
        seen.append(ds.dataset(run.path / "samples").count_rows() if any((run.path / "samples").glob("p*")) else 0)
        assert len(list(run.samples())) == 77  # while isobudget's readers see all
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", watched)
    compact(run)
    assert seen == [77, 5, 4, 3, 2, 1, 0]


def test_numbers_are_never_used_again(run: Run) -> None:
    compact(run)
    with run.writing(), run.sample_writer() as writer:
        writer.add([sample("p/0", 9)])
    assert [path.name for path in part_paths(run.path / "samples")] == ["part-000007.parquet", "part-000008.parquet"]


def test_parts_grow_to_a_size_and_no_further() -> None:
    parts = [Part(str(at), 1, size, "", "") for at, size in enumerate([3, 3, 3, 9, 1, 1])]
    assert [[int(one.name) for one in group] for group in groups(parts, 6, lambda _: True)] == [
        [0, 1],
        [2],
        [3],
        [4, 5],
    ]
    assert [len(group) for group in groups(parts, 100, lambda part: part.name != "2")] == [2, 1, 3]


def test_small_row_groups_become_large_ones(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isobudget.records.new_parts.ROWS_PER_GROUP", 50)
    before = list(run.samples())
    compacting.compact(run)
    (part,) = part_paths(run.path / "samples")
    metadata = pq.read_metadata(part)
    assert [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)] == [50, 27]
    assert list(run.samples()) == before
