"""The quickstart set: references pass, wrong programs fail, and no small change to a reference goes unnoticed."""

from __future__ import annotations

import ast
import copy
import dataclasses
import doctest
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from isobudget.problems import load_benchmark
from isobudget.problems.problem import AssertList, Problem
from isobudget.problems.quickstart import quickstart_levels

PROBLEMS = load_benchmark("quickstart").problems
BY_NAME = {problem.entry_point: problem for problem in PROBLEMS}
each_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.entry_point)

# Plausible wrong bodies, as a model or a hurried person writes them.
WRONG = {
    "double_larger": ["return 2 * min(a, b)", "return max(a, b) * max(a, b)", "return a * 2 + b", "return 2 * b"],
    "age_in_year": ["return year - birth_year", "return abs(year - birth_year)", "return max(0, birth_year - year)"],
    "is_freezing": ["return temperature <= 0", "return temperature < 32", "return temperature < 1"],
    "words_with_z": [
        "return [w for w in words if w == 'z']",
        "return [w for w in words if w.startswith('z')]",
        "return list({w: 0 for w in words if 'z' in w})",
        "return [w for w in words if 'z' in w or 's' in w]",
    ],
    "square_areas": [
        "return [2 * s for s in sides]",
        "return [4 * s for s in sides]",
        "return sum(s * s for s in sides)",
    ],
    "even_houses": [
        "return [n for n in numbers if n % 2]",
        "return sorted(n for n in numbers if n % 2 == 0)",
        "return [n for n in numbers if n % 2 == 0 and n > 0]",
        "return [n for n in range(1, 11) if n % 2 == 0]",
    ],
    "join_initials": ["return '.'.join(n[0].upper() for n in names)", "return ''.join(n[0] + '.' for n in names)"],
    "final_height": [
        "return moves.count('u') - moves.count('d')",
        "return max(0, moves.count('u') - moves.count('d'))",
    ],
    "running_low": [
        "return [n for n, p in stock.items() if p < 5]",
        "return sorted(n for n, p in stock.items() if p <= 5)",
        "return sorted(n for n, p in stock.items() if 0 < p < 5)",
    ],
    "longest_dry_spell": [
        "return rain.count(0)",
        "return max(len(part) for part in ''.join('x' if r == 0 else ' ' for r in rain).split())",
        # forgets the spell that lasts until the end
        "best = run = 0\nfor r in rain:\n    if r == 0:\n        run += 1\n"
        "    else:\n        best, run = max(best, run), 0\nreturn best",
        # forgets to start over
        "best = run = 0\nfor r in rain:\n    run += r == 0\n    best = max(best, run)\nreturn best",
    ],
    "parking_fee": [
        "return min(15, 2 * ((minutes - 30) // 60 + 1))",
        "return 0 if minutes <= 30 else 2 * ((minutes - 30 + 59) // 60)",
        "return 0 if minutes <= 30 else min(15, 2 * ((minutes + 59) // 60))",
        "return 0 if minutes <= 30 else min(15, 2 * ((minutes - 30) // 60 + 1))",
        "return 0 if minutes < 30 else min(15, 2 * -(-minutes // 60))",
    ],
    "merge_orders": [
        "result = {}\nfor o in orders:\n    n, dish = o.split(' ', 1)\n    result[dish] = int(n)\nreturn result",
        "result = {}\nfor order in orders:\n    parts = order.split()\n"
        "    result[parts[1]] = result.get(parts[1], 0) + int(parts[0])\nreturn result",
        "result = {}\nfor order in orders:\n    dish = order[2:]\n"
        "    result[dish] = result.get(dish, 0) + int(order[0])\nreturn result",
        "result = {}\nfor order in orders:\n    n, dish = order.split(' ', 1)\n"
        "    result[dish] = result.get(dish, '') + n\nreturn result",
    ],
    "number_repeats": [
        "return [f'{n}-{i}' if n in names[:i] else n for i, n in enumerate(names)]",
        "return [n if names[:i].count(n) == 0 else f'{n}-{names[:i].count(n)}' for i, n in enumerate(names)]",
        "return [n if names.count(n) == 1 else f'{n}-{names[:i].count(n) + 1}' for i, n in enumerate(names)]",
        "return list(dict.fromkeys(names))",
    ],
    "best_player": [
        "return max(scores, key=lambda n: sum(scores[n]))",
        "return max(scores, key=lambda n: sum(scores[n]) - min(scores[n]), default='')",
        "return max(sorted(scores), key=lambda n: sum(scores[n]), default='')",
        "return max(sorted(scores), key=lambda n: max(scores[n]), default='')",
        "return max(sorted(scores), key=lambda n: sum(s for s in scores[n] if s > min(scores[n])), default='')",
        "best, top = '', 0\nfor n in sorted(scores):\n    t = sum(scores[n]) - min(scores[n])\n"
        "    if t > top:\n        best, top = n, t\nreturn best",
    ],
    "lamps_on": [
        "return sorted({lamp for a, b in flips for lamp in range(a, b + 1)})",
        "on = set()\nfor a, b in flips:\n    on ^= set(range(a, b))\nreturn sorted(on)",
        "on = set()\nfor a, b in flips:\n    on ^= {a, b}\nreturn sorted(on)",
        "return [i for i in range(count) if sum(a <= i <= b for a, b in flips) % 2]",
    ],
    "fold_strip": [
        "for _ in range(folds):\n    h = len(cells) // 2\n"
        "    cells = [cells[i] + cells[-1 - i] for i in range(h)]\nreturn cells",
        "for _ in range(folds):\n    h = len(cells) // 2\n"
        "    cells = [cells[i] + cells[h + i] for i in range(h)]\nreturn cells",
        "h = len(cells) // 2\nreturn [cells[i] + cells[-1 - i] for i in range(h)] + cells[h : len(cells) - h]",
        "for _ in range(folds):\n    h = (len(cells) + 1) // 2\n"
        "    cells = [cells[i] + cells[-1 - i] for i in range(h)]\nreturn cells",
    ],
    "seat_groups": [
        "for g in groups:\n    row = row.replace('.' * g, '#' * g)\nreturn row",
        "for g in groups:\n    row = row.replace('.', '#', g)\nreturn row",
        "for g in groups:\n    if '.' * g not in row:\n        break\n"
        "    row = row.replace('.' * g, '#' * g, 1)\nreturn row",
        "for g in sorted(groups, reverse=True):\n    row = row.replace('.' * g, '#' * g, 1)\nreturn row",
        "for g in groups:\n    i = row.rfind('.' * g)\n    if i >= 0:\n"
        "        row = row[:i] + '#' * g + row[i + g :]\nreturn row",
    ],
    "bounce": [
        "return steps % width, steps % height",
        "p, q = 2 * (width - 1), 2 * (height - 1)\nx, y = steps % p, steps % q\nreturn min(x, p - x), min(y, q - y)",
        # rests one step at the wall
        "p, q = 2 * width, 2 * height\nx, y = steps % p, steps % q\nreturn min(x, p - 1 - x), min(y, q - 1 - y)",
        # turns round in both directions at once
        "x = y = 0\nd = 1\nfor _ in range(steps):\n"
        "    if not (0 <= x + d < width and 0 <= y + d < height):\n        d = -d\n"
        "    x, y = x + d, y + d\nreturn x, y",
    ],
    "busiest_minute": [
        "return max((a for a, _ in visits), key=lambda m: sum(a <= m < b for a, b in visits), default=-1)",
        "return max(sorted(a for a, _ in visits), key=lambda m: sum(a <= m <= b for a, b in visits), default=-1)",
        "return min((a for a, b in visits if a < b), default=-1)",
        "return max(sorted(a for a, b in visits if a < b), default=-1)",
        "return max(sorted(a for a, _ in visits), key=lambda m: sum(a <= m < b for a, b in visits), default=-1)",
    ],
}


def run(problem: Problem, completion: str) -> str | None:
    """The first test that the program fails, or None if it passes all."""
    assert isinstance(problem.tests, AssertList)
    program: dict[str, object] = {}
    exec(problem.program(completion), program)
    for test in problem.tests.asserts:
        try:
            exec(test, program)
        except Exception:
            return test
    return None


def function_of(problem: Problem) -> ast.FunctionDef:
    function = ast.parse(problem.prompt).body[0]
    assert isinstance(function, ast.FunctionDef)
    return function


def examples_of(problem: Problem) -> list[doctest.Example]:
    return doctest.DocTestParser().get_examples(ast.get_docstring(function_of(problem)) or "")


def indented(body: str) -> str:
    return "".join(f"    {line}\n" for line in body.splitlines())


def test_there_are_thirty_in_rising_levels() -> None:
    levels = list(quickstart_levels().values())
    assert len(PROBLEMS) == 30
    assert levels == sorted(levels)
    assert [levels.count(level) for level in (1, 2, 3, 4)] == [10, 10, 7, 3]
    assert list(quickstart_levels()) == [problem.task_id for problem in PROBLEMS]


@each_problem
def test_form(problem: Problem) -> None:
    assert isinstance(problem.tests, AssertList)
    assert len(problem.tests.asserts) >= 8
    assert len(set(problem.tests.asserts)) == len(problem.tests.asserts)
    assert problem.prompt.startswith(f"def {problem.entry_point}(")
    assert problem.prompt.endswith('\n    """\n')
    # The examples are among the tests, but at least half of the tests are not shown.
    shown = [example.source.strip() for example in examples_of(problem)]
    assert 2 <= len(shown) <= 3
    assert all(any(call in test for test in problem.tests.asserts) for call in shown)
    assert len(problem.tests.asserts) >= 2 * len(shown)


@each_problem
def test_reference_passes_its_tests_and_its_examples(problem: Problem) -> None:
    assert problem.reference is not None
    assert run(problem, problem.reference) is None
    program: dict[str, object] = {}
    exec(problem.program(problem.reference), program)
    examples = doctest.DocTest(examples_of(problem), program, problem.entry_point, None, None, None)
    outcome = doctest.DocTestRunner(verbose=False).run(examples)
    assert outcome.attempted >= 2
    assert outcome.failed == 0


@each_problem
def test_empty_bodies_fail(problem: Problem) -> None:
    function = function_of(problem)
    arguments = [f"return {argument.arg}" for argument in function.args.args]
    constants = [f"return {value}" for value in ("None", "0", "1", "-1", "True", "False", "''", "[]", "{}", "(0, 0)")]
    for body in ["pass", "...", *constants, *arguments]:
        assert run(problem, indented(body)) is not None, body


@each_problem
def test_answering_only_the_shown_examples_fails(problem: Problem) -> None:
    key = f"repr(({', '.join(argument.arg for argument in function_of(problem).args.args)},))"
    lines = []
    for example in examples_of(problem):
        call = ast.parse(example.source.strip(), mode="eval").body
        assert isinstance(call, ast.Call)
        arguments = tuple(ast.literal_eval(argument) for argument in call.args)
        lines.append(f"if {key} == {repr(arguments)!r}:\n    return {example.want.strip()}")
    assert run(problem, indented("\n".join(lines))) is not None


@pytest.mark.parametrize("name", WRONG)
def test_plausible_wrong_bodies_fail(name: str) -> None:
    passing = [body for body in WRONG[name] if run(BY_NAME[name], indented(body)) is None]
    assert passing == []


def test_every_hard_problem_has_wrong_bodies() -> None:
    hard = {problem.entry_point for problem in PROBLEMS if quickstart_levels()[problem.task_id] >= 3}
    assert hard <= {name for name, bodies in WRONG.items() if len(bodies) >= 3}


SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
}  # fmt: skip
RENAMES = {"max": "min", "min": "max", "sum": "max", "sorted": "list", "upper": "lower"}

# Changes that leave the meaning as it is, so that no test can tell them apart.
EQUIVALENT = {
    # the formula charges nothing for 30 minutes as well
    "parking_fee": {"if minutes < 30:", "if minutes <= 29:"},
    # one place more than there are lamps; lamp 0 is never on
    "lamps_on": {"lit = [False] * (count + 2)", "return [lamp for lamp in range(0, count + 1) if lit[lamp]]"},
    # only the order of the counts matters
    "busiest_minute": {"inside = sum((2 for arrive, leave in visits if arrive <= minute < leave))"},
}


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Each small change to the code of a function: the changed line and the whole changed source."""
    tree = ast.parse(source)
    before = ast.unparse(tree).splitlines()
    for place, node in enumerate(ast.walk(tree)):
        for variant in changed(node):
            mutant = copy.deepcopy(tree)
            target = list(ast.walk(mutant))[place]
            for field, value in variant.items():
                setattr(target, field, value)
            after = ast.unparse(mutant)
            lines = [new.strip() for old, new in zip(before, after.splitlines(), strict=True) if old != new]
            yield "; ".join(lines), after


def changed(node: ast.AST) -> list[dict[str, object]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        return [
            {"ops": [*node.ops[:i], SWAPS[type(op)](), *node.ops[i + 1 :]]}
            for i, op in enumerate(node.ops)
            if type(op) in SWAPS
        ]
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in SWAPS:
        return [{"op": SWAPS[type(node.op)]()}]
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return [{"value": node.value + 1}, {"value": node.value - 1}]
    if isinstance(node, ast.Name) and node.id in RENAMES:
        return [{"id": RENAMES[node.id]}]
    if isinstance(node, ast.Attribute) and node.attr in RENAMES:
        return [{"attr": RENAMES[node.attr]}]
    return []


@each_problem
def test_no_small_change_to_the_reference_passes(problem: Problem) -> None:
    assert problem.reference is not None
    assert "while" not in problem.reference  # a changed loop condition could run for ever in this process
    head = problem.prompt[: problem.prompt.index("\n") + 1]
    survivors = set()
    for line, source in mutants(head + problem.reference):
        changed_problem = dataclasses.replace(problem, prompt="")
        if run(changed_problem, source) is None:
            survivors.add(line)
    assert survivors == EQUIVALENT.get(problem.entry_point, set())


def test_nothing_is_taken_from_humaneval(shared_data: Path) -> None:
    def fingerprint(reference: str) -> str:
        return ast.dump(ast.parse("def f():\n" + reference))

    with gzip.open(shared_data / "humaneval" / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    assert not {problem.entry_point for problem in PROBLEMS} & {record["entry_point"] for record in records}
    published = {fingerprint(record["canonical_solution"]) for record in records}
    assert not [p.task_id for p in PROBLEMS if p.reference and fingerprint(p.reference) in published]
