"""A run asked by SQL: the tables of docs/importing.md, averages, and nothing outside in reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from isobudget import api
from isobudget.errors import InputError, RunError
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
    ],
)
def test_wrong_queries_and_queries_that_reach_outside(run: Path, tmp_path: Path, query: str) -> None:
    with pytest.raises(InputError, match="the query failed"):
        api.sql(run, query.format(file=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("query", ["", " ", ";", "-- nothing"])
def test_no_statement(run: Path, query: str) -> None:
    with pytest.raises(InputError, match="a query is one statement of SQL, and this is none"):
        api.sql(run, query)


def test_one_statement_at_a_time(run: Path) -> None:
    with pytest.raises(InputError, match="a query is one statement of SQL, and this is 2"):
        api.sql(run, "select 1; select 2")
    assert api.sql(run, "select ';' as a; -- fine").to_records() == [{"a": ";"}]


def test_an_unknown_table_is_told_those_there_are(run: Path) -> None:
    with pytest.raises(
        InputError, match=r"nothing does not exist.* There are: samples, greedy, verdicts, problems, sc"
    ):
        api.sql(run, "select * from nothing")


def test_a_part_that_is_cut_is_said_with_what_to_do(tmp_path: Path) -> None:
    synthetic_run(tmp_path / "run", benchmarks={"mine": 3})
    part = tmp_path / "run" / "samples" / "part-000001.parquet"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(RunError, match=r"a part cannot be read: .*part-000001.*isobudget check "):
        api.sql(tmp_path / "run", "select count(*) from samples")
