"""A run asked by SQL: the tables of docs/importing.md, averages, and nothing outside in reach."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from isobudget import api
from isobudget.errors import InputError, RunError
from isobudget.report.markup import csv_text, latex
from support.synthetic_run import synthetic_run

pytest.importorskip("duckdb", reason="needs isobudget[sql]")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sql") / "run"
    synthetic_run(path, benchmarks={"mine": 3})
    return path


def test_the_share_that_passed_is_pass_at_1(run: Path) -> None:
    rows = api.sql(run, "select model, avg(passed) as share from samples group by model order by model")
    passk = {one.model: one.success[0] for one in api.passk(run, 1)}
    assert {row["model"]: row["share"] for row in rows} == pytest.approx(passk)
    same = api.sql(run, "select model, avg(passed) as share from verdicts group by model order by model")
    assert same.to_dict() == rows.to_dict()


def test_every_view(run: Path) -> None:
    for view, number in (("samples", 66), ("greedy", 6), ("verdicts", 66), ("problems", 3), ("scores", 0)):
        assert api.sql(run, f"select count(*) as n from {view}").to_records() == [{"n": number}]
    assert "passed" in api.sql(run, "select * from greedy limit 1")[0]


def test_samples_that_are_not_judged_have_no_verdict(tmp_path: Path) -> None:
    synthetic_run(tmp_path / "run", benchmarks={"mine": 3}, judged=False)
    assert api.sql(tmp_path / "run", "select count(*) n, count(passed) m from samples")[0] == {"n": 66, "m": 0}


@pytest.mark.parametrize(
    "query",
    [
        "select * from nothing",
        "copy samples to '{file}'",
        "select * from read_csv('/etc/hostname')",
        "attach '{file}' as other",
        "set enable_external_access = true",
        "install httpfs",
        "create table mine as select 1",
        "drop view samples",
        "begin",
        "set threads = 1",
    ],
)
def test_wrong_queries_and_queries_that_reach_outside(run: Path, tmp_path: Path, query: str) -> None:
    with pytest.raises(InputError, match="the query failed"):
        api.sql(run, query.format(file=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("query", ["", " ", ";", "-- nothing"])
def test_no_statement(run: Path, query: str) -> None:
    with pytest.raises(InputError, match="a query must be one SQL statement, but this query has none"):
        api.sql(run, query)


def test_one_statement_at_a_time(run: Path) -> None:
    with pytest.raises(InputError, match="a query must be one SQL statement, but this query has 2"):
        api.sql(run, "select 1; select 2")
    assert api.sql(run, "select ';' as a; -- fine").to_records() == [{"a": ";"}]


def test_an_unknown_table_is_told_those_there_are(run: Path) -> None:
    with pytest.raises(
        InputError, match=r"nothing does not exist.* The tables are: samples, greedy, verdicts, problems, sc"
    ):
        api.sql(run, "select * from nothing")


def test_a_part_that_is_cut_is_said_with_what_to_do(tmp_path: Path) -> None:
    synthetic_run(tmp_path / "run", benchmarks={"mine": 3})
    part = tmp_path / "run" / "samples" / "part-000001.parquet"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(RunError, match=r"a part cannot be read: .*part-000001.*isobudget check "):
        api.sql(tmp_path / "run", "select count(*) from samples")


def test_values_of_every_kind_are_printed_in_every_form(run: Path) -> None:
    query = (
        "select 'nan'::double x, 1.5::decimal(4, 2) d, date '2020-01-02' as d2, 'ab'::blob b, [1.5::decimal(4, 2)] l, "
        "map {1: time '01:02:03'} m, interval '1 day' i, '00000000-0000-0000-0000-000000000001'::uuid u, "
        "170141183460469231731687303715884105727::hugeint h, null n, 1 a, 2 a, 3 a_1"
    )
    (row,) = api.sql(run, query).to_dict()
    assert json.loads(json.dumps(row, allow_nan=False)) == {
        "x": None,
        "d": 1.5,
        "d2": "2020-01-02",
        "b": "6162",
        "l": [1.5],
        "m": {"1": "01:02:03"},
        "i": "1 day, 0:00:00",
        "u": "00000000-0000-0000-0000-000000000001",
        "h": 2**127 - 1,
        "n": None,
        "a": 1,
        "a_2": 2,
        "a_1": 3,
    }
    answer = api.sql(run, query)
    assert all("2020-01-02" in text for text in (csv_text(answer.to_records()), *map(latex, answer.grids())))


def test_headings_are_no_formulas_either(run: Path) -> None:
    rows = api.sql(run, """select '=1' as "=2", '@a' as "+b" """)
    assert csv_text(rows.to_records()) == "'=2,'+b\n'=1,'@a\n"


def test_a_pivot_and_other_readers_run(run: Path) -> None:
    for query in ("pivot samples on model using avg(passed)", "describe samples", "explain select 1", "from greedy"):
        assert len(api.sql(run, query))


@pytest.mark.parametrize("after_ms", [*range(0, 100, 7), 500])
def test_ctrl_c_stops_a_query(run: Path, after_ms: int) -> None:
    """One of hours, told apart from a fault of the query; also while DuckDB asks others about the tables."""

    def press() -> None:
        threading.Event().wait(after_ms / 1000)
        os.kill(os.getpid(), signal.SIGINT)

    def asked() -> None:
        presser.start()
        api.sql(run, "select sum(a.range * b.range) from range(1000000) a, range(10000000) b")

    presser = threading.Thread(target=press)
    with pytest.raises(KeyboardInterrupt):
        asked()
    presser.join()
