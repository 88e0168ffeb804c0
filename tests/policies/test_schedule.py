"""Schedules as values: what they hold, what they refuse, and how the plain ones are made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isobudget.errors import InputError
from isobudget.policies import Schedule, Stop, cascade, doubling, first_pass, fixed_k

STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5)), min_size=1, max_size=8)


def test_the_plain_ones() -> None:
    assert fixed_k("7b", 4) == Schedule((("7b", 4),), Stop.NEVER)
    assert first_pass("7b", 4).stop is Stop.FIRST_PASS
    assert cascade([("7b", 4), ("70b", 1)]).counts() == {"7b": 4, "70b": 1}
    assert [count for _, count in doubling("7b", 13).steps] == [1, 1, 2, 4, 5]
    assert [count for _, count in doubling("7b", 1).steps] == [1]
    assert doubling("7b", 13).batched


@given(STEPS)
def test_merging_keeps_every_draw_in_its_place(steps: list[tuple[str, int]]) -> None:
    schedule = Schedule(tuple(steps))
    merged = schedule.merged()
    assert list(merged.single_draws()) == list(schedule.single_draws())
    assert merged.draws == schedule.draws == sum(schedule.counts().values())
    assert all(one[0] != other[0] for one, other in zip(merged.steps, merged.steps[1:], strict=False))
    assert set(schedule.arms) == {arm for arm, _ in steps}


@given(STEPS.filter(lambda steps: len(steps) > 1), st.floats(0.01, 0.99), st.floats(0, 0.999))
def test_a_mixture_is_one_of_two_neighbours(steps: list[tuple[str, int]], share: float, chance: float) -> None:
    mixed = Schedule(tuple(steps), last_share=share)
    played = mixed.chosen(chance)
    assert played.last_share == 1
    assert played.steps == (tuple(steps) if chance < share else tuple(steps[:-1]))
    assert list(mixed.merged().shorter().single_draws()) == list(mixed.shorter().single_draws())


def test_batches_stay_as_they_are() -> None:
    assert doubling("7b", 8).merged() == doubling("7b", 8)


def test_text() -> None:
    assert str(Schedule((("a", 3), ("a", 2), ("b", 1)), last_share=0.25)) == "a x 5, b x 1 (for 25% of the problems)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((),), "at least one step"),
        (((("a", 0),),), "count of a step"),
        (((("a", True),),), "count of a step"),
        (((("a", 1.5),),), "count of a step"),
        (((("", 1),),), "arm of a step"),
        (((("a", 1), ("b", 1)), Stop.NEVER, False, 0.0), "share of the last step"),
        (((("a", 1), ("b", 1)), Stop.NEVER, False, 1.5), "share of the last step"),
        (((("a", 1),), Stop.NEVER, False, 0.5), "a mixture needs at least two steps"),
    ],
)
def test_what_is_no_schedule(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Schedule(*arguments)  # type: ignore[arg-type]
