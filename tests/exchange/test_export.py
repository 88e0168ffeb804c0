"""Import, export, import: equal in what each format can hold. What it cannot is said here, and in docs/importing.md."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

from isobudget import api
from isobudget.errors import InputError
from isobudget.exchange.export import FORMATS
from isobudget.exchange.write_run import write_run
from isobudget.records.rows import NO_TEXT
from isobudget.records.run import load_run
from support.synthetic_run import synthetic_run

FIXTURES = Path(__file__).parents[1] / "importers" / "fixtures"
#: what a format does not keep of a sample, but for texts
LOSSES = {
    "human-eval": {"tokens", "seconds", "usd", "cut_off", "form"},
    "evalplus": {"tokens", "seconds", "usd", "cut_off", "form", "not judged"},
    "inspect": set[str](),
    "csv": set[str](),
    "parquet": set[str](),
    "jsonl": set[str](),
}


def rows_of(path: Path, losses: set[str]) -> dict[Any, Any]:
    """What a run has of each sample, without what a format loses."""
    run = load_run(path)
    verdicts = {one.key: one for one in run.verdicts()}
    facts = run.facts["models"]
    found = {}
    for one in run.samples():
        said = verdicts.get(one.key)
        if said is None and "not judged" in losses:
            continue
        tokens = None if "tokens" in losses else (one.prompt_tokens, one.completion_tokens)
        seconds = None if "seconds" in losses or math.isnan(one.seconds) else one.seconds
        form = None if "form" in losses else facts[one.model]["prompts"][one.benchmark]["format"]
        # an absent text comes back as an empty one, which no format tells from it
        cut = None if "cut_off" in losses else one.finish_reason == "length"
        usd = None if "usd" in losses else one.usd
        place = one.index if "not judged" not in losses else None  # what is left out moves the others up
        key = (one.benchmark, one.model, one.task_id, place, None if place is not None else one.text)
        found.setdefault(key, []).append((None if said is None else said.passed, tokens, seconds, form, cut, usd))
    return found


@pytest.mark.parametrize("to", list(FORMATS))
@pytest.mark.parametrize("benchmark", ["humaneval", "toy"])
def test_round_trip(tmp_path: Path, to: str, benchmark: str) -> None:
    file = {"humaneval": "human_eval_model-7b.jsonl_results.jsonl", "toy": "inspect_toy.eval"}[benchmark]
    write_run(FIXTURES / file, tmp_path / "run")
    if to == "evalplus" and benchmark == "toy":
        pytest.skip("EvalPlus' files hold whole programs: of answers in prose only what is extracted")
    made = api.export(tmp_path / "run", to, tmp_path / "out", benchmark=benchmark)
    write_run(tmp_path / "out", tmp_path / "again")
    before = {key: value for key, value in rows_of(tmp_path / "run", LOSSES[to]).items() if key[0] == benchmark}
    after = rows_of(tmp_path / "again", LOSSES[to])
    if to == "evalplus":  # whole programs, a model called after its file
        before = {(key[0], key[2]): value for key, value in by_task(before).items()}
        after = {(key[0], key[2]): value for key, value in by_task(after).items()}
    assert after == before
    assert made.samples == sum(map(len, before.values()))


def by_task(rows: dict[Any, Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, values in rows.items():
        found.setdefault((key[0], "", key[2]), []).extend(values)
    return found


@pytest.mark.parametrize("to", ["jsonl", "parquet", "csv", "inspect"])
def test_texts_come_back(tmp_path: Path, to: str) -> None:
    texts = ["plain", "", 'a,b\n"c"\r\n\ttab', "é\u2028\U0001f600", " =1+1"]
    lines = [json.dumps({"task_id": "t", "model": "m/x", "benchmark": "b", "completion": text}) for text in texts]
    (tmp_path / "s.jsonl").write_text("\n".join(lines))
    write_run(tmp_path / "s.jsonl", tmp_path / "run")
    api.export(tmp_path / "run", to, tmp_path / "out")
    write_run(tmp_path / "out", tmp_path / "again")
    assert [(one.model, one.benchmark, one.text) for one in load_run(tmp_path / "again").samples()] == [
        ("m/x", "b", text) for text in texts
    ]


def test_two_suites_go_back_to_evalplus(tmp_path: Path) -> None:
    source = FIXTURES / "evalplus_model-7b_eval_results.json"
    write_run(source, tmp_path / "run")
    made = api.export(tmp_path / "run", "evalplus", tmp_path / "out")
    (written,) = made.files
    kept = ("solution", "base_status", "plus_status")
    before, after = (json.loads(path.read_text())["eval"] for path in (source, written))
    assert {task: [[row[key] for key in kept] for row in rows] for task, rows in after.items()} == {
        task: [[row[key] for key in kept] for row in rows] for task, rows in before.items()
    }


def test_what_plus_did_not_judge_is_said_only_where_it_judged_others(tmp_path: Path) -> None:
    synthetic_run(tmp_path / "run", benchmarks={"mine": 3}, greedy=False)
    api.export(tmp_path / "run", "evalplus", tmp_path / "none")
    assert write_run(tmp_path / "none", tmp_path / "again").messages() == []
    results = json.loads((FIXTURES / "evalplus_model-7b_eval_results.json").read_text())
    next(iter(results["eval"].values()))[0]["plus_status"] = None
    (tmp_path / "some.json").write_text(json.dumps(results))
    said = write_run(tmp_path / "some.json", tmp_path / "some").messages()
    assert "some samples were not judged by Plus" in said[0]


def test_a_run_of_our_own(tmp_path: Path) -> None:
    synthetic_run(tmp_path / "run", benchmarks={"mine": 3})
    for to in FORMATS:
        made = api.export(tmp_path / "run", to, tmp_path / to)
        greedy = to in ("csv", "parquet", "jsonl")
        assert (made.samples, made.left) == ((72, {}) if greedy else (66, {"greedy outputs": 6}))
        direct = {(one.model, one.problems): one.success for one in api.passk(tmp_path / "run", "1,2")}
        again = {(one.model, one.problems): one.success for one in api.passk(tmp_path / to, "1,2")}
        assert again == direct


def test_a_spreadsheet_runs_no_formula(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text(json.dumps({"task_id": "=cmd()", "model": "@m", "completion": "-1"}))
    write_run(tmp_path / "s.jsonl", tmp_path / "run")
    (path,) = api.export(tmp_path / "run", "csv", tmp_path / "out").files
    (row,) = csv.DictReader(path.read_text().splitlines())
    assert (row["task_id"], row["model"], row["completion"]) == ("'=cmd()", "'@m", "'-1")


def test_a_table_in_text_comes_back_equal_whatever_it_holds(tmp_path: Path) -> None:
    texts = ("a\r# x", "\r", "\r\n", "=1", "'=1", "'", "\x00", "\x0b\x0c\x1c\x85\u2028\u2029", ' "a";\t', "x" * 200_000)
    rows = [
        {"model": model, "task_id": f"{sign}t/{at}", "completion": text, "passed": model == "=x"}
        for model in ("=x", "'=x", "''=x")
        for at, (text, sign) in enumerate(zip(texts, "=+-@'\"abcd", strict=True))
    ]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_run(tmp_path / "s.jsonl", tmp_path / "run")
    (path,) = api.export(tmp_path / "run", "csv", tmp_path / "out").files
    write_run(path, tmp_path / "again")
    before, after = ([(one.key, one.text) for one in load_run(tmp_path / name).samples()] for name in ("run", "again"))
    assert before == after
    passed = {one.model: one.success for one in api.passk(path, "1")}
    assert passed == {"=x": (1.0,), "'=x": (0.0,), "''=x": (0.0,)}


def test_a_program_in_anothers_table_keeps_its_apostrophe(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("task_id,model,completion\nt,'=m,'='.join(x)\n")
    write_run(tmp_path / "s.csv", tmp_path / "run")
    (sample,) = load_run(tmp_path / "run").samples()
    assert (sample.model, sample.text) == ("=m", "'='.join(x)")


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    synthetic_run(tmp_path / "run", judged=False)
    with pytest.raises(InputError, match=r"cannot export to 'evalpls'.*evalplus"):
        api.export(tmp_path / "run", "evalpls")
    with pytest.raises(InputError, match="no model 'x' in this run"):
        api.export(tmp_path / "run", "jsonl", model="x")
    with pytest.raises(InputError, match="has no samples that evalplus files can hold"):
        api.export(tmp_path / "run", "evalplus")


def test_tables_are_arrow(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", benchmarks={"mine": 3})
    assert run.table("samples").num_rows == run.table("verdicts").num_rows == 72
    assert run.table("samples").column("task_id").to_pylist() == [one.task_id for one in run.samples()]
    assert synthetic_run(tmp_path / "other", judged=False).table("verdicts").num_rows == 0
    with pytest.raises(InputError, match="no table 'x'"):
        run.table("x")


@pytest.mark.parametrize("to", ["jsonl", "csv", "parquet", "human-eval", "evalplus"])
def test_what_was_exported_is_exported_alike_when_it_comes_back(tmp_path: Path, to: str) -> None:
    rows = [
        {"model": model, "task_id": f"Own/{at}", "completion": text, "passed": not at % 2, "result": result}
        for model in ("7b", "34b/inst")
        for at, (text, result) in enumerate(
            [("    return 1\n", "passed"), ("=cmd()", "failed: 1 != 2"), ("\n", "timed out")]
        )
    ]
    source = tmp_path / "s.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    written = []
    for turn in range(2):
        run = tmp_path / f"run{turn}"
        write_run(written[-1] if written else source, run)
        folder = tmp_path / f"{to}{turn}"
        api.export(run, to, folder)
        written.append(sorted(one for one in folder.rglob("*") if one.is_file()))
    first, again = ({one.name: one.read_bytes() for one in files} for files in written)
    assert first == again


@pytest.mark.parametrize("to", list(FORMATS))
def test_counts_come_back_without_texts_and_are_never_judged(tmp_path: Path, to: str) -> None:
    counts = tmp_path / "counts.csv"
    counts.write_text("model,task_id,n,c\na,t/1,3,1\na,t/2,3,0\n")
    write_run(counts, tmp_path / "run")
    exported = api.export(tmp_path / "run", to, tmp_path / "out")
    assert exported.left == {"texts, which the samples were imported without": 6}
    write_run(exported.files[0], tmp_path / "again")
    found = [(one.text, one.finish_reason) for one in load_run(tmp_path / "again").samples()]
    assert found == [("", NO_TEXT)] * 6
    assert sorted(one.passed for one in load_run(tmp_path / "again").verdicts()) == [False] * 5 + [True]
