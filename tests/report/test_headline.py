"""The verdict in two lines, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves import FIRST_PASS, FIXED, Bootstrap, Comparison, compare_counts
from isobudget.importers.counts import ModelCounts
from isobudget.report.tables.comparison import comparison_grids
from isobudget.report.tables.labels import said_of
from isobudget.report.tables.sentence import EXPECTED, basis, headline, winner_sentence

LONG = "an-organisation/a-model-with-a-long-name-{}-instruct"


def comparison(passed: Mapping[str, Sequence[int]], n: int, prices: Sequence[float], stop: str = FIXED) -> Comparison:
    """Models by name with passing samples of each problem."""
    models, costs = [], {}
    for (name, c), price in zip(passed.items(), prices, strict=True):
        none = (None,) * len(c)
        tasks = tuple(map(str, range(len(c))))
        models.append(ModelCounts("b", name, "", tasks, np.full(len(c), n), np.array(c), none, none))
        costs[name] = SampleCost(Unit.SECONDS, price, source="made up")
    return compare_counts(models, costs, bootstrap=Bootstrap(replicates=200), stop=stop)


@pytest.fixture
def two() -> Comparison:
    """The cheap one solves half of 40 problems at once, the dear one all of them, ten times as dear."""
    return comparison({"small": [16] * 20 + [0] * 20, "large": [16] * 40}, 16, (1.0, 10.0))


def test_two_lines_of_80_columns_with_the_tables_numbers(two: Comparison) -> None:
    first, second = headline(two).splitlines()
    assert first == "Use small below 10 s a problem, then large: clear."
    assert second == "One sample of large solves 100.0%; for its price, 10 samples of small solve 50.0%."
    assert basis(two) == winner_sentence(two)


def test_what_is_not_clear_is_said() -> None:
    same = comparison({"small": [8, 3, 9, 4], "large": [8, 4, 9, 4]}, 16, (1.0, 2.0))
    assert headline(same).splitlines()[0].endswith(": not clear.")


def test_what_is_clear_is_counted_over_the_rows_of_the_table() -> None:
    found = comparison({"small": [20, 40, 60] * 4, "large": [20, 40, 60] * 4}, 100, (1.69, 8.58))
    alone = sum(len(row.affordable) == 1 for row in found.best)
    clear = sum(bool(row.clear_at_all_budgets) for row in found.best)
    assert 0 < clear < len(found.best) - alone
    said = f"clear at {clear} of {len(found.best)} budgets; {alone} pay for one model."
    assert headline(found).splitlines()[0] == f"Use small at every budget up to 108 s a problem: {said}"
    (table,) = [grid for grid in comparison_grids(found) if grid.columns[0] == "Budget" and "at equal" in grid.title]
    assert len(table.rows) == len(found.best)


def test_all_samples_used_up_is_said() -> None:
    few = comparison({"small": [1, 0, 2, 1], "large": [2, 1, 1, 2]}, 2, (1.0, 50.0))
    assert "for its price, all 2 samples of small solve 75.0%." in headline(few)


def test_long_names_are_those_of_the_tables() -> None:
    names = [LONG.format(size) for size in ("1b", "30b")]
    long = comparison({names[0]: [1] * 8, names[1]: [4] * 8}, 4, (1.0, 3.0))
    text = headline(long)
    assert max(map(len, text.splitlines())) <= 80
    assert "1b" in text
    assert "organisation" not in text + basis(long)


@pytest.mark.parametrize("stop", [FIXED, FIRST_PASS])
def test_one_model_or_nothing_solved_is_one_line(stop: str) -> None:
    one = comparison({"small": [1, 2]}, 4, (1.0,), stop)
    assert headline(one).startswith("Only small was given")
    assert "\n" not in headline(one)
    assert basis(one) == (EXPECTED if stop == FIRST_PASS else "")
    none = comparison({"small": [0, 0], "large": [0, 0]}, 4, (1.0, 2.0), stop)
    assert headline(none).startswith("No model solves any")


def test_sentences_name_their_suites_where_there_are_several() -> None:
    assert said_of([("base", "a"), ("plus", "b")]) == ["base: a", "plus: b"]
    assert said_of([("", "a"), ("plus", "b")]) == ["imported: a", "plus: b"]
    assert said_of([("base", "by usd"), ("base", "by seconds")]) == ["by usd", "by seconds"]


def test_who_is_ahead_though_not_clearly_is_said_at_once() -> None:
    found = comparison({"steady": [16, 0], "lucky": [4, 4]}, 16, (1.0, 1.0))
    ahead = [label for segment in found.recommendation() for label in segment.ahead.values()]
    assert set(ahead) == {"steady"}
    who = f"steady is ahead at {len(ahead)} of {len(found.best)} budgets"
    said = f"Use lucky at every budget up to 16 s a problem: not clear; {who}."
    assert headline(found).splitlines()[0] == said
