"""Inputs near those of tests: of the same types, literals, the same every time, and no more than are asked for."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.tasks.inputs import Call, inputs_near, neighbours

VALUES = st.recursive(
    st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.tuples(inner, inner)
        | st.sets(st.integers(0, 9), max_size=3)
    ),
    max_leaves=6,
)


@given(VALUES)
@settings(max_examples=60, deadline=None)
def test_neighbours_are_other_literals_of_the_same_type(value: Any) -> None:
    near = list(neighbours(value))
    assert near or not value
    for one in near:
        assert type(one) is type(value)
        assert repr(one) != repr(value)
        assert repr(ast.literal_eval(repr(one))) == repr(one) or isinstance(one, set)
    assert len({repr(one) for one in near}) == len(near)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=3), st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_inputs_begin_with_those_of_the_tests_and_are_the_same_every_time(
    pairs: list[tuple[Any, Any]], most: int
) -> None:
    calls = list(dict.fromkeys(Call("f", "", repr((a,)), repr({"b": b})) for a, b in pairs))
    made = inputs_near(calls, most)
    assert made[: len(calls)] == calls[:most]
    assert len(made) == len(set(made)) <= most
    assert made == inputs_near(calls, most)
    for one in made:
        args, kwargs = ast.literal_eval(one.args), ast.literal_eval(one.kwargs)
        assert type(args[0]) in {type(a) for a, _ in pairs}
        assert type(kwargs["b"]) in {type(b) for _, b in pairs}


def test_arguments_of_several_calls_are_mixed() -> None:
    calls = [Call("f", "", "(1, 'a')", "{}"), Call("f", "", "(50, 'zz')", "{}")]
    made = {(one.args, one.kwargs) for one in inputs_near(calls, 300)}
    assert {("(1, 'zz')", "{}"), ("(50, 'a')", "{}"), ("(51, 'zz')", "{}"), ("(1, 'A')", "{}")} <= made
    assert Call("f", "", "(1,)", "{'sep': '-'}").arguments == "1, sep='-'"


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {"name": "f"},
        {"name": "f", "state": "", "args": "(", "kwargs": "{}"},
        {"name": "f", "state": "", "args": "1", "kwargs": "{}"},
        {"name": "f", "state": "", "args": "(1,)", "kwargs": "{1: 2}"},
        {"name": "f", "state": "[]", "args": "()", "kwargs": "{}"},
        {"name": 1, "state": "", "args": "()", "kwargs": "{}"},
        {"name": "f", "state": "", "args": "(__import__('os'),)", "kwargs": "{}"},
    ],
)
def test_what_a_candidate_forges_is_no_call(told: Any) -> None:
    assert Call.of(told) is None
