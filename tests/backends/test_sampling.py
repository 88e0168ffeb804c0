"""Sampling that no sample can be drawn with is refused where it is made, before an engine has it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from isobudget.backends.base import Sampling
from isobudget.errors import InputError

PLAIN: dict[str, Any] = {"temperature": 0.8, "top_p": 0.95, "max_tokens": 8}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"temperature": -1.0}, "temperature must be a number of 0 or more, not -1.0"),
        ({"temperature": math.nan}, "temperature must be a number of 0 or more, not nan"),
        ({"temperature": math.inf}, "temperature must be a number of 0 or more, not inf"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, not 0.0"),
        ({"top_p": 1.5}, "top_p must be above 0 and at most 1, not 1.5"),
        ({"top_p": math.nan}, "top_p must be above 0 and at most 1, not nan"),
        ({"max_tokens": 0}, "max_tokens must be at least 1, not 0"),
        ({"stop": ("\n", "")}, "a stop text is empty"),
    ],
)
def test_what_nothing_can_be_drawn_with_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Sampling(**PLAIN | wrong)


@pytest.mark.parametrize("fine", [{"temperature": 0.0}, {"temperature": 1e9}, {"top_p": 1.0}, {"max_tokens": 10**20}])
def test_the_bounds_themselves_are_allowed(fine: dict[str, Any]) -> None:
    assert Sampling(**PLAIN | fine).stop == ()
