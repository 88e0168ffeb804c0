"""Which parts of a run count, and what becomes of those that a stopped writer left."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from isobudget.errors import RunError
from isobudget.records.check import check_run
from isobudget.records.manifest import columns_of, read_manifest
from isobudget.records.part_writer import PartWriter
from isobudget.records.parts import part_paths, read_rows, rows_in_table
from isobudget.records.rows import SampleRow
from isobudget.records.run import Run, load_run
from support.store_work import sample
from support.synthetic_run import PAIR, synthetic_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return synthetic_run(tmp_path / "run", PAIR, {"own": 3}, seed=1)


def own(index: int) -> SampleRow:
    """A further sample of the run."""
    return replace(sample("own/1", 100 + index), model=PAIR[0].name)


def add(run: Run, *indexes: int) -> None:
    with run.writing(), run.sample_writer() as writer:
        writer.add([own(index) for index in indexes])


def test_a_manifest_says_of_every_part_what_it_is(run: Run) -> None:
    add(run, 0, 1)
    stated = json.loads((run.path / "manifest.json").read_text())
    assert stated["format"] == 1
    assert set(stated["tables"]) == {"problems", "samples", "verdicts"}
    for table, said in stated["tables"].items():
        for part in said["parts"]:
            path = run.path / table / part["name"]
            assert part["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert (part["bytes"], part["rows"]) == (path.stat().st_size, pq.read_metadata(path).num_rows)
            assert stated["schemas"][part["schema"]] == columns_of(pq.read_schema(path))
    assert len(stated["tables"]["samples"]["parts"]) == 2


def test_the_folder_stays_plain_parquet(run: Run) -> None:
    add(run, 0, 1)
    rows = ds.dataset(run.path / "samples").to_table().to_pylist()
    assert [SampleRow(**row) for row in rows] == list(run.samples())
    assert rows_in_table(run.path / "samples") == len(rows)


def test_every_switch_is_another_file_even_with_the_same_parts(run: Run) -> None:
    manifest = read_manifest(run.path)
    assert manifest is not None
    assert manifest.to_json() != manifest.to_json()


def test_a_part_that_is_not_listed_does_not_count_until_the_next_writer(run: Run, tmp_path: Path) -> None:
    before = list(run.samples())
    with PartWriter(tmp_path / "aside" / "samples", SampleRow) as writer:  # as if its writer had been killed there
        writer.add([own(5)])
    left = run.path / "samples" / "part-000007.parquet"
    (tmp_path / "aside" / "samples" / "part-000001.parquet").rename(left)
    assert list(run.samples()) == before
    with run.writing():
        assert list(run.samples()) == [*before, own(5)]
    add(run, 6)
    assert [path.name for path in part_paths(run.path / "samples")] == [
        "part-000001.parquet",
        "part-000007.parquet",
        "part-000008.parquet",
    ]


def test_a_part_with_rows_that_the_run_has_is_never_taken_in(run: Run) -> None:
    before = list(run.samples())
    old = run.path / "samples" / "part-000001.parquet"
    (run.path / "samples" / "part-000002.parquet").write_bytes(old.read_bytes())
    add(run, 0)
    assert list(run.samples()) == [*before, own(0)]
    assert (run.path / "samples" / "part-000003.parquet").exists()  # no number is used twice


def test_a_run_without_a_manifest_is_read_whole_and_gets_one(run: Run) -> None:
    add(run, 0)
    rows = list(run.samples())
    (run.path / "manifest.json").unlink()
    text = (run.path / "run.toml").read_text()
    (run.path / "run.toml").write_text(text.replace("format = 3", "format = 2"))
    assert list(load_run(run.path).samples()) == rows
    add(load_run(run.path), 1)
    manifest = read_manifest(run.path)
    assert manifest is not None
    assert [part.rows for part in manifest.table("samples").parts] == [len(rows) - 1, 1, 1]
    assert load_run(run.path).facts["format"] == 3
    assert list(load_run(run.path).samples()) == [*rows, own(1)]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": 1, "tables": {"samples": 3}, "schemas": {}}'])
def test_a_damaged_manifest_is_named_with_what_to_do(run: Run, text: str) -> None:
    (run.path / "manifest.json").write_text(text)
    with pytest.raises(RunError, match=r"manifest\.json: .*isobudget check .* --repair"):
        list(run.samples())


def test_a_newer_manifest_is_not_guessed_at(run: Run) -> None:
    stated = json.loads((run.path / "manifest.json").read_text())
    (run.path / "manifest.json").write_text(json.dumps(stated | {"format": 2}))
    with pytest.raises(RunError, match="newer than this isobudget knows"):
        list(run.samples())


def test_forgotten_verdicts_do_not_come_back(run: Run) -> None:
    kept = {path: path.read_bytes() for path in part_paths(run.path / "verdicts")}
    with run.writing():
        run.drop("verdicts")
        assert list(run.verdicts()) == []
    manifest = read_manifest(run.path)
    assert manifest is not None
    # stopped after the switch and before the files were deleted
    old = replace(manifest.table("verdicts"), superseded=tuple(path.name for path in kept))
    (run.path / "manifest.json").write_bytes(manifest.having("verdicts", old).to_json())
    for path, data in kept.items():
        path.write_bytes(data)
    with run.writing():
        assert list(run.verdicts()) == []
    assert list((run.path / "verdicts").glob("*.parquet")) == []


def test_a_table_without_a_run_needs_no_manifest(tmp_path: Path) -> None:
    with PartWriter(tmp_path / "t" / "samples", SampleRow) as writer:
        writer.add([own(0)])
    assert not (tmp_path / "t" / "manifest.json").exists()
    assert list(read_rows(tmp_path / "t" / "samples", SampleRow)) == [own(0)]


def _stated(run: Run) -> Any:
    return json.loads((run.path / "manifest.json").read_text())


def _hostile() -> dict[str, Callable[[Any], Any]]:
    def of_part(field: str, value: Any) -> Callable[[Any], Any]:
        def change(stated: Any) -> Any:
            stated["tables"]["samples"]["parts"][0][field] = value
            return stated

        return change

    def twice(stated: Any) -> Any:
        stated["tables"]["samples"]["parts"] *= 2
        return stated

    def renamed(stated: Any) -> Any:
        stated["tables"]["../samples"] = stated["tables"].pop("samples")
        return stated

    numbers = (-1, 1.5, float("inf"), True, "3", None, 10**400)
    names = ("../part-000001.parquet", "/part-000001.parquet", "..", "", "part-000001.parquet\n", 3, ["x"])
    return {
        **{f"format {one!r}": lambda stated, one=one: stated | {"format": one} for one in ("x", 0, True, 1.0, None)},
        **{f"{field} {str(one)[:9]}": of_part(field, one) for field in ("rows", "bytes") for one in numbers},
        **{f"name {one!r}": of_part("name", one) for one in names},
        "one key more": of_part("mood", 1),
        "hash": of_part("sha256", "\ud800"),
        "schema": of_part("schema", {}),
        "twice": twice,
        "table": renamed,
        "columns": lambda stated: stated | {"schemas": {"a": {"b\x1b[2J": "string"}}},
        "schemas": lambda stated: stated | {"schemas": [1]},
    }


@pytest.mark.parametrize("change", _hostile().values(), ids=_hostile())
def test_what_no_writer_states_is_of_another_form(run: Run, change: Callable[[Any], Any]) -> None:
    (run.path / "manifest.json").write_text(json.dumps(change(_stated(run))))
    with pytest.raises(RunError, match=r"has an unexpected structure; .*isobudget check .* --repair"):
        list(run.samples())
    assert check_run(run.path, repair=True).whole


def test_deep_nesting_is_of_another_form(run: Run) -> None:
    (run.path / "manifest.json").write_text("[" * 200_000)
    with pytest.raises(RunError, match="has an unexpected structure"):
        list(run.samples())


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_manifest_that_is_no_file_is_damaged_and_repaired(run: Run, make: Callable[[Path], None]) -> None:
    rows = list(run.samples())
    (run.path / "manifest.json").unlink()
    make(run.path / "manifest.json")
    with pytest.raises(RunError, match=r"is not a file; .* --repair"):
        list(run.samples())
    assert check_run(run.path, repair=True).whole
    assert list(run.samples()) == rows


def test_a_newer_manifest_is_named_and_not_touched(run: Run) -> None:
    text = json.dumps(_stated(run) | {"format": 2, "tables": [], "mood": "good"})
    (run.path / "manifest.json").write_text(text)
    (finding,) = check_run(run.path).findings
    assert (finding.kind, "use a newer isobudget" in finding.remedy) == ("newer", True)
    with pytest.raises(RunError, match="use a newer isobudget"):
        check_run(run.path, repair=True)
    assert (run.path / "manifest.json").read_text() == text
    assert not (run.path / ".superseded").exists()


def test_what_was_set_aside_stays(run: Run) -> None:
    aside = run.path / ".superseded"
    aside.mkdir()
    (aside / "manifest.json.2").write_text("mine")
    (aside / "samples").mkdir()
    (aside / "samples" / "part-000002.parquet").write_text("mine too")
    (run.path / "samples" / "part-000002.parquet").write_text("damaged")
    for text in ("{1", "{2"):
        (run.path / "manifest.json").write_text(text)
        assert check_run(run.path, repair=True).whole
    assert {path.name: path.read_text() for path in aside.glob("manifest.json.*")} == {
        "manifest.json.1": "{1",
        "manifest.json.2": "mine",
        "manifest.json.3": "{2",
    }
    assert {path.read_text() for path in (aside / "samples").iterdir()} == {"mine too", "damaged"}


@pytest.mark.parametrize("text", ["{", '{"format": 9}'])
def test_a_check_says_what_lies_there_when_the_manifest_does_not(run: Run, text: str) -> None:
    whole = check_run(run.path)
    (run.path / "manifest.json").write_text(text)
    checked = check_run(run.path)
    assert (checked.tables, checked.bytes) == (whole.tables, whole.bytes)
    assert len(checked.notes) == 1
