"""The paper's tables as data, and what they say at equal budget."""

from __future__ import annotations

import math

import pytest

from isobudget.costs.cost import Unit
from isobudget.errors import InputError
from isobudget.paper.equal_budget import equal_budget, interpolate, paper_flips
from isobudget.paper.tables import cost_table, paper_cost, pass_tables

SIZES = ("7B", "13B", "34B", "70B")


def row_at_one_70b_sample(benchmark: str, unit: Unit) -> dict[str, tuple[int, float]]:
    (table,) = pass_tables(benchmark)
    (row,) = [row for row in equal_budget(table, unit, (1,)) if row.family == "Code Llama"]
    return {model.split()[-1]: (cell.k, round(cell.percent, 1)) for model, cell in row.cells.items()}


@pytest.mark.parametrize(
    ("asked", "tables"), [("MBPP", 1), ("human-eval", 1), ("apps", 3), ("apps-interview", 1), ("APPS interview", 1)]
)
def test_tables_are_chosen_by_whole_names(asked: str, tables: int) -> None:
    assert len(pass_tables(asked)) == tables


@pytest.mark.parametrize(("asked", "hint"), [("mbp", "Did you mean 'MBPP'?"), ("apps-int", ""), ("", ""), ("swe", "")])
def test_a_part_of_a_name_is_no_name(asked: str, hint: str) -> None:
    with pytest.raises(InputError, match="the paper has no benchmark") as caught:
        pass_tables(asked)
    assert hint in str(caught.value)


def test_our_count_beside_table_1() -> None:
    for row in cost_table():
        assert abs(row.deviation) <= 0.002
        assert row.our_flops == pytest.approx(row.flops, rel=0.002)


def test_published_ratios_follow_from_the_published_figures() -> None:
    first, *_ = cost_table()
    for row in cost_table():
        assert row.flops / first.flops == pytest.approx(row.relative_flops, abs=0.005)
        assert row.seconds / first.seconds == pytest.approx(row.relative_seconds, abs=0.005)


def test_larger_models_and_larger_k_are_never_worse() -> None:
    for table in pass_tables():
        assert list(table.k) == sorted(table.k)
        for values in table.percent.values():
            assert len(values) <= len(table.k)
            assert list(values) == sorted(values)
        by_size = [table.percent[f"Code Llama {size}"][0] for size in SIZES]
        assert by_size == sorted(by_size)


@pytest.mark.parametrize(
    ("benchmark", "unit", "expected"),
    [
        ("HumanEval", Unit.FLOPS, {"7B": (10, 62.3), "13B": (5, 59.9), "34B": (2, 51.4), "70B": (1, 46.7)}),
        ("HumanEval", Unit.SECONDS, {"7B": (14, 66.9), "13B": (8, 67.5), "34B": (1, 38.6), "70B": (1, 46.7)}),
        ("MBPP", Unit.FLOPS, {"7B": (10, 67.3), "13B": (5, 64.9), "34B": (2, 60.1), "70B": (1, 57.3)}),
        ("APPS introductory", Unit.FLOPS, {"7B": (10, 19.1), "13B": (5, 25.2), "34B": (2, 19.7), "70B": (1, 22.6)}),
        ("APPS interview", Unit.SECONDS, {"7B": (14, 5.7), "13B": (8, 8.5), "34B": (1, 2.9), "70B": (1, 5.5)}),
    ],
)
def test_the_cost_of_one_70b_sample(benchmark: str, unit: Unit, expected: dict[str, tuple[int, float]]) -> None:
    assert row_at_one_70b_sample(benchmark, unit) == expected


def test_no_model_spends_more_than_the_budget_or_leaves_a_sample_unspent() -> None:
    for table in pass_tables():
        for unit in (Unit.FLOPS, Unit.SECONDS):
            for row in equal_budget(table, unit):
                for model, cell in row.cells.items():
                    cost = paper_cost(model, unit)
                    assert cost is not None
                    assert cost.cost(cell.k) <= row.budget * (1 + 1e-9) < cost.cost(cell.k + 1) * (1 + 1e-8)


def test_small_models_win_on_humaneval_and_13b_on_competition() -> None:
    (humaneval,), (competition,) = pass_tables("humaneval"), pass_tables("apps competition")
    rows = equal_budget(humaneval, Unit.FLOPS)
    assert {row.best for row in rows if row.best} <= {"Code Llama 7B", "Code Llama 13B", "Llama-3 8B"}
    wins = [row.best for row in equal_budget(competition, Unit.FLOPS, (1, 2, 4, 8, 16))]
    assert wins == ["Code Llama 13B"] * 5


def test_interpolation_meets_the_published_points_and_follows_equal_problems() -> None:
    ks, percent = (1, 2, 4, 16), tuple(100 * (1 - 0.9**k) for k in (1, 2, 4, 16))
    assert [interpolate(ks, percent, k).percent for k in ks] == list(percent)
    assert interpolate(ks, percent, 8).percent == pytest.approx(100 * (1 - 0.9**8))
    assert interpolate(ks, percent, 8).interpolated
    assert not interpolate(ks, percent, 4).interpolated
    beyond, none = interpolate(ks, percent, 17), interpolate(ks, percent, 0)
    assert math.isnan(beyond.percent)
    assert (beyond.at_least, "beyond" in beyond.reason) == (percent[-1], True)
    assert math.isnan(none.percent)
    assert none.reason == "cannot afford one sample"


def test_no_winner_where_the_lead_is_within_the_interpolations_error() -> None:
    (table,) = pass_tables("humaneval")
    row = next(row for row in equal_budget(table, Unit.SECONDS, (1,)) if row.family == "Code Llama")
    small, medium = row.cells["Code Llama 7B"], row.cells["Code Llama 13B"]
    assert small.interpolated
    assert 0 < medium.percent - small.percent < 0.56
    assert row.best is None


def test_no_winner_where_a_model_lies_beyond_what_was_published() -> None:
    (table,) = pass_tables("APPS competition")
    (row,) = equal_budget(table, Unit.FLOPS, (32,))
    assert row.cells["Code Llama 13B"].at_least == 14.4
    assert row.best is None


def test_flips() -> None:
    (table,) = pass_tables("HumanEval")
    found = {(f.cheap, f.dear, f.k_dear): f for f in paper_flips(table)}
    flip = found["Code Llama 7B", "Code Llama 70B", 1]
    # 46.7 lies between 38.5 at k = 2 and 48.9 at k = 4, at k = 3.45.
    assert (flip.k_cheap, flip.ratio) == (4, 4.0)
    assert found["Code Llama 7B", "Code Llama 70B", 4].ratio == 23 / 4
    never = found["Code Llama 34B", "Code Llama 70B", 64]
    assert never.k_cheap is None
    assert math.isnan(never.ratio)
    assert "below 94.4 %" in never.reason


def test_a_flip_is_where_the_winner_changes() -> None:
    for table in pass_tables():
        for flip in paper_flips(table):
            target = table.percent[flip.dear][table.k.index(flip.k_dear)]
            if flip.k_cheap is not None:
                assert interpolate(table.k, table.percent[flip.cheap], flip.k_cheap).percent >= target - 1e-9
                if flip.k_cheap > 1:
                    assert interpolate(table.k, table.percent[flip.cheap], flip.k_cheap - 1).percent < target


def test_costs_by_spelling() -> None:
    seconds = paper_cost("CodeLlama-7b-Python-hf", Unit.SECONDS)
    assert seconds is not None
    assert seconds.per_sample == 0.395
    assert "Table 1" in seconds.source
    assert paper_cost("codellama-7b", Unit.USD) is None
    assert paper_cost("llama-3-8b", Unit.SECONDS) is None
    assumed = paper_cost("Llama-3 8B", Unit.SECONDS)
    assert assumed is not None
    assert "ASSUMED" in assumed.source


def test_the_size_alone_is_a_model_of_table_1_and_the_source_says_which() -> None:
    for size in ("7b", "13B", "34b", "70B"):
        for unit in (Unit.FLOPS, Unit.SECONDS, Unit.DEVICE_SECONDS):
            short, long = paper_cost(size, unit), paper_cost(f"codellama-{size}", unit)
            assert short is not None
            assert long is not None
            assert short.per_sample == long.per_sample
            assert f"Table 1 (Code Llama {size.upper()})" in short.source
    assert paper_cost("8b", Unit.FLOPS) is None
    assert paper_cost("b", Unit.FLOPS) is None


def test_benchmarks_by_name() -> None:
    assert [table.benchmark for table in pass_tables("apps")] == [
        "APPS introductory",
        "APPS interview",
        "APPS competition",
    ]
    for unknown in ("swe-bench", "", "-"):
        with pytest.raises(InputError, match="the paper has no benchmark"):
            pass_tables(unknown)
