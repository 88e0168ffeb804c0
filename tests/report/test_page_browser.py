"""The page in a real browser: what sliders, units, prices and boxes show is what Python computes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

from isobudget.costs.cost import Unit
from isobudget.curves import Comparison, Curve, compare
from isobudget.grid import interval, percent, with_unit
from isobudget.rankers.base import RANDOM
from isobudget.report.json.run import report_dict
from isobudget.report.tables.plan import NAMES
from isobudget.solving.sentence import shown_steps
from support.made_page import FEW, FOLLOW, Made, made_page
from support.synthetic_run import FakeModel, synthetic_run


@dataclass(frozen=True)
class State:
    """What a reader may choose."""

    unit: str
    hidden: tuple[str, ...]
    factors: Mapping[str, float]
    budget: float

    @property
    def fragment(self) -> str:
        kind = "rate" if self.unit == "own" else "price"
        words = [("unit", self.unit), ("budget", repr(self.budget)), *(("hide", label) for label in self.hidden)]
        return "#" + urlencode([*words, *((kind, f"{value!r}*{label}") for label, value in self.factors.items())])

    def priced(self, made: Made) -> list[Curve]:
        """The shown models at the state's prices."""
        own = self.unit == "own"
        recorded = made.comparison(Unit.DEVICE_SECONDS if own else Unit(self.unit))
        unit, base = (Unit.USD, 1 / 3600) if own else (recorded.unit, 1.0)
        return [
            replace(curve, price=curve.price.times(base * self.factors.get(curve.label, 1.0), unit, "a test's"))
            for curve in recorded.curves
            if curve.label not in self.hidden
        ]


def random_states(made: Made, count: int) -> Iterator[State]:
    dice = random.Random(20)
    labels = list(made.stops.labels)
    for at in range(count):
        unit = ("flops", "device_seconds", "own")[at % 3]
        hidden = tuple(dice.sample(labels, dice.choice((0, 0, 1, 2))))
        changed = dice.sample(labels, dice.choice((1, 2)) if unit == "own" or at % 2 else 0)
        factors = {label: 2 ** (dice.randint(-24, 24) / 8) for label in changed}
        state = State(unit, hidden, factors, 1.0)
        costs = np.concatenate([curve.cost for curve in state.priced(made)])
        yield replace(state, budget=float(np.exp(dice.uniform(np.log(costs.min() / 1.3), np.log(costs.max() * 1.3)))))


def rows_shown(page: Any) -> dict[str, list[str]]:
    """The table below the slider: label -> texts of its cells, small print after a bar."""
    return page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#reached tbody tr")].map((row) => [row.dataset.label,
            [...row.cells].slice(1).map((cell) => {
                const small = cell.querySelector("small");
                const all = cell.textContent.replace(/\\s+/g, " ").trim();
                return small ? all.slice(0, all.length - small.textContent.length) + "|" + small.textContent : all;
            })]))"""
    )


def test_thirty_random_states(page: Any, made: Made) -> None:
    seen = set()
    for state in random_states(made, 30):
        page.evaluate(FOLLOW, state.fragment)
        page.wait_for_function(
            "(hash) => isobudgetPage.hash(isobudgetPage.state) !== null && location.hash === hash", arg=state.fragment
        )
        page.evaluate("() => new Promise((done) => setTimeout(done))")
        budget = page.evaluate("() => isobudgetPage.stop(isobudgetPage.state).budget")
        curves = state.priced(made)
        compared = compare(curves, budgets=[budget], bootstrap=FEW)
        (best,) = compared.best
        shown = rows_shown(page)
        assert list(shown) == [curve.label for curve in compared.curves]
        for curve in compared.curves:
            check_row(shown[curve.label], curve, budget, curve.label == best.model)
        said = page.inner_text("#winner")
        assert said.startswith(f"{best.model} is best: {best.k} sample" if best.model else "No model is best here")
        clear = {label for label, cells in shown.items() if cells[-1].startswith("clear")}
        check_clear(made, state, budget, compared, clear)
        seen.add((best.model, bool(clear), bool(state.factors)))
    assert len(seen) >= 7


def check_row(cells: list[str], curve: Curve, budget: float, best: bool) -> None:
    point = curve.at(budget)
    if point.k == 0:
        assert cells == ["cannot afford one sample"]
        return
    cost = with_unit(curve.price.cost(point.k), curve.price.unit)
    assert cells[:2] == [
        f"{'>' * point.capped}{percent(point.success)}%|{interval(point.low, point.high, '–')}",
        f"{point.k}{'?' * (not point.trusted)}|{cost}",
    ]
    assert (cells[2] == "best") == best


def check_clear(made: Made, state: State, budget: float, compared: Comparison, clear: set[str]) -> None:
    """With recorded prices, exactly as in Python; with others never where a row by itself is not clear."""
    (best,) = compared.best
    if state.unit == "own" or state.factors:
        assert clear <= set(best.clear_against)
        return
    recorded = made.comparison(Unit(state.unit))
    assert budget in made.stops.budgets[recorded.unit]
    whole = compare(recorded.curves, budgets=[budget], bootstrap=FEW).best[0]
    if whole.model == best.model:
        assert clear == set(whole.clear_against) - set(state.hidden)


def test_unit_price_and_boxes_by_hand(page: Any, made: Made) -> None:
    page.evaluate("() => { location.hash = ''; }")
    page.check('input[value="device_seconds"]')
    assert page.evaluate("() => isobudgetPage.state.unit") == "device_seconds"
    page.uncheck('input[name="model"][value="large-1.5b"]')
    assert "large-1.5b" not in rows_shown(page)
    page.check('input[name="model"][value="large-1.5b"]')
    page.focus("#budget")
    page.keyboard.press("End")
    most = made.stops.budgets[Unit.DEVICE_SECONDS][-1]
    assert page.inner_text('output[for="budget"]') == with_unit(most, "device_seconds")
    page.keyboard.press("ArrowLeft")
    before = made.stops.budgets[Unit.DEVICE_SECONDS][-2]
    assert page.evaluate("() => isobudgetPage.state.budget") == before
    assert f"budget={before!r}" in page.url
    page.focus("#ratio")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => isobudgetPage.state.price") == {"large-1.5b": pytest.approx(2 ** (1 / 8))}
    page.click("text=Back to the recorded prices")
    assert page.evaluate("() => isobudgetPage.state.price") == {}


def test_flips_are_those_of_python(page: Any, made: Made) -> None:
    comparison = made.comparison(Unit.FLOPS)
    for cheap, dear in combinations([curve.label for curve in comparison.curves], 2):
        page.evaluate("(pair) => isobudgetPage.set({ unit: 'flops', price: {}, pair, k_dear: 1 })", [cheap, dear])
        flip = next(one for one in comparison.flips if (one.cheap, one.dear, one.k_dear) == (cheap, dear, 1))
        text = page.inner_text(".flip")
        if flip.k_cheap is None:
            assert f"All recorded samples of {cheap} together solve less than 1 sample of {dear}" in text
        else:
            said = "1 sample of {} does" if flip.k_cheap == 1 else f"{flip.k_cheap} samples of {{}} do"
            assert f"{said.format(cheap)} as well as 1 sample of {dear}" in text
        now = page.evaluate("(pair) => isobudgetPage.ratio(isobudgetPage.state, ...pair, 1)", [cheap, dear])
        assert now == pytest.approx(flip.now)


def test_policies_are_those_of_the_plan(page: Any, made: Made) -> None:
    for unit, rows in made.summary.frontier.items():
        page.evaluate(FOLLOW, f"#unit={unit}&k_dear={len(unit)}")
        for row in rows:
            page.evaluate("(budget) => isobudgetPage.set({ budget })", row.budget)
            said = page.inner_text("#policy")
            assert f"{with_unit(row.budget, unit)}: {NAMES[row.policy]} solves {percent(row.success)}%" in said
            assert interval(row.low, row.high, "–") in said
            assert f", spends {with_unit(row.expected_cost, unit)} on average" in said
            assert row.schedule is not None
            assert said.endswith(f": {shown_steps(row.schedule).replace(' x ', ' × ')}.")
    drawn = "() => isobudgetPage.drawing(isobudgetPage.state).policies.map((one) => [one.x, one.y])"
    assert page.evaluate(drawn) == [[row.budget, pytest.approx(100 * row.success)] for row in rows]
    assert "planned policies" in page.evaluate(
        "() => isobudgetPage.chartSvg(isobudgetPage.figureChart(isobudgetPage.state))"
    )
    page.uncheck('input[name="plan"]')
    assert page.evaluate(drawn) == []
    assert page.locator("#policy").count() == 0
    page.check('input[name="plan"]')
    page.evaluate("() => isobudgetPage.set({ price: { 'large-1.5b': 2 } })")
    assert "the report's prices" in page.inner_text("#policy")
    page.evaluate("() => isobudgetPage.set({ price: {} })")


def test_rankers_are_those_of_python(page: Any, made: Made) -> None:
    ranking = made.summary.ranking
    assert ranking is not None
    for model in ranking.models:
        page.evaluate(FOLLOW, "#" + urlencode({"unit": "flops", "ranked": model.model}))
        assert page.input_value("#ranked") == model.model
        for budget in made.stops.budgets[Unit.FLOPS][::9]:
            page.evaluate("(budget) => isobudgetPage.set({ budget })", budget)
            rows = page.locator("#rankers tbody tr").all_inner_texts()
            assert len(rows) == len(model.ranked) + 1
            reached = {}
            for text, one in zip(rows, model.ranked, strict=False):
                free, charged = one.free[Unit.FLOPS].at(budget), one.charged[Unit.FLOPS].at(budget)
                if one.ranker != RANDOM and charged.k:
                    reached[one.ranker] = charged.success
                if not free.k:
                    assert text.endswith("cannot afford one sample")
                    continue
                shown = text.split("\t")
                assert shown[1].split() == [f"{percent(free.success)}%", interval(free.low, free.high, "–")]
                assert shown[2] == str(free.k)
                paid = f"{percent(charged.success)}% k = {charged.k}" if charged.k else "cannot afford one"
                assert " ".join(shown[3].split()) == ("–" if one.ranker == RANDOM else paid)
            best = max(reached, key=lambda name: reached[name], default=None)
            said = page.inner_text("#chosen")
            assert said.startswith(f"Without tests, {best} chooses best" if best else with_unit(budget, "flops"))


def test_the_json_inside_is_that_of_the_command(page: Any, made: Made) -> None:
    inside = page.evaluate("() => isobudgetPage.data")
    printed = json.loads(json.dumps(report_dict(made.facts, [made.summary])))
    own, record = inside["benchmarks"].pop("own"), printed["benchmarks"].pop("own")
    assert {name: value for name, value in inside.items() if name not in ("places", "live")} == printed
    assert set(own) - set(record) == {"sliders", "task_ids", "texts"}
    assert all(own[name] == record[name] for name in record)


def test_larger_curves_inside_are_points_of_the_command(tmp_path: Path) -> None:
    models = (FakeModel("many", 300, 0.0, 0.01, 64, 2), FakeModel("few", 70, 1.0, 0.03, 128, 4))
    made = made_page(synthetic_run(tmp_path / "run", models, {"b": 8}, likelihood=False), tmp_path / "report")
    text = made.path.read_text().split('id="data">')[1].split("</script>")[0]
    found = json.loads(text)["benchmarks"]["b"]
    whole = report_dict(made.facts, [made.summary])["benchmarks"]["b"]
    for thin, full in zip(found["comparisons"], whole["comparisons"], strict=True):
        assert thin["best"] == full["best"]
        for label, columns in thin["models"].items():
            assert 20 < len(columns["k"]) <= 64
            assert columns["k"][-1] == full["models"][label]["k"][-1]
            for name, values in columns.items():
                assert values == [full["models"][label][name][k - 1] for k in columns["k"]]
        assert all(flip in full["flips"] for flip in thin["flips"])
        budgets = found["sliders"]["budgets"][thin["unit"]]
        assert {one["budget"] for one in full["best"]} <= set(budgets)
        for label, columns in thin["models"].items():
            curve = made.comparison(Unit(thin["unit"])).curve(label)
            assert {curve.at(budget).k for budget in budgets} - {0} <= set(columns["k"])


def test_a_problem_shows_its_outputs(page: Any, made: Made) -> None:
    page.evaluate(FOLLOW, "#problem=" + made.summary.first.curves[0].task_ids[20])
    page.wait_for_selector(".problem pre")
    text = page.inner_text(".problem")
    for one in made.summary.tallies:
        assert f"{one.model}: {one.c[20]} of {one.n[20]} sample" in text
    assert "Greedy output" in text
    assert "Failed: sample" in text
    assert page.locator(".problem .code-keyword").first.text_content() == "def"


@pytest.mark.parametrize("price", ["1e-308", "1e308", "0", "-1", "x"])
def test_what_is_no_price_changes_nothing(page: Any, price: str) -> None:
    """Typed, or in an address; before, the figure and the table below it no longer said the same."""
    page.evaluate(f"() => {{ location.hash = '#unit=own&rate={price}*small-135m&price={price}*small-135m'; }}")
    assert page.evaluate("() => [isobudgetPage.state.rate, isobudgetPage.state.price]") == [{}, {}]
    before, table = page.inner_text("#winner"), rows_shown(page)
    if price != "x":  # which a field of numbers does not take
        page.fill("#rate-0", price)
        page.press("#rate-0", "Enter")
    assert page.input_value("#rate-0") == "1"
    assert (page.inner_text("#winner"), rows_shown(page)) == (before, table)
    page.fill("#rate-0", "2")
    page.press("#rate-0", "Enter")
    assert page.evaluate("() => Object.values(isobudgetPage.state.rate)") == [2]
    assert rows_shown(page) != table
    page.evaluate("() => { location.hash = ''; }")
