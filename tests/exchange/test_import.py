"""Imported runs: what they keep of their sources, and that every command takes them."""

from __future__ import annotations

import json
import math
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from isobudget import api
from isobudget.errors import InputError, RunError
from isobudget.exchange.write_run import write_run
from isobudget.files.whole import sha256_of
from isobudget.progress import Silent
from isobudget.records.run import load_run
from support.command import isobudget
from support.synthetic_run import synthetic_run

FIXTURES = Path(__file__).parents[1] / "importers" / "fixtures"
EVALPLUS = FIXTURES / "evalplus_model-7b_eval_results.json"
INSPECT = FIXTURES / "inspect_toy.eval"


def lines(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_two_suites_and_the_sources_hash(tmp_path: Path) -> None:
    made = write_run(EVALPLUS, tmp_path / "run")
    assert made.benchmarks == {"humaneval": 2, "humaneval+": 2}
    run = load_run(tmp_path / "run")
    (source,) = run.facts["imported"]
    assert (source["format"], source["samples"], source["sha256"]) == ("evalplus", 4, sha256_of(EVALPLUS))
    direct = {one.benchmark: one.success for one in api.passk(EVALPLUS, 1)}
    assert {one.benchmark: one.success for one in api.passk(tmp_path / "run", 1)} == {
        "humaneval": direct["base"],
        "humaneval+": direct["plus"],
    }


def test_what_a_sample_cost_is_kept_and_what_is_not_judged_is_not_failed(tmp_path: Path) -> None:
    made = write_run(INSPECT, tmp_path / "run")
    assert (made.judged, made.models) == (5, {"mockllm/model": 6})
    run = load_run(tmp_path / "run")
    rows = [one for one in run.samples() if one.benchmark == "toy"]
    assert [one.completion_tokens for one in rows if one.task_id == "toy/0"] == [3, 5, 6]
    failed = [one for one in rows if one.completion_tokens is None]
    assert [(one.task_id, one.text) for one in failed] == [("toy/1", "")]
    assert failed[0].key not in {one.key for one in run.verdicts()}
    (by_usd,) = api.curves(tmp_path / "run", "usd", benchmark="toy")
    assert by_usd.curves[0].price.per_sample == pytest.approx(0.25)
    (by_tokens,) = api.curves(tmp_path / "run", "tokens", benchmark="toy")
    assert by_tokens.curves[0].price.cost(1) == pytest.approx(10 + ((3 + 5 + 6) / 3 + (4 + 7) / 2) / 2)


def test_units_that_were_not_recorded_are_refused(tmp_path: Path) -> None:
    write_run(EVALPLUS, tmp_path / "run")
    for unit, said in (
        ("seconds", "no time was recorded"),
        ("usd", "was not recorded"),
        ("tokens", "completion_tokens"),
    ):
        with pytest.raises(InputError, match=said):
            api.curves(tmp_path / "run", unit, benchmark="humaneval")


def test_counts_become_samples_and_named_models_have_flops(tmp_path: Path) -> None:
    counts = lines(
        tmp_path / "c.jsonl",
        {"model": "codellama-7b", "task_id": "a", "n": 5, "c": 2},
        {"model": "codellama-7b", "task_id": "b", "passed": [0, 1]},
    )
    made = write_run(counts, tmp_path / "run", benchmark="mine")
    assert made.benchmarks == {"mine": 2}
    assert "which samples passed is not known" in str(made.taken[0])
    (one,) = api.curves(tmp_path / "run", "flops")
    (same,) = api.curves(counts, "flops")
    assert one.curves[0].price.per_sample == same.curves[0].price.per_sample
    assert one.curves[0].success.tolist() == same.curves[0].success.tolist()


def test_models_are_never_pooled_silently(tmp_path: Path) -> None:
    def row(**more: Any) -> dict[str, Any]:
        return {"task_id": "t", "completion": "x", "passed": True} | more

    first = lines(tmp_path / "a" / "samples.jsonl", row(), row())
    second = lines(tmp_path / "b" / "samples.jsonl", row(passed=False))
    stated = [
        lines(tmp_path / name, row(model="7b"), row(model="34b", passed=False)) for name in ("x.jsonl", "y.jsonl")
    ]
    apart = api.passk([first, second], 1)
    assert [(one.model, one.n_max) for one in apart] == [("a/samples", 2), ("b/samples", 1)]
    twice = api.passk(stated, 1)
    assert [one.model for one in twice] == ["7b (x)", "34b (x)", "7b (y)", "34b (y)"]
    assert "have samples of the same problems, so each file counts as a model" in twice.notes[0]
    made = write_run([first, second, *stated], tmp_path / "run")
    assert list(made.models) == ["a/samples", "b/samples", "7b (x)", "34b (x)", "7b (y)", "34b (y)"]
    shard = lines(tmp_path / "z.jsonl", row(model="7b", task_id="u"))
    pooled = api.passk([stated[0], shard], 1)
    assert [(one.model, one.problems) for one in pooled] == [("7b", 2), ("34b", 1)]
    assert "the problems of" in pooled.notes[0]
    assert "were merged" in pooled.notes[0]


def test_patterns_folders_and_files_named_twice(tmp_path: Path) -> None:
    for name in ("a", "b"):
        lines(tmp_path / "in" / f"{name}.jsonl", {"task_id": "t", "passed": True})
    (tmp_path / "in" / "notes.json").write_text('{"hello": 1}')
    assert [one.model for one in api.passk(str(tmp_path / "in" / "*.jsonl"), 1)] == ["a", "b"]
    both = api.passk([tmp_path / "in", tmp_path / "in" / "a.jsonl"], 1)
    assert [one.model for one in both] == ["a", "b"]
    assert any("notes.json" in note for note in both.notes)
    assert any("named twice" in note for note in both.notes)
    with pytest.raises(InputError, match="no file matches"):
        api.passk(str(tmp_path / "*.csv"), 1)


def test_runs_and_files_side_by_side(tmp_path: Path) -> None:
    samples = [{"task_id": task, "completion": "x", "passed": task == "t", "completion_tokens": 4} for task in "tu"]
    path = lines(tmp_path / "7b.jsonl", *samples)
    write_run(path, tmp_path / "run", benchmark="mine")
    named = lines(tmp_path / "34b.jsonl", *(row | {"benchmark": "mine", "passed": True} for row in samples))
    (compared,) = api.curves([tmp_path / "run", named], "tokens")
    assert {one.model: float(one.success[0]) for one in compared.curves} == {"7b": 0.5, "34b": 1.0}


def test_spellings_of_task_ids_and_unknown_problems(tmp_path: Path) -> None:
    problems = lines(
        tmp_path / "mine.jsonl",
        *(
            {"task_id": f"Mine/{at}", "prompt": "def f():\n", "entry_point": "f", "test_list": ["assert f() == 1"]}
            for at in (11, 12)
        ),
    )
    rows = [{"task_id": task, "completion": "    return 1\n", "passed": True} for task in ("11", 12, "Mine/11", "13")]
    made = write_run(lines(tmp_path / "s.jsonl", *rows), tmp_path / "run", problems=str(problems))
    assert made.taken[0].left == {"of unknown problems": 1}
    assert sorted(one.task_id for one in load_run(tmp_path / "run").samples()) == ["Mine/11", "Mine/11", "Mine/12"]


class Counted(Silent):
    """What was begun, and how much of it was there."""

    def __init__(self) -> None:
        self.started: dict[str, tuple[int, int]] = {}

    def start(self, task: str, total: int, done: int = 0, **_: Any) -> None:
        self.started[task] = (total, done)


def test_samples_that_came_without_verdicts_are_no_disagreements(tmp_path: Path) -> None:
    body = {"task_id": "HumanEval/0", "completion": ""}
    made = api.import_results(
        lines(tmp_path / "two.jsonl", {"model": "a"} | body, {"model": "b"} | body),
        tmp_path / "run",
        problems="humaneval",
        rejudge=True,
        workers=1,
        unsafe=True,
    )
    assert made.judged_here() == "judged here: 2 samples that came without a verdict"


def test_the_remedies_for_what_is_not_judged_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands that a message names are run as they stand there."""
    monkeypatch.chdir(tmp_path)
    lines(Path("he.jsonl"), {"task_id": "HumanEval/0", "completion": "    return False\n"})
    with pytest.raises(InputError) as caught:
        api.passk("he.jsonl")
    commands = re.findall(r"isobudget (.*?)(?=, or isobudget|$)", str(caught.value))
    assert [one.split()[0] for one in commands] == ["import", "judge"]
    for one in commands:
        assert isobudget(*shlex.split(one), "--unsafe").returncode == 0, one
    for judged in ("runs/he", "verdicts.jsonl"):
        assert [one.success[0] for one in api.passk(judged, 1)] == [0.0]
    lines(Path("own.jsonl"), {"task_id": "own/0", "completion": "x"})
    api.import_results("own.jsonl", "run")
    for read in (api.passk, api.curves, api.report):
        with pytest.raises(RunError, match=r"does not have the tests; import the samples again .*--problems PROBLEMS"):
            read("run")


def test_rejudging_keeps_both_verdicts(tmp_path: Path) -> None:
    problems = lines(
        tmp_path / "mine.jsonl",
        {"task_id": "a", "prompt": "def f():\n", "entry_point": "f", "test_list": ["assert f() == 1"]},
    )
    bodies = [("    return 1\n", True), ("    return 2\n", True), ("    return 2\n", False), ("    return 1\n", None)]
    samples = lines(
        tmp_path / "s.jsonl",
        *(
            {"task_id": "a", "completion": body} | ({} if passed is None else {"passed": passed})
            for body, passed in bodies
        ),
    )
    made = api.import_results(samples, tmp_path / "run", problems=str(problems), rejudge=True, workers=1, unsafe=True)
    assert made.disagreements == {
        ("passed", "passed"): 1,
        ("passed", "failed"): 1,
        ("failed", "failed"): 1,
        ("not judged", "passed"): 1,
    }
    assert made.judged_here() == (
        "judged here: 2 verdicts the same as the source's, 1 different; 1 sample that came without a verdict"
    )
    run = load_run(tmp_path / "run")
    assert [one.passed for one in sorted(run.verdicts(), key=lambda one: one.index)] == [True, False, False, True]
    assert len(list((tmp_path / "run" / "source_verdicts").glob("*.parquet"))) == 1
    with pytest.raises(InputError, match="tests of the samples are not known"):
        api.import_results(samples, tmp_path / "other", rejudge=True)
    assert not (tmp_path / "other").exists()
    others = lines(tmp_path / "o.jsonl", {"task_id": "z", "completion": "x", "passed": True, "benchmark": "elsewhere"})
    named = lines(tmp_path / "n.jsonl", {"task_id": "HumanEval/0", "completion": "x", "passed": True})
    counted = Counted()
    made = api.import_results([others, named], tmp_path / "two", rejudge=True, workers=1, unsafe=True, progress=counted)
    assert made.disagreements == {("passed", "error"): 1}  # of the other benchmark its source's verdict stays
    assert counted.started["judging"] == (1, 0)  # and is nothing that there is to do
    assert sorted(one.passed for one in load_run(tmp_path / "two").verdicts()) == [False, True]


def test_counts_have_no_order_and_no_texts_to_rank_by(tmp_path: Path) -> None:
    counted = [{"model": "7b", "task_id": f"HumanEval/{at}", "n": 4, "c": 2} for at in range(3)]
    write_run(lines(tmp_path / "c.jsonl", *counted), tmp_path / "counted")
    with pytest.raises(InputError, match="7b: imported from counts, so it is not known which samples passed"):
        api.rank(tmp_path / "counted", "order")
    with pytest.raises(InputError, match="imported from counts, which no ranker can use: import samples with their"):
        api.rank(tmp_path / "counted", "own")
    listed = [{"model": "7b", "task_id": f"HumanEval/{at}", "passed": [0, 1, 1, 0]} for at in range(3)]
    write_run(lines(tmp_path / "l.jsonl", *listed), tmp_path / "listed")
    with pytest.raises(
        InputError, match="needs; verdicts alone can be ranked in the order of the file: --ranker order"
    ):
        api.rank(tmp_path / "listed", "own")
    (ranked,) = api.rank(tmp_path / "listed", "order", orders=5)
    assert ranked.models[0].samples.pool.ordered
    for run in ("counted", "listed"):
        with pytest.raises(RunError, match="7b has samples of HumanEval/0 that were imported without texts"):
            api.judge(tmp_path / run, again=True, unsafe=True)
        assert not api.judge(tmp_path / run, workers=1, unsafe=True).outcomes
    for run in ("counted", "listed"):  # the prompt of the benchmark is not a text of a sample
        with pytest.raises(InputError, match="7b: the samples have no texts, which the ranker 'agreement'"):
            api.rank(tmp_path / run, "agreement", unsafe=True)
    assert api.passk(tmp_path / "counted", 1).to_dict() == api.passk(tmp_path / "listed", 1).to_dict()


def _log_of_an_error(folder: Path) -> Path:
    """A log of Inspect's whose one sample ended in an error."""
    error = {"id": "HumanEval/0", "epoch": 1, "input": "x", "scores": None, "error": {"message": "lost"}, "output": {}}
    log = {
        "version": 2,
        "status": "error",
        "eval": {"task": "humaneval", "model": "m", "config": {}},
        "samples": [error],
    }
    (folder / "log.json").write_text(json.dumps(log))
    return folder / "log.json"


def test_a_source_s_error_without_a_text_stays_without_a_verdict(tmp_path: Path) -> None:
    body = {"task_id": "HumanEval/0", "completion": ""}  # an empty answer is one
    made = api.import_results([lines(tmp_path / "e.jsonl", body), _log_of_an_error(tmp_path)], tmp_path / "run")
    notes: list[str] = []

    class Noted(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    assert dict(made.models) == {"e": 1, "m": 1}
    judged = api.judge(tmp_path / "run", workers=1, unsafe=True, progress=Noted())
    assert sum(judged.outcomes.values()) == 1
    assert "1 sample came with neither text nor verdict, and get no verdict" in notes
    assert [(one.model, one.passed) for one in load_run(tmp_path / "run").verdicts()] == [("e", False)]


def test_samples_without_texts_are_never_judged(tmp_path: Path) -> None:
    counts = lines(tmp_path / "c.jsonl", {"model": "7b", "task_id": "HumanEval/0", "n": 4, "c": 3})
    listed = lines(tmp_path / "l.jsonl", {"model": "7b", "task_id": "HumanEval/0", "passed": [0, 1]})
    graded = lines(tmp_path / "g.jsonl", {"task_id": "HumanEval/0", "passed": True})
    for source in (counts, listed, graded):
        with pytest.raises(InputError, match=rf"{source.name}, line 1: 'HumanEval/0' of .* has no text .*--rejudge"):
            api.import_results(source, tmp_path / "run", rejudge=True, workers=1, unsafe=True)
        assert not (tmp_path / "run").exists()
    body = {"task_id": "HumanEval/0", "completion": ""}  # an empty answer is one
    sources = [lines(tmp_path / "e.jsonl", body), _log_of_an_error(tmp_path)]
    made = api.import_results(sources, tmp_path / "run", rejudge=True, workers=1, unsafe=True)
    assert dict(made.models) == {"e": 1}
    assert made.taken[1].left == {"without a text to judge": 1}
    assert sum((made.disagreements or {}).values()) == 1
    assert write_run(EVALPLUS, tmp_path / "kept").judged_here() == ""


def test_what_goes_wrong_leaves_no_run_or_says_so(tmp_path: Path) -> None:
    mixed = lines(tmp_path / "m.jsonl", {"task_id": "a", "completion": "x"}, {"task_id": "a", "solution": "y"})
    with pytest.raises(InputError, match=r"m.jsonl, line 2: a solution, but earlier samples of m are completions"):
        write_run(mixed, tmp_path / "one")
    assert not (tmp_path / "one").exists()
    write_run(EVALPLUS, tmp_path / "run")
    with pytest.raises(InputError, match="exists already"):
        write_run(EVALPLUS, tmp_path / "run")
    with pytest.raises(InputError, match="is a run folder already"):
        write_run(tmp_path / "run", tmp_path / "two")
    row = next(iter(load_run(tmp_path / "run").samples()))
    assert math.isnan(row.seconds)
    assert row.prompt_tokens is None


def test_rank_and_report_take_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = FIXTURES / "human_eval_model-7b.jsonl_results.jsonl"
    (ranked,) = api.rank(results, "order", orders=5)
    (model,) = ranked.models
    assert (ranked.benchmark, model.samples.pool.model) == ("humaneval", "human_eval_model-7b")
    assert [len(one.samples) for one in model.samples.pool.problems] == [3, 3]
    pytest.importorskip("matplotlib", reason="needs isobudget[report]")
    made = api.report(INSPECT, unit="usd")
    assert made.page == Path("reports/inspect-toy/index.html")
    text = made.page.read_text()
    assert "were imported with the samples, from another tool" in text
    assert "trust = split" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reports"]


def test_halves_of_surrogate_pairs_are_replaced_and_said_once(tmp_path: Path) -> None:
    rows = [
        {"task_id": task, "solution": "x=\ud800é", "passed": False, "result": "failed: \udfff", "prompt": "\udc00"}
        for task in ("a", "b")
    ]
    made = write_run(lines(tmp_path / "s.jsonl", *rows), tmp_path / "run")
    (note,) = made.taken[0].notes
    assert "U+FFFD" in note
    run = load_run(tmp_path / "run")
    assert {one.text for one in run.samples()} == {"x=\ufffdé"}
    assert {one.detail for one in run.verdicts()} == {"failed: \ufffd"}


def test_counts_of_too_many_samples_are_refused_with_their_line(tmp_path: Path) -> None:
    rows = [{"model": "a", "task_id": task, "n": n, "c": 1} for task, n in (("x", 5), ("y", 10_000_000))]
    with pytest.raises(InputError, match=r"c.jsonl, line 2: more than 10,000,000 samples"):
        write_run(lines(tmp_path / "c.jsonl", *rows), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_verdicts_of_another_file_are_kept_with_its_hash(tmp_path: Path) -> None:
    samples = lines(tmp_path / "s.jsonl", *({"task_id": task, "completion": task} for task in ("a", "b", "a", "c")))
    judged = lines(
        tmp_path / "v.jsonl", *({"task_id": task, "passed": ok} for task, ok in (("a", 0), ("b", 1), ("a", 1)))
    )
    made = write_run(samples, tmp_path / "run", verdicts=judged)
    assert (made.judged, made.models) == (3, {"s": 4})
    assert made.taken[0].left == {"not judged (kept without a verdict)": 1}
    run = load_run(tmp_path / "run")
    assert [(one.task_id, one.index, one.passed) for one in run.verdicts()] == [
        ("a", 0, False), ("b", 0, True), ("a", 1, True),
    ]  # fmt: skip
    (source,) = run.facts["imported"]
    assert (source["verdicts"], source["verdicts_sha256"]) == ("v.jsonl", sha256_of(judged))
    short = lines(tmp_path / "short.jsonl", {"model": "s", "task_id": "a", "passed": [1]})
    with pytest.raises(InputError, match=r"short.jsonl, line 1: 1 verdict of a, but 2 samples"):
        write_run(samples, tmp_path / "other", verdicts=short)
    assert not (tmp_path / "other").exists()


def test_the_suites_of_a_file_are_named_in_sentences() -> None:
    compared = api.compare([EVALPLUS, "evalplus_model-7b@1", "evalplus_model-7b@2"])
    assert [text.partition(":")[0] for text in repr(compared).splitlines()] == ["base", "plus"]


def test_a_run_that_is_named_twice_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_run(tmp_path / "run", benchmarks={"mine": 3})
    (tmp_path / "link").symlink_to("run")
    monkeypatch.chdir(tmp_path)
    once = api.passk("run", 1)
    for again in (tmp_path / "run", "./run/", "link"):
        assert api.passk(["run", again], 1).to_dict() == once.to_dict()


def test_a_run_whose_name_other_tools_cannot_open_is_not_begun(tmp_path: Path) -> None:
    source = tmp_path / "counts.jsonl"
    source.write_text(json.dumps({"task_id": "t", "completion": "x", "passed": True}))
    with pytest.raises(RunError, match="its name is not UTF-8"):
        api.import_results(source, f"{tmp_path}/\udcff")


def test_verdicts_without_samples_are_said(tmp_path: Path) -> None:
    synthetic_run(tmp_path / "run", benchmarks={"mine": 1})
    (tmp_path / "run" / "samples" / "part-000001.parquet").unlink()
    assert "on missing samples" in str(api.show(tmp_path / "run"))
