"""What is recommended changes only where it is clear, and the sentence says nothing that the tables do not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from isobudget import api
from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves import Bootstrap, Comparison, compare_counts
from isobudget.curves.recommendation import Segment
from isobudget.grid import amount, percent, ratio, with_unit
from isobudget.importers.counts import ModelCounts
from isobudget.report.json.comparison import comparison_json
from isobudget.report.tables.comparison import comparison_grids
from isobudget.report.tables.sentence import winner_sentence

QUICK = Bootstrap(replicates=300)
CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
NUMBER = re.compile(r"(?<![\w.-])\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?")


def counts(model: str, n: int, c: list[int]) -> ModelCounts:
    nothing = (None,) * len(c)
    tasks = tuple(f"t{i}" for i in range(len(c)))
    return ModelCounts("bench", model, "", tasks, np.full(len(c), n), np.asarray(c), nothing, nothing)


def flops(per_sample: float, per_problem: float = 0.0) -> SampleCost:
    return SampleCost(Unit.FLOPS, per_sample, per_problem, "test")


def drawn(seed: int, prices: list[SampleCost], problems: int = 40, stop: str = "fixed") -> Comparison:
    rng = np.random.default_rng(seed)
    chance = rng.beta(0.6, 0.9, problems)
    names = ["alpha", "beta", "gamma", "delta"][: len(prices)]
    models = []
    for at, name in enumerate(names):
        n = int(rng.integers(3, 24))
        lift = 0.25 * at * rng.random()
        models.append(counts(name, n, list(rng.binomial(n, np.clip(chance + lift, 0, 1)))))
    return compare_counts(models, dict(zip(names, prices, strict=True)), bootstrap=QUICK, stop=stop)


PRICES = [
    [flops(1.0), flops(8.0)],
    [flops(2.68e12, 5.22e12), flops(13.5e12, 26.7e12)],
    [flops(1.0), flops(3.0, 2.5), flops(7.7)],
    [flops(0.3, 4.0), flops(1.0, 9.0), flops(2.0), flops(30.0, 1.0)],
]


def shown(comparison: Comparison) -> set[str]:
    """Every number of the tables, and those of the JSON as they are written."""
    grids = comparison_grids(comparison)
    texts = [text for grid in grids for row in (grid.columns, *grid.rows, grid.notes, (grid.title,)) for text in row]
    plain = comparison_json(comparison)
    for price in plain["costs"].values():
        texts += [with_unit(price["per_sample"], comparison.unit)]
    for segment in plain["recommendation"]:
        points = segment["first"], segment["last"]
        texts += [with_unit(point["budget"], comparison.unit) for point in points]
        texts += [f"{point['k']:,} {percent(point['success'])}" for point in points]
        texts += [with_unit(one["budget"], comparison.unit) for one in segment["not_clear"]]
        # counts of budgets, where there are too many to list
        texts += [str(number) for number in range(len(plain["best"]) + 1)]
    for flip in plain["flips"]:
        texts += [ratio(flip[name]) for name in ("ratio", "low", "high") if flip[name] is not None]
        texts += [str(flip["k_cheap"])]
    return {number for text in texts for number in NUMBER.findall(text)}


@pytest.mark.parametrize("prices", PRICES, ids=lambda prices: len(prices))
@pytest.mark.parametrize("stop", ["fixed", "first-pass"])
def test_every_number_of_the_sentence_is_one_of_the_tables_or_the_json(prices: list[SampleCost], stop: str) -> None:
    for seed in range(6):
        comparison = drawn(seed, prices, stop=stop)
        sentence = winner_sentence(comparison)
        said = NUMBER.findall(sentence.replace("95% interval", ""))
        limit = re.search(r"pays for fewer than ([\d.,]+)", sentence)
        known = shown(comparison) | ({limit[1].rstrip(".,")} if limit else set())
        assert said
        assert set(said) <= known, (sentence, set(said) - known)


@pytest.mark.parametrize("prices", PRICES, ids=lambda prices: len(prices))
def test_prices_and_samples_of_the_sentence_are_those_of_the_table(prices: list[SampleCost]) -> None:
    """No ratio of prices is said beside them: for the same budget the sentence has the cells of the table."""
    for seed in range(4):
        comparison = drawn(seed, prices)
        sentence, plain = winner_sentence(comparison), comparison_json(comparison)
        cheap, dear = comparison.curves[0], comparison.curves[-1]
        for curve in (cheap, dear):
            first = plain["models"][curve.label]["cost"][0]
            assert f"{with_unit(first, 'flops')} ({curve.label})" in sentence
        one, other = (comparison.points(dear.price.cost(1))[curve.label] for curve in (cheap, dear))
        row = next(row for row in plain["best"] if row["budget"] == dear.price.cost(1))
        assert max(one.success, other.success) <= row["success"] + 1e-12
        assert f"{one.success:.1%} against {other.success:.1%}" in sentence
        assert (f"pays for {one.k} sample" in sentence) != one.capped
        assert "times as much" not in sentence


def test_a_sentence_of_shared_prompts_counts_further_samples() -> None:
    """One sample costs 5 times as much as the other, and pays for 13 of it, since the prompt is paid once."""
    cheap, dear = counts("small", 20, [4, 2, 9, 0] * 5), counts("large", 6, [5, 6, 6, 0] * 5)
    prices = {"small": flops(2.68e12, 5.22e12), "large": flops(13.5e12, 26.7e12)}
    sentence = winner_sentence(compare_counts([cheap, dear], prices, bootstrap=QUICK))
    assert "One sample costs 7.9 Tflops (small), 40.2 Tflops (large), each further one of small 2.68 Tflops" in sentence
    assert "For the price of one of large the budget pays for 13 samples of small" in sentence
    assert "the prompt aside" in sentence


# what is clear --------------------------------------------------------------------------------------------------------


def joined_late(before: Segment, after: Segment) -> bool:
    """Whether a model took over that could not be chosen from the start, and is the better one of the rest."""
    late = after.model not in before.rows[0].affordable
    return late and sum(row.model == after.model for row in after.rows) > 0 and before.model not in after.ahead.values()


@pytest.mark.parametrize("simultaneous", [None, True, False])
@pytest.mark.parametrize("prices", PRICES, ids=lambda prices: len(prices))
def test_it_changes_only_at_clear_differences(prices: list[SampleCost], simultaneous: bool | None) -> None:
    changes = 0
    for seed in range(5):
        comparison = drawn(seed, prices, problems=150)
        comparison = replace(comparison, bootstrap=Bootstrap(replicates=300, simultaneous=simultaneous))
        segments = comparison.recommendation()
        choice = [row for row in comparison.best if len(row.affordable) > 1]
        assert [row.budget for segment in segments for row in segment.rows] == list(comparison.budgets)
        for before, after in pairwise(segments):
            first = after.rows[0]
            worse = first.clear_against if simultaneous is False else first.clear_at_all_budgets
            if first.budget != choice[0].budget:
                assert before.model in worse or before.model in first.exhausted or joined_late(before, after)
                changes += before.model in worse
        for segment in segments:
            for row in segment.rows:
                worse = row.clear_against if simultaneous is False else row.clear_at_all_budgets
                assert segment.model not in worse
                assert set(segment.unclear_against[row.budget]) == set(row.affordable) - {segment.model, *worse}
    assert changes or len(prices) < 3


def test_the_only_affordable_model_stays_recommended_as_long_as_it_leads() -> None:
    """Where the dear model is affordable, but behind, nothing changes yet."""
    small, large = counts("small", 20, [9, 12, 0, 0] * 10), counts("large", 20, [11, 6, 8, 0] * 10)
    comparison = compare_counts([small, large], {"small": flops(1.0), "large": flops(3.0)}, bootstrap=QUICK)
    one, other = comparison.recommendation()
    assert (one.model, other.model) == ("small", "large")
    led = [row.budget for row in comparison.best if row.model == "small"]
    assert [row.budget for row in one.rows] == led
    assert max(led) >= 3  # where both afford a sample
    assert (one.ahead, other.ahead) == ({}, {})
    cheap, dear = comparison.curves
    assert other.start == min(cost for cost in dear.cost if dear.at(cost).success > cheap.at(cost).success) == 9


def test_models_that_cannot_be_told_apart_are_one_segment() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        chance = rng.beta(0.6, 0.8, 20)
        models = [counts(name, 12, list(rng.binomial(12, chance))) for name in ("one", "two", "three")]
        prices = {"one": flops(1.0), "two": flops(1.01), "three": flops(1.02)}
        found = compare_counts(models, prices, bootstrap=QUICK)
        if any(best.clear_at_all_budgets for best in found.best):
            continue
        assert len({segment.model for segment in found.recommendation()}) <= 2
        choice = [segment for segment in found.recommendation() if any(segment.unclear_against.values())]
        assert len(choice) == 1
        assert "not clear against" in winner_sentence(found)


def test_the_sentence_is_honest_where_it_is_not_clear() -> None:
    one, other = counts("one", 10, [5, 4, 3, 6]), counts("other", 10, [4, 5, 6, 4])
    found = compare_counts([one, other], {"one": flops(1), "other": flops(1)}, budgets=[1], bootstrap=QUICK)
    assert ", not clear against one" in winner_sentence(found)


def test_the_sentence_gives_the_exact_budget_of_a_switch() -> None:
    """The last switch is where the rival affords its fourth sample, at 20, which is not a doubling of 4."""
    strong, weak = counts("strong", 8, ([4] * 6 + [0] * 3) * 20), counts("weak", 8, [2] * 180)
    prices = {"strong": flops(4), "weak": flops(5)}
    found = compare_counts([strong, weak], prices, budgets=[4, 8, 16, 32], bootstrap=QUICK)
    at = next(b for b in range(17, 33) if found.curve("weak").at(b).success > found.curve("strong").at(b).success)
    assert at not in (4, 8, 16, 32)
    sentence = winner_sentence(found)
    assert sentence.startswith(f"Use strong below {at} flops a problem (")
    assert f"; weak from {at} flops (" in sentence


def test_a_lead_that_is_clear_in_its_row_alone_is_not_in_the_sentence() -> None:
    """Found by search: the tables' default calls it clear, the sentence and `simultaneous` do not."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        chance = rng.beta(0.6, 0.8, 60)
        models = [counts("one", 8, list(rng.binomial(8, chance)))]
        models += [counts("two", 8, list(rng.binomial(8, np.clip(chance + 0.08, 0, 1))))]
        prices = {"one": flops(1.0), "two": flops(1.0)}
        found = compare_counts(models, prices, bootstrap=QUICK)
        alone = [best for best in found.best if set(best.clear_against) - set(best.clear_at_all_budgets)]
        if alone and all(not best.clear_at_all_budgets for best in found.best):
            break
    else:
        pytest.fail("no such case among 60")
    assert found.to_dict()["clear_against"] != found.to_dict()["clear_at_all_budgets"]
    assert "not clear against" in winner_sentence(found)
    together = compare_counts(models, prices, bootstrap=Bootstrap(replicates=300, simultaneous=True))
    assert together.to_dict()["clear_against"] == together.to_dict()["clear_at_all_budgets"]
    row_by_row = compare_counts(models, prices, bootstrap=Bootstrap(replicates=300, simultaneous=False))
    assert winner_sentence(row_by_row) != winner_sentence(found)
    (notes,) = ([note for note in grid.notes if "clear against:" in note] for grid in comparison_grids(found)[1:2])
    assert f"each of the {len(found.best)} budgets by itself" in notes[0]
    (notes,) = ([note for note in grid.notes if "clear against:" in note] for grid in comparison_grids(together)[1:2])
    assert f"the table's {len(found.best)} budgets tested together" in notes[0]


# what is level, what is never reached ---------------------------------------------------------------------------------


def test_at_equal_success_the_cheaper_total_is_recommended() -> None:
    """`slow` needs two samples for what `quick` does with one that costs more: 1.5 in all, not 2."""
    slow, quick = counts("slow", 4, [3, 3, 4]), counts("quick", 4, [4, 4, 4])
    found = compare_counts([slow, quick], {"slow": flops(1), "quick": flops(1.5)}, budgets=[2, 4], bootstrap=QUICK)
    assert [best.model for best in found.best] == ["quick", "quick"]
    assert found.curve("slow").at(2).success == found.curve("quick").at(2).success == 1.0
    assert winner_sentence(found).startswith("Use quick at every budget")


def test_a_model_that_is_level_was_not_ahead() -> None:
    """`beta` leads at first; with 19 of 20 samples both solve the same."""
    solved = [0, 1, 2, 3, 4, 5]
    alpha, beta = counts("alpha", 20, [*solved, *solved]), counts("beta", 20, [*solved, 6, 7, 8, 0, 1, 2])
    prices = {"alpha": flops(1.0, 5.0), "beta": flops(1.0, 5.0)}
    found = compare_counts([alpha, beta], prices, budgets=[6, 12, 24], bootstrap=QUICK)
    assert found.curve("alpha").at(24).success == pytest.approx(found.curve("beta").at(24).success, abs=1e-15)
    (segment,) = found.recommendation()
    assert (segment.model, segment.ahead) == ("beta", {})
    assert "was ahead" not in winner_sentence(found)


@pytest.mark.skipif(not CASES.is_dir(), reason="no ../shared/cases beside this checkout")
def test_two_models_of_equal_success_and_unlike_totals() -> None:
    folder = CASES / "formats"
    (found,) = api.curves(folder / "tie.jsonl", "seconds", costs=folder / "tie.toml", replicates=300)
    assert found.best[-1].model == "good"
    assert "; good from 1.03 s" in winner_sentence(found)
    changes = next(grid for grid in comparison_grids(found) if "lead changes" in grid.title)
    assert changes.rows == (("bad / good", "never: good leads from 1.03 s to 8.24 s"),)


def test_where_nothing_is_solved_nothing_is_recommended() -> None:
    found = compare_counts(
        [counts("a", 3, [0, 0]), counts("b", 3, [0, 0])], {"a": flops(1), "b": flops(2)}, bootstrap=QUICK
    )
    expected = "No model solves any of the 2 problems with its recorded samples, so none is recommended."
    assert winner_sentence(found) == expected
    assert {best.model for best in found.best} == {None}
    assert {best.reason for best in found.best} == {"no model solves anything"}
    assert found.recommendation() == ()
    plain = json.loads(json.dumps(comparison_json(found), allow_nan=False))
    assert plain["recommendation"] == []
    grids = comparison_grids(found)
    assert not any(grid.marked for grid in grids)
    assert len(grids) == 2  # no budget for a success, no lead, no flip
    assert all(grid.rows for grid in grids)
    alone = compare_counts([counts("a", 3, [0])], {"a": flops(1)}, bootstrap=QUICK)
    assert winner_sentence(alone).startswith("No model solves any of the 1 problem with")


def test_the_sentence_of_a_model_alone_and_of_no_budget() -> None:
    alone = compare_counts([counts("m", 4, [1, 2])], {"m": flops(1e12)}, bootstrap=QUICK)
    assert winner_sentence(alone).startswith("Only m was given, so there is nothing to choose")
    poor = compare_counts([counts("m", 4, [1, 2])], {"m": flops(1e12)}, budgets=[1], bootstrap=QUICK)
    assert winner_sentence(poor).endswith("the cheapest, of m, costs 1 Tflops.")


def test_a_model_alone_is_not_charged_for_samples_that_solve_no_more() -> None:
    """One problem always passes, the other never: one sample does what eight do."""
    alone = compare_counts([counts("m", 8, [8, 0])], {"m": flops(1e12, 5e11)}, bootstrap=QUICK)
    assert "it solves 50.0% of the problems for 1.5 Tflops a problem (1 sample)." in winner_sentence(alone)


def test_the_sentence_where_the_cheap_model_never_gets_there() -> None:
    cheap, dear = counts("cheap", 3, [0] * 9), counts("dear", 3, [3] * 9)
    found = compare_counts([cheap, dear], {"cheap": flops(1), "dear": flops(2)}, bootstrap=QUICK)
    sentence = winner_sentence(found)
    assert sentence.startswith("Use dear at every budget")
    assert "pays for 2 samples of cheap: 0.0% against 100.0%" in sentence
    assert sentence.endswith(
        "All 3 samples of cheap solve 0.0%, so dear wins while the price of one of its samples pays for fewer than 4."
    )
    dearer = compare_counts([cheap, dear], {"cheap": flops(1), "dear": flops(9)}, bootstrap=QUICK)
    assert "pays for more than the 3 recorded samples of cheap" in winner_sentence(dearer)
    assert winner_sentence(dearer).endswith("more samples of cheap are needed to tell.")


def test_amounts_of_the_sentence_have_three_digits() -> None:
    assert (amount(26.78), ratio(26.78), percent(0.111)) == ("26.8", "26.8", "11.1")
