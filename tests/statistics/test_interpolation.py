"""Monotone interpolation: SciPy's curve, no overshoot, and the paper's tables with one point left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from isobudget.errors import InputError
from isobudget.paper.tables import pass_tables
from isobudget.statistics.interpolation import monotone_cubic, success_between

points = st.lists(st.tuples(st.floats(0.01, 3), st.floats(-5, 5, allow_subnormal=False)), min_size=2, max_size=9)


@given(points)
def test_it_is_the_curve_of_scipy(pairs: list[tuple[float, float]]) -> None:
    x, y = np.cumsum([step for step, _ in pairs]), np.array([value for _, value in pairs])
    at = np.linspace(x[0], x[-1], 57)
    assert monotone_cubic(x, y, at) == pytest.approx(PchipInterpolator(x, y)(at), abs=1e-9)


@given(points)
def test_it_stays_between_its_neighbours(pairs: list[tuple[float, float]]) -> None:
    x, y = np.cumsum([step for step, _ in pairs]), np.array([value for _, value in pairs])
    for left in range(len(x) - 1):
        curve = monotone_cubic(x, y, np.linspace(x[left], x[left + 1], 11))
        assert curve.min() >= min(y[left], y[left + 1]) - 1e-9
        assert curve.max() <= max(y[left], y[left + 1]) + 1e-9


def test_known_points_are_exact_and_nothing_is_said_outside() -> None:
    k, success = [1, 2, 4, 16], [0.282, 0.385, 0.489, 0.687]
    assert success_between(k, success, k).tolist() == success
    assert np.isnan(success_between(k, success, [0.5, 17])).all()
    assert success_between([1, 4], [0.0, 1.0], 4) == 1.0
    assert success_between([3], [0.5], [3, 4]).tolist() == [0.5, pytest.approx(math.nan, nan_ok=True)]


def test_equal_problems_are_followed_exactly() -> None:
    k = np.arange(1, 200)
    assert success_between([1, 4, 64, 199], 1 - 0.97 ** np.array([1, 4, 64, 199]), k) == pytest.approx(1 - 0.97**k)


def test_the_papers_tables_are_met_with_one_point_left_out() -> None:
    off = []
    for table in pass_tables():
        for percent in table.percent.values():
            ks = table.k[: len(percent)]
            for out in range(1, len(ks) - 1):
                rest = [at for at in range(len(ks)) if at != out]
                guess = success_between([ks[at] for at in rest], [percent[at] / 100 for at in rest], ks[out])
                off.append(abs(100 * float(guess) - percent[out]))
    assert np.mean(off) < 0.3


@pytest.mark.parametrize("x", [[1.0, 1.0], [2.0, 1.0], []])
def test_places_must_rise(x: list[float]) -> None:
    with pytest.raises(InputError, match="rising"):
        monotone_cubic(x, x, 1.0)
