"""The ranking stage and `isobudget rank`: scores are made once, files can be ranked, and bad input is told apart."""

from __future__ import annotations

import gzip
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from isobudget.cli.declared import with_options
from isobudget.cli.rank import rank as command
from isobudget.costs.cost import Unit
from isobudget.curves import Bootstrap
from isobudget.errors import BackendError, InputError, MissingExtraError
from isobudget.problems.problem import CheckFunction, Problem
from isobudget.progress import SILENT
from isobudget.rankers.base import BACKWARD, FORWARD, Candidate, Candidates, Pool
from isobudget.ranking.measure import Ranked
from isobudget.ranking.observations import form
from isobudget.ranking.options import RankOptions
from isobudget.ranking.rank import BenchmarkRanking, rank
from isobudget.ranking.scores import Scorer, score_pool, scored_by
from isobudget.ranking.scoring_model import as_recorded
from isobudget.ranking.written_tests import parse_tests
from isobudget.records.parts import read_rows
from isobudget.records.ranking_rows import ObservationRow, ScoreRow
from isobudget.records.run import Run
from isobudget.report.figures.ranking import ranking_plot
from isobudget.report.figures.render import render
from isobudget.report.json.ranking import ranking_json
from isobudget.report.tables.ranking import ranking_grids
from isobudget.study import StatedModel
from isobudget.syntax import is_python
from support.fake_scorer import FakeScorer
from support.synthetic_run import PAIR, synthetic_run

QUICK = Bootstrap(replicates=200)
SOURCES = {
    "add": [
        "    return a + b\n",
        "    return b + a\n",
        "    return a - b\n",
        "    return (a\n",
        "    return a + b  # sum\n",
    ],
    "big": ["    return max(a, b)\n", "    return a\n", "    return a\n", "    raise ValueError\n", "    return b\n"],
}
PASSED = {"add": [1, 1, 0, 0, 1], "big": [1, 0, 0, 0, 0]}
PROMPTS = {
    "add": 'def add(a: int, b: int):\n    """Sum.\n    >>> add(1, 2)\n    3\n    """\n',
    "big": 'def big(a: int, b: int):\n    """The larger one: big(2, 5) == 5"""\n',
}


def fake(scorer: FakeScorer, name: str = "judge-of-all") -> Any:
    return lambda choice, pools, progress: Scorer(name, lambda: scorer)


def one_of(found: list[BenchmarkRanking], ranker: str, model: int = 0) -> Ranked:
    return next(one for one in found[0].models[model].ranked if one.ranker.startswith(ranker))


def pool_of(texts: list[str], ids: list[tuple[int, ...]] | None = None, model: str = "m") -> Pool:
    ids = ids or [()] * len(texts)
    samples = tuple(Candidate(at, text, text, bool(at % 2), token_ids=ids[at]) for at, text in enumerate(texts))
    problem = Problem("t/0", "made", "do this", "f", CheckFunction(""))
    return Pool("made", model, (Candidates(problem, "do this", "", samples),))


# scores by a model -----------------------------------------------------------------------------------


def test_equal_texts_are_scored_once_and_empty_ones_not_at_all(tmp_path: Path) -> None:
    backend = FakeScorer()
    pool = pool_of(["aa bb", "", "aa bb", "c"])
    rows = score_pool(pool, Scorer("s", lambda: backend), FORWARD, tmp_path / "scores", SILENT)
    assert [call[1] for call in backend.calls] == [("aa bb", "c")]
    logprobs = scored_by(pool, rows, "s", FORWARD)
    assert logprobs.reduced("mean")[0].tolist() == pytest.approx([-0.2, math.nan, -0.2, -0.1], nan_ok=True)
    recorded = list(read_rows(tmp_path / "scores", ScoreRow))
    assert [row.value is None for row in sorted(recorded, key=lambda row: row.index)] == [False, True, False, False]


def test_scores_that_are_recorded_are_not_computed_again(tmp_path: Path) -> None:
    pool = pool_of([f"w{'x' * at} " * 3 for at in range(40)])
    failing = FakeScorer(fails_after=1)
    with pytest.raises(BackendError, match="gone"):
        score_pool(pool, Scorer("s", lambda: failing), FORWARD, tmp_path, SILENT)
    kept = len(list(read_rows(tmp_path, ScoreRow)))
    assert 0 < kept < 40
    again = FakeScorer()
    rows = score_pool(pool, Scorer("s", lambda: again), FORWARD, tmp_path, SILENT)
    assert sum(len(texts) for _, texts, _ in again.calls) == 40 - kept
    assert len(rows) == len(list(read_rows(tmp_path, ScoreRow))) == 40
    silent = FakeScorer()
    score_pool(pool, Scorer("s", lambda: silent), FORWARD, tmp_path, SILENT)
    other = FakeScorer()
    score_pool(pool, Scorer("other", lambda: other), FORWARD, tmp_path, SILENT)
    assert silent.calls == []
    assert len(other.calls) == 3


def test_token_ids_go_only_to_the_model_that_drew_them() -> None:
    pool = pool_of(["a b", "c d"], [(1, 2, 3), ()])
    own, other = FakeScorer(), FakeScorer()
    rows = score_pool(pool, Scorer("m", lambda: own), FORWARD, None, SILENT)
    score_pool(pool, Scorer("larger", lambda: other), FORWARD, None, SILENT)
    assert own.calls[0][2] == ((1, 2, 3), ())
    assert other.calls[0][2] == ()
    assert scored_by(pool, rows, "m", FORWARD).sums[0].tolist() == pytest.approx([-0.06, -0.2])


def test_the_reviewer_scores_the_prompt_after_each_sample() -> None:
    backend = FakeScorer()
    pool = pool_of(["x", "", "y"])
    rows = score_pool(pool, Scorer("s", lambda: backend), BACKWARD, None, SILENT)
    assert {texts for _, texts, _ in backend.calls} == {("do this",)}
    assert all(str(prompt).startswith(("x", "y")) for prompt, _, _ in backend.calls)
    scored = scored_by(pool, rows, "s", BACKWARD)
    assert scored.tokens[0].tolist() == [2, 0, 2]
    assert Unit.FLOPS not in scored.cost.amounts
    assert "not known" in scored.cost.source


def test_a_backend_that_cannot_score_is_named() -> None:
    with pytest.raises(InputError, match=r"a fake on paper.*cannot score.*--ranker own"):
        score_pool(pool_of(["a"]), Scorer("s", lambda: FakeScorer(can_score=False)), FORWARD, None, SILENT)


# a run -----------------------------------------------------------------------------------------------


def test_a_run_is_ranked_by_its_own_and_by_another_model(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run")
    backend = FakeScorer()
    names = ("own", "likelihood", "reviewer", "verifier")
    options = RankOptions(names, StatedModel(name="judge-of-all"), bootstrap=QUICK)
    found = rank(run.path, options, make_scorer=fake(backend))
    own, other = one_of(found, "own"), one_of(found, "likelihood by judge-of-all")
    assert own.exact
    assert own.free[Unit.FLOPS].price == own.charged[Unit.FLOPS].price
    assert own.set_aside > 0
    assert own.success[-1] > one_of(found, "random").success[-1] + 0.1
    assert own.auc is not None
    assert own.auc.low > 0.5
    assert other.charged[Unit.SECONDS].price.cost(1) > other.free[Unit.SECONDS].price.cost(1)
    assert Unit.FLOPS not in other.charged  # the scoring model's shape is not known
    assert one_of(found, "verifier + likelihood").auc is not None
    greedy = found[0].models[0].samples.greedy
    assert greedy is not None
    assert 0 < greedy.success < 1
    asked = len(backend.calls)
    rank(run.path, options, make_scorer=fake(backend))
    assert len(backend.calls) == asked
    assert render(ranking_plot(found[0], found[0].models[0]))["svg"].startswith(b"<?xml")
    json.dumps([ranking_json(one) for one in found], allow_nan=False)
    assert ranking_grids(found[0])


def test_own_likelihood_is_rank_score_of_the_run_comparison(tmp_path: Path) -> None:
    from isobudget.analysis.compare_run import run_comparison

    run = synthetic_run(tmp_path / "run")
    found = rank(run.path, RankOptions(("own",), bootstrap=QUICK))
    curves = run_comparison(run, selection="likelihood", bootstrap=QUICK).curves
    for model, curve in zip(found[0].models, curves, strict=True):
        assert model.ranked[1].success == pytest.approx(curve.success)
        assert model.ranked[1].free[Unit.FLOPS].cost == pytest.approx(curve.cost)


def test_scores_that_are_nan_rank_last_and_are_counted(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", (replace(PAIR[0], n=3),), likelihood=False)
    with pytest.raises(InputError, match=r"no log-probabilities.*--ranker likelihood --model"):
        rank(run.path, RankOptions(("own",), bootstrap=QUICK))
    backend = FakeScorer(undefined=["    return x\n"])
    options = RankOptions(("likelihood",), StatedModel(name="j"), bootstrap=QUICK)
    found = one_of(rank(run.path, options, make_scorer=fake(backend)), "likelihood")
    assert found.undefined == 90
    assert found.success == pytest.approx([found.success[0]] * 3)


# files -----------------------------------------------------------------------------------------------


def sample_files(folder: Path) -> tuple[Path, Path, Path]:
    """Problems, samples and verdicts of two functions, five samples each."""
    problems = [
        {"task_id": name, "prompt": PROMPTS[name], "entry_point": name, "test": "def check(f):\n    assert f(1, 1)"}
        for name in SOURCES
    ]
    samples = [{"prompt": PROMPTS[name], "samples": texts} for name, texts in SOURCES.items()]
    verdicts = [{"task_id": name, "model": "tiny", "passed": PASSED[name]} for name in SOURCES]
    paths = []
    for name, records in (("problems", problems), ("samples", samples), ("verdicts", verdicts)):
        paths.append(folder / f"{name}.jsonl")
        paths[-1].write_text("".join(json.dumps(record) + "\n" for record in records))
    return paths[0], paths[1], paths[2]


def test_a_file_is_ranked_by_agreement_and_by_tests(tmp_path: Path) -> None:
    problems, samples, verdicts = sample_files(tmp_path)
    options = RankOptions(("agreement", "tests"), inputs=16, orders=20, bootstrap=QUICK)
    common: dict[str, Any] = {"problems": str(problems), "verdicts": verdicts, "out": tmp_path / "kept"}
    found = rank(samples, options, **common)
    agreement = one_of(found, "agreement")
    assert not agreement.exact
    # add: three equal samples win; big: the two that return a
    assert agreement.matrix[:, -1].tolist() == [1.0, 0.0]
    assert agreement.undefined == 1
    assert any("hidden tests are not used" in note for note in agreement.notes)
    rows = list(read_rows(tmp_path / "kept" / "observations", ObservationRow))
    assert len(rows) == 10
    rank(samples, options, **common)
    assert len(list(read_rows(tmp_path / "kept" / "observations", ObservationRow))) == 10
    shown = one_of(rank(samples, replace(options, rankers=("agreement",), filter="examples"), **common), "agreement")
    assert shown.matrix[1, -1] == 0.5  # of those that return 5 for (2, 5): the larger one, and b
    tests = tmp_path / "tests.jsonl"
    lines = [{"task_id": "big", "tests": ["assert big(7, 3) == 7", "assert big(3, 7) == 7", "import os", "assert x"]}]
    tests.write_text("".join(json.dumps(line) + "\n" for line in lines))
    written = one_of(rank(samples, replace(options, rankers=("tests",), tests=tests), **common), "tests")
    assert written.matrix[1, -1] == pytest.approx(1 / 3)  # 1 x 2 is level with 2 x 1: a, a and max
    assert any(note.endswith("none for 1 problem") for note in written.notes)


def test_a_model_may_write_the_tests(tmp_path: Path) -> None:
    problems, samples, verdicts = sample_files(tmp_path)
    writer = FakeScorer(tests="2, 9) == 9\nassert big(9, 2) == 9\nassert big(__import__('os')) == 1")
    options = RankOptions(("tests",), StatedModel(name="w"), orders=5, bootstrap=QUICK)
    found = rank(samples, options, problems=str(problems), verdicts=verdicts, make_scorer=fake(writer, "w"))
    tested = one_of(found, "tests by w")
    assert tested.cost.amounts[Unit.SECONDS].per_problem > 0
    assert any("literal tests a problem" in note for note in tested.notes)
    problem = Problem("p", "made", "", "big", CheckFunction(""))
    assert len(parse_tests(["assert big(1, 2) == 2\nassert big(1, 2) == 2\nassert big(1) == 0"], problem)) == 2


def test_lists_in_their_order_are_a_ranking(tmp_path: Path) -> None:
    path = tmp_path / "counts.jsonl"
    path.write_text(
        '{"model": "a", "task_id": "1", "passed": [1, 0]}\n{"model": "a", "task_id": "2", "passed": [0, 1]}\n'
    )
    assert one_of(rank(path, RankOptions(("order",), bootstrap=QUICK)), "order").success.tolist() == [0.5, 0.5]
    counted = tmp_path / "n.jsonl"
    counted.write_text('{"model": "a", "task_id": "1", "n": 2, "c": 1}\n')
    with pytest.raises(InputError, match="line 1: only counts"):
        rank(counted, RankOptions(("order",)))
    for name, model in (("likelihood", StatedModel(name="j")), ("agreement", None), ("verifier-alone", None)):
        with pytest.raises(InputError, match=r"the samples have no texts.*--ranker order"):
            rank(path, RankOptions((name,), model), make_scorer=fake(FakeScorer()))


def test_files_that_do_not_fit_say_where(tmp_path: Path) -> None:
    problems, samples, verdicts = sample_files(tmp_path)
    options = RankOptions(("agreement",))
    with pytest.raises(InputError, match="--problems"):
        rank(samples, options)
    short = tmp_path / "short.jsonl"
    lines = [json.dumps({"task_id": name, "model": "tiny", "passed": [1]}) + "\n" for name in SOURCES]
    short.write_text("".join(lines))
    with pytest.raises(InputError, match=r"1 verdict of add, but 5 samples"):
        rank(samples, options, problems=str(problems), verdicts=short)
    other = tmp_path / "other.jsonl"
    other.write_text('{"prompt": "def odd(x):\\n", "samples": ["    return x"]}\n')
    with pytest.raises(InputError, match=r"other.jsonl, line 1: problems has no problem with this prompt"):
        rank(other, options, problems=str(problems), verdicts=verdicts)
    packed = tmp_path / "samples.jsonl.gz"
    packed.write_bytes(gzip.compress(b'{"task_id": "add", "completion": 3, "solution": "x"}\n'))
    with pytest.raises(InputError, match=r"samples.jsonl.gz, line 1: field `completion` must be a string, got 3"):
        rank(packed, options, problems=str(problems), verdicts=verdicts)


def reversed_lines(path: Path, to: Path) -> Path:
    to.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    return to


def test_lines_may_stand_in_any_order(tmp_path: Path) -> None:
    """Verdicts are found by their task, samples without one by the function that their prompt begins."""
    problems, samples, verdicts = sample_files(tmp_path)
    swapped = [reversed_lines(one, tmp_path / f"swapped-{one.name}") for one in (samples, verdicts)]
    options = RankOptions(("order",), bootstrap=QUICK)
    for one, judged in ((samples, verdicts), (samples, swapped[1]), (swapped[0], verdicts), (swapped[0], swapped[1])):
        assert verdicts_of(rank(one, options, problems=str(problems), verdicts=judged)) == PASSED


def verdicts_of(found: list[BenchmarkRanking], model: int = 0) -> dict[str, list[float]]:
    """The verdicts of the samples that were ranked, whose texts are `SOURCES`, by problem."""
    pool = found[0].models[model].samples.pool
    for one in pool.problems:
        assert [sample.program for sample in one.samples] == [
            PROMPTS[one.problem.task_id] + text for text in SOURCES[one.problem.task_id]
        ]
    return {one.problem.task_id: one.passed.tolist() for one in pool.problems}


def test_models_of_a_file_are_ranked_apart(tmp_path: Path) -> None:
    """Samples of two models, their lines mixed, whole programs and bodies; each has the verdicts of its own name."""
    problems, _, _ = sample_files(tmp_path)
    samples, verdicts = tmp_path / "both.jsonl", tmp_path / "judged.jsonl"
    named = [
        {"model": model, "task_id": task, "index": at, **text(PROMPTS[task], body)}
        for task, bodies in SOURCES.items()
        for at, body in enumerate(bodies)
        for model, text in (
            ("7b", lambda _, body: {"completion": body}),
            ("34b", lambda prompt, body: {"solution": prompt + body}),
        )
    ]
    graded = [
        {"model": model, "task_id": task, "passed": PASSED[task][::step]}
        for model, step in (("34b", -1), ("7b", 1))
        for task in SOURCES
    ]
    for path, records in ((samples, named), (verdicts, graded)):
        path.write_text("".join(json.dumps(one) + "\n" for one in records))
    options = RankOptions(("order",), bootstrap=QUICK)
    found = rank(samples, options, problems=str(problems), verdicts=verdicts, from_="samples")
    assert [one.model for one in found[0].models] == ["7b", "34b"]
    assert verdicts_of(found, 0) == PASSED
    assert verdicts_of(found, 1) == {task: passed[::-1] for task, passed in PASSED.items()}
    with pytest.raises(InputError, match="not recognised as codet"):
        rank(samples, options, problems=str(problems), verdicts=verdicts, from_="codet")
    lone = tmp_path / "lone.jsonl"
    lone.write_text(json.dumps(graded[0]) + "\n")
    with pytest.raises(InputError, match=r"verdicts of one model \(34b\), and samples of 7b, 34b; state"):
        rank(samples, options, problems=str(problems), verdicts=lone)


def test_a_list_of_lists_is_ranked_in_the_order_of_its_problems(tmp_path: Path) -> None:
    """BigCode's generations name no problems: they are those of the benchmark, whatever their ids."""
    problems, _, verdicts = sample_files(tmp_path)
    path = tmp_path / "generations.json"
    path.write_text(json.dumps([[PROMPTS[name] + body for body in bodies] for name, bodies in SOURCES.items()]))
    options = RankOptions(("order",), bootstrap=QUICK)
    assert verdicts_of(rank(path, options, problems=str(problems), verdicts=verdicts)) == PASSED


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RankOptions(("best",)), "unknown ranker 'best'"),
        (RankOptions(()), "at least one ranker"),
        (RankOptions(filter="nice"), "unknown filter"),
        (RankOptions(examples="some"), "unknown value of --examples: 'some'"),
        (RankOptions(("likelihood",)), "needs a model"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: RankOptions, message: str) -> None:
    run = synthetic_run(tmp_path / "run", (replace(PAIR[0], n=2),), {"quickstart": 2})
    with pytest.raises(InputError, match=message):
        rank(run.path, options)


def test_programs_of_one_form_are_run_once() -> None:
    assert form("x = 1 # one\n") == form("x  =  1\n") != form("x = 2")
    assert form("x = (") == "x = ("
    assert is_python("x = 1")
    assert not any(map(is_python, ["x = (", "\0", "return 1", "(" * 5000]))


# published figures, and the command ------------------------------------------------------------------


def test_cruxeval_in_list_order_gives_the_published_rank_scores(shared_data: Path) -> None:
    published = {
        "codellama-7b": [28.35, 32.29, 34.31, 36.52, 39.38],
        "codellama-13b": [35.25, 40.59, 43.30, 45.86, 47.62],
        "codellama-34b": [41.11, 45.73, 47.74, 49.55, 51.25],
    }
    source = shared_data / "cruxeval" / "codellama_T0.8.jsonl.gz"
    found = rank(source, RankOptions(("order",), bootstrap=QUICK), benchmark="cruxeval-i")
    for model in found[0].models:
        values = [100 * model.ranked[1].success[k - 1] for k in (1, 2, 3, 5, 10)]
        assert values == pytest.approx(published[model.model], abs=0.01)
        assert len(model.samples.pool.problems) == 800


def test_the_command_prints_tables_json_and_figures(tmp_path: Path) -> None:
    run: Run = synthetic_run(tmp_path / "run", benchmarks={"quickstart": 6})
    app = typer.Typer()
    app.command()(with_options(command))
    shown = CliRunner().invoke(app, [str(run.path), "--ranker", "own", "--figure", str(tmp_path / "f.svg")])
    assert shown.exit_code == 0, shown.output
    assert "at equal budget, by flops" in shown.output
    assert len(list(tmp_path.glob("f-*.svg"))) == 2
    plain = CliRunner().invoke(app, [str(run.path), "--json"])
    record = json.loads(plain.stdout)["benchmarks"][0]["models"][0]
    assert [one["ranker"] for one in record["rankers"]] == ["random", "own"]
    assert record["rankers"][1]["auc"]["problems"] > 0
    assert record["rankers"][1]["calibration"]["reliability"]


def test_a_classifier_needs_its_extra_and_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = synthetic_run(tmp_path / "run", (replace(PAIR[0], n=2),), {"quickstart": 2})
    with pytest.raises(InputError, match="classifier of the Hugging Face hub: --model"):
        rank(run.path, RankOptions(("classifier",), bootstrap=QUICK))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"isobudget\[transformers\]"):
        rank(run.path, RankOptions(("classifier",), StatedModel(name="some/classifier"), bootstrap=QUICK))


def test_a_model_of_the_run_scores_as_the_run_had_it() -> None:
    models = {
        "tiny": {"backend": "transformers", "model": "o/tiny", "dtype": "float32", "commit": "c" * 40},
        "file": {"backend": "llama.cpp", "file": "x.gguf"},
    }
    for name in ("tiny", "o/tiny"):
        found = as_recorded(StatedModel(name=name, backend="transformers"), models)
        assert (found.name, found.settings.model, found.settings.dtype, found.settings.revision) == (
            "tiny",
            "o/tiny",
            "float32",
            "c" * 40,
        )
    stated = as_recorded(StatedModel(name="tiny", backend="transformers", revision="v2", dtype="bfloat16"), models)
    assert (stated.settings.revision, stated.settings.dtype) == ("v2", "bfloat16")
    for other in (
        StatedModel(name="tiny", backend="vllm"),
        StatedModel(name="file"),
        StatedModel(name="larger", backend="transformers"),
    ):
        assert as_recorded(other, models) == other
