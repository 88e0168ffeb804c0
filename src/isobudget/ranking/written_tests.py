"""Tests that a model writes for the problems, and files of such tests.

The model gets the prompt, an empty body, and the beginning of an assert statement, which it continues. Of its output,
only lines that parse as `assert f(literals) == literal` count. They are read, never executed. A tests file has JSON
lines `{"task_id": ..., "tests": ["assert f(1) == 2", ...]}`.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isobudget.backends.base import Backend, Chat, Message, Prompt, Sampling
from isobudget.costs.cost import Unit
from isobudget.costs.flops import completion_flops, prompt_flops
from isobudget.errors import InputError
from isobudget.files.jsonl import read_objects
from isobudget.models.architecture import Architecture
from isobudget.problems.problem import Form, Problem
from isobudget.progress import Progress
from isobudget.rankers.base import Amount, Candidates, Pool, RankerCost
from isobudget.rankers.examples import Example, example_of_assert
from isobudget.rankers.ranker import WrittenTests
from isobudget.ranking.scores import Scorer, plain
from isobudget.records.ranking_rows import KeptRows, TestRow

#: settings for sampling tests, and the number of texts per problem
SAMPLING = Sampling(0.8, 0.95, 256, ("\ndef ", "\nclass ", "\nif ", "\nprint(", "\n#", "\n```"))
TEXTS = 8
#: most tests of a problem that are used; those written most often come first
MOST_TESTS = 60


def prompt_for_tests(candidates: Candidates, chat: bool) -> Prompt:
    """The prompt of the test-writing model, as a conversation or as source."""
    problem, name = candidates.problem, candidates.problem.entry_point
    if chat:
        ask = f"Write tests of {name} for the task above: lines of the form assert {name}(...) == ..."
        text = f"{plain(candidates.prompt)}\n\n{ask}. Use literal values only. Answer with these lines alone."
        return Chat((Message("user", text),))
    body = "\n    pass\n" if problem.form is Form.SOURCE else "\n"
    return f"{problem.prompt.rstrip()}{body}\n\n# Tests: what {name} must return.\nassert {name}("


def parse_tests(texts: Sequence[str], problem: Problem) -> tuple[Example, ...]:
    """The literal tests in a model's outputs, those written most often first."""
    counted: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], Example] = {}
    for text in texts:
        for line in text.splitlines():
            example = example_of_assert(line.strip().removeprefix(">>> "), problem.entry_point)
            if example is not None:
                key = example.source, repr(example.value)
                examples.setdefault(key, example)
                counted[key] += 1
    return tuple(examples[key] for key, _ in counted.most_common(MOST_TESTS))


def write_tests(
    pool: Pool, writer: Scorer, chat: bool, folder: Path | None, progress: Progress, *, seed: int = 0
) -> WrittenTests:
    """The tests of every problem by a model, written unless they are recorded; with `chat`, in a conversation.

    Raises:
        BackendError: the model did not answer.
    """
    kept = KeptRows(
        folder,
        TestRow,
        lambda row: (row.task_id, row.index),
        {"benchmark": pool.benchmark, "writer": writer.name},
    )
    there = {task_id for task_id, _ in kept.rows}
    left = [one for one in pool.problems if one.problem.entry_point and one.problem.task_id not in there]
    task = f"tests by {writer.name}"
    progress.start(task, len(pool.problems), len(pool.problems) - len(left))
    if left:
        with writer.open() as backend, kept.writing():
            for one in left:
                kept.add(_written(backend, pool, one, writer.name, chat, seed))
                progress.advance(task, 1)
            for note in backend.describe().notes:
                progress.note(f"{writer.name}: {note}")
    rows: dict[str, list[TestRow]] = {task_id: [] for task_id in pool.task_ids}
    for row in kept.rows.values():
        rows.setdefault(row.task_id, []).append(row)
    tests = {
        one.problem.task_id: parse_tests([row.text for row in rows[one.problem.task_id]], one.problem)
        for one in pool.problems
    }
    cost = _cost([rows[task_id] for task_id in pool.task_ids], writer)
    return WrittenTests(task, tests, cost, f"{TEXTS} texts of tests a problem by {writer.name}")


def _written(backend: Backend, pool: Pool, candidates: Candidates, writer: str, chat: bool, seed: int) -> list[TestRow]:
    problem = candidates.problem
    digest = hashlib.sha256(f"{seed}\0tests\0{writer}\0{problem.task_id}".encode()).digest()
    base = int.from_bytes(digest[:4]) >> 2
    begun = "" if chat else f"assert {problem.entry_point}("
    made = backend.generate(prompt_for_tests(candidates, chat), SAMPLING, [base + at for at in range(TEXTS)])
    key = pool.benchmark, problem.task_id, writer
    seconds = [g.seconds + (0.0 if math.isnan(g.prompt_seconds) else g.prompt_seconds / len(made)) for g in made]
    return [
        TestRow(*key, at, begun + g.text, g.prompt_tokens, g.completion_tokens, seconds[at])
        for at, g in enumerate(made)
    ]


def _cost(rows: Sequence[Sequence[TestRow]], writer: Scorer) -> RankerCost:
    """The cost of the tests, once per problem, however many samples there are; a problem's texts share the prompt."""
    shape, each = writer.architecture, {Unit.SECONDS: [sum(row.seconds for row in one) for one in rows]}
    each[Unit.TOKENS] = [float(sum(row.completion_tokens for row in one) + _prompt_tokens(one)) for one in rows]
    if shape is not None:
        each[Unit.FLOPS] = [_flops(shape, one) for one in rows]
    amounts = {unit: Amount(float(np.mean(values)), 0.0) for unit, values in each.items()}
    return RankerCost(amounts, f"tests written by {writer.name}")


def _prompt_tokens(rows: Sequence[TestRow]) -> int:
    return rows[0].prompt_tokens if rows else 0


def _flops(shape: Architecture, rows: Sequence[TestRow]) -> float:
    prompt = max(_prompt_tokens(rows), 1)
    completions = sum(completion_flops(shape, prompt, row.completion_tokens) for row in rows)
    return prompt_flops(shape, prompt) + completions if rows else 0.0


def read_written_tests(path: Path, pool: Pool) -> WrittenTests:
    """The tests from a file, see the module; problems without a line have none.

    Raises:
        InputError: a line is wrong, or no line is for a problem of the pool.
    """
    problems = {one.problem.task_id: one.problem for one in pool.problems}
    tests_by_task: dict[str, tuple[Example, ...]] = {}
    for where, record in read_objects(path):
        tests = record.get("tests")
        if not isinstance(tests, list) or not all(isinstance(one, str) for one in tests) or "task_id" not in record:
            raise InputError(
                f'{where}: must be an object such as {{"task_id": "HumanEval/0", "tests": ["assert ..."]}}'
            )
        task_id = str(record["task_id"])
        if task_id in problems:
            tests_by_task[task_id] = parse_tests(tests, problems[task_id])
    if not tests_by_task:
        raise InputError(f"{path}: no tests for the ranked problems, such as {next(iter(problems))}")
    return WrittenTests("tests", tests_by_task, None, f"tests from {path.name}")
