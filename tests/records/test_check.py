"""What `isobudget check` finds, and what `--repair` makes of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isobudget import api
from isobudget.analysis.load_samples import load_samples
from isobudget.errors import RunError
from isobudget.files.whole import locked
from isobudget.records.check import check_run
from isobudget.records.compact import compact
from isobudget.records.run import Run, load_run
from support.command import isobudget
from support.synthetic_run import PAIR, synthetic_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return synthetic_run(tmp_path / "run", PAIR, {"own": 3}, seed=1)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def more_columns(path: Path) -> None:
    """As a newer isobudget would write it."""
    table = pq.read_table(path)
    pq.write_table(table.append_column("mood", [["good"] * table.num_rows]), path)


def test_a_whole_run_is_whole(run: Run) -> None:
    checked = api.check(run)
    assert checked.whole
    assert (checked.samples, checked.judged, checked.notes) == (72, 72, ())
    assert checked.tables == {"problems": (3, 1), "samples": (72, 1), "verdicts": (72, 1)}
    assert str(checked).endswith("whole")
    assert checked.to_dict()["findings"] == []


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink], ids=["cut", "one bit", "gone"])
@pytest.mark.parametrize("table", ["samples", "verdicts", "problems"])
def test_a_part_that_is_not_as_it_was_written(run: Run, table: str, damage: Callable[[Path], None]) -> None:
    with run.writing(), run.sample_writer() as writer:  # a second part, so that not all are gone
        writer.add(list(synthetic_run(run.path.parent / "b", PAIR, {"b": 3}).samples())[:4])
    part = run.path / table / "part-000001.parquet"
    damage(part)
    before = sorted(path.name for path in (run.path / table).iterdir())
    checked = check_run(run.path)
    found = next(one for one in checked.findings if one.where.parent.name == table or one.where.name == table)
    assert found.kind == ("missing" if damage is Path.unlink else "damaged")
    assert found.remedy
    assert sorted(path.name for path in (run.path / table).iterdir()) == before  # nothing is changed unasked
    repaired = check_run(run.path, repair=True)
    assert repaired.repaired
    assert "own" not in {row.benchmark for row in run.samples()} or table != "samples"
    assert all(one.kind != "damaged" for one in repaired.findings)
    if damage is not Path.unlink:
        assert (run.path / ".superseded" / table / part.name).exists()


def test_verdicts_on_lost_samples_do_not_count_for_new_ones(run: Run) -> None:
    (run.path / "samples" / "part-000001.parquet").write_bytes(b"gone")
    assert check_run(run.path, repair=True).whole
    assert list(run.samples()) == list(run.verdicts()) == []


def test_a_part_of_a_newer_isobudget_is_named_and_left(run: Run) -> None:
    part = run.path / "samples" / "part-000001.parquet"
    more_columns(part)
    (run.path / "manifest.json").unlink()
    (finding,) = check_run(run.path).findings
    assert (finding.kind, "mood" in finding.what) == ("newer", True)
    with run.writing(), run.sample_writer() as writer:
        writer.add(list(synthetic_run(run.path.parent / "b", PAIR, {"b": 3}).samples()))
    compact(run)
    assert "mood" in pq.read_schema(part).names  # what is not known here is not thrown away


def test_what_a_stopped_writer_left_is_no_loss(run: Run) -> None:
    part = run.path / "samples" / "part-000001.parquet"
    (run.path / "samples" / "part-000002.parquet").write_bytes(part.read_bytes())
    (run.path / "samples" / ".part-000003.parquet.77.tmp").write_bytes(b"half")
    (run.path / "samples" / "part-000004.parquet").write_bytes(b"half")
    assert [one.kind for one in check_run(run.path).findings] == ["twice", "damaged", "left over"]
    rows = list(run.samples())
    assert check_run(run.path, repair=True).whole
    assert list(run.samples()) == rows
    assert len(list((run.path / ".superseded" / "samples").iterdir())) == 3


def test_a_damaged_manifest_is_made_anew_of_the_parts(run: Run) -> None:
    rows = list(run.samples())
    (run.path / "manifest.json").write_text("{")
    (finding,) = check_run(run.path).findings
    assert finding.kind == "damaged"
    assert check_run(run.path, repair=True).whole
    assert list(run.samples()) == rows
    assert (run.path / ".superseded" / "manifest.json.1").read_text() == "{"


def test_a_table_that_this_isobudget_does_not_know(run: Run) -> None:
    (run.path / "moods").mkdir()
    (run.path / "moods" / "part-000001.parquet").write_bytes(b"x")
    (finding,) = check_run(run.path, repair=True).findings
    assert (finding.kind, finding.where.name) == ("unknown", "moods")
    assert (run.path / "moods" / "part-000001.parquet").exists()


def test_what_is_no_run_or_newer_is_one_message(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        check_run(tmp_path / "nothing")
    text = (run.path / "run.toml").read_text()
    (run.path / "run.toml").write_text(text.replace("format = 3", "format = 4"))
    with pytest.raises(RunError, match=r"does not support format 4; use a newer isobudget"):
        check_run(run.path)


def test_repairing_waits_for_nobody(run: Run) -> None:
    with locked(run.path / ".lock", str(run.path)):
        assert check_run(run.path).whole
    code = (
        "import sys; from pathlib import Path; from isobudget.files.whole import locked\n"
        "with locked(Path(sys.argv[1]), 'x'): print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(run.path / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    other.stdout.readline()
    for work in (lambda: check_run(run.path, repair=True), lambda: compact(run.path)):
        with pytest.raises(RunError, match="in use by another isobudget"):
            work()
    other.communicate()


def test_the_command_says_it_in_its_exit_code(run: Run) -> None:
    done = isobudget("check", run.path, "--json")
    assert (done.returncode, json.loads(done.stdout)["whole"]) == (0, True)
    cut(run.path / "samples" / "part-000001.parquet")
    done = isobudget("check", run.path, "--json")
    assert done.returncode == 1
    assert [one["kind"] for one in json.loads(done.stdout)["findings"]] == ["damaged"]
    assert load_run(run.path).facts["format"] == 3


@pytest.mark.parametrize("lost", ["nothing", "manifest", "manifest cut"])
@pytest.mark.parametrize("of", ["benchmark", "model", "problem"])
def test_a_part_of_another_run_is_named_and_not_taken_in(run: Run, of: str, lost: str) -> None:
    model = replace(PAIR[0], name="other") if of == "model" else PAIR[0]
    benchmarks = {"b" if of == "benchmark" else "own": 5 if of == "problem" else 3}
    other = synthetic_run(run.path.parent / "other", (replace(model, n=30),), benchmarks)
    rows = list(run.samples())
    copied = run.path / "samples" / "part-000009.parquet"
    copied.write_bytes((other.path / "samples" / "part-000001.parquet").read_bytes())
    if lost == "manifest":
        (run.path / "manifest.json").unlink()
    if lost != "manifest cut":
        (finding,) = check_run(run.path).findings
        assert (finding.kind, finding.where) == ("foreign", copied)
        assert "does not state the " + of in finding.what
        with run.writing():
            assert list(run.samples()) == rows
    else:
        (run.path / "manifest.json").write_text("{")
    repaired = check_run(run.path, repair=True)
    assert repaired.whole
    assert any("of another run" in one for one in repaired.repaired)
    assert list(run.samples()) == rows
    assert (run.path / ".superseded" / "samples" / copied.name).exists()


class Steps:
    """Counts what is told."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()

    def start(self, task: str, total: int, done: int = 0, *, unit: str = "") -> None:
        self.told[f"of {task}"] = total

    def advance(self, task: str, steps: int) -> None:
        self.told[task] += steps

    def spend(self, task: str, unit: str, amount: float) -> None: ...

    def note(self, text: str) -> None: ...


@pytest.mark.parametrize("text", ["{", None], ids=["damaged", "lost"])
def test_repairing_reads_every_part_a_fixed_number_of_times(run: Run, text: str | None) -> None:
    read: Counter[str] = Counter()
    sys.addaudithook(lambda event, told: read.update(told) if event == "isobudget.read_part" else None)

    def most_often(parts: int) -> int:
        with run.writing(), run.sample_writer() as writer:
            for _ in range(parts):
                rows = list(run.samples())[-1:]
                writer.add([replace(rows[0], index=rows[0].index + 1)])
                writer.flush()
        path = run.path / "manifest.json"
        path.unlink() if text is None else path.write_text(text)
        read.clear()
        steps = Steps()
        assert check_run(run.path, repair=True, progress=steps).tables["samples"][1] > parts
        assert all(steps.told[task] == steps.told[f"of {task}"] > parts for task in steps.told if task[:3] != "of ")
        return max(times for path, times in read.items() if str(run.path) in path)

    assert most_often(4) == most_often(12)


@pytest.mark.parametrize(("field", "stated"), [("rows", 10**12), ("rows", 3), ("bytes", 10**15)])
def test_what_a_manifest_states_otherwise_than_it_is(run: Run, field: str, stated: int) -> None:
    path = run.path / "manifest.json"
    plain, expected = json.loads(path.read_text()), api.passk(run.path, 1)
    plain["tables"]["samples"]["parts"][0][field] = stated
    path.write_text(json.dumps(plain))
    assert [one.kind for one in check_run(run.path).findings] == ["misstated"]
    assert api.passk(run.path, 1).to_dict() == expected.to_dict()  # no room is made for rows that are not there
    repaired = check_run(run.path, repair=True)
    assert repaired.whole
    assert repaired.tables["samples"] == (72, 1)
    assert json.loads(path.read_text())["tables"]["samples"]["parts"][0]["bytes"] < 10**6


def test_a_manifest_of_another_run_condemns_no_part(run: Run, tmp_path: Path) -> None:
    other = synthetic_run(tmp_path / "other", PAIR, {"own": 2}, seed=2)
    rows = list(run.samples())
    (run.path / "manifest.json").write_bytes((other.path / "manifest.json").read_bytes())
    found = check_run(run.path).findings
    assert [(one.kind, one.where) for one in found] == [("damaged", run.path / "manifest.json")]
    with pytest.raises(RunError, match=r"is of another run.*check .* --repair"):
        compact(run.path)
    assert check_run(run.path, repair=True).whole
    assert list(run.samples()) == rows


def test_a_run_whose_facts_are_cut(run: Run) -> None:
    path = run.path / "run.toml"
    facts = path.read_text()
    path.write_text(facts[: facts.index("[machine]")])
    checked = check_run(run.path, repair=True)
    assert [(one.kind, one.where) for one in checked.findings] == [("unstated", path)] * 2
    assert checked.samples == 72
    path.write_text("")
    with pytest.raises(RunError, match=r"run.toml: states no format; was the file edited or cut\?"):
        check_run(run.path)
    path.write_text(facts)
    assert check_run(run.path).whole


def test_a_file_that_globs_read_and_no_command_does(run: Run) -> None:
    strange, before = run.path / "samples" / "ünï cödé.parquet", api.passk(run.path, 1).to_dict()
    strange.write_bytes((run.path / "samples" / "part-000001.parquet").read_bytes())
    (finding,) = check_run(run.path, repair=True).findings
    assert (finding.kind, finding.where) == ("unknown", strange)
    assert strange.exists()
    assert api.passk(run.path, 1).to_dict() == before


def other_schema(path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), path)


def other_type(path: Path) -> None:
    table = pq.read_table(path)
    at = table.schema.get_field_index("index")
    pq.write_table(table.set_column(at, "index", pa.array(["first"] * table.num_rows)), path)


def index_of(value: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        table = pq.read_table(path)
        at = table.schema.get_field_index("index")
        indexes = [value, *table["index"].to_pylist()[1:]]
        pq.write_table(table.set_column(at, table.schema.field(at), pa.array(indexes)), path)

    return change


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (other_schema, "it has no column"),
        (other_type, "it is truncated, changed, or not a Parquet file"),
        (index_of(-1), "it has a row with the index -1, which no sample has"),
        (index_of(2**40), "it has a row with the index 1099511627776, which no sample has"),
    ],
)
@pytest.mark.parametrize("table", ["samples", "verdicts"])
def test_a_part_that_commands_refuse_is_found_and_set_aside(
    run: Run, table: str, change: Callable[[Path], None], what: str
) -> None:
    (run.path / "manifest.json").unlink()  # as of an older version: no hash says that it was changed
    change(run.path / table / "part-000001.parquet")
    for command in (load_samples, lambda run: list(getattr(run, table)())):
        with pytest.raises(RunError, match=re.escape(what)):
            command(load_run(run.path))
    (finding,) = check_run(run.path).findings
    assert (finding.kind, what in finding.what) == ("damaged", True)
    assert check_run(run.path, repair=True).whole
    assert (run.path / ".superseded" / table / "part-000001.parquet").exists()
