"""Judging and scoring as part of the cost: off by default, exact when asked for, refused where they have no price."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from isobudget.analysis.compare import curves
from isobudget.analysis.compare_run import run_comparison
from isobudget.analysis.load_samples import load_samples
from isobudget.costs.charges import parse_charges
from isobudget.costs.cost import Unit
from isobudget.costs.flops import paper_flops, scoring_flops
from isobudget.curves import FIRST_PASS, LIKELIHOOD, Bootstrap
from isobudget.errors import InputError
from isobudget.models import named
from isobudget.records.run import Run
from support.synthetic_run import synthetic_run

QUICK = Bootstrap(replicates=300)
MODELS = ("small-135m", "large-1.5b")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return synthetic_run(tmp_path_factory.mktemp("charges") / "run", benchmarks={"b": 8})


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    rows = [
        {"model": "codellama-7b", "task_id": i, "n": 2, "c": 1, "completion_tokens": [90 + i, 110]} for i in range(3)
    ]
    path = tmp_path / "counts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def costs(tmp_path: Path, text: str) -> str:
    path = tmp_path / "costs.toml"
    path.write_text(text)
    return str(path)


def test_judge_seconds_are_added_to_every_sample(run: Run) -> None:
    plain = run_comparison(run, unit=Unit.SECONDS, bootstrap=QUICK)
    charged = curves(run.path, Unit.SECONDS, charge=["judge"], bootstrap=QUICK)[0]
    verdicts = [row for row in map(asdict, run.verdicts()) if not row["greedy"]]
    for model in MODELS:
        mean = np.mean([row["cpu_seconds"] for row in verdicts if row["model"] == model])
        before, after = plain.curve(model).price, charged.curve(model).price
        assert after.per_sample - before.per_sample == pytest.approx(mean)
        assert before.source in after.source
        assert "with judging, measured CPU seconds" in after.source
        assert "judging" not in before.source


def test_judging_has_no_price_in_other_units_unless_it_is_stated(run: Run, tmp_path: Path) -> None:
    for unit in (Unit.FLOPS, Unit.TOKENS):
        with pytest.raises(InputError, match=rf"judging is not priced in {unit}.*judge_{unit} = "):
            curves(run.path, unit, charge=["judge"], bootstrap=QUICK)
    table = costs(tmp_path, "[defaults]\njudge_flops = 5e6\n[models.small-135m]\n[models.'large-1.5b']\n")
    without = curves(run.path, Unit.FLOPS, costs=table, bootstrap=QUICK)[0]
    found = curves(run.path, Unit.FLOPS, costs=table, charge=["judge"], bootstrap=QUICK)[0]
    for model in MODELS:
        assert found.curve(model).price.per_sample - without.curve(model).price.per_sample == pytest.approx(5e6)
        assert "judge at 5e+06 flops a sample as stated" in found.curve(model).price.source


def test_its_own_likelihood_costs_a_model_nothing(run: Run) -> None:
    plain = run_comparison(run, selection=LIKELIHOOD, bootstrap=QUICK)
    found = curves(run.path, selection=LIKELIHOOD, charge=["scoring"], bootstrap=QUICK)[0]
    for before, after in zip(plain.curves, found.curves, strict=True):
        assert after.label.endswith("(likelihood)")
        assert after.price.per_sample == before.price.per_sample
        assert "scoring by the model's own likelihood, free" in after.price.source
    assert found.notes == ()


def test_another_ranker_costs_one_pass_over_every_sample(run: Run) -> None:
    ranker = named("codellama-13b")
    plain = run_comparison(run, bootstrap=QUICK)
    found = curves(run.path, charge=["scoring"], ranker="codellama-13b", bootstrap=QUICK)[0]
    for samples in load_samples(run, ["b"]).samples("b"):
        passes = [
            np.mean([scoring_flops(ranker, one.prompt_tokens, int(tokens)) for tokens in one.completion_tokens])
            for one in samples.problems
        ]
        before, after = plain.curve(samples.model).price, found.curve(samples.model).price
        assert after.per_sample - before.per_sample == pytest.approx(np.mean(passes))
        assert after.per_problem == before.per_problem
        assert "scoring by codellama-13b, one pass over prompt and completion" in after.source
    assert found.notes == ("Tests choose here and need no scores; scoring is charged because you asked for it.",)
    with pytest.raises(InputError, match=r"scoring is not priced in tokens.*scoring_tokens = "):
        curves(run.path, Unit.TOKENS, charge=["scoring"], ranker="codellama-13b", bootstrap=QUICK)


def test_stopping_early_charges_the_judge_for_what_it_judged(run: Run) -> None:
    found = curves(run.path, Unit.SECONDS, charge=["judge"], stop=FIRST_PASS, bootstrap=QUICK)[0]
    samples = next(one for one in load_samples(run, ["b"]).samples("b") if one.model == "large-1.5b")
    by_hand = []
    for one in samples.problems:
        first, second = one.seconds + one.judge_seconds
        # in either order: the second sample is drawn unless the first one passed
        by_hand.append((first + (not one.passed[0]) * second + second + (not one.passed[1]) * first) / 2)
    assert found.curve("large-1.5b").cost[1] == pytest.approx(np.mean(by_hand))


def test_counts_are_charged_by_a_costs_file(counts: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this file has no judging times"):
        curves(counts, Unit.SECONDS, costs="paper", charge=["judge"], bootstrap=QUICK)
    table = costs(
        tmp_path, "[models.codellama-7b]\nusd = 0.5\njudge_usd = 0.25\nscoring_usd = 0.125\nsource = 'bill'\n"
    )
    price = curves(counts, Unit.USD, costs=table, charge=["judge", "scoring"], bootstrap=QUICK)[0].curves[0].price
    assert price.per_sample == 0.875
    assert price.source == (
        "bill; with judge at 0.25 usd a sample as stated (bill); with scoring at 0.125 usd a sample as stated (bill)"
    )
    free = curves(counts, Unit.USD, costs=table, bootstrap=QUICK)[0].curves[0].price
    assert (free.per_sample, free.source) == (0.5, "bill")


def test_scoring_of_counts_by_their_tokens_or_the_papers_length(counts: Path, tmp_path: Path) -> None:
    ranker = named("codellama-34b")
    plain = curves(counts, bootstrap=QUICK)[0].curves[0].price
    price = curves(counts, charge=["scoring"], ranker="codellama-34b", bootstrap=QUICK)[0].curves[0].price
    passes = [scoring_flops(ranker, 1, tokens) for i in range(3) for tokens in (90 + i, 110)]
    assert price.per_sample - plain.per_sample == pytest.approx(np.mean(passes))
    bare = tmp_path / "bare.jsonl"
    bare.write_text('{"model": "codellama-7b", "task_id": "t", "n": 4, "c": 1}\n')
    price = curves(bare, charge=["scoring"], ranker="codellama-34b", bootstrap=QUICK)[0].curves[0].price
    assert price.per_sample == paper_flops(named("codellama-7b")) + paper_flops(ranker)


def test_a_run_is_priced_by_a_costs_file_with_what_it_recorded(run: Run, tmp_path: Path) -> None:
    """Prompt tokens, seconds and the architecture come from the run where the file does not say otherwise."""
    text = (
        "[defaults]\nusd_per_million_input = 2\nusd_per_million_output = 3\n"
        "[models.small-135m]\n[models.'large-1.5b']\n"
    )
    found = curves(run.path, Unit.USD, costs=costs(tmp_path, text), bootstrap=QUICK)[0]
    for samples in load_samples(run, ["b"]).samples("b"):
        prompt = np.mean([one.prompt_tokens for one in samples.problems])
        completion = np.mean([one.completion_tokens.mean() for one in samples.problems])
        price = found.curve(samples.model).price
        assert (price.per_problem, price.per_sample) == pytest.approx((2e-6 * prompt, 3e-6 * completion))
    rented = costs(tmp_path, "[defaults]\nusd_per_gpu_hour = 3.6\n[models.small-135m]\n[models.'large-1.5b']\n")
    seconds = run_comparison(run, unit=Unit.SECONDS, bootstrap=QUICK)
    flops = run_comparison(run, bootstrap=QUICK)
    for model in MODELS:
        usd = curves(run.path, Unit.USD, costs=rented, bootstrap=QUICK)[0].curve(model).price
        assert usd.per_sample == pytest.approx(0.001 * seconds.curve(model).price.per_sample)
        assert "measured seconds" in usd.source
        again = curves(run.path, Unit.FLOPS, costs=rented, bootstrap=QUICK)[0].curve(model).price
        assert again.per_sample == pytest.approx(flops.curve(model).price.per_sample)


def test_requests_that_make_no_sense() -> None:
    with pytest.raises(InputError, match="cannot charge 'coffee'; choose judge or scoring"):
        parse_charges(["coffee"])
    with pytest.raises(InputError, match="--charge scoring"):
        parse_charges(["judge"], "codellama-7b")
    with pytest.raises(InputError, match="nonesuch"):
        parse_charges(["scoring"], "nonesuch")
