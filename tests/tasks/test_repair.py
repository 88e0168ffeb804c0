"""Repairing: what a model is given, chains inside the budget, what the run records, and what a plan makes of it."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isobudget import api
from isobudget.analysis.load_samples import load_samples
from isobudget.errors import InputError
from isobudget.judge.verdict import Outcome, Verdict
from isobudget.records.attempts import AttemptRow
from isobudget.records.parts import read_rows
from isobudget.records.run import load_run
from isobudget.tasks.options import SolveOptions
from isobudget.tasks.repair import failing_test, repair_task
from isobudget.tasks.selection import select
from isobudget.tasks.solution import Solution
from isobudget.tasks.solve import solve as solve_task
from isobudget.tasks.target import find_target
from support.solve_project import RIGHT, answering, declare, enter_project

SLUG, SLUG_TESTS = "src/pkg/text.py::slugify", ("tests/test_text.py",)
ADD, ADD_TESTS = "src/pkg/text.py::Counter.add", ("tests/test_counter.py",)
ADDED = "        self.words[word] = self.words.get(word, 0) + 1\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_project(tmp_path, monkeypatch)


def solve(target: str = SLUG, tests: tuple[str, ...] = SLUG_TESTS, **stated: object) -> Solution:
    options = {"budget": "40samples", "models": ("small",), "python": sys.executable, "tests": tests} | stated
    return solve_task(target, SolveOptions(**options))  # type: ignore[arg-type]


def attempts(run: Path) -> list[AttemptRow]:
    return sorted(read_rows(run / "attempts", AttemptRow), key=lambda row: row.place)


def wrong(seed: int) -> str:
    """A few different ones: equal files are run once."""
    return f"    return '{seed % 2}'\n"


def prompt_of(root: Path, program: str, verdict: Verdict) -> str:
    tests = select(root, SLUG_TESTS)
    return repair_task(find_target(str(root / SLUG)), tests, program, verdict, show_tests=False, tokens=500)


def test_a_model_gets_what_was_tried_and_the_first_failing_test(project: Path) -> None:
    failed = Verdict(
        Outcome.FAILED, detail="assert 'a  b!' == 'a-b'", first_failing="tests/test_text.py::test_slug[a  b!-a-b]"
    )
    said = prompt_of(project, 'def slugify(text: str, sep: str = "-"):\n    """Doc."""\n    return text\n', failed)
    assert said.endswith(
        "# A first try of slugify, which is wrong:\n"
        "# def slugify(text: str, sep: str='-'):\n#     return text\n"
        "# tests/test_text.py::test_slug[a  b!-a-b] fails: assert 'a  b!' == 'a-b'\n"
        '# @pytest.mark.parametrize("text, slug", [("Hello World", "hello-world"), ("a  b!", "a-b")])\n'
        "# def test_slug(text, slug):\n#     assert slugify(text) == slug\n\n"
        'def slugify(text: str, sep: str = "-") -> str:\n'
        '    """Lower-case words of letters and digits, joined by sep."""\n'
    )
    broken = Verdict(Outcome.SYNTAX_ERROR, detail="SyntaxError: invalid syntax")
    assert "# def slugify(:\n# It fails: SyntaxError: invalid syntax\n" in prompt_of(project, "def slugify(:\n", broken)
    long = prompt_of(project, "def slugify(text):\n" + "    text = text + text\n" * 1000, failed)
    assert len(long) < 2 * 500 * 3.2 + 500


def test_the_failing_test_is_found_by_its_id(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("class TestA:\n    def test_b(self, x):\n        assert x\n")
    tests = select(tmp_path, [str(tmp_path / "test_a.py")])
    assert failing_test(tests, "test_a.py::TestA::test_b[1::2]") == "def test_b(self, x):\n    assert x"
    assert failing_test(tests, "test_a.py::TestA::test_c") == failing_test(tests, "test_b.py::x") == ""


def test_a_failing_sample_is_repaired_and_carries_its_parent(project: Path) -> None:
    with answering(lambda model, seed: RIGHT if seed == 4 else wrong(seed)) as (url, asked):
        declare(project.parent / "models.toml", url)
        solution = solve(repair=2)
    assert solution.solved
    rows = attempts(solution.run)
    assert [(row.index, row.parent) for row in rows] == [(0, None), (1, 0), (2, 1), (3, None), (4, 3)]
    assert ["A first try" in one["prompt"] for one in asked] == [False, True, True, False, True]
    assert "#     return '0'\n# tests/test_text.py::test_slug" in asked[1]["prompt"]
    assert solution.drawn == {"small": 5}
    # A second time the numbers go on, and parents with them.
    with answering(lambda model, seed: RIGHT if seed == 6 else wrong(seed)) as (url, _):
        declare(project.parent / "models.toml", url)
        solve(repair=1)
    assert [(row.index, row.parent) for row in attempts(solution.run) if row.index > 4] == [(5, None), (6, 5)]


def test_in_conversations_too(project: Path) -> None:
    answer = "```python\ndef slugify(text, sep='-'):\n    return text\n```"
    with answering(lambda model, seed: answer) as (url, asked):
        declare(project.parent / "models.toml", url, api="chat")
        solve(repair=1, budget="2samples")
        solve("src/pkg/text.py", (*SLUG_TESTS, *ADD_TESTS), repair=1, budget="2samples")
    said = [one["messages"][-1]["content"] for one in asked]
    assert "# A first try of slugify, which is wrong:\n# def slugify(text, sep='-'):\n#     return text\n" in said[1]
    assert "This was tried and is wrong:\n\n```python\ndef slugify(text" in said[3]
    assert "answer does not define Counter.add" in said[3]


def test_repairs_never_spend_more_than_the_budget(project: Path) -> None:
    rng = random.Random(7)
    with answering(lambda model, seed: (wrong(seed), rng.randint(1, 500), 0.0)) as (url, _):
        declare(project.parent / "models.toml", url)
        for unit, limit in (("tokens", rng.randint(600, 9000)), ("usd", rng.uniform(1e-4, 3e-3))):
            budget = f"{limit!r}{unit}"
            solution = solve(repair=3, budget=budget, max_tokens=100)
            assert solution.spent[unit] <= limit * (1 + 1e-9)
            assert not solution.solved


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repair": 0}, "--repair must be between 1 and 16, not"),
        ({"repair": 17}, "--repair must be between 1 and 16, not"),
        (
            {"repair": 1, "budget": "1samples"},
            "--repair needs a failing sample first, but a budget of 1samples buys only one sample",
        ),
        ({"repair": 1, "policy": "policy.toml", "models": ()}, "the policy itself says which models repair"),
    ],
)
def test_where_repairing_makes_no_sense(project: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        solve(**options)
    assert not (project / "runs").exists()


def by_prompt(share: float) -> Callable[[str, int], str]:
    """Right with a chance that is the seed's alone."""
    return lambda model, seed: (
        (RIGHT if seed < 1000 else ADDED) if random.Random(seed).random() < share else wrong(seed)
    )


def test_explored_chains_are_no_draws_and_become_an_arm(project: Path) -> None:
    with answering(by_prompt(0.25)) as (url, _):
        declare(project.parent / "models.toml", url)
        first = solve(repair=2, explore=6, budget="400samples")
        solve(ADD, ADD_TESTS, repair=2, explore=6, budget="400samples", seed=2000)
    rows = attempts(first.run)
    verdicts = {row.key: bool(row.passed) for row in load_run(first.run).verdicts()}
    children = {(row.task_id, row.parent): row for row in rows if row.parent is not None}
    chains: dict[str, list[int]] = {}  # of each chain the number of its sample that passes, 3 if none does
    for row in rows:
        if row.parent is None:
            link, number = row, 0
            while not verdicts[link.key] and (row.task_id, link.index) in children:
                link, number = children[row.task_id, link.index], number + 1
            assert verdicts[link.key] or number == 2
            chains.setdefault(row.task_id, []).append(number if verdicts[link.key] else 3)
    assert all(len(own) == 6 for own in chains.values())
    # Only what was sampled from scratch is pooled.
    (pooled,) = load_samples(first.run).samples("solve")
    assert {task: int(c) for task, c in zip(pooled.task_ids, pooled.c, strict=True)} == {
        task: own.count(0) for task, own in chains.items()
    }
    made = api.plan(first.run, "tokens", arms="small+repair2", replicates=200)
    (arm,) = made.recorded.arms
    assert dict(zip(made.recorded.task_ids, zip(arm.n, arm.c, strict=True), strict=True)) == {
        task: (6, sum(one < 3 for one in own)) for task, own in chains.items()
    }
    # A chain costs what its samples cost: the first one's own tokens, and those of repairs with their prompts.
    tokens = {row.key: row for row in load_run(first.run).samples()}
    prompts = [tokens[row.key].prompt_tokens for row in rows if row.parent is not None]
    own = [row.completion_tokens for row in tokens.values()]
    total = float((arm.price * arm.n).sum())
    assert total == pytest.approx(sum(own) + sum(prompts), rel=1e-9)
    plan = api.plan(first.run, "tokens", budget="1500", replicates=200)
    assert {row.arm for row in plan.repairs} == {"small+repair", "small+repair2"}
    assert json.loads(json.dumps(plan.to_dict()))["repairs"][0]["arm"] == "small+repair"
    with pytest.raises(InputError, match="begin with the same recorded samples"):
        api.plan(first.run, "tokens", arms=["small", "small+repair"])


def test_a_policy_that_repairs_is_played(project: Path) -> None:
    (project / "policy.toml").write_text(
        'format = 1\npolicy = "first_pass"\nunit = "tokens"\nbudget = 900.0\nstop = "first pass"\n'
        'arms = [{name = "small+repair", per_sample = 300.0}, {name = "small", per_sample = 100.0}]\n'
        'draws = [{arm = "small", count = 1}, {arm = "small+repair", count = 2}]\n'
    )
    with answering(lambda model, seed: wrong(seed)) as (url, _):
        declare(project.parent / "models.toml", url)
        solution = solve(policy="policy.toml", models=())
    assert [(row.index, row.parent) for row in attempts(solution.run)] == [
        (0, None),
        (1, None),
        (2, 1),
        (3, None),
        (4, 3),
    ]
    assert str(solution.ending) == "all draws of the schedule are made"


def test_chains_cut_short_by_the_budget_are_left_out(project: Path) -> None:
    with answering(lambda model, seed: RIGHT if seed == 1 else wrong(seed)) as (url, _):
        declare(project.parent / "models.toml", url)
        solution = solve(repair=2, explore=6, budget="9samples")
    assert len(load_samples(solution.run).samples("solve")[0].problems[0].passed) == 6
    for arm in ("small+repair", "small+repair2"):
        with pytest.raises(InputError, match=r"no arm .*; arms: small$"):
            api.plan(solution.run, "tokens", arms=arm)
